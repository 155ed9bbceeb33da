"""Append to the ledger branch: add-only, one commit at a time, retried when somebody else was faster."""

from collections.abc import Callable, Mapping

from mlgit.domain import layout
from mlgit.errors import MlgitError, refused
from mlgit.ops.load import Ledger
from mlgit.ops.ports import Workspace

_TRIES = 8


def append(workspace: Workspace, make: Callable[[Ledger], Mapping[str, bytes]], message: str) -> list[str]:
    """Add files to the ledger, locally, and to the remote if there is one.

    Args:
        workspace: where.
        make: returns the files to add, given the ledger that they are added to; called again when the ledger moved on.
        message: subject of the commit.

    Returns:
        The paths that were added; none if all were there already.

    Raises:
        MlgitError: a file is there with other content (`ledger-conflict`), or the ledger moved on too often.
    """
    repository = workspace.repository
    for attempt in range(1, _TRIES + 1):
        tip = repository.resolve(layout.LEDGER)
        if tip is None and (theirs := repository.resolve(layout.LEDGER.replace("heads", "remotes/origin"))) is not None:
            repository.move(layout.LEDGER, theirs, expected=None, reason="mlgit: follow the remote's ledger")
            tip = theirs
        ledger = Ledger(None if tip is None else repository.tree(tip), workspace.formats.record)
        files = _new_files(ledger, make(ledger))
        if not files:
            return []
        commit = repository.commit(files, parents=[] if tip is None else [tip], message=message)
        try:
            repository.move(layout.LEDGER, commit, expected=tip, reason=message)
        except MlgitError as error:
            if error.findings[0].id != "ref-moved" or attempt == _TRIES:
                raise
        else:
            return sorted(files)
    raise AssertionError  # the last try returned or raised


def _new_files(ledger: Ledger, files: Mapping[str, bytes]) -> dict[str, bytes]:
    new = {}
    for path, content in files.items():
        there = None if ledger.tree is None else ledger.tree.read(path)
        if there is None:
            new[path] = content
        elif there != content:
            raise refused(
                "ledger-conflict",
                f"{path} is on the ledger already, with other content",
                why="the ledger is append-only",
                fix="see `git log mlgit-ledger` for who wrote it",
            )
    return new
