"""The first-parent history of a branch, oldest commit first, and the commits that each merge introduces."""

from collections.abc import Iterator, Mapping, Sequence

import msgspec
from msgspec.structs import replace

from mlgit.domain.names import CommitId
from mlgit.ops.kernel.ports.git import Commit, PathChange, Repository

_Commits = Mapping[CommitId, tuple[Commit, list[PathChange]]]


class HistoryStep(msgspec.Struct, frozen=True):
    """A commit of the first-parent history.

    `introduced` are the commits that a merge adds to the branch; the commit itself if it is not a merge. `merge_changes` are the
    paths whose content in a merge is in none of its other parents.
    """

    commit: Commit
    changes: list[PathChange]
    introduced: tuple[Commit, ...]
    merge_changes: tuple[str, ...] = ()


def history_steps(repository: Repository, tip: CommitId, since: CommitId | None = None) -> Iterator[HistoryStep]:
    """Yield the commits of a first-parent history, oldest first.

    Args:
        repository: where.
        tip: the newest commit.
        since: the commit after which to start; None for all.
    """
    span = tip if since is None else f"{since}..{tip}"
    commits = {
        commit.id: (commit, [printable(change) for change in changes])
        for commit, changes in repository.commits(span, first_parent=False)
    }
    first_parents = [*_first_parents(commits, tip)]
    reached: set[CommitId] = set()
    for commit, changes in (commits[commit_id] for commit_id in reversed(first_parents)):
        reached.add(commit.id)
        introduced = _introduced(commits, reached, commit.parents[1:])
        reached.update(introduced)
        if len(commit.parents) > 1:
            merge_changes = tuple(
                change.path for change in changes if not _has_change(commits, introduced, commit.parents[1:], change)
            )
            yield HistoryStep(commit, changes, tuple(commits[commit_id][0] for commit_id in introduced), merge_changes)
        else:
            yield HistoryStep(commit, changes, (commit,))


def printable(change: PathChange) -> PathChange:
    """Return a change with bytes in its path that are not UTF-8 written as escapes. No record has such a path."""
    path = change.path
    if path.isascii() or path == (readable := path.encode("utf-8", "backslashreplace").decode()):
        return change
    return replace(change, path=readable)


def _first_parents(commits: _Commits, tip: CommitId) -> Iterator[CommitId]:
    at: CommitId | None = tip
    while at is not None and at in commits:
        yield at
        parents = commits[at][0].parents
        at = parents[0] if parents else None


def _introduced(commits: _Commits, reached: set[CommitId], heads: Sequence[CommitId]) -> dict[CommitId, None]:
    """Return the ancestors of some heads, and the heads, that were not reached before."""
    introduced: dict[CommitId, None] = {}
    waiting = list(heads)
    while waiting:
        commit = waiting.pop()
        if commit in commits and commit not in reached and commit not in introduced:
            introduced[commit] = None
            waiting += commits[commit][0].parents
    return introduced


def _has_change(
    commits: _Commits, introduced: Mapping[CommitId, None], heads: Sequence[CommitId], change: PathChange
) -> bool:
    """Return whether one of the merged heads has the same content and mode at a path as the merge."""
    return any(_last_change(commits, introduced, head, change.path) == (change.after, change.mode) for head in heads)


def _last_change(
    commits: _Commits, introduced: Mapping[CommitId, None], head: CommitId, path: str
) -> tuple[str | None, str] | None:
    """Return the last content and mode of a path in the introduced commits below a head; None if none of them changed it."""
    at: CommitId | None = head
    while at is not None and at in introduced:
        commit, changes = commits[at]
        for change in changes:
            if change.path == path:
                return change.after, change.mode
        at = commit.parents[0] if commit.parents else None
    return None
