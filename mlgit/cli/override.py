"""Waive gates for one version, in an emergency."""

from datetime import date, datetime, timedelta

import click

from mlgit.cli import pull_requests, signed_exceptions
from mlgit.cli.params import (
    GATE,
    OVERRIDE,
    PLACED_VERSION,
    REASON,
    PlacedVersion,
    approver_option,
    dry_run_option,
    session_command,
)
from mlgit.cli.session import Session
from mlgit.cli.times import DATE, TIME
from mlgit.domain.formatting import utc_time
from mlgit.domain.records import Override
from mlgit.ops.exceptions import override
from mlgit.ops.exceptions.signed import SignedExceptionStatus


@click.group()
def command() -> None:
    """Waive gates for one version, in an emergency.

    An override is a file under overrides/ on the base branch: it names the gates, one version, an incident, two people and an
    end. It is merged before the promotion that it is for, and has to be reviewed afterwards.

    \b
    Examples:
      mlgit override add production/churn@11 --waive slice-harm --incident INC-7 --approver ben --until 4h --review-by 2026-12-01
      mlgit override approve production/churn@11
    """


@command.command("add")
@click.argument("subject", type=PLACED_VERSION, metavar="ENV/MODEL@N")
@click.option(
    "--waive",
    "waives",
    type=GATE,
    multiple=True,
    required=True,
    metavar="GATE",
    help="A gate to waive; may be repeated.",
)
@click.option("--incident", type=REASON, required=True, help="The incident that makes it necessary.")
@approver_option("Who approves it beside you; may be repeated.")
@click.option("--until", type=TIME, required=True, help="End of the override: 4h, 2026-12-01T18:00.")
@click.option("--review-by", type=DATE, required=True, help="Due date of the post-incident review.")
@pull_requests.no_pull_request_option
@dry_run_option
@session_command
def _add(
    session: Session,
    subject: PlacedVersion,
    waives: tuple[str, ...],
    incident: str,
    approvers: tuple[str, ...],
    until: datetime | timedelta,
    review_by: date,
    *,
    no_pull_request: bool,
    dry_run: bool,
) -> int:
    """Propose an override, on a branch of its own.

    You are one of its approvers; PERSON is another, by the name in .mlgit/roles.yaml. Each of them signs it with `mlgit override
    approve`.

    \b
    Examples:
      mlgit override add production/churn@11 --waive slice-harm --incident INC-7 --approver ben --until 4h --review-by 2026-12-01
      mlgit override add staging/churn@11 --waive size --incident INC-7 --approver ben --until 4h --review-by 2026-12-01 --dry-run
    """
    outcome = override.add(
        session,
        subject.environment,
        subject.version,
        waives=list(waives),
        incident=incident,
        others=list(approvers),
        until=until,
        review_by=review_by,
        render_body=None if no_pull_request else pull_requests.render_body,
        dry_run=dry_run,
    )
    return session.answer(outcome, lambda draft: signed_exceptions.show_draft(draft, override.KIND))


def _row(status: SignedExceptionStatus) -> list[str]:
    record = status.record
    assert isinstance(record, Override)  # noqa: S101 - of this kind
    overdue = ", overdue" if status.review_due else ""
    return [
        ", ".join(record.waives),
        record.incident,
        signed_exceptions.state(status),
        utc_time(status.until),
        "done" if record.reviewed else f"by {record.review_by}{overdue}",
    ]


signed_exceptions.add_commands(
    command,
    override.KIND,
    names=OVERRIDE,
    example="production/churn@11",
    signed_content="all of it but its review",
    next_command=lambda record: f"mlgit promote {override.candidate(record)} --to {record.environment}",
    columns=["WAIVES", "INCIDENT", "STATE", "UNTIL", "REVIEW"],
    row=_row,
)
