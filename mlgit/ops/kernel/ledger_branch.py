"""Append to the ledger branch: one commit at a time, files are only added, retried when someone else appended first."""

import contextlib
from collections.abc import Callable, Mapping, Sequence

from mlgit.domain import layout
from mlgit.domain.names import CommitId
from mlgit.errors import MlgitError, refused
from mlgit.ops.kernel import remote, times
from mlgit.ops.kernel.ledger import Ledger
from mlgit.ops.kernel.ports.git import Repository
from mlgit.ops.kernel.ports.workspace import Workspace

_ATTEMPTS = 8
_OBSERVED = "refs/mlgit/ledger"
"""The newest commit of the remote's ledger that this clone has observed. Only mlgit moves this ref. The remote-tracking ref
does not do, because any `git fetch` moves it, also to a rewritten ledger."""

FileMaker = Callable[[Ledger], Mapping[str, bytes]]
"""Returns the files to add, by path, for the ledger that they are added to."""


def append(workspace: Workspace, make: FileMaker, message: str, *, keeps: Sequence[CommitId] = ()) -> list[str]:
    """Add files to the ledger in one commit.

    With a remote, the commit is pushed before the local branch moves, so that no clone has entries that the others do not.

    Args:
        workspace: the workspace.
        make: returns the files to add; called again for the newer ledger if someone else appended in the meantime.
        message: subject of the commit.
        keeps: commits that the files refer to and that no branch may contain. They become further parents of the commit, so
            that every clone which fetches the ledger has them.

    Returns:
        The paths of the added files, sorted; none if the ledger had all of them already.

    Raises:
        MlgitError: a file exists with other content (`ledger-conflict`), the remote's ledger was rewritten
            (`ledger-rewritten`), the remote refused the push for another reason than a newer ledger (`push-rejected`), or
            every attempt met a newer ledger (`push-rejected`, `ref-update-conflict`). Nothing was added.
        Inconclusive: the remote did not answer (`git-remote-unreachable`). Nothing was added.
    """
    repository = workspace.repository
    has_remote = remote.exists(repository)
    for attempt in range(1, _ATTEMPTS + 1):
        if has_remote:
            fetch_ledger(repository)
        remote_tip = repository.resolve(remote.tracking_ref(layout.LEDGER))
        try:
            return _append(workspace, make, message, keeps, has_remote=has_remote)
        except MlgitError as error:
            if attempt == _ATTEMPTS or not _lost_race(repository, error, remote_tip):
                raise
    raise AssertionError  # the last attempt returned or raised


def fetch_ledger(repository: Repository) -> None:
    """Update the remote-tracking ref of the ledger.

    Raises:
        MlgitError: the new ledger does not continue what this clone has observed before (`ledger-rewritten`).
        Inconclusive: the remote did not answer (`git-remote-unreachable`).
    """
    tracking_ref = remote.tracking_ref(layout.LEDGER)
    before = [commit for ref in (_OBSERVED, tracking_ref) if (commit := repository.resolve(ref)) is not None]
    remote.fetch(repository, layout.LEDGER)
    remote_tip = repository.resolve(tracking_ref)
    for commit in before:
        # By first parents: a merge onto an older ledger has the commit, and could leave out what was added since.
        if remote_tip not in {None, commit} and commit not in repository.commit_times(str(remote_tip)):
            # The tracking ref is at the rewritten ledger now. Record the old tip, so that a second fetch is refused as well.
            _record_observed(repository, commit)
            raise _rewritten(commit, remote_tip)


def _record_observed(repository: Repository, commit: CommitId) -> None:
    before = repository.resolve(_OBSERVED)
    if before != commit:
        with contextlib.suppress(MlgitError):  # another process recorded what it observed
            repository.move(_OBSERVED, commit, expected=before, reason="mlgit: the remote's ledger")


def _rewritten(observed: CommitId, remote_tip: CommitId) -> MlgitError:
    return refused(
        "ledger-rewritten",
        f"the ledger of {remote.NAME} was rewritten",
        why=f"it is append-only, but {remote_tip[:12]}, its tip now, does not continue {observed[:12]}, its tip before",
        fix=f"compare `git log {observed[:12]}` with `git log {remote_tip[:12]}`, and push the right one. To accept the new "
        f"one, run `git update-ref -d {_OBSERVED}` and `git branch -f mlgit-ledger {remote_tip[:12]}`",
    )


def _append(
    workspace: Workspace, make: FileMaker, message: str, keeps: Sequence[CommitId], *, has_remote: bool
) -> list[str]:
    """Make one attempt to append."""
    repository = workspace.repository
    local_tip = repository.resolve(layout.LEDGER)
    tip = _joined_tip(repository)
    ledger = Ledger(None if tip is None else repository.tree(tip), workspace.formats.record)
    times.require_clock(workspace, tip)
    files = _new_files(ledger, make(ledger))
    commit = _commit(repository, tip, files, keeps, message) if files else tip
    if commit is None:
        return []
    if has_remote and commit != repository.resolve(remote.tracking_ref(layout.LEDGER)):
        repository.push(remote.NAME, [f"{commit}:{layout.LEDGER}"])
        _record_observed(repository, commit)
    if commit != local_tip:
        # Once the remote has the commit, the append has succeeded. If another process moved the local branch meanwhile, do not
        # fail: a second attempt would add the files twice. The next append fetches and joins the two.
        with contextlib.suppress(MlgitError) if has_remote else contextlib.nullcontext():
            repository.move(layout.LEDGER, commit, expected=local_tip, reason=message)
    return sorted(files)


def _commit(
    repository: Repository, tip: CommitId | None, files: Mapping[str, bytes], keeps: Sequence[CommitId], message: str
) -> CommitId:
    if tip is None and keeps:
        # The first parent gives a commit its files, so it has to be a commit of the ledger, not one of `keeps`.
        tip = repository.commit({}, parents=[], message="Begin the ledger")
    missing = [commit for commit in keeps if tip is not None and not remote.contains(repository, tip, commit)]
    return repository.commit(files, parents=[] if tip is None else [tip, *missing], message=message)


def _joined_tip(repository: Repository) -> CommitId | None:
    """Return the commit to append to: the newer ledger of the local and the remote one; if they diverged, a merge of both.

    Two ledgers diverge when two clones without a ledger each begin one, or append offline.

    Raises:
        MlgitError: both have a file of the same path with different content (`ledger-conflict`).
    """
    local_tip = repository.resolve(layout.LEDGER)
    remote_tip = repository.resolve(remote.tracking_ref(layout.LEDGER))
    if local_tip is None or remote_tip is None or remote.contains(repository, local_tip, remote_tip):
        return local_tip or remote_tip
    if remote.contains(repository, remote_tip, local_tip):
        return remote_tip
    tree = repository.merge_tree(remote_tip, local_tip)
    if tree is None:
        raise refused(
            "ledger-conflict",
            f"the local ledger and that of {remote.NAME} conflict",
            why="both have a file of the same path with different content, and the ledger is append-only",
            fix=f"compare `git log mlgit-ledger` with `git log {remote.NAME}/mlgit-ledger`, and keep the right one",
        )
    return repository.commit_tree(tree, parents=[remote_tip, local_tip], message="Join two ledgers")


def _lost_race(repository: Repository, error: MlgitError, remote_tip: CommitId | None) -> bool:
    """Return whether an attempt failed because someone else appended in the meantime."""
    if error.findings[0].id == "push-rejected":
        remote.fetch(repository, layout.LEDGER)
        return repository.resolve(remote.tracking_ref(layout.LEDGER)) != remote_tip
    return error.findings[0].id == "ref-update-conflict"


def _new_files(ledger: Ledger, files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the files that the ledger does not have yet.

    Raises:
        MlgitError: the ledger has one with other content (`ledger-conflict`).
    """
    new = {}
    for path, content in files.items():
        existing = None if ledger.tree is None else ledger.tree.read(path)
        if existing is None:
            new[path] = content
        elif existing != content:
            raise refused(
                "ledger-conflict",
                f"the ledger has {path} already, with other content",
                why="the ledger is append-only",
                fix="run `git log mlgit-ledger` to see who added it",
            )
    return new
