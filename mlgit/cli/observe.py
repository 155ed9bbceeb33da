"""See whether what was applied still runs as it was given."""

import click

from mlgit.cli.params import ENVIRONMENT, dry_run_option, session_command
from mlgit.cli.render import text
from mlgit.cli.session import Session
from mlgit.ops.monitoring import observe

_WORDS = {
    "verified": "runs as it was given",
    "degraded": "degraded",
    "not-applied": "nothing was applied yet",
    "failed": "could not be seen",
    "no-target": "no target",
}


@click.command()
@click.argument("environment", required=False, type=ENVIRONMENT)
@dry_run_option
@session_command
def command(session: Session, environment: str | None, *, dry_run: bool) -> int:
    """See whether what was applied still runs as it was given.

    What is seen goes onto the ledger, well or degraded: a soak counts from the first time that a version was seen to be well,
    without a break, and the next step of a ramp waits for it. Nothing is switched; `mlgit apply` mends what is degraded.

    \b
    Examples:
      mlgit observe
      mlgit observe staging --json
    """
    return session.answer(observe.run(session, environment, dry_run=dry_run, on_step=session.step), _show)


def _show(found: observe.Observations) -> str:
    if not found.results:
        return "Nothing has been promoted yet." + text.following("mlgit promote MODEL@N --to ENVIRONMENT")
    rows = [
        [f"{one.environment}/{one.model}", one.version or "nothing", _WORDS[one.health], text.clean(one.message)]
        for one in found.results
    ]
    shown = [text.table(["WHERE", "VERSION", "SEEN", "WHY"], rows)]
    shown += [text.finding(finding) for one in found.results for finding in one.findings]
    worse = any(one.health in {"degraded", "not-applied"} for one in found.results)
    return "\n\n".join(shown) + text.following("mlgit apply" if worse else "mlgit status")
