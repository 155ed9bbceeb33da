"""What Git knows of time: commits, dates, and how one tree differs from another."""

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Final, Literal, cast

from mlgit.domain.names import CommitId
from mlgit.edges.git.command import Git
from mlgit.ops.kernel.ports.git import Commit, PathChange

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?")
_DAY_LENGTH = len("2026-03-01")
_FIELDS: Final = ("%H", "%P", "%an", "%ae", "%ce", "%ct", "%s")
# What a person or a repository may have set for `git log` changes neither what is shown nor what is left out.
_PLAIN: Final = (
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


def parse_moment(text: str) -> datetime | None:
    """Read a date (its last moment) or an ISO 8601 time; UTC where no zone is said. None if it is neither."""
    if _DATE.fullmatch(text) is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if len(text) == _DAY_LENGTH:
        moment = moment.replace(hour=23, minute=59, second=59)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def last_commit_by(git: Git, tip: CommitId, moment: datetime) -> CommitId | None:
    """Return the newest commit of a first-parent line whose committer date is not after a moment."""
    until = f"--before=@{int(moment.timestamp())}"
    return git.text("rev-list", "--first-parent", "--max-count=1", until, tip, "--") or None


def commits(
    git: Git, tips: Sequence[str], paths: Sequence[str], *, first_parent: bool
) -> Iterator[tuple[Commit, list[PathChange]]]:
    """Yield commits, newest first, each with its changes against its first parent.

    Args:
        git: Git.
        tips: whole commit ids to start from; with `^` in front, to leave out with all that came before them.
        paths: files and folders; commits that change none of them are left out. All if there are none.
        first_parent: whether to follow only the line of the first parents; otherwise no side branch is left out.
    """
    walk = ["--first-parent"] if first_parent else ["--topo-order", "--full-history"]
    text = [
        "--encoding=UTF-8",
        "--no-color",
        "--no-decorate",
        "--no-notes",
        "--no-ext-diff",
        "--diff-merges=first-parent",
    ]
    layout = f"--format={'%x00'.join(_FIELDS)}"
    yield from _parse(_flat(git.records(*_PLAIN, "log", *walk, *text, *_RAW, layout, *tips, "--", *paths)))


def changes(git: Git, before: CommitId, after: CommitId) -> list[PathChange]:
    """Return how the trees of two commits differ, by path."""
    tokens = list(_flat(git.records("diff-tree", "-r", *_RAW, before, after, "--")))
    return [_change(meta, path) for meta, path in zip(tokens[::2], tokens[1::2], strict=True)]


def changes_on_disk(git: Git, before: CommitId) -> list[PathChange]:
    """Return how the work tree differs from a commit, by path; files that Git would add count, ignored ones do not."""
    tokens = list(_flat(git.records("diff", "--no-ext-diff", *_RAW, before, "--")))
    # A path in conflict comes twice, as unmerged and as modified.
    found = {path: _change(meta, path) for meta, path in zip(tokens[::2], tokens[1::2], strict=True)}
    for path in _flat(git.records("ls-files", "-z", "--others", "--exclude-standard", "--")):
        if path.endswith(b"/"):  # another repository
            continue
        gone = found.get(path)
        text = _path(path)
        # Taken out of the index, but still on disk.
        found[path] = PathChange(text, "M", gone.before, None) if gone else PathChange(text, "A", None, None)
    return [found[path] for path in sorted(found)]


def seconds_to_moment(seconds: int) -> datetime:
    """Return a commit's date; one beyond what a calendar holds (they are not checked by Git) is the last that it does."""
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return datetime.max.replace(tzinfo=UTC)


def _flat(blocks: Iterable[list[bytes]]) -> Iterator[bytes]:
    for block in blocks:
        yield from block


def _parse(tokens: Iterator[bytes]) -> Iterator[tuple[Commit, list[PathChange]]]:
    """Read `git log -z --raw`: the fields of a commit, then a `:...` and a path for each change."""
    current: Commit | None = None
    found: list[PathChange] = []
    for token in tokens:
        meta = token.lstrip(b"\n")
        if current is not None and meta.startswith(b":"):
            found.append(_change(meta, next(tokens)))
            continue
        if current is not None:
            yield current, found
        current, found = _commit(meta, tokens), []
    if current is not None:
        yield current, found


def _commit(first: bytes, rest: Iterator[bytes]) -> Commit:
    fields = [first, *(next(rest) for _ in _FIELDS[1:])]
    name, parents, author, author_email, committer_email, at, subject = (
        field.decode(errors="replace") for field in fields
    )
    moment = seconds_to_moment(int(at))
    return Commit(name, tuple(parents.split()), author, author_email, committer_email, moment, subject)


def _change(meta: bytes, path: bytes) -> PathChange:
    """Read `:100644 100644 <id> <id> M`; an id of zeros is a file that is not there, or whose id is not known."""
    _, mode, before, after, status = meta.decode().split()
    kind = status[0] if status[0] in "AMDT" else "M"
    found = PathChange(_path(path), cast("Literal['A', 'M', 'D', 'T']", kind), _id(before), _id(after), mode)
    return found if kind != "D" else PathChange(found.path, "D", found.before, None)


def _id(text: str) -> str | None:
    return text if text.strip("0") else None


def _path(path: bytes) -> str:
    return path.decode("utf-8", "surrogateescape")
