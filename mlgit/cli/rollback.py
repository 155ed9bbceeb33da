"""Propose to go back to the last version that ran well."""

import click

from mlgit.cli import pull_requests
from mlgit.cli.params import ENVIRONMENT, MODEL, dry_run_option, session_command
from mlgit.cli.render import text
from mlgit.cli.session import Session
from mlgit.domain.formatting import utc_time
from mlgit.ops.promotion import rollback
from mlgit.ops.promotion.proposed import Proposed


@click.command()
@click.argument("environment", type=ENVIRONMENT)
@click.argument("model", required=False, type=MODEL)
@click.option("--to", type=click.IntRange(1), metavar="N", help="The version to go back to; it must have run there.")
@click.option("--reason", required=True, help="Why; it goes into the manifest and the hold.")
@click.option("--no-hold", is_flag=True, help="Do not hold the version that is replaced.")
@pull_requests.no_pull_request_option
@dry_run_option
@session_command
def command(
    session: Session,
    environment: str,
    model: str | None,
    to: int | None,
    reason: str,
    *,
    no_hold: bool,
    no_pull_request: bool,
    dry_run: bool,
) -> int:
    """Propose to go back to the last version that ran well.

    It is a promotion like any other, with the policy's lighter rule for rollbacks: gates are not judged again, so it leads
    only to what the ledger has seen verified in that environment: a champion, with the challenger and the shadow that it had.
    The version that is taken out is held, so that nothing brings it back before somebody lifts the hold. Freezes do not stop
    a rollback.

    \b
    Examples:
      mlgit rollback production --reason "late warnings at EWR, INC-7"
      mlgit rollback production churn --to 7 --reason "INC-7"
    """
    outcome = rollback.run(
        session,
        environment,
        model,
        to=to,
        reason=reason,
        hold=not no_hold,
        body=None if no_pull_request else pull_requests.body_of(session),
        dry_run=dry_run,
        on_step=session.step,
    )
    return session.answer(outcome, _show)


def _show(found: Proposed) -> str:
    to = ", ".join([found.candidate, *map(str, found.beside)])
    now = found.champion if found.replaced == found.champion else f"{found.champion}, and {found.replaced} beside it"
    lines = [f"Plan: {found.environment} goes back to {to} (now {now})"]
    lines += [f"  {mark} {text.clean(path)}" for path, mark in found.files.items()]
    if found.verified_at is not None:
        lines.append(f"{found.candidate} was seen to run well there at {utc_time(found.verified_at)}.")
    if found.hold:
        lines.append(f"Hold {text.clean(found.hold)} keeps {found.replaced} out until it is lifted.")
    else:
        lines.append(f"{found.replaced} is not held: it can be promoted again.")
    end = pull_requests.ending(
        found,
        f"{found.environment}/{found.model}",
        what="The way back",
        act="Merging it is the act; `mlgit apply` then switches back.",
        enough=f"{found.approvals_needed} needed",
    )
    return "\n".join([*lines, end])
