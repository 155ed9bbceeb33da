"""Agree to a proposed promotion, with a signature."""

import click

from mlgit.cli.params import dry_run_option, session_command
from mlgit.cli.render import text
from mlgit.cli.session import Session
from mlgit.ops.promotion import approve


@click.command()
@click.argument("promotion", required=False, metavar="[ENVIRONMENT/MODEL]")
@click.option("--reject", is_flag=True, help="Refuse it instead.")
@click.option("--comment", help="What you add; it is signed too.")
@dry_run_option
@session_command
def command(session: Session, promotion: str | None, comment: str | None, *, reject: bool, dry_run: bool) -> int:
    """Agree to a proposed promotion: sign its decision with your SSH key, onto the ledger.

    What is signed is a digest over all that the decision rests on; were any of it to change, the approval would no longer count.

    \b
    Examples:
      mlgit approve
      mlgit approve production/churn --comment "checked the slices"
      mlgit approve production/churn --reject --comment "recall of origin=EWR"
    """
    outcome = approve.run(
        session, promotion, verdict="reject" if reject else "approve", comment=comment, dry_run=dry_run
    )
    return session.answer(outcome, _show)


def _show(found: approve.Approved) -> str:
    deed = "approved" if found.verdict == "approve" else "rejected"
    said = {
        "added": f"{found.person} {deed} {found.candidate} for {found.environment}",
        "there-already": f"{found.person} {deed} it already; nothing was changed",
        "planned": f"{found.person} would have {deed} {found.candidate} for {found.environment} (dry run)",
    }[found.state]
    lines = [
        said,
        f"  promotion  {found.promotion}",
        f"  decision   {found.decision}",
        f"  counted    {', '.join(found.counted) or 'nobody yet'}",
    ]
    if found.missing:
        lines.append(f"  missing    {'; '.join(found.missing)}")
    where = f"{found.environment}/{found.candidate.partition('@')[0]}"
    return "\n".join(map(text.clean, lines)) + text.following(None if found.missing else f"mlgit merge {where}")
