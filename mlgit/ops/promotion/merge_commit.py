"""Make a merge commit on the base branch, push it, and move the local branch and the work tree to it."""

from mlgit.domain.names import CommitId
from mlgit.errors import MlgitError, refused
from mlgit.ops.kernel import remote, times
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
    repository, branch, onto = workspace.repository, snapshot.name, snapshot.commit
    times.require_clock(workspace, onto, snapshot.ledger.commit)
    tree = repository.merge_tree(onto, head)
    if tree is None:
        raise conflict
    commit = repository.commit_tree(tree, parents=[onto, head], message=message, sign=sign)
    ref = f"refs/heads/{branch}"
    before = repository.resolve(ref)
    if before is not None and not remote.contains(repository, onto, before):
        raise refused(
            "ref-update-conflict",
            f"{branch} has a new commit, {before[:12]}",
            why="it was added while the change was verified",
            fix="run `mlgit merge` again",
        )
    shared = remote.exists(repository)
    checked_out = before if repository.checked_out_branch() == branch else None
    if checked_out is not None:
        repository.advance_checkout(checked_out, commit)
    try:
        if shared:
            repository.push(remote.NAME, [f"{commit}:{ref}"])
        repository.move(ref, commit, expected=before, reason=reason)
    except MlgitError:
        if checked_out is not None:
            repository.advance_checkout(commit, checked_out)
        raise
    return commit, shared


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
