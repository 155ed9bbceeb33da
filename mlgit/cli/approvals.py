"""Show who agreed to a promotion, and what is missing."""

import click

from mlgit.cli.params import at_option, session_command
from mlgit.cli.render import text
from mlgit.cli.session import Session
from mlgit.domain.formatting import utc_minute
from mlgit.ops.promotion import approvals


@click.command()
@click.argument("promotion", required=False, metavar="[PROMOTION|ENVIRONMENT/MODEL]")
@at_option
@session_command
def command(session: Session, promotion: str | None, at: str | None) -> int:
    """Show who agreed to a promotion, and what is missing.

    The promotion is an open one, or one that was merged, then by the rules of the time. Every signature is verified again.
    Where reviews count, the forge is asked, until the ledger has what it told.

    \b
    Examples:
      mlgit approvals
      mlgit approvals production/churn
      mlgit approvals 01JD8ZK3M9V2Q4T6X8Z0B2D4F6 --json
      mlgit approvals production/churn --at 2026-03-31
    """
    return session.answer(approvals.run(session, promotion, at=at), _show)


def _show(found: approvals.ApprovalsShown) -> str:
    evidence = {
        "none": "asks for no evidence, so that nothing is counted",
        "signed": "counts signatures on the ledger",
        "forge": "counts reviews of the pull request, and signatures on the ledger",
    }[found.evidence]
    facts = [
        f"{found.candidate} for {found.environment}: promotion {found.promotion} is {found.state}",
        *([f"  beside    {', '.join(map(str, found.beside))}"] if found.beside else []),
        f"  decision  {found.decision}",
        f"  policy    {found.policy}, which {evidence}; it leaves out {', '.join(found.excludes) or 'nobody'}",
        *([f"  reviews   {found.pull_request or 'no pull request'}"] if found.evidence == "forge" else []),
    ]
    needs = [
        [need.role or "anybody", f"{len(need.counted)} of {need.needed}", _names(need.counted), _names(need.may)]
        for need in found.needs
    ]
    parts = ["\n".join(map(text.clean, facts)), text.table(["AS", "COUNTED", "BY", "WHO ELSE MAY"], needs)]
    if found.counted:
        rows = [
            [one.person, _names(one.roles), utc_minute(one.at), one.key or one.review or ""] for one in found.counted
        ]
        parts.append(text.table(["COUNTED", "ROLES", "WHEN (UTC)", "KEY OR REVIEW"], rows))
    if found.uncounted:
        rows = [[one.person, one.verdict, utc_minute(one.at), _reason(one)] for one in found.uncounted]
        parts.append(text.table(["NOT COUNTED", "SAID", "WHEN (UTC)", "WHY"], rows))
    parts.append(text.clean(f"Missing: {'; '.join(found.missing)}" if found.missing else "Nothing is missing."))
    return "\n\n".join(parts) + text.following(_next(found))


def _next(found: approvals.ApprovalsShown) -> str:
    where = f"{found.environment}/{found.model}"
    if found.state == "merged":
        return f"mlgit log --env {found.environment} --model {found.model}"
    if not found.missing:
        return f"mlgit merge {where}"
    who = " or ".join(found.may) or "somebody else"
    return f"{who} reviews {found.pull_request}" if found.pull_request else f"mlgit approve {where}, run by {who}"


def _names(names: list[str]) -> str:
    return ", ".join(names) or "-"


def _reason(one: approvals.VoteShown) -> str:
    return ": ".join(filter(None, [one.reason, ", ".join(one.changed)]))
