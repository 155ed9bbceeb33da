"""What operations ask of the outside world. Edges fill these in; tests use dicts and constants."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Protocol

import msgspec

from mlgit.domain.names import CommitId
from mlgit.domain.records.version import Stored


class Entry(msgspec.Struct, frozen=True, order=True):
    """A file in a tree: its path, its mode as Git writes it (`100644`, `120000`), and the id of its content if known."""

    path: str
    mode: str
    blob: str | None = None


class Tree(Protocol):
    """Files at one moment: a commit, the work tree, or a dict."""

    @property
    def commit(self) -> CommitId | None:
        """The commit; None where the files are not those of a commit."""
        ...

    def names(self, folder: str = "") -> Sequence[str]:
        """Return the names directly in a folder, sorted, sub-folders with a `/` at the end; none if it is not there."""
        ...

    def names_of(self, folders: Sequence[str]) -> Sequence[Sequence[str]]:
        """Return `names` of many folders at once."""
        ...

    def entries(self, under: Sequence[str] = ()) -> Iterator[Entry]:
        """Yield every file below the given folders or at the given paths (all if none is given), sorted by path."""
        ...

    def read(self, path: str) -> bytes | None:
        """Return the content of a regular file; None if there is none. A symbolic link is never followed."""
        ...

    def read_many(self, paths: Iterable[str]) -> Iterator[tuple[str, bytes | None]]:
        """Yield each path with its content, in the order asked for, holding few contents in memory at a time."""
        ...


class Commit(msgspec.Struct, frozen=True):
    """A commit as history shows it."""

    id: CommitId
    parents: tuple[CommitId, ...]
    author: str
    author_email: str
    committer_email: str
    at: datetime
    subject: str


class PathChange(msgspec.Struct, frozen=True):
    """How one path differs between two trees: `A` added, `M` modified, `D` deleted, `T` other type."""

    path: str
    status: Literal["A", "M", "D", "T"]
    before: str | None
    after: str | None


Files = Mapping[str, bytes | None]
"""What a new commit changes: content by path; None deletes."""


class Repository(Protocol):
    """A Git repository: refs, trees, history, and new commits that leave the work tree and the index alone."""

    @property
    def root(self) -> Path | None:
        """The work tree; None in a bare repository."""
        ...

    @property
    def git_dir(self) -> Path: ...

    def resolve(self, revision: str) -> CommitId | None:
        """Return the commit that a branch, tag, id, `REV~2` or date (`2026-03-01`: the last commit of HEAD's first-parent line by then) names."""
        ...

    def tree(self, revision: str) -> Tree: ...
    def work_tree(self) -> Tree: ...
    def commits(self, revision: str, *, paths: Sequence[str] = (), first_parent: bool = True) -> Iterator[tuple[Commit, list[PathChange]]]:
        """Yield commits, newest first, each with its changes against its first parent."""
        ...

    def changes(self, before: str, after: str) -> list[PathChange]:
        """Return how the trees of two commits differ."""
        ...

    def commit(self, files: Files, *, parents: Sequence[CommitId], message: str, sign: bool = False) -> CommitId:
        """Make a commit object with the first parent's files and these changes; no ref, index or work tree is touched."""
        ...

    def move(self, ref: str, new: CommitId, *, expected: CommitId | None, reason: str) -> None:
        """Point a ref at a commit, only if it is now at `expected` (None: only if it does not exist).

        Raises:
            MlgitError: somebody else moved it (`ref-moved`).
        """
        ...


class DataStore(Protocol):
    """Where DVC keeps content."""

    def missing(self, files: Sequence[Stored]) -> Sequence[Stored]:
        """Return those that the remote does not have."""
        ...

    def fetch(self, file: Stored) -> AbstractContextManager[Path]:
        """Give a private, verified copy of a file: its sha256 and size are those recorded.

        Raises:
            MlgitError: it is in neither cache nor remote (`data-missing`), or is not what was recorded (`data-corrupt`).
        """
        ...


class Observed(msgspec.Struct, frozen=True):
    """What a target says that it runs."""

    digest: str | None
    artifact: str | None
    facts: dict[str, Any]


class Release(msgspec.Struct, frozen=True):
    """What a target is to run: files by name, under the digest of a version."""

    model: str
    digest: str
    artifact: str
    files: dict[str, Path]


class Target(Protocol):
    """Something that runs versions."""

    def observe(self, model: str) -> Observed:
        """Return what runs now, read back from the target itself."""
        ...

    def switch(self, release: Release) -> Observed:
        """Make it run the release, at once or not at all; return what was read back afterwards."""
        ...


class Clock(Protocol):
    """The time, in UTC."""

    def now(self) -> datetime: ...
