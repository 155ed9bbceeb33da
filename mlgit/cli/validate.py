"""Check every file of the project."""

import click

from mlgit.cli.params import REVISION, at_option, format_option, session_command
from mlgit.cli.render import annotations, text
from mlgit.cli.session import Session
from mlgit.domain.formatting import plural
from mlgit.errors import Severity
from mlgit.ops.validation import validate


@click.command()
@click.option(
    "--base",
    type=REVISION,
    metavar="REV",
    help="Check only what changed since the merge base with this commit or branch.",
)
@at_option
@session_command
@format_option("github")
def command(session: Session, base: str | None, at: str | None, *, form: str) -> int:
    """Check every file of the project, or what a change touches. Runs no code of the project, and loads no model.

    With --base, files that refer to what changed are checked too. --format github prints annotations for a workflow.

    \b
    Examples:
      mlgit validate
      mlgit validate --base origin/main
      mlgit validate --at v2.0
    """
    with session.progress("checking") as on_progress:
        outcome = validate.run(session, base=base, at=at, on_progress=on_progress)
    return session.answer(outcome, annotations.validation if form == "github" else _show)


def _show(outcome: validate.Validated) -> str:
    errors = sum(finding.severity is Severity.ERROR for finding in outcome.findings)
    warnings = sum(finding.severity is Severity.WARNING for finding in outcome.findings)
    changed = (
        ""
        if outcome.paths_changed is None or outcome.base is None
        else f", {plural(outcome.paths_changed, 'path')} changed since {text.clean(outcome.base or '')}"
    )
    summary = (
        f"{plural(outcome.records_checked, 'record')} checked in {text.clean(outcome.tree)}{changed}: "
        f"{plural(errors, 'error')}, {plural(warnings, 'warning')}"
    )
    return "\n\n".join([*(text.finding(finding) for finding in outcome.findings), summary])
