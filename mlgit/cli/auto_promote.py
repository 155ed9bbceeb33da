"""Promote what passes every gate under a standing approval."""

import click

from mlgit.cli import pull_requests
from mlgit.cli.params import PLACE, Place, dry_run_option, session_command
from mlgit.cli.render import text
from mlgit.cli.render.gates import gates
from mlgit.cli.session import Session
from mlgit.ops.promotion import auto_promote
from mlgit.ops.promotion.auto_promotion import AutoPromotionResult


@click.command()
@click.argument("place", required=False, type=PLACE, metavar="[ENV[/MODEL]]")
@click.option("--merge", "merge_too", is_flag=True, help="Also merge what can be merged.")
@pull_requests.no_pull_request_option
@dry_run_option
@session_command
def command(session: Session, place: Place | None, *, merge_too: bool, no_pull_request: bool, dry_run: bool) -> int:
    """Promote what passes every gate under a standing approval.

    For each environment with `auto_promote: true` and each model, this takes the newest version that is newer than the champion,
    not held, not retired, never rolled back there, and has finished its soak. It is proposed if every gate passes without a
    warning or a waiver, and a standing approval covers it.

    Nothing is deployed before it is merged and applied. Promotions that people have proposed are left alone.

    \b
    Examples:
      mlgit auto-promote --dry-run
      mlgit auto-promote production/churn
      mlgit auto-promote --merge && mlgit apply
    """
    environment, model = place or (None, None)
    session.reuse_evidence()
    outcome = auto_promote.run(
        session,
        environment,
        model,
        merge_too=merge_too,
        render_brief=None if no_pull_request else pull_requests.brief_renderer(session),
        dry_run=dry_run,
        on_step=session.step,
    )
    return session.answer(outcome, lambda outcome: _show(outcome, dry_run=dry_run))


_STATES = {
    "merged": "merged",
    "proposed": "proposed",
    "proposed-already": "proposed already",
    "planned": "would be proposed",
    "refused": "refused",
    "not-eligible": "no newer version is eligible",
    "open": "a proposal by people is open; left alone",
    "up-to-date": "no newer version",
    "inconclusive": "inconclusive",
}


def _show(outcome: auto_promote.AutoPromotions, *, dry_run: bool) -> str:
    if not outcome.environments:
        return "No environment has `auto_promote: true`; nothing was changed."
    lines = [line for result in outcome.results for line in _result(result)] or ["There is no model yet."]
    if dry_run:
        return "\n".join([*lines, "Nothing was changed (dry run)."])
    return "\n".join(lines) + text.following(_next(outcome) or "mlgit status")


def _result(result: AutoPromotionResult) -> list[str]:
    champion, proposed, findings = result.champion or "nothing", result.proposed, result.findings
    versions = f": {proposed.candidate} (now {champion})" if proposed else f" ({champion})"
    lines = [text.clean(f"{result.environment}/{result.model}{versions}: {_STATES[result.state]}")]
    if result.state in {"proposed", "proposed-already", "planned", "merged"}:
        approval = (
            f"standing approval {result.standing_approval}, by {' and '.join(result.approved_by)}"
            if result.standing_approval
            else "the policy, which requires no approval"
        )
        lines.append(text.clean(f"  approved by  {approval}"))
        if proposed is not None and proposed.branch is not None and result.state != "merged":
            lines += pull_requests.branch_lines(proposed)
    elif result.state == "refused" and proposed is not None and proposed.gates:
        lines.append(gates(proposed.gates))
        findings = [finding for finding in findings if finding.id != "gates-failed"]  # the gates are shown already
    shown = (f"  {finding.id}: {finding.message}" + (f"; {finding.why}" if finding.why else "") for finding in findings)
    return [*lines, *map(text.clean, shown)]


def _next(outcome: auto_promote.AutoPromotions) -> str | None:
    """Return the command that continues with what was proposed or merged."""
    if any(result.state == "merged" for result in outcome.results):
        return "mlgit apply"
    proposed = next((result for result in outcome.results if result.state in {"proposed", "proposed-already"}), None)
    return None if proposed is None else text.clean(f"mlgit merge {proposed.environment}/{proposed.model}")
