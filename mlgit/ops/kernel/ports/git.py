"""What operations ask of Git: trees, history, new commits, refs and remotes."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

import msgspec

from mlgit.domain.names import CommitId

if TYPE_CHECKING:
    pass


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

    def larger(self, than: int, paths: Iterable[str]) -> Iterator[tuple[str, int]]:
        """Yield those of the files at some paths that have more bytes than that, each with its size."""
        ...

    def blobs(self, contents: Sequence[bytes]) -> Sequence[str] | None:
        """Return the ids by which `entries` would name contents; None where its entries have no ids."""
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
    """How one path differs between two trees: `A` added, `M` modified, `D` deleted, `T` other type.

    `mode` is what the path is afterwards, as Git writes it (`100644`, `120000` for a symbolic link).
    """

    path: str
    status: Literal["A", "M", "D", "T"]
    before: str | None
    after: str | None
    mode: str = "100644"


Files = Mapping[str, bytes | None]
"""What a new commit changes: content by path; None deletes."""


class Repository(Protocol):
    """A Git repository: refs, trees, history, and new commits that leave the work tree and the index alone."""

    @property
    def root(self) -> Path | None:
        """The work tree; None in a bare repository."""
        ...

    # Reading

    def resolve(self, revision: str) -> CommitId | None:
        """Return the commit that a branch, tag, id, `REV~2` or date names; None if there is none.

        A date (`2026-03-01`, or with a time) is the last first-parent commit of HEAD by then.
        """
        ...

    def revision_time(self, revision: str) -> datetime | None:
        """Return the time that a date stands for, its last second; None where the revision is no date."""
        ...

    def refs(self, prefix: str) -> Sequence[str]:
        """Return the full names of the refs below a prefix, sorted."""
        ...

    def state(self) -> str:
        """Return one text for where HEAD and every ref are; what follows from refs alone changes only with it."""
        ...

    def tree(self, revision: str) -> Tree:
        """Return the files of a commit."""
        ...

    def work_tree(self) -> Tree:
        """Return the files on disk."""
        ...

    def commits(
        self, revision: str, *, paths: Sequence[str] = (), first_parent: bool = True
    ) -> Iterator[tuple[Commit, list[PathChange]]]:
        """Yield commits, newest first, each with its changes against its first parent."""
        ...

    def changes(self, before: str, after: str | None) -> list[PathChange]:
        """Return how the trees of two commits differ; of a commit and the work tree, if `after` is None."""
        ...

    def contents(self, blobs: Iterable[str]) -> Iterator[bytes]:
        """Yield the contents of many blobs by their ids, in the order asked for, few of them in memory at a time."""
        ...

    def commit_time(self, commit: CommitId) -> datetime:
        """Return when a commit was made."""
        ...

    def commit_signatures(self, commits: Iterable[CommitId]) -> Iterator[tuple[bytes, bytes | None]]:
        """Yield each commit without its signature, and its armoured signature; None where it is not signed."""
        ...

    def last_commit_by(self, tip: CommitId, time: datetime) -> CommitId | None:
        """Return the newest first-parent commit of a tip that was made at or before a time."""
        ...

    def merge_base(self, one: str, other: str) -> CommitId | None:
        """Return the newest commit that both have; None if they have none."""
        ...

    def require_full_history(self) -> None:
        """Refuse a shallow clone.

        Raises:
            MlgitError: with the way to fetch the rest (`history-shallow`).
        """
        ...

    def dirty(self, paths: Sequence[str]) -> list[str]:
        """Return the files at or below paths that differ from HEAD, or that Git does not know yet."""
        ...

    def identity(self) -> tuple[str, str]:
        """Return name and e-mail address of the person that Git knows here."""
        ...

    def config(self, key: str) -> str | None:
        """Return a setting of Git."""
        ...

    # Writing

    def commit(self, files: Files, *, parents: Sequence[CommitId], message: str, sign: bool = False) -> CommitId:
        """Make a commit with the first parent's files and these changes; no ref, index or work tree is touched."""
        ...

    def merge_tree(self, ours: CommitId, theirs: CommitId) -> str | None:
        """Return the tree of a merge; None where both changed the same lines. Nothing is touched."""
        ...

    def commit_tree(self, tree: str, *, parents: Sequence[CommitId], message: str, sign: bool = False) -> CommitId:
        """Make a commit of a tree."""
        ...

    def move(self, ref: str, new: CommitId, *, expected: CommitId | None, reason: str) -> None:
        """Point a ref at a commit, only if it is now at `expected` (None: only if it does not exist).

        Raises:
            MlgitError: somebody else moved it (`ref-update-conflict`).
        """
        ...

    def delete_ref(self, ref: str, *, expected: CommitId) -> None:
        """Delete a ref, only if it is now at `expected`."""
        ...

    def checked_out_branch(self) -> str | None:
        """Return the branch of the work tree; None where it is on none, or where there is no work tree."""
        ...

    def checked_out_elsewhere(self, branch: str) -> Path | None:
        """Return another work tree of the repository that has a branch checked out; None if there is none."""
        ...

    def advance_checkout(self, old: CommitId, new: CommitId) -> None:
        """Bring work tree and index from one commit to another, keeping what the person changed.

        Raises:
            MlgitError: files that the person changed are in the way (`work-tree-dirty`); nothing was touched.
        """
        ...

    def stage(self, paths: Sequence[str], *, at: str = "HEAD") -> None:
        """Make the index agree with a commit at these paths; all else that is staged stays."""
        ...

    def head_branch(self) -> str | None:
        """Return the branch that HEAD names, whether or not there is a work tree; None where it names none."""
        ...

    def hook(self, name: str) -> tuple[Path, bytes | None]:
        """Return where a hook of the repository belongs, and its content; None if there is none."""
        ...

    def put_hook(self, name: str, content: bytes) -> None:
        """Install a hook, whole or not at all."""
        ...

    # Remotes

    def remotes(self) -> Sequence[str]:
        """Return the names of the remotes."""
        ...

    def push(
        self, remote: str, refspecs: Sequence[str], *, force_with_lease: Mapping[str, CommitId | None] | None = None
    ) -> None:
        """Push refs; those of `force_with_lease` by force, but only if the remote has them there (None: not at all).

        Raises:
            MlgitError: the remote refused (`push-rejected`).
            Inconclusive: it did not answer (`git-remote-unreachable`).
        """
        ...

    def fetch(self, remote: str, refspecs: Sequence[str]) -> None:
        """Fetch refs.

        Raises:
            MlgitError: the remote does not have them (`git-remote-ref-unknown`); a pattern may match none.
            Inconclusive: it did not answer (`git-remote-unreachable`).
        """
        ...
