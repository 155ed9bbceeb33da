"""Verify a promotion or a change of rules, and merge it."""

import click

from mlgit.cli.params import PROMOTION, dry_run_option, session_command
from mlgit.cli.render import text
from mlgit.cli.session import Session
from mlgit.ops.promotion import merge
from mlgit.ops.promotion.merge_rules import RulesMerged


@click.command()
@click.argument("promotion", required=False, type=PROMOTION, metavar="[ENV/MODEL|PROMOTION|BRANCH]")
@dry_run_option
@session_command
def command(session: Session, promotion: str | None, *, dry_run: bool) -> int:
    """Verify a promotion or a change of rules, and merge it into the base branch.

    Everything is verified again: manifest, version, policy, gates, champion and approvals. If anything is wrong, nothing is
    merged and every reason is shown. A branch that changes rules is merged by its name. The merge commit is signed where Git
    has a signing key.

    Git's commit hooks (pre-commit, commit-msg) do not run, since the commit is created outside of the work tree. Hooks for refs
    and pushes do.

    \b
    Examples:
      mlgit merge
      mlgit merge production/churn --dry-run
      mlgit merge stricter-policy
    """
    session.reuse_evidence()
    outcome = merge.run(session, promotion, dry_run=dry_run, on_step=session.step)
    return session.answer(outcome, _show_rules) if isinstance(outcome, RulesMerged) else session.answer(outcome, _show)


def _show_rules(outcome: RulesMerged) -> str:
    who = ", ".join(outcome.approved_by) or "no approval is needed"
    if outcome.state == "planned":
        return f"{text.clean(outcome.name)} could be merged ({text.clean(who)}). Nothing was changed (dry run)."
    if outcome.state == "merged-already":
        return text.clean(f"The change of rules is merged already, as {(outcome.commit or '')[:12]}.")
    lines = [
        f"Merged {outcome.name} into {outcome.base}",
        *(f"  {kind:<9}  {path}" for path, kind in outcome.files.items()),
        f"  commit     {_commit(outcome)}",
        f"  decision   {outcome.decision}",
        f"  approved   {who}",
    ]
    return "\n".join(map(text.clean, lines)) + text.following("mlgit status")


def _commit(outcome: merge.Merged | RulesMerged) -> str:
    """Return the merge commit, whether it is signed, and whether it was pushed."""
    signed = "signed" if outcome.signed else "not signed: Git has no user.signingkey"
    return f"{(outcome.commit or '')[:12]} ({signed})" + (", pushed to origin" if outcome.pushed else "")


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
    lines = [
        f"{action} into {outcome.base}",
        f"  commit     {_commit(outcome)}",
        f"  decision   {outcome.decision}",
        f"  approved   {text.clean(who)}",
    ]
    return "\n".join(lines) + text.following(f"mlgit apply {outcome.environment}")
