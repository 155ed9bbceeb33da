"""Verify a promotion and merge it."""

import click

from mlgit.cli.params import PROMOTION, dry_run_option, session_command
from mlgit.cli.render import text
from mlgit.cli.session import Session
from mlgit.ops.promotion import merge


@click.command()
@click.argument("promotion", required=False, type=PROMOTION, metavar="[ENV/MODEL|PROMOTION]")
@dry_run_option
@session_command
def command(session: Session, promotion: str | None, *, dry_run: bool) -> int:
    """Verify a promotion and merge it into the base branch.

    Everything is verified again: manifest, version, policy, gates, champion and approvals. If anything is wrong, nothing is
    merged and every reason is shown. The merge commit is signed where Git has a signing key.

    Git's commit hooks (pre-commit, commit-msg) do not run, since the commit is created outside of the work tree. Hooks for refs
    and pushes do.

    \b
    Examples:
      mlgit merge
      mlgit merge production/churn --dry-run
    """
    session.reuse_evidence()
    return session.answer(merge.run(session, promotion, dry_run=dry_run, on_step=session.step), _show)


def _show(outcome: merge.Merged) -> str:
    who = ", ".join(outcome.approved_by) or f"no approval is needed in {outcome.environment}"
    if outcome.state == "planned":
        done = f"{outcome.candidate} could be merged for {outcome.environment} ({text.clean(who)})."
        return f"{done} Nothing was changed (dry run)."
    if outcome.state == "merged-already":
        done = f"{outcome.candidate} is merged for {outcome.environment} already (promotion {outcome.promotion})"
        return done + text.following(f"mlgit apply {outcome.environment}")
    action = f"Merged {outcome.candidate} for {outcome.environment}"
    if outcome.change == "rollback":
        action = f"Rolled back to {outcome.candidate} in {outcome.environment}, merged"
    if outcome.change == "recertify":
        action = f"Re-approved {outcome.candidate} in {outcome.environment}, merged"
    signed = "signed" if outcome.signed else "not signed: Git has no user.signingkey"
    lines = [
        f"{action} into {outcome.base}",
        f"  commit     {(outcome.commit or '')[:12]} ({signed})" + (", pushed to origin" if outcome.pushed else ""),
        f"  decision   {outcome.decision}",
        f"  approved   {text.clean(who)}",
    ]
    return "\n".join(lines) + text.following(f"mlgit apply {outcome.environment}")
