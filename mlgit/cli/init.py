"""Create a working project in a new folder."""

import os.path
import shlex
from pathlib import Path
from typing import Final, Literal

import click

from mlgit import schemas
from mlgit.cli.new import draft_text
from mlgit.cli.params import FILE, dry_run_option, session_command
from mlgit.cli.render import text
from mlgit.cli.session import Session
from mlgit.domain.records import KINDS
from mlgit.edges import templates
from mlgit.edges.hashing import stored
from mlgit.edges.project import Folder
from mlgit.errors import usage_error
from mlgit.ops.data import own_table
from mlgit.ops.project import init
from mlgit.ops.project.existing_files import PIPELINE
from mlgit.ops.project.project_files import InitRequest

_OWN: Final = "bring-your-own"


@click.command()
@click.argument("folder", metavar="[DIR]", default=".", type=click.Path(file_okay=False, path_type=Path))
@click.option("--template", type=click.Choice(list(templates.TEMPLATES)), help="Template to start from.")
@click.option("--name", metavar="NAME", help="Name of the project; by default that of the folder.")
@click.option("--data", metavar="FILE", type=FILE, help="CSV or Parquet file to start with; needs --target.")
@click.option("--target", metavar="COLUMN", help="With --data: the column to predict.")
@click.option(
    "--key",
    "keys",
    metavar="COLUMN",
    multiple=True,
    help="With --data: a column that identifies a row; may be repeated.",
)
@click.option("--owner", metavar="OWNER", help="Responsible team or person; by default you, by your Git identity.")
@click.option(
    "--remote",
    metavar="PATH|URL",
    help="DVC remote for data and models; by default the one that DVC has, else a folder beside the project.",
)
@click.option("--base", metavar="BRANCH", help="Base branch; by default the default branch of the repository.")
@click.option(
    "--forge",
    type=click.Choice(["none", "github", "gitea"]),
    default="none",
    help="Where pull requests are; github adds all workflows.",
)
@click.option("--yes", is_flag=True, help="Ask nothing; use the defaults.")
@dry_run_option
@session_command
def command(
    session: Session,
    folder: Path,
    template: str | None,
    name: str | None,
    data: Path | None,
    target: str | None,
    keys: tuple[str, ...],
    owner: str | None,
    remote: str | None,
    base: str | None,
    forge: Literal["none", "github", "gitea"],
    *,
    yes: bool,
    dry_run: bool,
) -> int:
    """Create a working project in a new folder.

    With --data and --target it is about a table of your own: contract, problem, model and pipeline are drafted from it.

    This is a Git repository with data, a training pipeline, two environments with their policies, and a DVC remote for data
    and models beside it. DIR is the current folder, if it is left out. In a DVC project, its pipeline and its remote are kept.
    Existing files are never overwritten. If it was interrupted, run it again.

    \b
    Examples:
      mlgit init churn --data customers.csv --target left
      mlgit init acme
      mlgit init acme --template bring-your-own --owner @acme/ml --yes
      mlgit init acme --remote s3://acme-models/storage --forge github
    """
    root = Path(os.path.abspath(session.directory / folder.expanduser()))  # noqa: PTH100 - keeps links, resolves `..`
    project_folder = Folder(root)
    default_name = init.name_of(root.name)
    if (
        (data is None) != (target is None)
        or (keys and data is None)
        or (data is not None and template not in {None, _OWN})
    ):
        raise usage_error(
            "init-options-conflict",
            "--data, --target and --key belong together, and to the template bring-your-own",
            fix="for example `mlgit init churn --data customers.csv --target left`",
        )
    template = _OWN if data is not None else template
    default_template = templates.matching(PIPELINE, project_folder.read(PIPELINE)) or _OWN
    if session.may_ask and not yes:
        template = template or _ask_template(default_template)
        name = name or click.prompt("Name of the project", default=default_name)
        owner = owner or click.prompt("Responsible person or team", default=project_folder.person().email)
    name = name or default_name
    new_session = Session(root, as_json=session.as_json)
    table = None
    if data is not None and target is not None:
        session.step(f"reading {data}")
        table = own_table.describe(
            session.tables,
            session.formats,
            session.directory / data.expanduser(),
            target,
            project=name,
            owner=owner or project_folder.person().email,
            draft=draft_text,
            hash_file=stored,
            keys=keys,
        )
    request = InitRequest(
        name=name,
        template=template or default_template,
        owner=owner,
        remote=None if remote is None else _location(session.directory, root, remote),
        base=base,
        forge=forge,
        table=table,
    )
    files = templates.project(request.template, forge)
    outcome = init.run(
        new_session,
        project_folder,
        request,
        lambda values: templates.render(files, values),
        {
            f"{kind}{schemas.SUFFIX}": schemas.text(kind)
            for kind, record in KINDS.items()
            if record.written_by == "people"
        },
        dry_run=dry_run,
        on_step=session.step,
    )
    return session.answer(outcome, _show)


def _ask_template(default: str) -> str:
    width = max(map(len, templates.TEMPLATES))
    for name, summary in templates.TEMPLATES.items():
        click.echo(f"  {name.ljust(width)}  {summary}")
    answer: str = click.prompt(
        "Template", default=default, type=click.Choice(list(templates.TEMPLATES)), show_choices=False
    )
    return answer


def _location(directory: Path, root: Path, remote: str) -> str:
    """Return the location of a remote: a URL, an absolute folder, or a folder relative to the root."""
    path = Path(remote).expanduser()
    if "://" in remote or path.is_absolute():
        return remote if "://" in remote else str(path)
    return os.path.relpath(directory / path, root)


def _show(created: init.ProjectCreated) -> str:
    folder = os.path.relpath(created.folder)
    enter = "" if folder == "." else f"cd {shlex.quote(folder)}"
    if created.state == "there-already":
        headline = f"{text.clean(created.folder)} is a project already; nothing was changed"
        return headline + text.following(_joined(enter, "mlgit status"))
    action = "Would create" if created.state == "planned" else "Created"
    commit = f" (commit {created.commit[:7]})" if created.commit else ""
    lines = [f"{action} project {created.project} in {text.clean(created.folder)}{commit}", ""]
    if created.state == "planned":
        lines += [f"  + {file}" for file in created.files]
        lines += ["", f"Data and models would be stored in {text.clean(created.remote)}. Nothing was changed."]
    else:
        lines += [f"  {what.ljust(31)}  {why}" for what, why in _contents(created)]
    if created.notes:
        lines += ["", "From the data, to be reviewed in problems/, datasets/ and params.yaml:"]
        lines += [f"  {text.clean(note)}" for note in created.notes]
    if created.kept_files:
        lines += ["", f"Existing files were not changed: {', '.join(created.kept_files)}"]
    if created.extended_files:
        lines += ["", f"Lines were added to existing files: {', '.join(created.extended_files)}"]
    if created.branch not in {None, created.base}:
        lines += [
            "",
            f"The commit is on {text.clean(str(created.branch))}; the project starts once {created.base} has it.",
        ]
    if not created.has_signing_key:
        lines += [
            "",
            "No SSH key was found. Approvals and commits are signed with one; .mlgit/allowed_signers explains how to add it.",
        ]
    if created.signing:
        lines += ["", "Git signs your commits here with the key that signs your approvals. Set in this repository:"]
        lines += [f"  {name} = {text.clean(value)}" for name, value in created.signing.items()]
    if created.forge != "none":
        lines += ["", "Before you push: `mlgit upgrade` writes down where mlgit comes from, for the workflows."]
    return "\n".join(lines) + text.following(None if created.state == "planned" else _first_step(created, enter))


def _contents(created: init.ProjectCreated) -> list[tuple[str, str]]:
    (problem,) = (file for file in created.files if file.startswith("problems/"))
    dataset = _dataset(created)
    pipeline = [("src/, dvc.yaml, params.yaml", "the pipeline: prepare, featurize, train, evaluate")]
    return [
        (problem, "what is to be predicted, and how success is measured"),
        (f"datasets/{dataset}/", "the contract of the data" + (", and the data" if created.data_files else "")),
        *([] if PIPELINE in created.kept_files else pipeline),
        (f"models/{created.model}/", "the model, and the text of its model card"),
        ("environments/, policies/", "staging and production, and what each requires"),
        (text.clean(created.remote), "where DVC stores data and models"),
        ("README.md", "the workflow, step by step"),
    ]


def _dataset(created: init.ProjectCreated) -> str:
    return next(file.split("/")[1] for file in created.files if file.endswith("/dataset.yaml"))


def _first_step(created: init.ProjectCreated, enter: str) -> str:
    if created.data_files:
        return _joined(enter, f"mlgit train {created.model}")
    dataset = _dataset(created)
    steps = (
        enter,
        f"name your stages and what they write in models/{created.model}/model.yaml" * (PIPELINE in created.kept_files),
        f"describe your data in datasets/{dataset}/dataset.yaml",
        f"mlgit data add FILE --dataset {dataset}",
    )
    return ", then ".join(filter(None, steps))


def _joined(*commands: str) -> str:
    return " && ".join(filter(None, commands))
