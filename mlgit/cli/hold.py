"""Hold a version back, or freeze what may not change."""

from datetime import datetime, timedelta

import click

from mlgit.cli import pull_requests
from mlgit.cli.moments import MOMENT
from mlgit.cli.params import at_option, dry_run_option, session_command
from mlgit.cli.render import text
from mlgit.cli.session import Session
from mlgit.domain.formatting import utc_minute
from mlgit.domain.names import VersionRef
from mlgit.errors import usage_error
from mlgit.ops.exceptions import hold


@click.group()
def command() -> None:
    """Hold a version back, or freeze what may not change.

    A hold on a version keeps it out, even as a way back. A hold on a model, an environment or everything is a freeze: it stops
    every change but a rollback. Holds are files under holds/ on the base branch, so adding and lifting one is reviewed like
    any other change.

    \b
    Examples:
      mlgit hold add production churn@10 --reason "INC-7"
      mlgit hold list
    """


@command.command("add")
@click.argument("environment", required=False)
@click.argument("what", required=False, metavar="[MODEL[@N]]")
@click.option("--everywhere", is_flag=True, help="In every environment; then only MODEL[@N] is named, or nothing.")
@click.option("--reason", required=True, help="Why.")
@click.option("--until", type=MOMENT, help="When it ends by itself: 48h, 2026-12-01, 2026-12-01T18:00.")
@pull_requests.no_pull_request_option
@dry_run_option
@session_command
def _add(
    session: Session,
    environment: str | None,
    what: str | None,
    reason: str,
    until: datetime | timedelta | None,
    *,
    everywhere: bool,
    no_pull_request: bool,
    dry_run: bool,
) -> int:
    """Propose a hold, on a branch of its own.

    The work tree and what is staged in it are not touched. The hold counts once it is merged into the base branch.

    \b
    Examples:
      mlgit hold add production churn@10 --reason "INC-7: wrong for EWR"
      mlgit hold add production --reason "year-end freeze" --until 2027-01-02
      mlgit hold add --everywhere churn --reason "data under review"
    """
    if everywhere and environment is not None and what is None:
        environment, what = None, environment
    if everywhere == (environment is not None):
        raise usage_error(
            "hold-where",
            "a hold names either an environment or --everywhere",
            fix="write `mlgit hold add ENVIRONMENT [MODEL[@N]]` or `mlgit hold add --everywhere [MODEL[@N]]`",
        )
    ref = VersionRef.parse(what) if what is not None and "@" in what else None
    outcome = hold.add(
        session,
        environment,
        ref.model if ref else what,
        ref.number if ref else None,
        reason=reason,
        until=until,
        say=None if no_pull_request else pull_requests.said,
        dry_run=dry_run,
    )
    return session.answer(outcome, _show_change)


@command.command("list")
@at_option
@session_command
def _list(session: Session, at: str | None) -> int:
    """List every hold of the base branch, with what is over.

    \b
    Examples:
      mlgit hold list
      mlgit hold list --at 2026-03-31 --json
    """
    return session.answer(hold.list_all(session, at=at), _show_list)


@command.command("lift")
@click.argument("name")
@click.option("--reason", required=True, help="Why; it goes into the message of the commit.")
@pull_requests.no_pull_request_option
@dry_run_option
@session_command
def _lift(session: Session, name: str, reason: str, *, no_pull_request: bool, dry_run: bool) -> int:
    """Propose to take a hold away, on a branch of its own.

    NAME is as `mlgit hold list` shows it.

    \b
    Examples:
      mlgit hold lift production/churn@10 --reason "retrained on mended data"
      mlgit hold lift production/environment --reason "the audit is over" --dry-run
    """
    say = None if no_pull_request else pull_requests.said
    return session.answer(hold.lift(session, name, reason=reason, say=say, dry_run=dry_run), _show_change)


def _show_change(change: hold.HoldChange) -> str:
    target = text.clean(change.target)
    if change.state == "there-already":
        return f"{target} is held already, by {text.clean(change.file)}; nothing was changed."
    mark = "+" if change.action == "add" else "-"
    lines = [
        f"Plan: {target} is held" if change.action == "add" else f"Plan: the hold on {target} is lifted",
        f"  {mark} {text.clean(change.file)}",
    ]
    if change.state == "planned":
        return "\n".join([*lines, "Nothing was changed (dry run)."])
    return "\n".join(lines) + pull_requests.proposed(
        change.branch or "", change.base, pushed=change.pushed, url=change.pull_request, warnings=change.warnings
    )


def _show_list(outcome: hold.Holds) -> str:
    if not outcome.holds:
        return "Nothing is held."
    rows = [
        [
            status.name,
            status.target,
            "yes" if status.in_force else "over",
            utc_minute(status.until),
            status.by,
            status.reason,
        ]
        for status in outcome.holds
    ]
    return text.table(["HOLD", "ON", "IN FORCE", "UNTIL (UTC)", "BY", "REASON"], rows)
