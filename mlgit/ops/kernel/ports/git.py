"""The port to Git: trees, history, new commits, refs and remotes."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final, Literal, Protocol

import msgspec

from mlgit.domain.names import CommitId

REGULAR: Final = "100"
"""Prefix of the mode of a regular file, unlike those of symbolic links, submodules and folders."""


class TreeEntry(msgspec.Struct, frozen=True, order=True):
    """A file in a tree: its path, its mode as Git writes it (`100644`, `120000`), and the id of its blob if known."""

    path: str
    mode: str
    blob: str | None = None


class Tree(Protocol):
    """The files of a commit, of the work tree, or of a dict. Paths are relative to the root, with `/`."""

    @property
    def commit(self) -> CommitId | None:
        """The commit; None for the work tree and for a dict."""
        ...

    def names(self, folder: str = "") -> Sequence[str]:
        """Return the names directly in a folder, sorted, subfolders with a `/` at the end; none if it does not exist."""
        ...

    def names_of(self, folders: Sequence[str]) -> Sequence[Sequence[str]]:
        """Return `names` of many folders in one read, in the same order."""
        ...

    def entries(self, under: Sequence[str] = ()) -> Iterator[TreeEntry]:
        """Yield every file at or below the given paths, sorted by path; every file of the tree if no path is given."""
        ...

    def larger(self, than: int, paths: Iterable[str]) -> Iterator[tuple[str, int]]:
        """Yield path and size of each file at `paths` that has more than `than` bytes."""
        ...

    def blobs(self, contents: Sequence[bytes]) -> Sequence[str] | None:
        """Return the blob ids that `entries` would have for contents; None if its entries have no ids."""
        ...

    def read(self, path: str) -> bytes | None:
        """Return the content of a regular file; None if there is none. A symbolic link is never followed."""
        ...

    def read_many(self, paths: Iterable[str]) -> Iterator[tuple[str, bytes | None]]:
        """Yield each path with what `read` returns, in the given order, holding few contents in memory at a time."""
        ...


class Commit(msgspec.Struct, frozen=True):
    """The header of a commit. `at` is the time of the committer, in UTC; `subject` is the first line of the message."""

    id: CommitId
    parents: tuple[CommitId, ...]
    author: str
    author_email: str
    committer_email: str
    at: datetime
    subject: str


class PathChange(msgspec.Struct, frozen=True):
    """How one path differs between two trees.

    `status` is `A` added, `M` modified, `D` deleted or `T` type changed. `before` and `after` are the ids in the trees, None if
    there is no file; they tell whether it is the same. `mode` is the mode afterwards, as Git writes it (`100644`, `120000` for a
    symbolic link, `160000` for a submodule).
    """

    path: str
    status: Literal["A", "M", "D", "T"]
    before: str | None
    after: str | None
    mode: str = "100644"

    @property
    def blob(self) -> str | None:
        """The id to read the file by afterwards; None unless it is a regular file, as for a link or a submodule."""
        return self.after if self.mode.startswith(REGULAR) else None


Signing = bool | str
"""How to sign a commit: not at all, as Git is configured, or with an SSH key (its file, or a public key that an agent has)."""

Files = Mapping[str, bytes | None]
"""The changes of a new commit: content by path; None deletes a file."""


class Repository(Protocol):
    """A Git repository. No method touches the work tree or the index, unless it says so.

    Every method may raise Inconclusive if Git itself fails (`git-failed`), or an object is missing (`git-object-missing`).
    """

    @property
    def root(self) -> Path | None:
        """The work tree; None in a bare repository."""
        ...

    # Reading

    def resolve(self, revision: str) -> CommitId | None:
        """Return the commit that a branch, tag, id or `REV~2` names; None if there is none.

        Raises:
            MlgitError: the name stands for more than one commit (`revision-ambiguous`), or for one that only the reflog of this
                clone knows (`revision-local`).
        """
        ...

    def revision_time(self, revision: str) -> datetime | None:
        """Return the time that a date stands for, its last second; None if the revision is not a date."""
        ...

    def refs(self, prefix: str) -> Sequence[str]:
        """Return the full names of the refs below a prefix, sorted."""
        ...

    def state(self) -> str:
        """Return a text that changes whenever HEAD or a ref moves, as the key of a cache."""
        ...

    def tree(self, revision: str) -> Tree:
        """Return the files of a commit.

        Raises:
            MlgitError: there is no such commit (`revision-unknown`).
        """
        ...

    def entry_ids(self, commit: CommitId, paths: Sequence[str]) -> Sequence[str | None]:
        """Return mode and id of each path at a commit, which are equal exactly if files are; None for a missing one."""
        ...

    def work_tree(self) -> Tree:
        """Return the files on disk.

        Raises:
            UsageError: the repository is bare (`repository-bare`).
        """
        ...

    def commits(
        self, revision: str, *, paths: Sequence[str] = (), first_parent: bool = True
    ) -> Iterator[tuple[Commit, list[PathChange]]]:
        """Yield the history of a revision, newest first, each commit with its changes against its first parent.

        Args:
            revision: the commit to begin with.
            paths: only commits that change one of these files or folders, and only those changes; all, if empty.
            first_parent: whether to follow first parents only, so that a merge counts as one change.
        """
        ...

    def changes(self, before: str, after: str | None) -> list[PathChange]:
        """Return how the trees of two commits differ; `after` is None for the work tree."""
        ...

    def contents(self, blobs: Iterable[str]) -> Iterator[bytes]:
        """Yield the content of each blob, in the given order, holding few in memory at a time.

        An id says nothing of what is at a path: pass only ids of regular files (`PathChange.blob`).
        """
        ...

    def commit_time(self, commit: CommitId) -> datetime:
        """Return the time of the committer of a commit, in UTC."""
        ...

    def commit_times(self, tip: CommitId) -> Mapping[CommitId, datetime]:
        """Return the time of each first-parent commit of a tip: as it states, but never before a commit that it follows.

        A clock that was set back is not believed where anything newer exists.
        """
        ...

    def commit_signatures(self, commits: Iterable[CommitId]) -> Iterator[tuple[bytes, bytes | None]]:
        """Yield each commit object without its signature, and its armoured signature; None if it is not signed."""
        ...

    def last_commit_by(self, tip: CommitId, time: datetime) -> CommitId | None:
        """Return the newest first-parent commit of a tip that was made at or before a time; None if there is none."""
        ...

    def merge_base(self, first: str, second: str, /) -> CommitId | None:
        """Return the best common ancestor of two commits; None if they have none."""
        ...

    def require_full_history(self) -> None:
        """Refuse a shallow clone, in which older commits are missing.

        Raises:
            MlgitError: it is one (`history-shallow`).
        """
        ...

    def dirty(self, paths: Sequence[str]) -> list[str]:
        """Return the files at or below paths that differ from HEAD or are untracked."""
        ...

    def attributes(self, paths: Sequence[str], names: Sequence[str]) -> Mapping[str, Mapping[str, str]]:
        """Return the attributes that Git applies in the work tree to paths, which need not exist.

        They are by path and name: a value, `set`, `unset` or `unspecified`.
        """
        ...

    def ignored(self, paths: Sequence[str]) -> list[str]:
        """Return the files in the work tree at or below paths that Git ignores."""
        ...

    def identity(self) -> tuple[str, str]:
        """Return the name and the e-mail address that Git is configured with.

        Raises:
            MlgitError: there is none (`git-identity-missing`).
        """
        ...

    def config(self, key: str) -> str | None:
        """Return a setting of Git; None if it is not set."""
        ...

    # Writing objects

    def commit(self, files: Files, *, parents: Sequence[CommitId], message: str, sign: Signing = False) -> CommitId:
        """Create a commit with the files of the first parent and these changes; no ref moves.

        Raises:
            MlgitError: there is no identity (`git-identity-missing`), or Git could not sign (`signing-failed`).
            Inconclusive: Git could not write (`git-write-failed`).
        """
        ...

    def merge_tree(self, ours: CommitId, theirs: CommitId) -> str | None:
        """Return the id of the tree of a merge; None if it has conflicts.

        Raises:
            MlgitError: Git is too old for this (`git-too-old`).
        """
        ...

    def commit_tree(self, tree: str, *, parents: Sequence[CommitId], message: str, sign: Signing = False) -> CommitId:
        """Create a commit of a tree; no ref moves.

        Raises:
            MlgitError: as `commit`.
        """
        ...

    # Writing refs

    def move(self, ref: str, new: CommitId, *, expected: CommitId | None, reason: str) -> None:
        """Move a ref to a commit by compare-and-swap: only if it is at `expected` (None: only if it does not exist).

        Args:
            ref: full name of the ref, or `HEAD` for the branch that is checked out.
            new: the commit.
            expected: where the ref has to be.
            reason: message for the reflog.

        Raises:
            MlgitError: the ref is elsewhere (`ref-update-conflict`), or another ref blocks its name (`ref-name-conflict`).
        """
        ...

    def delete_ref(self, ref: str, *, expected: CommitId) -> None:
        """Delete a ref by compare-and-swap.

        Raises:
            MlgitError: the ref is not at `expected` (`ref-update-conflict`).
        """
        ...

    # Work tree and index

    def head_branch(self) -> str | None:
        """Return the branch that HEAD refers to, also in a bare repository; None if HEAD is detached."""
        ...

    def checked_out_branch(self) -> str | None:
        """Return the branch that is checked out in this work tree; None if HEAD is detached or the repository is bare."""
        ...

    def checked_out_elsewhere(self, branch: str) -> Path | None:
        """Return another work tree of the repository that has a branch checked out; None if there is none."""
        ...

    def advance_checkout(self, old: CommitId, new: CommitId) -> None:
        """Update work tree and index from one commit to another, keeping uncommitted changes in other files.

        Raises:
            MlgitError: a file to update has uncommitted changes (`work-tree-dirty`). Nothing was changed.
        """
        ...

    def require_can_advance(self, old: CommitId, new: CommitId) -> None:
        """Refuse what `advance_checkout` would refuse; nothing is touched.

        Raises:
            MlgitError: a file to update has uncommitted changes (`work-tree-dirty`).
        """
        ...

    def stage(self, paths: Sequence[str], *, at: str = "HEAD") -> None:
        """Set the index entries of these paths to their state in a commit; other entries stay."""
        ...

    # Hooks

    def hook(self, name: str) -> tuple[Path, bytes | None]:
        """Return the path of a hook, and its content; None if it does not exist."""
        ...

    def put_hook(self, name: str, content: bytes) -> None:
        """Install a hook atomically.

        Raises:
            Inconclusive: there is no space or no permission (`git-write-failed`).
        """
        ...

    # Remotes

    def remotes(self) -> Sequence[str]:
        """Return the names of the remotes."""
        ...

    def push(
        self, remote: str, refspecs: Sequence[str], *, force_with_lease: Mapping[str, CommitId | None] | None = None
    ) -> None:
        """Push refs.

        Args:
            remote: name of the remote.
            refspecs: what to push, as Git writes it.
            force_with_lease: refs to overwrite, each only if the remote has it at this commit (None: does not have it).

        Raises:
            MlgitError: the remote refused (`push-rejected`).
            Inconclusive: the remote did not answer (`git-remote-unreachable`).
        """
        ...

    def fetch(self, remote: str, refspecs: Sequence[str]) -> None:
        """Fetch refs.

        Raises:
            MlgitError: the remote does not have a ref (`git-remote-ref-unknown`); a pattern may match none.
            Inconclusive: the remote did not answer (`git-remote-unreachable`).
        """
        ...
