"""Check every file of the project."""

import click

from mlgit.cli.params import at_option, session_command
from mlgit.cli.render import annotations, text
from mlgit.cli.session import Session
from mlgit.domain.formatting import plural
from mlgit.errors import Severity
from mlgit.ops.validation import validate


@click.command()
@click.option(
    "--base", metavar="REV", help="Check only what changed since this commit or branch, and what refers to it."
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "github"]),
    default="text",
    help="github: annotations for a workflow.",
)
@at_option
@session_command
def command(session: Session, base: str | None, form: str, at: str | None) -> int:
    """Check every file of the project, or what a change touches. Runs nothing of the project, and loads no model.

    \b
    Examples:
      mlgit validate
      mlgit validate --base origin/main
      mlgit validate --at v2.0
    """
    with session.progress("checking") as on_progress:
        outcome = validate.run(session, base=base, at=at, on_progress=on_progress)
    return session.answer(outcome, annotations.validation if form == "github" else _show)


def _show(found: validate.Validated) -> str:
    errors = sum(finding.severity is Severity.ERROR for finding in found.findings)
    warnings = sum(finding.severity is Severity.WARNING for finding in found.findings)
    changed = (
        ""
        if found.changed is None or found.base is None
        else f", {plural(found.changed, 'path')} changed since {text.clean(found.base or '')}"
    )
    summary = (
        f"{plural(found.checked, 'record')} checked in {text.clean(found.where)}{changed}: "
        f"{plural(errors, 'error')}, {plural(warnings, 'warning')}"
    )
    return "\n\n".join([*(text.finding(finding) for finding in found.findings), summary])
