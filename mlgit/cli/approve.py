"""Approve a promotion or a change of rules, with a signature."""

from collections.abc import Iterator

import click

from mlgit.cli.params import PROMOTION, dry_run_option, session_command
from mlgit.cli.render import text
from mlgit.cli.session import Session
from mlgit.ops.promotion import approve
from mlgit.ops.promotion.approve_rules import RulesApproved


@click.command()
@click.argument("promotion", required=False, type=PROMOTION, metavar="[ENV/MODEL|PROMOTION|BRANCH]")
@click.option("--reject", is_flag=True, help="Reject it instead.")
@click.option("--comment", help="Comment; it is signed too.")
@dry_run_option
@session_command
def command(session: Session, promotion: str | None, comment: str | None, *, reject: bool, dry_run: bool) -> int:
    """Approve a promotion or a change of rules: sign it with your SSH key, and record the signature in the ledger.

    What is signed is a digest over everything that the decision depends on. If any of it changes, the approval no longer counts.
    A branch that changes rules (policies, roles, signers, environments, workflows) is approved by its name.

    \b
    Examples:
      mlgit approve
      mlgit approve production/churn --comment "checked the slices"
      mlgit approve stricter-policy
      mlgit approve production/churn --reject --comment "recall of origin=EWR"
    """
    outcome = approve.run(
        session, promotion, verdict="reject" if reject else "approve", comment=comment, dry_run=dry_run
    )
    if isinstance(outcome, RulesApproved):
        return session.answer(outcome, _show_rules)
    return session.answer(outcome, _show)


def _show_rules(outcome: RulesApproved) -> str:
    action = "approved" if outcome.verdict == "approve" else "rejected"
    headline = {
        "added": f"{outcome.person} {action} the change of rules in {outcome.name}",
        "there-already": f"{outcome.person} {action} it already; nothing was changed",
        "planned": f"{outcome.person} would have {action} the change of rules in {outcome.name} (dry run)",
    }[outcome.state]
    lines = [
        headline,
        *(f"  {kind:<9}  {path}" for path, kind in outcome.files.items()),
        f"  decision   {outcome.decision}",
        f"  counted    {', '.join(outcome.counted) or 'nobody yet'}",
    ]
    if outcome.missing:
        lines.append(f"  missing    {'; '.join(outcome.missing)}")
    lines += _check_lines(outcome)
    following = "mlgit audit" if outcome.is_merged else f"mlgit merge {outcome.name}"
    return "\n".join(map(text.clean, lines)) + text.following(None if outcome.missing else following)


def _show(outcome: approve.Approved) -> str:
    action = "approved" if outcome.verdict == "approve" else "rejected"
    headline = {
        "added": f"{outcome.person} {action} {outcome.candidate} for {outcome.environment}",
        "there-already": f"{outcome.person} {action} it already; nothing was changed",
        "planned": f"{outcome.person} would have {action} {outcome.candidate} for {outcome.environment} (dry run)",
    }[outcome.state]
    lines = [
        headline,
        f"  promotion  {outcome.promotion}",
        f"  decision   {outcome.decision}",
        f"  counted    {', '.join(outcome.counted) or 'nobody yet'}",
    ]
    if outcome.missing:
        lines.append(f"  missing    {'; '.join(outcome.missing)}")
    lines += _check_lines(outcome)
    where = f"{outcome.environment}/{outcome.candidate.partition('@')[0]}"
    return "\n".join(map(text.clean, lines)) + text.following(None if outcome.missing else f"mlgit merge {where}")


def _check_lines(outcome: approve.Approved | RulesApproved) -> Iterator[str]:
    """Yield, line by line, where the required check runs again now, or why it does not."""
    if outcome.pull_request is not None:
        yield f"  check      runs again for {outcome.pull_request}"
    for warning in outcome.warnings:
        yield from text.finding(warning).splitlines()
