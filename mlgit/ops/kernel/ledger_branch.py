"""Append to the ledger branch: add-only, one commit at a time, retried when somebody else was faster."""

import contextlib
from collections.abc import Callable, Mapping, Sequence

from mlgit.domain import layout
from mlgit.domain.names import CommitId
from mlgit.errors import MlgitError, refused
from mlgit.ops.kernel import remote
from mlgit.ops.kernel.ledger import Ledger
from mlgit.ops.kernel.ports.git import Repository
from mlgit.ops.kernel.ports.workspace import Workspace

_TRIES = 8
_SEEN = "refs/mlgit/ledger"  # how far the remote's ledger was seen to go; a fetch by hand moves the copy, but not this

FileMaker = Callable[[Ledger], Mapping[str, bytes]]


def append(workspace: Workspace, make: FileMaker, message: str, *, keeps: Sequence[CommitId] = ()) -> list[str]:
    """Add files to the ledger, in one commit; with a remote, there first, so that no clone has a ledger of its own.

    Args:
        workspace: where.
        make: returns the files to add, given the ledger that they are added to; called again when the ledger moved on.
        message: subject of the commit.
        keeps: commits that the files are about, and that no branch may have; they become further parents of the commit, so
            that whoever fetches the ledger has them.

    Returns:
        The paths that were added; none if all were there already.

    Raises:
        MlgitError: a file is there with other content (`ledger-conflict`), the remote's ledger was rewritten
            (`ledger-rewritten`), the remote refused for another reason than that its ledger moved on (`push-rejected`), or the
            ledger moved on too often. Nothing was added.
        Inconclusive: the remote did not answer (`git-remote-unreachable`). Nothing was added.
    """
    repository = workspace.repository
    shared = remote.exists(repository)
    for attempt in range(1, _TRIES + 1):
        if shared:
            fetch_ledger(repository)
        theirs = repository.resolve(remote.tracking_ref(layout.LEDGER))
        try:
            return _append(workspace, make, message, keeps, shared=shared)
        except MlgitError as error:
            if attempt == _TRIES or not _was_faster(repository, error, theirs):
                raise
    raise AssertionError  # the last try returned or raised


def fetch_ledger(repository: Repository) -> None:
    """Bring the copy of the remote's ledger up to date.

    Raises:
        MlgitError: it does not go on from where it was seen to be (`ledger-rewritten`).
        Inconclusive: the remote did not answer (`git-remote-unreachable`).
    """
    copy = remote.tracking_ref(layout.LEDGER)
    known = [seen for ref in (_SEEN, copy) if (seen := repository.resolve(ref)) is not None]
    remote.fetch(repository, layout.LEDGER)
    theirs = repository.resolve(copy)
    for seen in known:
        if theirs is not None and not remote.contains(repository, theirs, seen):
            _note(repository, seen)  # for the copy says nothing of it any more
            raise _rewritten(seen, theirs)


def _note(repository: Repository, commit: CommitId) -> None:
    """Note a commit that the remote's ledger was seen to have."""
    before = repository.resolve(_SEEN)
    if before != commit:
        with contextlib.suppress(MlgitError):  # somebody else notes what they see
            repository.move(_SEEN, commit, expected=before, reason="mlgit: the remote's ledger")


def _rewritten(ours: CommitId, theirs: CommitId) -> MlgitError:
    return refused(
        "ledger-rewritten",
        f"the ledger of {remote.NAME} was rewritten",
        why=f"it was seen at {ours[:12]}, and {theirs[:12]}, where it is now, does not come after that; it is append-only",
        fix=f"compare them: `git log {ours[:12]}` and `git log {theirs[:12]}`. Push the right one; if that is the new one, "
        f"`git update-ref -d {_SEEN}` and `git branch -f mlgit-ledger {theirs[:12]}` forget the old one here",
    )


def _append(
    workspace: Workspace, make: FileMaker, message: str, keeps: Sequence[CommitId], *, shared: bool
) -> list[str]:
    repository = workspace.repository
    ours = repository.resolve(layout.LEDGER)
    tip = _joined(repository)
    ledger = Ledger(None if tip is None else repository.tree(tip), workspace.formats.record)
    files = _new_files(ledger, make(ledger))
    commit = _commit(repository, tip, files, keeps, message) if files else tip
    if commit is None:
        return []
    if shared and commit != repository.resolve(remote.tracking_ref(layout.LEDGER)):
        repository.push(remote.NAME, [f"{commit}:{layout.LEDGER}"])
        _note(repository, commit)
    if commit != ours:
        # What the remote has taken is there to stay: a second try would add it twice.
        with contextlib.suppress(MlgitError) if shared else contextlib.nullcontext():
            repository.move(layout.LEDGER, commit, expected=ours, reason=message)
    return sorted(files)


def _commit(
    repository: Repository, tip: CommitId | None, files: Mapping[str, bytes], keeps: Sequence[CommitId], message: str
) -> CommitId:
    if tip is None and keeps:  # the first parent is the ledger's own line, and gives it its files
        tip = repository.commit({}, parents=[], message="Begin the ledger")
    new = [one for one in keeps if tip is not None and not remote.contains(repository, tip, one)]
    return repository.commit(files, parents=[] if tip is None else [tip, *new], message=message)


def _joined(repository: Repository) -> CommitId | None:
    """Return the tip to add to: of two ledgers that were begun apart, the commit that joins them."""
    ours, theirs = repository.resolve(layout.LEDGER), repository.resolve(remote.tracking_ref(layout.LEDGER))
    if ours is None or theirs is None or remote.contains(repository, ours, theirs):
        return ours or theirs
    if remote.contains(repository, theirs, ours):
        return theirs
    tree = repository.merge_tree(theirs, ours)
    if tree is None:
        raise refused(
            "ledger-conflict",
            f"the ledger here and that of {remote.NAME} tell different stories",
            why="both have added other content under one name, and the ledger is append-only",
            fix=f"compare `git log mlgit-ledger` with `git log {remote.NAME}/mlgit-ledger`, and keep the one that is right",
        )
    return repository.commit_tree(tree, parents=[theirs, ours], message="Join two ledgers")


def _was_faster(repository: Repository, error: MlgitError, seen: CommitId | None) -> bool:
    """Tell whether an error is due to somebody else who appended in the meantime."""
    if error.findings[0].id == "push-rejected":
        remote.fetch(repository, layout.LEDGER)
        return repository.resolve(remote.tracking_ref(layout.LEDGER)) != seen
    return error.findings[0].id == "ref-update-conflict"


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
