"""Show who approved a promotion, and who is missing."""

import click

from mlgit.cli.params import PROMOTION, at_option, session_command
from mlgit.cli.render import text
from mlgit.cli.session import Session
from mlgit.domain.formatting import utc_minute
from mlgit.ops.promotion import approvals


@click.command()
@click.argument("promotion", required=False, type=PROMOTION, metavar="[ENV/MODEL|PROMOTION]")
@at_option
@session_command
def command(session: Session, promotion: str | None, at: str | None) -> int:
    """Show who approved a promotion, and who is missing.

    The promotion may be open or merged; a merged one is shown by the rules of its time. Every signature is verified again. Where
    reviews count, they are read from the forge until the ledger has recorded them.

    \b
    Examples:
      mlgit approvals
      mlgit approvals production/churn
      mlgit approvals 01JD8ZK3M9V2Q4T6X8Z0B2D4F6 --json
      mlgit approvals production/churn --at 2026-03-31
    """
    return session.answer(approvals.run(session, promotion, at=at), _show)


def _show(outcome: approvals.ApprovalsShown) -> str:
    evidence = {
        "none": "requires no evidence, so nothing is counted",
        "signed": "counts signatures on the ledger",
        "forge": "counts reviews of the pull request, and signatures on the ledger",
    }[outcome.evidence]
    facts = [
        f"{outcome.candidate} for {outcome.environment}: promotion {outcome.promotion} is {outcome.state}",
        *([f"  beside    {', '.join(map(str, outcome.beside))}"] if outcome.beside else []),
        f"  decision  {outcome.decision}",
        f"  policy    {outcome.policy}, which {evidence}; it excludes {', '.join(outcome.excludes) or 'nobody'}",
        *([f"  reviews   {outcome.pull_request or 'no pull request'}"] if outcome.evidence == "forge" else []),
    ]
    needs = [
        [
            need.role or "anybody",
            f"{len(need.counted)} of {need.needed}",
            _names(need.counted),
            _names(need.may_approve),
        ]
        for need in outcome.requirements
    ]
    parts = ["\n".join(map(text.clean, facts)), text.table(["ROLE", "COUNTED", "BY", "WHO ELSE MAY"], needs)]
    if outcome.counted:
        rows = [
            [
                approval.person,
                _names(approval.roles),
                utc_minute(approval.at),
                approval.key or approval.review or "",
            ]
            for approval in outcome.counted
        ]
        parts.append(text.table(["COUNTED", "ROLES", "WHEN (UTC)", "KEY OR REVIEW"], rows))
    if outcome.uncounted:
        rows = [[vote.person, vote.verdict, utc_minute(vote.at), _reason(vote)] for vote in outcome.uncounted]
        parts.append(text.table(["NOT COUNTED", "VOTE", "WHEN (UTC)", "REASON"], rows))
    parts.append(text.clean(f"Missing: {'; '.join(outcome.missing)}" if outcome.missing else "Nothing is missing."))
    return "\n\n".join(parts) + text.following(_next(outcome))


def _next(outcome: approvals.ApprovalsShown) -> str:
    where = f"{outcome.environment}/{outcome.model}"
    if outcome.state == "merged":
        return f"mlgit log --env {outcome.environment} --model {outcome.model}"
    if not outcome.missing:
        return f"mlgit merge {where}"
    who = " or ".join(outcome.may_approve) or "somebody else"
    return f"{who} reviews {outcome.pull_request}" if outcome.pull_request else f"mlgit approve {where}, run by {who}"


def _names(names: list[str]) -> str:
    return ", ".join(names) or "-"


def _reason(vote: approvals.VoteShown) -> str:
    return ": ".join(filter(None, [vote.reason, ", ".join(vote.changed)]))
