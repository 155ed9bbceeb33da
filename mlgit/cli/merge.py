"""Verify a promotion and merge it."""

import click

from mlgit.cli.params import dry_run_option, session_command
from mlgit.cli.render import text
from mlgit.cli.session import Session
from mlgit.ops.promotion import merge


@click.command()
@click.argument("promotion", required=False, metavar="[ENVIRONMENT/MODEL]")
@dry_run_option
@session_command
def command(session: Session, promotion: str | None, *, dry_run: bool) -> int:
    """Verify a promotion and merge it into the base branch.

    Everything is checked again: manifest, version, policy, gates, champion and approvals. If anything does not hold, nothing
    is merged and each reason is said. The merge is signed where Git has a signing key.

    Git's hooks for commits (pre-commit, commit-msg) are not run: the commit is made beside the work tree, which they judge.
    Those for refs and pushes are.

    \b
    Examples:
      mlgit merge
      mlgit merge production/churn --dry-run
    """
    return session.answer(merge.run(session, promotion, dry_run=dry_run, on_step=session.step), _show)


def _show(found: merge.Merged) -> str:
    who = ", ".join(found.approved_by) or f"no approval is needed in {found.environment}"
    if found.state == "planned":
        return f"{found.candidate} could be merged for {found.environment} ({text.clean(who)}). Nothing was changed (dry run)."
    if found.state == "merged-already":
        done = f"{found.candidate} is merged for {found.environment} already (promotion {found.promotion})"
        return done + text.following(f"mlgit apply {found.environment}")
    deed = f"Merged {found.candidate} for {found.environment}"
    if found.change == "rollback":
        deed = f"Rolled back to {found.candidate} in {found.environment}, merged"
    if found.change == "recertify":
        deed = f"Agreed again to {found.candidate} in {found.environment}, merged"
    signed = "signed" if found.signed else "not signed: Git has no user.signingkey"
    lines = [
        f"{deed} into {found.base}",
        f"  commit     {(found.commit or '')[:12]} ({signed})" + (", pushed to origin" if found.pushed else ""),
        f"  decision   {found.decision}",
        f"  approved   {text.clean(who)}",
    ]
    return "\n".join(lines) + text.following(f"mlgit apply {found.environment}")
