"""What is shared through the remote `origin`: which copy of a branch is the newer one, and how to get the rest."""

from mlgit.domain.names import CommitId
from mlgit.ops.kernel.ports.git import Repository

NAME = "origin"
_HEADS, _COPIES = "refs/heads/", f"refs/remotes/{NAME}/"


def exists(repository: Repository) -> bool:
    """Tell whether the repository has that remote."""
    return NAME in repository.remotes()


def tracking_ref(ref: str) -> str:
    """Return the name of the copy of the remote's branch, as it was when it was last seen."""
    return _COPIES + ref.removeprefix(_HEADS)


def fetch(repository: Repository, *refs: str) -> None:
    """Bring the copies of some branches up to date; those that the remote does not have are left out.

    Raises:
        Inconclusive: the remote did not answer (`git-remote-unreachable`).
    """
    # Patterns, since one that matches nothing is no error.
    repository.fetch(NAME, [f"+{ref}*:{tracking_ref(ref)}*" for ref in refs])


def newest(repository: Repository, ref: str) -> CommitId | None:
    """Return the commit of a branch or, where that is further on the same line, of the remote's copy of it.

    A branch that has commits of its own is taken as it is: what the two say differently, people have to settle.
    """
    ours, theirs = repository.resolve(ref), repository.resolve(tracking_ref(ref))
    if ours is None or theirs is None:
        return ours or theirs
    return theirs if contains(repository, theirs, ours) else ours


def contains(repository: Repository, commit: CommitId, earlier: CommitId) -> bool:
    """Tell whether a commit is, or came after, an earlier one."""
    return commit == earlier or repository.merge_base(commit, earlier) == earlier


def branches(repository: Repository, prefix: str) -> dict[str, list[str]]:
    """Return the branches below a prefix, here or as the remote's copy, each with the refs that there are of it."""
    found: dict[str, list[str]] = {}
    for ref in (*repository.refs(prefix), *repository.refs(tracking_ref(prefix))):
        found.setdefault(_HEADS + ref.removeprefix(_HEADS).removeprefix(_COPIES), []).append(ref)
    return found
