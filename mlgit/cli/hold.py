"""Block a version, or freeze an environment."""

from datetime import datetime, timedelta

import click

from mlgit.cli import pull_requests
from mlgit.cli.params import HOLD, HOLDABLE, REASON, at_option, dry_run_option, session_command
from mlgit.cli.render import text
from mlgit.cli.session import Session
from mlgit.cli.times import TIME
from mlgit.domain.formatting import utc_minute
from mlgit.domain.names import VersionRef
from mlgit.errors import usage_error
from mlgit.ops.exceptions import hold


@click.group()
def command() -> None:
    """Block a version, or freeze an environment.

    A hold on a version keeps it out, even as the target of a rollback. A hold on a model, an environment or everything is a
    freeze: it blocks every change except a rollback. Holds are files under holds/ on the base branch, so adding and lifting
    one is reviewed like any other change.

    \b
    Examples:
      mlgit hold add production/churn@10 --reason "INC-7"
      mlgit hold list
    """


@command.command("add")
@click.argument("subject", required=False, type=HOLDABLE, metavar="[ENV[/MODEL[@N]]]")
@click.option("--everywhere", is_flag=True, help="In every environment; then name only MODEL[@N], or nothing.")
@click.option("--reason", type=REASON, required=True, help="Reason; recorded in the hold.")
@click.option("--until", type=TIME, help="End of the hold: 48h, 2026-12-01, 2026-12-01T18:00.")
@pull_requests.no_pull_request_option
@dry_run_option
@session_command
def _add(
    session: Session,
    subject: str | None,
    reason: str,
    until: datetime | timedelta | None,
    *,
    everywhere: bool,
    no_pull_request: bool,
    dry_run: bool,
) -> int:
    """Propose a hold, on a branch of its own.

    The work tree and the index are not touched. The hold takes effect once it is merged into the base branch.

    \b
    Examples:
      mlgit hold add production/churn@10 --reason "INC-7: wrong for EWR"
      mlgit hold add production --reason "year-end freeze" --until 2027-01-02
      mlgit hold add --everywhere churn --reason "data under review"
    """
    environment, model, number = _subject(subject, everywhere=everywhere)
    outcome = hold.add(
        session,
        environment,
        model,
        number,
        reason=reason,
        until=until,
        render_body=None if no_pull_request else pull_requests.render_body,
        dry_run=dry_run,
    )
    return session.answer(outcome, _show_change)


@command.command("list")
@at_option
@session_command
def _list(session: Session, at: str | None) -> int:
    """List every hold of the base branch, expired ones included.

    \b
    Examples:
      mlgit hold list
      mlgit hold list --at 2026-03-31 --json
    """
    return session.answer(hold.list_all(session, at=at), _show_list)


@command.command("lift")
@click.argument("name", type=HOLD)
@click.option("--reason", type=REASON, required=True, help="Reason; recorded in the commit message.")
@pull_requests.no_pull_request_option
@dry_run_option
@session_command
def _lift(session: Session, name: str, reason: str, *, no_pull_request: bool, dry_run: bool) -> int:
    """Propose to lift a hold, on a branch of its own.

    NAME is the name in `mlgit hold list`, or what was given to `mlgit hold add`.

    \b
    Examples:
      mlgit hold lift production/churn@10 --reason "retrained on corrected data"
      mlgit hold lift production --reason "the audit is over" --dry-run
    """
    render_body = None if no_pull_request else pull_requests.render_body
    return session.answer(
        hold.lift(session, name, reason=reason, render_body=render_body, dry_run=dry_run), _show_change
    )


def _subject(subject: str | None, *, everywhere: bool) -> tuple[str | None, str | None, int | None]:
    """Return the environment, the model and the version that are to be held; None for all of them."""
    environment, slash, held = (subject or "").partition("/")
    if everywhere:
        environment, held = "", subject or ""
    if everywhere == bool(environment) or "/" in held or (slash and not held):
        raise usage_error(
            "hold-environment-ambiguous",
            "a hold names either an environment or --everywhere",
            fix="write `mlgit hold add ENV[/MODEL[@N]]` or `mlgit hold add --everywhere [MODEL[@N]]`",
        )
    version = VersionRef.parse(held) if "@" in held else None
    if version is not None:
        return environment or None, version.model, version.number
    return environment or None, held or None, None


def _show_change(outcome: hold.HoldChange) -> str:
    what = text.clean(outcome.target)
    if outcome.state == "there-already":
        return f"{what} is held already, by {text.clean(outcome.file)}; nothing was changed."
    mark = "+" if outcome.action == "add" else "-"
    lines = [
        f"Plan: {what} is held" if outcome.action == "add" else f"Plan: the hold on {what} is lifted",
        f"  {mark} {text.clean(outcome.file)}",
    ]
    if outcome.state == "planned":
        return "\n".join([*lines, "Nothing was changed (dry run)."])
    return "\n".join(lines) + pull_requests.change_footer(
        outcome.branch or "", outcome.base, pushed=outcome.pushed, url=outcome.pull_request, warnings=outcome.warnings
    )


def _show_list(outcome: hold.Holds) -> str:
    if not outcome.holds:
        return "Nothing is held."
    rows = [
        [
            entry.name,
            entry.target,
            "yes" if entry.in_force else "expired",
            utc_minute(entry.until),
            entry.by,
            entry.reason,
        ]
        for entry in outcome.holds
    ]
    return text.table(["HOLD", "ON", "IN FORCE", "UNTIL (UTC)", "BY", "REASON"], rows)
