"""Approve promotions in advance, for a limited time."""

from datetime import UTC, datetime, timedelta

import click

from mlgit.cli import pull_requests
from mlgit.cli.params import MODEL_PLACE, Place, approver_option, at_option, dry_run_option, session_command
from mlgit.cli.render import text
from mlgit.cli.session import Session
from mlgit.cli.times import TIME
from mlgit.ops.exceptions import standing_approval


@click.group()
def command() -> None:
    """Approve promotions in advance, for a limited time.

    A standing approval is a file under standing/ on the base branch: it names an environment, a model, people and an end. Where
    the environment has `auto_promote: true`, `mlgit auto-promote` promotes what passes every gate under it. Deleting the file
    ends it.

    \b
    Examples:
      mlgit standing-approval add production/churn --approver ben --approver cara --until 90d --reason "weekly retrain"
      mlgit standing-approval approve production/churn
      mlgit standing-approval list
    """


@command.command("add")
@click.argument("place", type=MODEL_PLACE, metavar="ENV/MODEL")
@approver_option("Who approves it; may be repeated.")
@click.option(
    "--until", type=TIME, required=True, help="End of the standing approval: 90d, 2026-12-01; a year at most."
)
@click.option("--max", "maximum", type=click.IntRange(min=1), metavar="N", help="How many promotions it may cover.")
@click.option("--reason", required=True, help="Why they need no approval one by one.")
@pull_requests.no_pull_request_option
@dry_run_option
@session_command
def _add(
    session: Session,
    place: Place,
    approvers: tuple[str, ...],
    until: datetime | timedelta,
    maximum: int | None,
    reason: str,
    *,
    no_pull_request: bool,
    dry_run: bool,
) -> int:
    """Propose a standing approval, on a branch of its own.

    PERSON is a name in .mlgit/roles.yaml. The approvers have the number and the roles that the environment's policy requires for
    a promotion. Each of them signs it with `mlgit standing-approval approve`.

    \b
    Examples:
      mlgit standing-approval add production/churn --approver ben --until 90d --reason "weekly retrain"
      mlgit standing-approval add production/churn --approver ben --until 2026-12-01 --max 10 --reason "peak season" --dry-run
    """
    assert place.model is not None  # noqa: S101 - MODEL_PLACE has one
    outcome = standing_approval.new(
        session,
        place.environment,
        place.model,
        people=approvers,
        until=until,
        most=maximum,
        reason=reason,
        say=None if no_pull_request else pull_requests.said,
        dry_run=dry_run,
    )
    return session.answer(outcome, _show_new)


@command.command("approve")
@click.argument("name")
@click.option("--comment", help="Comment; it is signed too.")
@dry_run_option
@session_command
def _approve(session: Session, name: str, comment: str | None, *, dry_run: bool) -> int:
    """Approve a standing approval: sign it with your SSH key, and record the signature in the ledger.

    NAME is the name in `mlgit standing-approval list`. What is signed is a digest over all of it.

    \b
    Examples:
      mlgit standing-approval approve production/churn
      mlgit standing-approval approve production/churn --comment "as long as the pipeline does not change"
    """
    return session.answer(standing_approval.approve(session, name, comment=comment, dry_run=dry_run), _show_approved)


@command.command("list")
@at_option
@session_command
def _list(session: Session, at: str | None) -> int:
    """List every standing approval of the base branch, with its state.

    \b
    Examples:
      mlgit standing-approval list
      mlgit standing-approval list --at 2026-03-31 --json
    """
    return session.answer(standing_approval.listed(session, at=at), _show_list)


def _show_new(found: standing_approval.StandingDrafted) -> str:
    people = " and ".join(found.people)
    lines = [
        f"Plan: {_carries(found.most)} of {found.model} to {found.environment} agreed to in advance",
        f"  until {_minute(found.until)}, by {people}",
        f"  + {found.file}",
    ]
    if not found.auto_promote:
        lines.append(f"{found.environment} has no `auto_promote: true`, so that nothing can rest on it yet.")
    if found.state == "planned":
        return "\n".join([*map(text.clean, lines), "Nothing was changed (dry run)."])
    if found.must_sign:
        each = people if len(found.people) == 1 else f"Each of {people}"
        lines.append(f"{each} signs it: mlgit standing-approval approve {found.name}")
    first = f"mlgit standing-approval approve {found.name}, run by {found.must_sign[0]}" if found.must_sign else None
    shown = "\n".join(map(text.clean, lines))
    return shown + pull_requests.proposed(
        found.branch or "",
        found.base,
        pushed=found.pushed,
        url=found.pull_request,
        warnings=found.warnings,
        first=first,
    )


def _show_approved(found: standing_approval.StandingSigned) -> str:
    said = {
        "added": f"{found.person} agreed to standing approval {found.name}",
        "there-already": f"{found.person} agreed to standing approval {found.name} already; nothing was changed",
        "planned": f"{found.person} would have agreed to standing approval {found.name} (dry run)",
    }[found.state]
    lines = [
        said,
        f"  carries  {_carries(found.most)} of {found.model} to {found.environment}, until {_minute(found.until)}",
        f"  reason   {found.reason}",
        f"  digest   {found.digest}",
        f"  missing  {', '.join(found.missing) or 'nobody'}",
    ]
    shown = "\n".join(map(text.clean, lines))
    if found.missing:
        return shown + text.following(f"mlgit standing-approval approve {found.name}, run by {found.missing[0]}")
    if not found.on_base:
        return shown + text.following(f"git switch {found.base} && git merge --no-ff {found.branch}")
    return shown + text.following(f"mlgit auto-promote {found.environment}")


def _show_list(found: standing_approval.StandingApprovals) -> str:
    if not found.standing:
        return "There is no standing approval."
    rows = [
        [
            one.name,
            " and ".join(one.people),
            _state(one),
            f"{one.used} of {one.most}" if one.most is not None else str(one.used),
            _minute(one.until),
            one.reason,
        ]
        for one in found.standing
    ]
    return text.table(["STANDING APPROVAL", "BY", "STATE", "USED", "UNTIL", "REASON"], rows)


def _state(one: standing_approval.StandingShown) -> str:
    if one.state == "unsigned":
        return f"unsigned by {', '.join(one.missing)}"
    return one.state if one.auto_promote or one.state != "in-force" else "no auto_promote"


def _carries(most: int | None) -> str:
    return "promotions" if most is None else f"{most} promotion{'s' if most > 1 else ''}"


def _minute(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
