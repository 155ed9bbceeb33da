"""Promote what passes, where people agreed to that in advance."""

import click

from mlgit.cli import pull_requests
from mlgit.cli.params import ENVIRONMENT, dry_run_option, session_command
from mlgit.cli.render import text
from mlgit.cli.render.gates import gates
from mlgit.cli.session import Session
from mlgit.ops.promotion import auto_promote, auto_promotion


@click.command()
@click.option("--to", "environment", type=ENVIRONMENT, help="This environment alone.")
@click.option("--merge", "merge_too", is_flag=True, help="Merge at once what holds.")
@pull_requests.no_pull_request_option
@dry_run_option
@session_command
def command(session: Session, environment: str | None, *, merge_too: bool, no_pull_request: bool, dry_run: bool) -> int:
    """Promote what passes, where people agreed to that in advance.

    For each environment that has `auto_promote: true`, the newest version of each model is taken that is newer than the champion,
    is neither held nor retired, was never rolled back there, and has been where it has to be first for as long as it has to.
    It is judged, and proposed if every gate passes, without a warning or a waiver, and a standing approval carries it.

    Nothing is deployed before it is merged and applied. What people have proposed is left alone.

    \b
    Examples:
      mlgit advance --dry-run
      mlgit advance --to production
      mlgit advance --merge && mlgit apply
    """
    outcome = auto_promote.run(
        session,
        environment,
        merge_too=merge_too,
        body=None if no_pull_request else pull_requests.body_of(session),
        dry_run=dry_run,
        on_step=session.step,
    )
    return session.answer(outcome, lambda found: _show(found, dry_run=dry_run))


_SAID = {
    "merged": "merged",
    "proposed": "proposed",
    "proposed-already": "proposed already",
    "planned": "would be proposed",
    "refused": "refused",
    "kept-back": "kept back",
    "open": "proposed by somebody; left alone",
    "newest": "no newer version",
    "failed": "could not be judged",
}


def _show(found: auto_promote.AutoPromoted, *, dry_run: bool) -> str:
    if not found.environments:
        return "No environment has `auto_promote: true`; nothing was changed."
    lines = [line for one in found.results for line in _one(one)] or ["There is no model yet."]
    if dry_run:
        return "\n".join([*lines, "Nothing was changed (dry run)."])
    return "\n".join(lines) + text.following(_next(found) or "mlgit status")


def _one(one: auto_promotion.AutoPromotionResult) -> list[str]:
    moved = (
        f": {one.candidate} (now {one.champion or 'nothing'})" if one.candidate else f" ({one.champion or 'nothing'})"
    )
    findings = one.findings
    lines = [text.clean(f"{one.environment}/{one.model}{moved}: {_SAID[one.state]}")]
    if one.state in {"proposed", "proposed-already", "planned", "merged"}:
        rests = (
            f"standing approval {one.standing}, by {' and '.join(one.agreed_by)}"
            if one.standing
            else "the policy, which asks nobody"
        )
        lines.append(text.clean(f"  rests on  {rests}"))
        if one.branch is not None and one.state != "merged":
            lines.append(text.clean(f"  on branch {one.branch}" + (", pushed to origin" if one.pushed else "")))
    elif one.state == "refused" and one.gates:
        lines.append(gates(one.gates))
        findings = [finding for finding in findings if finding.id != "gates-failed"]  # each of them was shown
    said = (f"  {finding.id}: {finding.message}" + (f"; {finding.why}" if finding.why else "") for finding in findings)
    return [*lines, *pull_requests.told(one.pull_request, one.warnings), *map(text.clean, said)]


def _next(found: auto_promote.AutoPromoted) -> str | None:
    """Return the step that brings on what was proposed."""
    if any(one.state == "merged" for one in found.results):
        return "mlgit apply"
    waiting = next((one for one in found.results if one.state in {"proposed", "proposed-already"}), None)
    return None if waiting is None else text.clean(f"mlgit merge {waiting.environment}/{waiting.model}")
