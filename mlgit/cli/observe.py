"""Check deployments for drift."""

import click

from mlgit.cli.params import PLACE, Place, dry_run_option, session_command
from mlgit.cli.render import text
from mlgit.cli.session import Session
from mlgit.ops.monitoring import observe

_HEALTH = {
    "verified": "runs what was applied",
    "degraded": "degraded",
    "not-applied": "nothing was applied yet",
    "failed": "could not be observed",
    "no-target": "no target",
}


@click.command()
@click.argument("place", required=False, type=PLACE, metavar="[ENV[/MODEL]]")
@dry_run_option
@session_command
def command(session: Session, place: Place | None, *, dry_run: bool) -> int:
    """Check deployments for drift: whether each target still runs what was applied to it.

    Each observation is recorded in the ledger, verified or degraded. A soak counts from the first verified observation, without
    a break, and the next step of a ramp waits for one. Nothing is switched; `mlgit apply` repairs what is degraded.

    \b
    Examples:
      mlgit observe
      mlgit observe staging --json
      mlgit observe production/churn
    """
    environment, model = place or (None, None)
    return session.answer(observe.run(session, environment, model, dry_run=dry_run, on_step=session.step), _show)


def _show(outcome: observe.Observations) -> str:
    if not outcome.results:
        return "Nothing has been promoted yet." + text.following("mlgit promote MODEL@N --to ENV")
    rows = [
        [
            f"{result.environment}/{result.model}",
            result.version or "nothing",
            _HEALTH[result.health],
            text.clean(result.message),
        ]
        for result in outcome.results
    ]
    shown = [text.table(["WHERE", "VERSION", "STATUS", "REASON"], rows)]
    shown += [text.finding(finding) for result in outcome.results for finding in result.findings]
    worse = any(result.health in {"degraded", "not-applied"} for result in outcome.results)
    return "\n\n".join(shown) + text.following("mlgit apply" if worse else "mlgit status")
