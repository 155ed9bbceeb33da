"""Make a merge commit on the base branch, push it, and move the local branch and the work tree to it."""

import contextlib

from mlgit.domain.names import CommitId
from mlgit.errors import MlgitError, refused
from mlgit.ops.kernel import interrupted_merge, remote, times
from mlgit.ops.kernel.ports.git import Signing
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.kernel.snapshot import Snapshot


def merge_into_base(
    workspace: Workspace,
    snapshot: Snapshot,
    head: CommitId,
    *,
    message: str,
    reason: str,
    conflict: MlgitError,
    sign: Signing,
) -> tuple[CommitId, bool]:
    """Merge a commit into the base branch.

    Args:
        workspace: where.
        snapshot: the base branch.
        head: the commit.
        message: of the merge commit.
        reason: message for the reflog.
        conflict: the error if Git cannot merge it.
        sign: how to sign the merge commit.

    Returns:
        The commit, and whether it was pushed.

    Raises:
        MlgitError: `conflict`; the base branch has moved (`ref-update-conflict`); or the remote refused. Nothing was changed.
    """
    repository, ref = workspace.repository, f"refs/heads/{snapshot.name}"
    commit, before = _merge_commit(workspace, snapshot, head, message=message, conflict=conflict, sign=sign)
    shared = remote.exists(repository)
    checked_out = before if repository.checked_out_branch() == snapshot.name else None
    interrupted_merge.mark(repository, commit)
    is_advanced = False
    try:
        if checked_out is not None:
            repository.advance_checkout(checked_out, commit)
            is_advanced = True
        if shared:
            repository.push(remote.NAME, [f"{commit}:{ref}"])
        repository.move(ref, commit, expected=before, reason=reason)
    except MlgitError:
        if checked_out is not None and is_advanced:
            repository.advance_checkout(commit, checked_out)
        interrupted_merge.unmark(repository)
        raise
    with contextlib.suppress(MlgitError):  # the next command removes the mark
        interrupted_merge.unmark(repository)
    return commit, shared


def check_merge(workspace: Workspace, snapshot: Snapshot, head: CommitId, *, conflict: MlgitError) -> None:
    """Check, without a change, whatever `merge_into_base` would refuse before it pushes.

    Raises:
        MlgitError: as `merge_into_base`; files that the person changed are in the way (`work-tree-dirty`), or Git has no identity
            to commit with (`git-identity-missing`).
    """
    workspace.repository.identity()
    with workspace.scratch() as scratch:
        commit, before = _merge_commit(scratch, snapshot, head, message="Try to merge", conflict=conflict, sign=False)
        if before is not None and scratch.repository.checked_out_branch() == snapshot.name:
            scratch.repository.require_can_advance(before, commit)


def _merge_commit(
    workspace: Workspace, snapshot: Snapshot, head: CommitId, *, message: str, conflict: MlgitError, sign: Signing
) -> tuple[CommitId, CommitId | None]:
    """Make the merge commit; return it, and the commit that the local base branch is at. No ref is moved."""
    repository, branch, onto = workspace.repository, snapshot.name, snapshot.commit
    times.require_clock(workspace, onto, snapshot.ledger.commit)
    tree = repository.merge_tree(onto, head)
    if tree is None:
        raise conflict
    before = repository.resolve(f"refs/heads/{branch}")
    if before is not None and not remote.contains(repository, onto, before):
        raise refused(
            "ref-update-conflict",
            f"{branch} has a new commit, {before[:12]}",
            why="it was added while the change was verified",
            fix="run `mlgit merge` again",
        )
    return repository.commit_tree(tree, parents=[onto, head], message=message, sign=sign), before


def require_not_checked_out_elsewhere(workspace: Workspace, snapshot: Snapshot, name: str) -> None:
    """Refuse where another work tree has the base branch checked out.

    Raises:
        MlgitError: one has (`base-branch-checked-out`).
    """
    place = workspace.repository.checked_out_elsewhere(snapshot.name)
    if place is not None:
        raise refused(
            "base-branch-checked-out",
            f"{snapshot.name} is checked out in another work tree",
            why="if the branch moved without that work tree, the next commit there would undo the merge",
            fix=f"run `mlgit -C {place} merge {name}`",
        )
