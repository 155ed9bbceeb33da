"""Promote what passes every gate, where people approved it in advance."""

import click

from mlgit.cli import pull_requests
from mlgit.cli.params import ENVIRONMENT, dry_run_option, session_command
from mlgit.cli.render import text
from mlgit.cli.render.gates import gates
from mlgit.cli.session import Session
from mlgit.ops.promotion import auto_promote
from mlgit.ops.promotion.auto_promotion import AutoPromotionResult


@click.command()
@click.option("--to", "environment", type=ENVIRONMENT, help="This environment alone.")
@click.option("--merge", "merge_too", is_flag=True, help="Merge at once what may be merged.")
@pull_requests.no_pull_request_option
@dry_run_option
@session_command
def command(session: Session, environment: str | None, *, merge_too: bool, no_pull_request: bool, dry_run: bool) -> int:
    """Promote what passes every gate, where people approved it in advance.

    For each environment that has `auto_promote: true`, this takes the newest version of each model that is newer than the
    champion, is neither held nor retired, was never rolled back there, and has run in earlier environments for as long as it has
    to. It is proposed if every gate passes, without a warning or a waiver, and a standing approval for it is in force.

    Nothing is deployed before it is merged and applied. What people have proposed is left alone.

    \b
    Examples:
      mlgit auto-promote --dry-run
      mlgit auto-promote --to production
      mlgit auto-promote --merge && mlgit apply
    """
    outcome = auto_promote.run(
        session,
        environment,
        merge_too=merge_too,
        body=None if no_pull_request else pull_requests.body_of(session),
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
    champion = result.champion or "nothing"
    versions = f": {result.candidate} (now {champion})" if result.candidate else f" ({champion})"
    findings = result.findings
    lines = [text.clean(f"{result.environment}/{result.model}{versions}: {_STATES[result.state]}")]
    if result.state in {"proposed", "proposed-already", "planned", "merged"}:
        basis = (
            f"standing approval {result.standing_approval}, by {' and '.join(result.approved_by)}"
            if result.standing_approval
            else "the policy, which asks for no approval"
        )
        lines.append(text.clean(f"  rests on  {basis}"))
        if result.branch is not None and result.state != "merged":
            lines.append(text.clean(f"  on branch {result.branch}" + (", pushed to origin" if result.pushed else "")))
    elif result.state == "refused" and result.gates:
        lines.append(gates(result.gates))
        findings = [finding for finding in findings if finding.id != "gates-failed"]  # each of them was shown
    shown = (f"  {finding.id}: {finding.message}" + (f"; {finding.why}" if finding.why else "") for finding in findings)
    return [*lines, *pull_requests.told(result.pull_request, result.warnings), *map(text.clean, shown)]


def _next(outcome: auto_promote.AutoPromotions) -> str | None:
    """Return the command that continues with what was proposed or merged."""
    if any(result.state == "merged" for result in outcome.results):
        return "mlgit apply"
    waiting = next((one for one in outcome.results if one.state in {"proposed", "proposed-already"}), None)
    return None if waiting is None else text.clean(f"mlgit merge {waiting.environment}/{waiting.model}")
