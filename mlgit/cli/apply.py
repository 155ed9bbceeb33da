"""Make environments run what the base branch says."""

import click

from mlgit.cli.params import PLACE, Place, dry_run_option, session_command
from mlgit.cli.render import text
from mlgit.cli.session import Session
from mlgit.ops.delivery import apply
from mlgit.pages import applications


@click.command()
@click.argument("place", required=False, type=PLACE, metavar="[ENV[/MODEL]]")
@dry_run_option
@session_command
def command(session: Session, place: Place | None, *, dry_run: bool) -> int:
    """Make environments run what the base branch says.

    Every promotion is verified again before anything is switched. What runs is then read back from the target and recorded in
    the ledger. Applying again is safe. Outside the windows of an environment a change waits, which is not an error; run it
    again when they open. A ramp advances when its interval is over and the version is healthy.

    \b
    Examples:
      mlgit apply
      mlgit apply production --dry-run
      mlgit apply production/churn
    """
    session.reuse_evidence()
    environment, model = place or (None, None)
    return session.answer(apply.run(session, environment, model, dry_run=dry_run, on_step=session.step), _show)


def _show(outcome: apply.Applied) -> str:
    if not outcome.results:
        return "Nothing has been promoted yet." + text.following("mlgit promote MODEL@N --to ENV")
    shown = [text.table(applications.HEADER, map(applications.row, outcome.results))]
    shown += [text.finding(finding) for result in outcome.results for finding in result.findings]
    return "\n\n".join(shown) + text.following("mlgit status")
