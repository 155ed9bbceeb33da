"""Propose to go back to the last version that ran well."""

import click

from mlgit.cli.params import ENVIRONMENT, MODEL, dry_run_option, session_command
from mlgit.cli.render import text
from mlgit.cli.session import Session
from mlgit.ops import rollback


@click.command()
@click.argument("environment", type=ENVIRONMENT)
@click.argument("model", required=False, type=MODEL)
@click.option("--to", type=click.IntRange(1), metavar="N", help="The version to go back to.")
@click.option("--reason", required=True, help="Why; it goes into the manifest and the hold.")
@click.option("--no-hold", is_flag=True, help="Do not hold the version that is replaced.")
@dry_run_option
@session_command
def command(
    session: Session, environment: str, model: str | None, to: int | None, reason: str, *, no_hold: bool, dry_run: bool
) -> int:
    """Propose to go back to the last version that was seen to run well, and hold the one that runs now.

    The proposal is a promotion like any other, with the policy's lighter rule for rollbacks. Gates are not judged again.

    \b
    Examples:
      mlgit rollback production --reason "late warnings at EWR, INC-7"
      mlgit rollback production churn --to 7 --reason "INC-7"
    """
    outcome = rollback.run(
        session, environment, model, to=to, reason=reason, hold=not no_hold, dry_run=dry_run, on_step=session.step
    )
    return session.answer(outcome, _show)


def _show(found: rollback.RolledBack) -> str:
    lines = [
        f"Plan: {found.environment} goes back from {found.champion} to {found.back_to}, "
        f"which was seen to run well on {found.verified_at[:10]}",
        *(f"  {path}" for path in found.files),
    ]
    if found.holds:
        lines.append(f"{found.champion} is held: nothing brings it back while {found.holds} is there.")
    missing = "; ".join(found.approvals_missing)
    lines.append(f"  {text.word('wait' if missing else 'pass', 6)}  approvals: {missing or 'none needed'}")
    if found.state == "planned":
        return "\n".join([*map(text.clean, lines[:-1]), lines[-1], "Nothing was changed (dry run)."])
    lines += [
        f"Proposed as {found.promotion}",
        f"  on branch {found.branch}" + (", pushed to origin" if found.pushed else ""),
    ]
    where = f"{found.environment}/{found.model}"
    return "\n".join(lines) + text.following(f"mlgit {'approve' if missing else 'merge'} {where}")
