"""Waive gates for one version, in an emergency."""

from datetime import date, datetime, timedelta

import click

from mlgit.cli import pull_requests
from mlgit.cli.moments import MOMENT
from mlgit.cli.params import ENVIRONMENT, VERSION, at_option, dry_run_option, session_command
from mlgit.cli.render import text
from mlgit.cli.session import Session
from mlgit.domain.formatting import utc_time
from mlgit.domain.names import VersionRef
from mlgit.ops.exceptions import override


class _DayType(click.ParamType):  # type: ignore[type-arg]  # generic in newer releases only
    """A day, `2026-12-01`."""

    name = "day"

    def convert(self, value: date | str, param: click.Parameter | None, ctx: click.Context | None) -> date:
        """Read a day."""
        try:
            return value if isinstance(value, date) else date.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no day: write it as 2026-12-01", param, ctx)


@click.group()
def command() -> None:
    """Waive gates for one version, in an emergency.

    An override is a file under overrides/ on the base branch: it names the gates, one version, an incident, two people and an
    end. It comes in before the promotion that it is for, and has to be looked back upon afterwards.

    \b
    Examples:
      mlgit override add production churn@11 --waive slice-harm --incident INC-7 --with ben --expires 4h --review-by 2026-12-01
      mlgit override approve production/churn@11
    """


@command.command("add")
@click.argument("environment", type=ENVIRONMENT)
@click.argument("version", type=VERSION, metavar="MODEL@N")
@click.option(
    "--waive", "waives", multiple=True, required=True, metavar="GATE", help="A gate to waive; may be repeated."
)
@click.option("--incident", required=True, help="What makes it necessary.")
@click.option("--with", "others", multiple=True, required=True, metavar="PERSON", help="Who decides it with you.")
@click.option("--expires", type=MOMENT, required=True, help="When it stops to hold: 4h, 2026-12-01T18:00.")
@click.option("--review-by", type=_DayType(), required=True, help="Until when it must have been looked back upon.")
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
    expires: datetime | timedelta,
    review_by: date,
    *,
    no_pull_request: bool,
    dry_run: bool,
) -> int:
    """Draft an override, on a branch of its own.

    The person who runs this is one of those who decide it; PERSON is another, as .mlgit/roles.yaml calls them. Each of them
    signs it with `mlgit override approve`.

    \b
    Examples:
      mlgit override add production churn@11 --waive slice-harm --incident INC-7 --with ben --expires 4h --review-by 2026-12-01
      mlgit override add staging churn@11 --waive size --incident INC-7 --with ben --expires 4h --review-by 2026-12-01 --dry-run
    """
    outcome = override.add(
        session,
        environment,
        version,
        waives=list(waives),
        incident=incident,
        others=list(others),
        expires=expires,
        review_by=review_by,
        say=None if no_pull_request else pull_requests.said,
        dry_run=dry_run,
    )
    return session.answer(outcome, _show_added)


@command.command("approve")
@click.argument("name")
@click.option("--comment", help="What you add; it is signed too.")
@dry_run_option
@session_command
def _approve(session: Session, name: str, comment: str | None, *, dry_run: bool) -> int:
    """Sign an override as one of its people, with your SSH key, onto the ledger.

    NAME is as `mlgit override add` said it. What is signed is a digest over all of it but the look back.

    \b
    Examples:
      mlgit override approve production/churn@11
      mlgit override approve production/churn@11 --comment "the slice is too small to say anything"
    """
    return session.answer(override.approve(session, name, comment=comment, dry_run=dry_run), _show_approved)


@command.command("list")
@at_option
@session_command
def _list(session: Session, at: str | None) -> int:
    """List every override of the base branch, and how each stands.

    \b
    Examples:
      mlgit override list
      mlgit override list --at 2026-03-31 --json
    """
    return session.answer(override.listed(session, at=at), _show_list)


def _show_added(found: override.OverrideDrafted) -> str:
    lines = [
        f"Plan: {', '.join(found.waives)} waived for {found.candidate} in {found.environment}",
        f"  until {utc_time(found.expires)}, by {' and '.join(found.people)}",
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
        f"  waives     {', '.join(found.waives)} for {found.candidate} in {found.environment}, until {utc_time(found.expires)}",
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
            utc_time(one.expires),
            "done" if one.reviewed else f"by {one.review_by}" + (", overdue" if one.review_due else ""),
        ]
        for one in found.overrides
    ]
    return text.table(["OVERRIDE", "WAIVES", "INCIDENT", "STATE", "EXPIRES", "REVIEW"], rows)
