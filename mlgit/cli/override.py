"""Waive gates for one version, in an emergency."""

from datetime import date, datetime, timedelta

import click

from mlgit.cli import pull_requests, signed_exceptions
from mlgit.cli.moments import MOMENT
from mlgit.cli.params import ENVIRONMENT, VERSION, dry_run_option, session_command
from mlgit.cli.session import Session
from mlgit.domain.formatting import utc_time
from mlgit.domain.names import VersionRef
from mlgit.domain.records import Override
from mlgit.ops.exceptions import override
from mlgit.ops.exceptions.signed import SignedExceptionStatus


class _DayType(click.ParamType):  # type: ignore[type-arg]  # generic in newer releases only
    """A day, `2026-12-01`."""

    name = "day"

    def convert(self, value: date | str, param: click.Parameter | None, ctx: click.Context | None) -> date:
        """Parse a day."""
        try:
            return value if isinstance(value, date) else date.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is not a date: write it as 2026-12-01", param, ctx)


@click.group()
def command() -> None:
    """Waive gates for one version, in an emergency.

    An override is a file under overrides/ on the base branch: it names the gates, one version, an incident, two people and an
    end. It is merged before the promotion that it is for, and has to be reviewed afterwards.

    \b
    Examples:
      mlgit override add production churn@11 --waive slice-harm --incident INC-7 --with ben --until 4h --review-by 2026-12-01
      mlgit override approve production/churn@11
    """


@command.command("add")
@click.argument("environment", type=ENVIRONMENT)
@click.argument("version", type=VERSION, metavar="MODEL@N")
@click.option(
    "--waive", "waives", multiple=True, required=True, metavar="GATE", help="A gate to waive; may be repeated."
)
@click.option("--incident", required=True, help="What makes it necessary.")
@click.option("--with", "others", multiple=True, required=True, metavar="PERSON", help="Who signs it with you.")
@click.option("--until", type=MOMENT, required=True, help="When it expires: 4h, 2026-12-01T18:00.")
@click.option("--review-by", type=_DayType(), required=True, help="The day by which it has to be reviewed afterwards.")
@pull_requests.no_pull_request_option
@dry_run_option
@session_command
def _add(
    session: Session,
    environment: str,
    version: VersionRef,
    waives: tuple[str, ...],
    incident: str,
    others: tuple[str, ...],
    until: datetime | timedelta,
    review_by: date,
    *,
    no_pull_request: bool,
    dry_run: bool,
) -> int:
    """Draft an override, on a branch of its own.

    Whoever runs this has to sign it, and so does each PERSON, by their names in .mlgit/roles.yaml: with `mlgit override approve`.

    \b
    Examples:
      mlgit override add production churn@11 --waive slice-harm --incident INC-7 --with ben --until 4h --review-by 2026-12-01
      mlgit override add staging churn@11 --waive size --incident INC-7 --with ben --until 4h --review-by 2026-12-01 --dry-run
    """
    outcome = override.add(
        session,
        environment,
        version,
        waives=list(waives),
        incident=incident,
        others=list(others),
        until=until,
        review_by=review_by,
        say=None if no_pull_request else pull_requests.said,
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
    example="production/churn@11",
    signed_content="all of it but its review",
    next_command=lambda record: f"mlgit promote {override.candidate(record)} --to {record.environment}",
    columns=["WAIVES", "INCIDENT", "STATE", "UNTIL", "REVIEW"],
    row=_row,
)
