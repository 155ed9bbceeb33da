"""Propose re-approval of what runs."""

import click

from mlgit.cli import pull_requests
from mlgit.cli.params import MODEL_PLACE, REASON, Place, dry_run_option, session_command
from mlgit.cli.render import text
from mlgit.cli.render.gates import gates
from mlgit.cli.session import Session
from mlgit.domain.formatting import utc_date
from mlgit.ops.promotion import recertify
from mlgit.ops.promotion.proposed import Proposed


@click.command()
@click.argument("place", type=MODEL_PLACE, metavar="ENV/MODEL")
@click.option("--reason", type=REASON, help="Reason; recorded in the manifest.")
@pull_requests.replace_option
@pull_requests.no_pull_request_option
@dry_run_option
@session_command
def command(
    session: Session, place: Place, reason: str | None, *, replace_open: bool, no_pull_request: bool, dry_run: bool
) -> int:
    """Propose re-approval of what runs.

    Under a policy with `recertify: 180d`, no approval of what runs may be older than 180 days. The champion is evaluated again by
    the gates of today's policy; gates that compare with a champion use the one that it replaced. Nothing that runs changes: once
    it is approved and merged, `mlgit apply` records the decision.

    \b
    Examples:
      mlgit recertify production/churn
      mlgit recertify production/churn --reason "yearly review" --dry-run
    """
    assert place.model is not None  # noqa: S101 - MODEL_PLACE has one
    session.reuse_evidence()
    outcome = recertify.run(
        session,
        place.environment,
        place.model,
        reason=reason,
        replace_open=replace_open,
        render_brief=None if no_pull_request else pull_requests.brief_renderer(session),
        dry_run=dry_run,
        on_step=session.step,
    )
    return session.answer(outcome, _show)


def _show(outcome: Proposed) -> str:
    where = f"{outcome.environment}/{outcome.model}"
    against = f"against {outcome.compared_with}" if outcome.compared_with else "without a version to compare with"
    lines = [f"Plan: {outcome.candidate} is re-approved in {outcome.environment}, evaluated {against}"]
    if outcome.approval_due is not None:
        lines.append(f"  {outcome.approval_age}, re-approval due by {utc_date(outcome.approval_due)}")
    lines += [f"  {mark} {text.clean(path)}" for path, mark in outcome.files.items()]
    lines += [f"Gates (policies/{outcome.policy}.yaml)", gates(outcome.gates)]
    if outcome.state == "refused":
        fails = [verdict.gate for verdict in outcome.gates if verdict.blocks]
        lines.append(f"Refused by {', '.join(fails)}. Nothing was proposed and nothing was changed.")
        return "\n".join(lines) + text.following(f"mlgit explain {fails[0]}")
    if outcome.state == "planned":
        return "\n".join([*lines, "Nothing was changed (dry run)."])
    effect = "Merging puts it in force. Nothing that runs changes."
    end = pull_requests.proposal_footer(
        outcome, where, what="The recertification", effect=effect, none_missing="none missing"
    )
    return "\n".join([*lines, end])
