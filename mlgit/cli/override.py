"""Waive gates for one version, in an emergency."""

from datetime import UTC, date, datetime, timedelta

import click

from mlgit.cli import pull_requests
from mlgit.cli.params import PLACED_VERSION, PlacedVersion, approver_option, at_option, dry_run_option, session_command
from mlgit.cli.render import text
from mlgit.cli.session import Session
from mlgit.cli.times import DATE, TIME
from mlgit.ops.exceptions import override


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
    "--waive", "waives", multiple=True, required=True, metavar="GATE", help="A gate to waive; may be repeated."
)
@click.option("--incident", required=True, help="The incident that makes it necessary.")
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
        expires=until,
        review_by=review_by,
        say=None if no_pull_request else pull_requests.said,
        dry_run=dry_run,
    )
    return session.answer(outcome, _show_added)


@command.command("approve")
@click.argument("name")
@click.option("--comment", help="Comment; it is signed too.")
@dry_run_option
@session_command
def _approve(session: Session, name: str, comment: str | None, *, dry_run: bool) -> int:
    """Approve an override: sign it with your SSH key, and record the signature in the ledger.

    NAME is the name in `mlgit override list`. What is signed is a digest over all of it except the post-incident review.

    \b
    Examples:
      mlgit override approve production/churn@11
      mlgit override approve production/churn@11 --comment "the slice is too small to matter"
    """
    return session.answer(override.approve(session, name, comment=comment, dry_run=dry_run), _show_approved)


@command.command("list")
@at_option
@session_command
def _list(session: Session, at: str | None) -> int:
    """List every override of the base branch, with its state.

    \b
    Examples:
      mlgit override list
      mlgit override list --at 2026-03-31 --json
    """
    return session.answer(override.listed(session, at=at), _show_list)


def _show_added(found: override.OverrideDrafted) -> str:
    lines = [
        f"Plan: {', '.join(found.waives)} waived for {found.candidate} in {found.environment}",
        f"  until {_minute(found.expires)}, by {' and '.join(found.people)}",
        f"  + {found.file}",
    ]
    if found.state == "planned":
        return "\n".join([*map(text.clean, lines), "Nothing was changed (dry run)."])
    if found.must_sign:
        lines.append(f"Each of {' and '.join(found.must_sign)} signs it: mlgit override approve {found.name}")
    first = f"mlgit override approve {found.name}" if found.must_sign else None
    shown = "\n".join(map(text.clean, lines))
    return shown + pull_requests.proposed(
        found.branch or "",
        found.base,
        pushed=found.pushed,
        url=found.pull_request,
        warnings=found.warnings,
        first=first,
    )


def _show_approved(found: override.OverrideApproved) -> str:
    said = {
        "added": f"{found.person} agreed to override {found.name}",
        "there-already": f"{found.person} agreed to override {found.name} already; nothing was changed",
        "planned": f"{found.person} would have agreed to override {found.name} (dry run)",
    }[found.state]
    lines = [
        said,
        f"  waives     {', '.join(found.waives)} for {found.candidate} in {found.environment}, until {_minute(found.expires)}",
        f"  incident   {found.incident}",
        f"  digest     {found.digest}",
        f"  missing    {', '.join(found.missing) or 'nobody'}",
    ]
    shown = "\n".join(map(text.clean, lines))
    if found.missing:
        return shown + text.following(f"mlgit override approve {found.name}, run by {found.missing[0]}")
    if not found.on_base:
        return shown + text.following(f"git switch {found.base} && git merge --no-ff {found.branch}")
    return shown + text.following(f"mlgit promote {found.candidate} --to {found.environment}")


def _show_list(found: override.Overrides) -> str:
    if not found.overrides:
        return "There is no override."
    rows = [
        [
            one.name,
            ", ".join(one.waives),
            one.incident,
            one.state if one.state != "unsigned" else f"unsigned by {', '.join(one.missing)}",
            _minute(one.expires),
            "done" if one.reviewed else f"by {one.review_by}" + (", overdue" if one.review_due else ""),
        ]
        for one in found.overrides
    ]
    return text.table(["OVERRIDE", "WAIVES", "INCIDENT", "STATE", "EXPIRES", "REVIEW"], rows)


def _minute(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
