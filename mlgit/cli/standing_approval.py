"""Approve promotions in advance, until a stated time."""

from datetime import datetime, timedelta

import click

from mlgit.cli import pull_requests, signed_exceptions
from mlgit.cli.moments import MOMENT
from mlgit.cli.params import ENVIRONMENT, MODEL, dry_run_option, session_command
from mlgit.cli.session import Session
from mlgit.domain.records import StandingApproval
from mlgit.ops.exceptions import standing_approval
from mlgit.ops.exceptions.signed import SignedExceptionStatus


@click.group()
def command() -> None:
    """Approve promotions in advance, until a stated time.

    A standing approval is a file under standing-approvals/ on the base branch: it names an environment, a model, people and an
    end. Where the environment has `auto_promote: true`, `mlgit auto-promote` promotes what passes every gate. Deleting the file
    ends it.

    \b
    Examples:
      mlgit standing-approval add production churn --by ben --by cara --until 90d --reason "weekly retrain on the same pipeline"
      mlgit standing-approval approve production/churn
      mlgit standing-approval list
    """


@command.command("add")
@click.argument("environment", type=ENVIRONMENT)
@click.argument("model", type=MODEL)
@click.option("--by", "people", multiple=True, required=True, metavar="PERSON", help="Who signs it; may be repeated.")
@click.option("--until", type=MOMENT, required=True, help="When it expires: 90d, 2026-12-01; a year at most.")
@click.option(
    "--max", "max_promotions", type=click.IntRange(min=1), metavar="N", help="How many promotions may rest on it."
)
@click.option("--reason", required=True, help="Why they need not be approved one by one.")
@pull_requests.no_pull_request_option
@dry_run_option
@session_command
def _add(
    session: Session,
    environment: str,
    model: str,
    people: tuple[str, ...],
    until: datetime | timedelta,
    max_promotions: int | None,
    reason: str,
    *,
    no_pull_request: bool,
    dry_run: bool,
) -> int:
    """Draft a standing approval, on a branch of its own.

    PERSON is a name in .mlgit/roles.yaml. They are as many, and have the roles, that the policy of the environment asks for.
    Each of them signs it with `mlgit standing-approval approve`.

    \b
    Examples:
      mlgit standing-approval add production churn --by ben --until 90d --reason "weekly retrain on the same pipeline"
      mlgit standing-approval add production churn --by ben --until 2026-12-01 --max 10 --reason "until May" --dry-run
    """
    outcome = standing_approval.add(
        session,
        environment,
        model,
        people=people,
        until=until,
        max_promotions=max_promotions,
        reason=reason,
        say=None if no_pull_request else pull_requests.said,
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
        signed_exceptions.minute(status.until),
        record.reason,
    ]


signed_exceptions.add_commands(
    command,
    standing_approval.KIND,
    example="production/churn",
    signed_content="all of it",
    next_command=lambda record: f"mlgit auto-promote --to {record.environment}",
    columns=["BY", "STATE", "USED", "UNTIL", "REASON"],
    row=_row,
)
