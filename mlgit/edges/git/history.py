"""History: commits, dates, and the differences between trees."""

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Final, Literal, cast

from mlgit.domain.names import CommitId
from mlgit.edges.git.command import Git
from mlgit.ops.kernel.ports.git import Commit, PathChange

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?")
_DATE_LENGTH = len("2026-03-01")
_FIELDS: Final = ("%H", "%P", "%an", "%ae", "%ce", "%ct", "%s")
# The configuration of `git log` must change neither the format nor which commits are listed.
_LOG_CONFIGURATION: Final = (
    "-c",
    "log.showRoot=true",
    "-c",
    "log.showSignature=false",
    "-c",
    "log.follow=false",
    "-c",
    "log.mailmap=false",
)
_RAW: Final = ("--raw", "-z", "--no-abbrev", "--no-renames", "--no-relative", "--ignore-submodules=none")


def parse_time(text: str) -> datetime | None:
    """Parse a date (which stands for its last second) or an ISO 8601 time, in UTC by default. None if it is neither."""
    if _DATE.fullmatch(text) is None:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    if len(text) == _DATE_LENGTH:
        time = time.replace(hour=23, minute=59, second=59)
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def last_commit_by(git: Git, tip: CommitId, time: datetime) -> CommitId | None:
    """Return the newest first-parent commit of a tip whose committer date is at or before a time."""
    before = f"--before=@{int(time.timestamp())}"
    return git.text("rev-list", "--first-parent", "--max-count=1", before, tip, "--") or None


def commits(
    git: Git, tips: Sequence[str], paths: Sequence[str], *, first_parent: bool
) -> Iterator[tuple[Commit, list[PathChange]]]:
    """Yield commits, newest first, each with its changes against its first parent.

    Args:
        git: the repository.
        tips: full commit ids to start from; with `^` in front, to leave out together with their ancestors.
        paths: files and folders; commits that change none of them are left out. Without paths, no commit is.
        first_parent: whether to follow first parents only; otherwise side branches are included.
    """
    # Git would otherwise simplify history by paths, and leave out side branches that end in the same content.
    walk = ["--first-parent"] if first_parent else ["--topo-order", "--full-history"]
    output = [
        "--encoding=UTF-8",
        "--no-color",
        "--no-decorate",
        "--no-notes",
        "--no-ext-diff",
        "--diff-merges=first-parent",
    ]
    fields = f"--format={'%x00'.join(_FIELDS)}"
    yield from _parse(
        _flat(git.records(*_LOG_CONFIGURATION, "log", *walk, *output, *_RAW, fields, *tips, "--", *paths))
    )


def changes(git: Git, before: CommitId, after: CommitId) -> list[PathChange]:
    """Return how the trees of two commits differ, by path."""
    tokens = list(_flat(git.records("diff-tree", "-r", *_RAW, before, after, "--")))
    return [_change(meta, path) for meta, path in zip(tokens[::2], tokens[1::2], strict=True)]


def changes_on_disk(git: Git, before: CommitId) -> list[PathChange]:
    """Return how the work tree differs from a commit, by path; untracked files count, ignored ones do not."""
    tokens = list(_flat(git.records("diff", "--no-ext-diff", *_RAW, before, "--")))
    # A path in conflict is listed twice, as unmerged and as modified.
    by_path = {path: _change(meta, path) for meta, path in zip(tokens[::2], tokens[1::2], strict=True)}
    for path in _flat(git.records("ls-files", "-z", "--others", "--exclude-standard", "--")):
        if path.endswith(b"/"):  # another repository, which Git adds as a submodule
            by_path[path] = PathChange(_path(path.rstrip(b"/")), "A", None, None, "160000")
            continue
        # A file that was removed from the index only is listed as deleted and as untracked.
        deleted = by_path.get(path)
        text = _path(path)
        by_path[path] = PathChange(text, "M", deleted.before, None) if deleted else PathChange(text, "A", None, None)
    return [by_path[path] for path in sorted(by_path)]


def from_timestamp(seconds: str) -> datetime:
    """Return the time of a commit, in seconds since 1970 as Git prints it; nothing, where a commit has no date, is 1970.

    Git accepts any number: one that `datetime` cannot hold becomes its largest value.
    """
    try:
        return datetime.fromtimestamp(int(seconds or 0), UTC)
    except (ValueError, OverflowError, OSError):
        return datetime.max.replace(tzinfo=UTC)


def commit_times(git: Git, tip: CommitId) -> dict[CommitId, datetime]:
    """Return the time of each first-parent commit of a tip: as it states, but never before a commit that it follows."""
    output = git.run("log", "--first-parent", "--reverse", "--format=%H %ct", "--end-of-options", tip).stdout
    times: dict[CommitId, datetime] = {}
    latest = datetime.min.replace(tzinfo=UTC)
    for line in output.decode().splitlines():
        commit, _, timestamp = line.partition(" ")
        latest = max(latest, from_timestamp(timestamp))
        times[commit] = latest
    return times


def _flat(blocks: Iterable[list[bytes]]) -> Iterator[bytes]:
    for block in blocks:
        yield from block


def _parse(tokens: Iterator[bytes]) -> Iterator[tuple[Commit, list[PathChange]]]:
    """Parse `git log -z --raw`: the fields of a commit, then a `:...` and a path for each change."""
    current: Commit | None = None
    path_changes: list[PathChange] = []
    for token in tokens:
        meta = token.lstrip(b"\n")
        if current is not None and meta.startswith(b":"):
            path_changes.append(_change(meta, next(tokens)))
            continue
        if current is not None:
            yield current, path_changes
        current, path_changes = _commit(meta, tokens), []
    if current is not None:
        yield current, path_changes


def _commit(first: bytes, rest: Iterator[bytes]) -> Commit:
    fields = [first, *(next(rest) for _ in _FIELDS[1:])]
    commit, parents, author, author_email, committer_email, timestamp, subject = (
        field.decode(errors="replace") for field in fields
    )
    time = from_timestamp(timestamp)
    return Commit(commit, tuple(parents.split()), author, author_email, committer_email, time, subject)


def _change(meta: bytes, path: bytes) -> PathChange:
    """Parse `:100644 100644 <id> <id> M`; an id of zeros stands for a file that does not exist or was not hashed."""
    _, mode, before, after, status = meta.decode().split()
    kind = status[0] if status[0] in "AMDT" else "M"
    if kind == "D":
        return PathChange(_path(path), "D", _id(before), None)
    return PathChange(_path(path), cast("Literal['A', 'M', 'T']", kind), _id(before), _id(after), mode)


def _id(text: str) -> str | None:
    return text if text.strip("0") else None


def _path(path: bytes) -> str:
    return path.decode("utf-8", "surrogateescape")
