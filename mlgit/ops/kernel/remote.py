"""The Git remote `origin`: its remote-tracking refs, and which of two copies of a branch is newer."""

from mlgit.domain.names import CommitId
from mlgit.ops.kernel.ports.git import Repository

NAME = "origin"
_HEADS, _REMOTE_HEADS = "refs/heads/", f"refs/remotes/{NAME}/"


def exists(repository: Repository) -> bool:
    """Return whether the repository has this remote."""
    return NAME in repository.remotes()


def tracking_ref(ref: str) -> str:
    """Return the remote-tracking ref of a branch: where the remote had it when it was last fetched or pushed."""
    return _REMOTE_HEADS + ref.removeprefix(_HEADS)


def fetch(repository: Repository, *refs: str) -> None:
    """Update the remote-tracking refs of branches; a branch that the remote does not have is skipped.

    Raises:
        Inconclusive: the remote did not answer (`git-remote-unreachable`).
    """
    # Patterns, because Git fails for a missing branch, but not for a pattern that matches none.
    repository.fetch(NAME, [f"+{ref}*:{tracking_ref(ref)}*" for ref in refs])


def newest(repository: Repository, ref: str) -> CommitId | None:
    """Return the tip of a branch, or of its remote-tracking ref if that is ahead; None if neither exists.

    If the two have diverged, the local branch is used: only people can decide which is right.
    """
    local_tip, remote_tip = repository.resolve(ref), repository.resolve(tracking_ref(ref))
    if local_tip is None or remote_tip is None:
        return local_tip or remote_tip
    return remote_tip if contains(repository, remote_tip, local_tip) else local_tip


def contains(repository: Repository, commit: CommitId, ancestor: CommitId) -> bool:
    """Return whether a commit is `ancestor` or descends from it."""
    return commit == ancestor or repository.merge_base(commit, ancestor) == ancestor


def branches(repository: Repository, prefix: str) -> dict[str, list[str]]:
    """Return the local and remote branches below a prefix, each with its existing refs: local, remote-tracking or both."""
    refs_of: dict[str, list[str]] = {}
    for ref in (*repository.refs(prefix), *repository.refs(tracking_ref(prefix))):
        refs_of.setdefault(_HEADS + ref.removeprefix(_HEADS).removeprefix(_REMOTE_HEADS), []).append(ref)
    return refs_of
