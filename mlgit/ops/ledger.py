"""Append to the ledger branch: add-only, one commit at a time, retried when somebody else was faster."""

import contextlib
from collections.abc import Callable, Mapping

from mlgit.domain import layout
from mlgit.domain.names import CommitId
from mlgit.errors import MlgitError, refused
from mlgit.ops import origin
from mlgit.ops.load import Ledger
from mlgit.ops.ports import Repository, Workspace

_TRIES = 8

Make = Callable[[Ledger], Mapping[str, bytes]]


def append(workspace: Workspace, make: Make, message: str) -> list[str]:
    """Add files to the ledger, in one commit; with a remote, there first, so that no clone has a ledger of its own.

    Args:
        workspace: where.
        make: returns the files to add, given the ledger that they are added to; called again when the ledger moved on.
        message: subject of the commit.

    Returns:
        The paths that were added; none if all were there already.

    Raises:
        MlgitError: a file is there with other content (`ledger-conflict`), the remote refused for another reason than that
            its ledger moved on (`push-refused`), or the ledger moved on too often. Nothing was added.
        Unjudged: the remote did not answer (`remote-unreachable`). Nothing was added.
    """
    repository = workspace.repository
    shared = origin.is_there(repository)
    for attempt in range(1, _TRIES + 1):
        if shared:
            origin.fetch(repository, layout.LEDGER)
        theirs = repository.resolve(origin.copy_of(layout.LEDGER))
        try:
            return _append(workspace, make, message, shared=shared)
        except MlgitError as error:
            if attempt == _TRIES or not _was_faster(repository, error, theirs):
                raise
    raise AssertionError  # the last try returned or raised


def _append(workspace: Workspace, make: Make, message: str, *, shared: bool) -> list[str]:
    repository = workspace.repository
    ours = repository.resolve(layout.LEDGER)
    tip = _joined(repository)
    ledger = Ledger(None if tip is None else repository.tree(tip), workspace.formats.record)
    files = _new_files(ledger, make(ledger))
    commit = repository.commit(files, parents=[] if tip is None else [tip], message=message) if files else tip
    if commit is None:
        return []
    if shared and commit != repository.resolve(origin.copy_of(layout.LEDGER)):
        repository.push(origin.NAME, [f"{commit}:{layout.LEDGER}"])
    if commit != ours:
        # What the remote has taken is there to stay: a second try would add it twice.
        with contextlib.suppress(MlgitError) if shared else contextlib.nullcontext():
            repository.move(layout.LEDGER, commit, expected=ours, reason=message)
    return sorted(files)


def _joined(repository: Repository) -> CommitId | None:
    """Return the tip to add to: of two ledgers that were begun apart, the commit that joins them."""
    ours, theirs = repository.resolve(layout.LEDGER), repository.resolve(origin.copy_of(layout.LEDGER))
    if ours is None or theirs is None or origin.contains(repository, ours, theirs):
        return ours or theirs
    if origin.contains(repository, theirs, ours):
        return theirs
    tree = repository.merge_tree(theirs, ours)
    if tree is None:
        raise refused(
            "ledger-conflict",
            f"the ledger here and that of {origin.NAME} tell different stories",
            why="both have added other content under one name, and the ledger is append-only",
            fix=f"compare `git log mlgit-ledger` with `git log {origin.NAME}/mlgit-ledger`, and keep the one that is right",
        )
    return repository.commit_tree(tree, parents=[theirs, ours], message="Join two ledgers")


def _was_faster(repository: Repository, error: MlgitError, seen: CommitId | None) -> bool:
    """Tell whether an error is due to somebody else who appended in the meantime."""
    if error.findings[0].id == "push-refused":
        origin.fetch(repository, layout.LEDGER)
        return repository.resolve(origin.copy_of(layout.LEDGER)) != seen
    return error.findings[0].id == "ref-moved"


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
