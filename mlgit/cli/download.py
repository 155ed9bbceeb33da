"""Download the files of a version."""

from pathlib import Path

import click

from mlgit.cli.params import VERSION, at_option, dry_run_option, session_command
from mlgit.cli.render import text
from mlgit.cli.session import Session
from mlgit.domain.formatting import size
from mlgit.domain.names import VersionRef
from mlgit.ops.kernel.snapshot import state_at
from mlgit.ops.training import content


@click.command()
@click.argument("version", type=VERSION, metavar="MODEL@N")
@click.option(
    "--output", "folder", type=click.Path(path_type=Path), metavar="DIR", help="Folder; MODEL-vN if left out."
)
@click.option("--data", "with_data", is_flag=True, help="Download the data that it was made from, too.")
@at_option
@dry_run_option
@session_command
def command(
    session: Session, version: VersionRef, folder: Path | None, *, with_data: bool, at: str | None, dry_run: bool
) -> int:
    """Download the model, the predictions and the test features of a version into a folder.

    Each file is verified by its sha256. What is there already is left alone.

    \b
    Examples:
      mlgit download churn@10
      mlgit download churn@10 --output /tmp/churn --data
    """
    state = state_at(session, at or "HEAD")
    place = session.directory / (folder or f"{version.model}-v{version.number}")
    outcome = content.download(
        session, state, version, place, with_data=with_data, dry_run=dry_run, on_step=session.step
    )
    return session.answer(outcome, _show)


def _show(outcome: content.Downloaded) -> str:
    states = {True: "to be written" if outcome.dry_run else "written", False: "there already"}
    rows = [[file.path, size(file.size), states[file.is_new]] for file in outcome.files]
    return f"{outcome.version}, verified by sha256\n\n" + text.table(["FILE", "SIZE", ""], rows)
