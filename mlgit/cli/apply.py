"""Make environments run what the base branch says."""

import click

from mlgit.cli.params import ENVIRONMENT, dry_run_option, session_command
from mlgit.cli.render import text
from mlgit.cli.session import Session
from mlgit.ops.delivery import apply
from mlgit.pages import applications


@click.command()
@click.argument("environment", required=False, type=ENVIRONMENT)
@dry_run_option
@session_command
def command(session: Session, environment: str | None, *, dry_run: bool) -> int:
    """Make environments run what the base branch says.

    Every promotion is verified again before anything is switched: a check that was green once is only a hint. What runs is
    read back from the target and written onto the ledger. Running it again does no harm. Outside the windows of an
    environment a change waits, which is nothing wrong; run it again when they open. A version that takes over in steps goes
    to the next one when its time is over and it is healthy.

    \b
    Examples:
      mlgit apply
      mlgit apply production --dry-run
    """
    return session.answer(apply.run(session, environment, dry_run=dry_run, on_step=session.step), _show)


def _show(found: apply.Applied) -> str:
    if not found.results:
        return "Nothing has been promoted yet." + text.following("mlgit promote MODEL@N --to ENVIRONMENT")
    shown = [text.table(applications.HEADER, map(applications.row, found.results))]
    shown += [text.finding(finding) for one in found.results for finding in one.findings]
    return "\n\n".join(shown) + text.following("mlgit status")
