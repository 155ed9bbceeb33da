"""Upload the files of versions that the DVC remote lacks."""

import click

from mlgit.cli.params import VERSION, dry_run_option, session_command
from mlgit.cli.render import text
from mlgit.cli.session import Session
from mlgit.domain.names import VersionRef
from mlgit.ops.kernel.snapshot import state_at
from mlgit.ops.training import content


@click.command()
@click.argument("versions", type=VERSION, metavar="[MODEL@N]...", nargs=-1)
@dry_run_option
@session_command
def command(session: Session, versions: tuple[VersionRef, ...], *, dry_run: bool) -> int:
    """Upload the files of versions that the DVC remote lacks.

    They are taken from the cache of this machine; all versions are meant if none is named. `mlgit register` uploads a version
    itself: this is for a new remote, or one that has lost files.

    \b
    Examples:
      mlgit upload
      mlgit upload churn@10 --dry-run
    """
    outcome = content.upload(session, state_at(session, "HEAD"), versions, dry_run=dry_run, on_step=session.step)
    return session.answer(outcome, _show)


def _show(outcome: content.Uploaded) -> str:
    action = "to upload" if outcome.dry_run else "uploaded"
    head = (
        f"{outcome.versions:,} versions with {outcome.files:,} files: {outcome.uploaded:,} {action} "
        f"to remote {outcome.remote}"
    )
    return "\n\n".join([head, *map(text.finding, outcome.findings)])
