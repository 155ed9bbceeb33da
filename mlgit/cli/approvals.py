"""Show who approved a promotion, and who is missing."""

import click

from mlgit.cli.params import PROMOTION, at_option, session_command
from mlgit.cli.render import text
from mlgit.cli.session import Session
from mlgit.domain.formatting import utc_minute
from mlgit.ops.promotion import approvals
from mlgit.ops.review.approvals_view import ApprovalsView, VoteView

_EVIDENCE = {
    "none": "requires no evidence, so nothing is counted",
    "signed": "counts signatures on the ledger",
    "forge": "counts reviews of the pull request, and signatures on the ledger",
}


@click.command()
@click.argument("promotion", required=False, type=PROMOTION, metavar="[ENV/MODEL|PROMOTION|BRANCH]")
@at_option
@session_command
def command(session: Session, promotion: str | None, at: str | None) -> int:
    """Show who approved a promotion or a change of rules, and who is missing.

    The promotion may be open or merged; a merged one is shown by the rules of its time. Every signature is verified again. Where
    reviews count, they are read from the forge until the ledger has recorded them.

    \b
    Examples:
      mlgit approvals
      mlgit approvals production/churn
      mlgit approvals 01JD8ZK3M9V2Q4T6X8Z0B2D4F6 --json
      mlgit approvals production/churn --at 2026-03-31
      mlgit approvals stricter-policy
    """
    outcome = approvals.run(session, promotion, at=at)
    if isinstance(outcome, approvals.RuleChangeApprovals):
        return session.answer(outcome, _show_rules)
    return session.answer(outcome, _show)


def _show_rules(outcome: approvals.RuleChangeApprovals) -> str:
    lines = [
        f"Change of rules in {outcome.name}, {'merged' if outcome.is_merged else 'open'}",
        *(f"  {kind:<9}  {path}" for path, kind in outcome.files.items()),
        f"  decision   {outcome.decision}",
        f"  needed     {outcome.needed}: {outcome.why}",
        *([f"  reviews    {outcome.pull_request}"] if outcome.pull_request else []),
        f"  counted    {_names(outcome.counted)}",
        *(f"  not        {person}: {reason}" for person, reason in outcome.uncounted.items()),
        f"Missing: {'; '.join(outcome.missing)}" if outcome.missing else "Nothing is missing.",
    ]
    following = f"mlgit approve {outcome.name}" if outcome.missing else f"mlgit merge {outcome.name}"
    return "\n".join(map(text.clean, lines)) + text.following(
        None if outcome.is_merged and not outcome.missing else following
    )


def _show(outcome: approvals.PromotionApprovals) -> str:
    view = outcome.approvals
    parts = ["\n".join(map(text.clean, _facts(outcome))), _requirements(view)]
    if view.counted:
        parts.append(_counted(view.counted))
    if view.uncounted:
        parts.append(_uncounted(view.uncounted))
    parts.append(text.clean(f"Missing: {'; '.join(view.missing)}" if view.missing else "Nothing is missing."))
    return "\n\n".join(parts) + text.following(_next(outcome))


def _facts(outcome: approvals.PromotionApprovals) -> list[str]:
    view = outcome.approvals
    evidence = _EVIDENCE[view.evidence]
    return [
        f"{outcome.candidate} for {outcome.environment}: promotion {outcome.promotion} is {outcome.state}",
        *([f"  beside    {', '.join(map(str, outcome.beside))}"] if outcome.beside else []),
        f"  decision  {outcome.decision}",
        f"  policy    {outcome.policy}, which {evidence}; it excludes {', '.join(view.excludes) or 'nobody'}",
        *([f"  reviews   {outcome.pull_request or 'no pull request'}"] if view.evidence == "forge" else []),
    ]


def _requirements(view: ApprovalsView) -> str:
    rows = [
        [
            need.role or "anybody",
            f"{len(need.counted)} of {need.needed}",
            _names(need.counted),
            _names(need.may_approve),
        ]
        for need in view.requirements
    ]
    return text.table(["ROLE", "COUNTED", "BY", "WHO ELSE MAY"], rows)


def _counted(votes: list[VoteView]) -> str:
    rows = [[vote.person, _names(vote.roles), utc_minute(vote.at), vote.key or vote.review or ""] for vote in votes]
    return text.table(["COUNTED", "ROLES", "WHEN (UTC)", "KEY OR REVIEW"], rows)


def _uncounted(votes: list[VoteView]) -> str:
    rows = [[vote.person, vote.verdict, utc_minute(vote.at), _reason(vote)] for vote in votes]
    return text.table(["NOT COUNTED", "VOTE", "WHEN (UTC)", "REASON"], rows)


def _reason(vote: VoteView) -> str:
    recorded = "counted in the decision record" if vote.recorded else None
    return "; ".join(filter(None, [": ".join(filter(None, [vote.reason, ", ".join(vote.changed)])), recorded]))


def _next(outcome: approvals.PromotionApprovals) -> str:
    where = f"{outcome.environment}/{outcome.model}"
    if outcome.state == "merged":
        return f"mlgit log --env {outcome.environment} --model {outcome.model}"
    if not outcome.approvals.missing:
        return f"mlgit merge {where}"
    who = " or ".join(outcome.approvals.may_approve) or "somebody else"
    return f"{who} reviews {outcome.pull_request}" if outcome.pull_request else f"mlgit approve {where}, run by {who}"


def _names(names: list[str]) -> str:
    return ", ".join(names) or "-"
