"""Draft a problem, dataset, model, environment or policy."""

import click

from mlgit.cli.params import DATASET, PROBLEM, dry_run_option, session_command
from mlgit.cli.render import text
from mlgit.cli.session import Session
from mlgit.edges import templates
from mlgit.ops.project import new

_NEXT = {
    "problem": "edit {file}, then mlgit validate",
    "dataset": "edit {file}, then mlgit data add FILE --dataset {name}",
    "model": "edit {file}, then mlgit train {name}",
    "environment": "edit {file}, then mlgit validate",
    "policy": "edit {file}, then mlgit validate",
}


@click.group()
def command() -> None:
    """Draft a problem, dataset, model, environment or policy.

    The draft is valid, and its comments explain what to fill in. Existing files are never overwritten.

    \b
    Examples:
      mlgit new problem churn
      mlgit new model churn --problem churn --dataset customers
      mlgit new environment canary
    """


@command.command("problem")
@click.argument("name")
@dry_run_option
@session_command
def _problem(session: Session, name: str, *, dry_run: bool) -> int:
    """Draft a problem: what is to be predicted, and how success is measured.

    \b
    Examples:
      mlgit new problem churn
      mlgit new problem churn --dry-run
    """
    return _draft(session, "problem", name, dry_run=dry_run)


@command.command("dataset")
@click.argument("name")
@dry_run_option
@session_command
def _dataset(session: Session, name: str, *, dry_run: bool) -> int:
    """Draft the contract of a dataset without its data; `mlgit data add` drafts it from the data.

    \b
    Examples:
      mlgit new dataset customers
      mlgit new dataset customers --dry-run
    """
    return _draft(session, "dataset", name, dry_run=dry_run)


@command.command("model")
@click.argument("name")
@click.option("--problem", type=PROBLEM, metavar="NAME", help="Problem that the model solves; by default the only one.")
@click.option(
    "--dataset", type=DATASET, metavar="NAME", help="Dataset that the model is trained on; by default the only one."
)
@dry_run_option
@session_command
def _model(session: Session, name: str, problem: str | None, dataset: str | None, *, dry_run: bool) -> int:
    """Draft a model that solves a problem, with a model card to fill in.

    \b
    Examples:
      mlgit new model churn
      mlgit new model churn-trees --problem churn --dataset customers
    """
    return _draft(session, "model", name, problem=problem, dataset=dataset, dry_run=dry_run)


@command.command("environment")
@click.argument("name")
@dry_run_option
@session_command
def _environment(session: Session, name: str, *, dry_run: bool) -> int:
    """Draft an environment, after the existing ones.

    \b
    Examples:
      mlgit new environment canary
      mlgit new environment canary --dry-run
    """
    return _draft(session, "environment", name, dry_run=dry_run)


@command.command("policy")
@click.argument("name")
@dry_run_option
@session_command
def _policy(session: Session, name: str, *, dry_run: bool) -> int:
    """Draft a policy: the gates and approvals that an environment requires.

    \b
    Examples:
      mlgit new policy strict
      mlgit new policy strict --dry-run
    """
    return _draft(session, "policy", name, dry_run=dry_run)


def draft_text(kind: str, values: new.Values) -> bytes:
    """Return the text of a draft with its placeholders filled in."""
    return templates.render({kind: templates.draft(kind)}, values)[kind]


def _draft(
    session: Session,
    kind: new.DraftKind,
    name: str,
    *,
    problem: str | None = None,
    dataset: str | None = None,
    dry_run: bool,
) -> int:
    outcome = new.run(session, kind, name, draft=draft_text, problem=problem, dataset=dataset, dry_run=dry_run)
    return session.answer(outcome, _show)


def _show(drafted: new.DraftCreated) -> str:
    action = "Would draft" if drafted.dry_run else "Drafted"
    lines = [f"{action} {drafted.kind} {drafted.name}", *(f"  + {file}" for file in drafted.files)]
    if drafted.environments is not None:
        lines.append("It takes part once mlgit.yaml lists it, in its place in the order:")
        lines.append(f"  environments: [{', '.join(drafted.environments)}]")
    step = _NEXT[drafted.kind].format(file=drafted.files[0], name=drafted.name)
    return "\n".join(lines) + text.following(None if drafted.dry_run else step)
