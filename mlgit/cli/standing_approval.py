"""Approve promotions in advance, for a limited time."""

from datetime import datetime, timedelta

import click

from mlgit.cli import pull_requests, signed_exceptions
from mlgit.cli.params import (
    MODEL_PLACE,
    REASON,
    STANDING_APPROVAL,
    Place,
    approver_option,
    dry_run_option,
    session_command,
)
from mlgit.cli.session import Session
from mlgit.cli.times import TIME
from mlgit.domain.formatting import utc_time
from mlgit.domain.records import StandingApproval
from mlgit.ops.exceptions import standing_approval
from mlgit.ops.exceptions.signed import SignedExceptionStatus


@click.group()
def command() -> None:
    """Approve promotions in advance, for a limited time.

    A standing approval is a file under standing-approvals/ on the base branch: it names an environment, a model, people and an
    end. Where the environment has `auto_promote: true`, `mlgit auto-promote` promotes what passes every gate under it.
    Deleting the file ends it.

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
@click.option("--reason", type=REASON, required=True, help="Why they need no approval one by one.")
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
    outcome = standing_approval.add(
        session,
        place.environment,
        place.model,
        people=approvers,
        until=until,
        max_promotions=maximum,
        reason=reason,
        render_body=None if no_pull_request else pull_requests.render_body,
        dry_run=dry_run,
    )
    return session.answer(outcome, lambda draft: signed_exceptions.show_draft(draft, standing_approval.KIND))


def _row(status: SignedExceptionStatus) -> list[str]:
    record = status.record
    assert isinstance(record, StandingApproval)  # noqa: S101 - of this kind
    limit = record.max_promotions
    is_off = status.state == "in-force" and not status.auto_promote
    return [
        " and ".join(record.people),
        "no auto_promote" if is_off else signed_exceptions.state(status),
        str(status.used) if limit is None else f"{status.used} of {limit}",
        utc_time(status.until),
        record.reason,
    ]


signed_exceptions.add_commands(
    command,
    standing_approval.KIND,
    names=STANDING_APPROVAL,
    example="production/churn",
    signed_content="all of it",
    next_command=lambda record: f"mlgit auto-promote {record.environment}/{record.model}",
    columns=["BY", "STATE", "USED", "UNTIL", "REASON"],
    row=_row,
)
