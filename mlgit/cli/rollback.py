"""Propose to go back to the last version that ran well."""

import click

from mlgit.cli import pull_requests
from mlgit.cli.params import PLACE, REASON, VERSION, Place, dry_run_option, number_of, session_command
from mlgit.cli.render import text
from mlgit.cli.session import Session
from mlgit.domain.formatting import utc_time
from mlgit.domain.names import VersionRef
from mlgit.ops.promotion import rollback
from mlgit.ops.promotion.proposed import Proposed


@click.command()
@click.argument("place", type=PLACE, metavar="ENV[/MODEL]")
@click.option("--to-version", type=VERSION, metavar="MODEL@N", help="Version to go back to; it must have run there.")
@click.option("--reason", type=REASON, required=True, help="Reason; recorded in the manifest and in the hold.")
@click.option("--no-hold", is_flag=True, help="Do not hold the version that is replaced.")
@pull_requests.no_pull_request_option
@dry_run_option
@session_command
def command(
    session: Session,
    place: Place,
    to_version: VersionRef | None,
    reason: str,
    *,
    no_hold: bool,
    no_pull_request: bool,
    dry_run: bool,
) -> int:
    """Propose to go back to the last version that ran well.

    MODEL may be left out where the environment runs only one. A rollback is a promotion under the policy's lighter rule for
    rollbacks. Gates are not evaluated again, so it can only go back to what the ledger has verified in that environment: a
    champion, with the challenger and the shadow that ran beside it. The replaced version is held, so that it cannot come back
    until somebody lifts the hold. A freeze does not stop a rollback, and it takes the place of another promotion that is open.

    \b
    Examples:
      mlgit rollback production --reason "late warnings at EWR, INC-7"
      mlgit rollback production/churn --to-version churn@7 --reason "INC-7"
    """
    model, number = place.model, None
    if to_version is not None:
        model = model or to_version.model
        number = number_of(to_version, model, "--to-version")
    outcome = rollback.run(
        session,
        place.environment,
        model,
        to=number,
        reason=reason,
        hold=not no_hold,
        render_brief=None if no_pull_request else pull_requests.brief_renderer(session),
        dry_run=dry_run,
        on_step=session.step,
    )
    return session.answer(outcome, _show)


def _show(outcome: Proposed) -> str:
    to = ", ".join([outcome.candidate, *map(str, outcome.beside)])
    now = (
        outcome.champion
        if outcome.replaced == outcome.champion
        else f"{outcome.champion}, and {outcome.replaced} beside it"
    )
    lines = [f"Plan: {outcome.environment} goes back to {to} (now {now})"]
    lines += [f"  {mark} {text.clean(path)}" for path, mark in outcome.files.items()]
    if outcome.verified_at is not None:
        lines.append(f"{outcome.candidate} was verified there at {utc_time(outcome.verified_at)}.")
    if outcome.hold:
        lines.append(f"Hold {text.clean(outcome.hold)} keeps {outcome.replaced} out until it is lifted.")
    else:
        lines.append(f"{outcome.replaced} is not held: it can be promoted again.")
    end = pull_requests.proposal_footer(
        outcome,
        f"{outcome.environment}/{outcome.model}",
        what="The rollback",
        effect="Merging makes it the desired state; `mlgit apply` then switches back.",
        none_missing=f"{outcome.approvals_needed} needed",
    )
    return "\n".join([*lines, end])
