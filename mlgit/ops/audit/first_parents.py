"""The first-parent line of a branch, oldest commit first, and what each of its commits brought from the side."""

from collections.abc import Iterator, Mapping, Sequence

import msgspec
from msgspec.structs import replace

from mlgit.domain.names import CommitId
from mlgit.ops.kernel.ports.git import Commit, PathChange, Repository

_Known = Mapping[CommitId, tuple[Commit, list[PathChange]]]


class HistoryStep(msgspec.Struct, frozen=True):
    """A commit of the line.

    `brought` are the commits by which it came to be, which a merge brings from the side; the commit itself where it is no
    merge. `own` are the paths that a merge made otherwise than the side had them.
    """

    commit: Commit
    changes: list[PathChange]
    brought: tuple[Commit, ...]
    own: tuple[str, ...] = ()


def history_steps(repository: Repository, tip: CommitId, since: CommitId | None = None) -> Iterator[HistoryStep]:
    """Yield the commits of a first-parent line, oldest first.

    Args:
        repository: where.
        tip: the newest commit.
        since: the commit of the line after which to begin; from the first commit if None.
    """
    span = tip if since is None else f"{since}..{tip}"
    known = {
        commit.id: (commit, [printable(change) for change in changes])
        for commit, changes in repository.commits(span, first_parent=False)
    }
    line = [*_first_parents(known, tip)]
    seen: set[CommitId] = set()
    for commit, changes in (known[one] for one in reversed(line)):
        seen.add(commit.id)
        brought = _side(known, seen, commit.parents[1:])
        seen.update(brought)
        if len(commit.parents) > 1:
            own = tuple(one.path for one in changes if not _offered(known, brought, commit.parents[1:], one))
            yield HistoryStep(commit, changes, tuple(known[one][0] for one in brought), own)
        else:
            yield HistoryStep(commit, changes, (commit,))


def printable(change: PathChange) -> PathChange:
    """Return a change by a path that can be told; what is not UTF-8 in it is written out, and no record has such a path."""
    path = change.path
    if path.isascii() or path == (readable := path.encode("utf-8", "backslashreplace").decode()):
        return change
    return replace(change, path=readable)


def _first_parents(known: _Known, tip: CommitId) -> Iterator[CommitId]:
    at: CommitId | None = tip
    while at is not None and at in known:
        yield at
        parents = known[at][0].parents
        at = parents[0] if parents else None


def _side(known: _Known, seen: set[CommitId], heads: Sequence[CommitId]) -> dict[CommitId, None]:
    """Return the commits that come with some heads, beyond all that were seen."""
    found: dict[CommitId, None] = {}
    waiting = list(heads)
    while waiting:
        one = waiting.pop()
        if one in known and one not in seen and one not in found:
            found[one] = None
            waiting += known[one][0].parents
    return found


def _offered(known: _Known, brought: Mapping[CommitId, None], heads: Sequence[CommitId], change: PathChange) -> bool:
    """Tell whether one of the merged heads has a path as the merge has it."""
    return any(_last(known, brought, head, change.path) == (change.after, change.mode) for head in heads)


def _last(known: _Known, brought: Mapping[CommitId, None], head: CommitId, path: str) -> tuple[str | None, str] | None:
    """Return what the commits of a side made of a path; None where they left it alone."""
    at: CommitId | None = head
    while at is not None and at in brought:
        commit, changes = known[at]
        for change in changes:
            if change.path == path:
                return change.after, change.mode
        at = commit.parents[0] if commit.parents else None
    return None
