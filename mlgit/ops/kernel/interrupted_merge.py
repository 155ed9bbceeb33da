"""Finish a merge that was interrupted between its push and the move of the local branch, or take it back."""

from typing import Final

from mlgit.domain.names import CommitId
from mlgit.ops.kernel import remote
from mlgit.ops.kernel.ports.git import Repository

_MARK: Final = "refs/mlgit/merge"
"""The merge commit, from before the first step that changes anything until after the last."""


def mark(repository: Repository, commit: CommitId) -> None:
    """Note that a merge begins, so that it can be finished by another command."""
    repository.move(_MARK, commit, expected=repository.resolve(_MARK), reason="mlgit merge")


def unmark(repository: Repository) -> None:
    """Note that the merge is finished, or taken back."""
    commit = repository.resolve(_MARK)
    if commit is not None:
        repository.delete_ref(_MARK, expected=commit)


def finish(repository: Repository, base: str, *, fetched: bool) -> None:
    """Finish a merge that was interrupted: move the local branch and the work tree to it, if the remote has it.

    Whatever was verified before the merge began is in the commit, so that nothing is verified here. If the remote does not have
    it, the push had not happened, and the work tree is set back.

    Args:
        repository: where.
        base: name of the base branch.
        fetched: whether the remote was asked just now; otherwise a merge that it does not seem to have is left as it is.

    Raises:
        MlgitError: files that the person changed since are in the way (`work-tree-dirty`). Nothing was changed.
    """
    commit = repository.resolve(_MARK)
    if commit is None:
        return
    ref = f"refs/heads/{base}"
    here, there = repository.resolve(ref), repository.resolve(remote.tracking_ref(ref))
    is_checked_out = repository.checked_out_branch() == base
    if remote.exists(repository) and (there is None or not remote.contains(repository, there, commit)):
        if not fetched:
            return
        if here is not None and is_checked_out:
            repository.advance_checkout(commit, here)
    elif here is None or not remote.contains(repository, here, commit):
        if here is not None and not remote.contains(repository, commit, here):
            return  # somebody committed on the branch since: they have to merge
        if here is not None and is_checked_out:
            repository.advance_checkout(here, commit)
        repository.move(ref, commit, expected=here, reason="mlgit merge, after an interruption")
    unmark(repository)
