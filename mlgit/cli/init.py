"""Create a working project in a new folder."""

import os.path
import shlex
from pathlib import Path
from typing import Literal

import click

from mlgit import schemas
from mlgit.cli.params import dry_run_option, session_command
from mlgit.cli.render import text
from mlgit.cli.session import Session
from mlgit.domain.records import KINDS
from mlgit.edges import templates
from mlgit.edges.project import Folder
from mlgit.ops.project import init
from mlgit.ops.project.project_files import InitRequest


@click.command()
@click.argument("folder", metavar="[DIR]", default=".", type=click.Path(file_okay=False, path_type=Path))
@click.option("--template", type=click.Choice(list(templates.TEMPLATES)), help="Template to start from.")
@click.option("--name", metavar="NAME", help="Name of the project; by default that of the folder.")
@click.option("--owner", metavar="OWNER", help="Responsible team or person; by default you, by your Git identity.")
@click.option(
    "--remote", metavar="PATH|URL", help="DVC remote for data and models; by default a folder beside the project."
)
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
    owner: str | None,
    remote: str | None,
    forge: Literal["none", "github", "gitea"],
    *,
    yes: bool,
    dry_run: bool,
) -> int:
    """Create a working project in a new folder.

    This is a Git repository with data, a training pipeline, two environments with their policies, and a DVC remote for data
    and models beside it. Existing files are never overwritten. If it was interrupted, run it again.

    \b
    Examples:
      mlgit init acme
      mlgit init acme --template bring-your-own --owner @acme/ml --yes
      mlgit init acme --remote s3://acme-models/storage --forge github
    """
    root = Path(os.path.abspath(session.directory / folder.expanduser()))  # noqa: PTH100 - keeps links, resolves `..`
    project_folder = Folder(root)
    default_name, default_template = init.name_of(root.name), next(iter(templates.TEMPLATES))
    if session.may_ask and not yes:
        template = template or _ask_template(default_template)
        name = name or click.prompt("Name of the project", default=default_name)
        owner = owner or click.prompt("Responsible person or team", default=project_folder.person().email)
    name = name or default_name
    request = InitRequest(
        name=name,
        template=template or default_template,
        owner=owner,
        remote=f"../{name}-storage" if remote is None else _location(session.directory, root, remote),
        forge=forge,
    )
    files = templates.project(request.template, forge)
    outcome = init.run(
        Session(root, as_json=session.as_json),
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
    """Return where a remote is: a URL, a folder given in full, or one counted from the root."""
    path = Path(remote).expanduser()
    if "://" in remote or path.is_absolute():
        return remote if "://" in remote else str(path)
    return os.path.relpath(directory / path, root)


def _show(started: init.ProjectCreated) -> str:
    folder = os.path.relpath(started.folder)
    enter = "" if folder == "." else f"cd {shlex.quote(folder)}"
    if started.state == "there-already":
        headline = f"{text.clean(started.folder)} is a project already, as `init` would create it; nothing was changed"
        return headline + text.following(_joined(enter, "mlgit status"))
    action = "Would create" if started.state == "planned" else "Created"
    commit = f" (commit {started.commit[:7]})" if started.commit else ""
    lines = [f"{action} project {started.project} in {text.clean(started.folder)}{commit}", ""]
    if started.state == "planned":
        lines += [f"  + {file}" for file in started.files]
        lines += ["", f"Data and models would be stored in {text.clean(started.remote)}. Nothing was changed."]
    else:
        lines += [f"  {what.ljust(31)}  {why}" for what, why in _contents(started)]
    if started.kept_files:
        lines += ["", f"Your own {' and '.join(started.kept_files)} stays as it is."]
    if not started.has_signing_key:
        lines += [
            "",
            "No SSH key of yours was found. Approvals are signed with one: .mlgit/allowed_signers says how to add it.",
        ]
    return "\n".join(lines) + text.following(None if started.state == "planned" else _first_step(started, enter))


def _contents(started: init.ProjectCreated) -> list[tuple[str, str]]:
    (problem,) = (file for file in started.files if file.startswith("problems/"))
    dataset = _dataset(started)
    return [
        (problem, "what is to be predicted, and how success is measured"),
        (f"datasets/{dataset}/", "the contract of the data" + (", and the data" if started.data_files else "")),
        ("src/, dvc.yaml, params.yaml", "the pipeline: prepare, featurize, train, evaluate"),
        (f"models/{started.model}/", "the model, and the text of its model card"),
        ("environments/, policies/", "staging and production, and what each requires"),
        (text.clean(started.remote), "where DVC stores data and models"),
        ("README.md", "the workflow, step by step"),
    ]


def _dataset(started: init.ProjectCreated) -> str:
    return next(file.split("/")[1] for file in started.files if file.endswith("/dataset.yaml"))


def _first_step(started: init.ProjectCreated, enter: str) -> str:
    if started.data_files:
        return _joined(enter, f"mlgit train {started.model}")
    dataset = _dataset(started)
    steps = (
        enter,
        f"describe your data in datasets/{dataset}/dataset.yaml",
        f"mlgit data add FILE --dataset {dataset}",
    )
    return ", then ".join(filter(None, steps))


def _joined(*commands: str) -> str:
    return " && ".join(filter(None, commands))
