"""What operations ask of the outside world. Edges fill these in; tests use dicts and constants."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import msgspec

from mlgit.domain.cards import CardText
from mlgit.domain.metrics import TaskKind
from mlgit.domain.names import CommitId
from mlgit.domain.records import Environment, Record
from mlgit.domain.records.card import Card
from mlgit.domain.records.problem import Label
from mlgit.domain.records.version import Format, Stored

if TYPE_CHECKING:
    from pandas import DataFrame

    from mlgit.ops.forge_port import Forge


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

    def moment(self, revision: str) -> datetime | None:
        """Return the moment that a date names, its last one; None where something else is named."""
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

    def sealed(self, commits: Iterable[CommitId]) -> Iterator[tuple[bytes, bytes | None]]:
        """Yield each commit without its signature, and the signature, armoured; None where it has none."""
        ...

    def last_commit_by(self, tip: CommitId, moment: datetime) -> CommitId | None:
        """Return the last first-parent commit of a tip that was made by a moment."""
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
            MlgitError: somebody else moved it (`ref-moved`).
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
            MlgitError: files that the person changed are in the way (`work-tree-in-the-way`); nothing was touched.
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
            MlgitError: the remote refused (`push-refused`).
            Unjudged: it did not answer (`remote-unreachable`).
        """
        ...

    def fetch(self, remote: str, refspecs: Sequence[str]) -> None:
        """Fetch refs.

        Raises:
            MlgitError: the remote does not have them (`remote-ref-unknown`); a pattern may match none.
            Unjudged: it did not answer (`remote-unreachable`).
        """
        ...


class DataStore(Protocol):
    """Where DVC keeps content."""

    def missing(self, files: Sequence[Stored]) -> Sequence[Stored]:
        """Return those that the remote does not have."""
        ...

    def upload(self, files: Sequence[tuple[Path, Stored]]) -> None:
        """Put files into the cache and the remote, and make sure that they are there."""
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

    @property
    def altered(self) -> list[str]:
        """Files that are not those that were put there."""
        return list(self.facts.get("altered", []))

    @property
    def beside(self) -> dict[str, tuple[str | None, str | None, int]]:
        """Digest, artifact and per cent of traffic of each release that runs beside the champion, by slot."""
        return {
            slot: (one["digest"], one["artifact"], one["traffic"]) for slot, one in self.facts.get("slots", {}).items()
        }


class Release(msgspec.Struct, frozen=True):
    """What a target is to run: files to copy and texts to write, by name, under the digest of a version."""

    model: str
    digest: str
    artifact: str
    files: dict[str, Path]
    texts: dict[str, bytes] = {}


class Beside(msgspec.Struct, frozen=True):
    """A release that runs beside the champion: a challenger answers a share of the requests, in per cent; a shadow none."""

    slot: Literal["challenger", "shadow"]
    traffic: int
    release: Release


class Target(Protocol):
    """Something that runs versions."""

    def observe(self, model: str) -> Observed:
        """Return what runs now, read back from the target itself."""
        ...

    def switch(self, release: Release, beside: Sequence[Beside] = ()) -> Observed:
        """Make it run the release, and those beside it, at once or not at all; return what was read back afterwards."""
        ...


class Clock(Protocol):
    """The time, in UTC."""

    def now(self) -> datetime: ...


class Cache(Protocol):
    """A place for what can be found out again: may be lost at any time, and is asked by a key of all that it rests on."""

    def get(self, name: str, key: str) -> bytes | None:
        """Return what was put under a name, if it was put with the same key."""
        ...

    def put(self, name: str, key: str, content: bytes) -> None:
        """Keep the newest content of a name. Does nothing where there is no room or no right to write."""
        ...


class RecordReader(Protocol):
    """Turns the content of a file into a record."""

    def __call__(self, file: str, content: bytes) -> Record:
        """Read the record that belongs at a path.

        Raises:
            MlgitError: with every problem of the file.
        """
        ...


class Formats(Protocol):
    """How records and cards are written in files."""

    def record(self, file: str, content: bytes) -> Record:
        """Read the record that belongs at a path."""
        ...

    def card(self, file: str, content: bytes) -> tuple[Card, CardText]:
        """Read a model card: its front matter and its prose."""
        ...

    def pointer(self, stored: Stored) -> bytes:
        """Return the bytes of the DVC pointer to a file."""
        ...

    def check_pointer(self, file: str, content: bytes) -> None:
        """Refuse a DVC pointer that is none, or that names something other than content of its own folder."""
        ...

    def yaml(self, file: str, record: Record) -> bytes:
        """Return a record as people read and edit it, for the file at a path."""
        ...

    def front_matter(self, mapping: Mapping[str, Any]) -> bytes:
        """Return a card's front matter without its fences."""
        ...

    def params(self, file: str, content: bytes) -> dict[str, Any]:
        """Read a file of parameters."""
        ...


class Signatures(Protocol):
    """Signatures of people over bytes, with the keys that they use for Git."""

    def sign(self, content: bytes) -> bytes:
        """Sign with the person's own key.

        Raises:
            MlgitError: there is no key to sign with (`signing-key-missing`).
        """
        ...

    def verify(self, content: bytes, signature: bytes, *, signers: bytes, principal: str, at: datetime) -> str:
        """Return the fingerprint of the key that signed.

        Args:
            content: what was signed.
            signature: the armoured signature.
            signers: an `allowed_signers` file.
            principal: who is said to have signed.
            at: when; the key must have been valid then.

        Raises:
            MlgitError: the signature does not prove that.
        """
        ...

    def signer(self, content: bytes, signature: bytes, *, signers: bytes, at: datetime) -> tuple[str, str]:
        """Return the principal and the fingerprint of the key by which a commit was signed.

        Args:
            content: the commit without its signature.
            signature: the armoured signature.
            signers: an `allowed_signers` file.
            at: when the commit was made; the key must have been valid then.

        Raises:
            MlgitError: the signature proves nothing.
        """
        ...


class Pipeline(Protocol):
    """The stages that make a version."""

    @property
    def lock_file(self) -> str:
        """Path of the file that says what each stage last used and made."""
        ...

    def out_of_date(self, stages: Sequence[str]) -> Sequence[str]:
        """Return what changed since the stages, and all before them, last ran; nothing when all is as it was."""
        ...

    def metrics(self, stages: Sequence[str]) -> Mapping[str, float]:
        """Return the numbers in the files of metrics that stages wrote."""
        ...

    def reproduce(self, stages: Sequence[str], settings: Mapping[str, str], on_line: Callable[[str], None]) -> int:
        """Run what is out of date; hand every line of output on; return the exit code."""
        ...


class Scored(Protocol):
    """What a model answers on a table."""

    @property
    def score(self) -> Any:
        """Binary: probability of the positive label, a row each (numpy array of length rows); None otherwise."""
        ...

    @property
    def prediction(self) -> Any:
        """Label or value, a row each (numpy array of length rows); None where there is a score."""
        ...

    @property
    def p95_ms(self) -> float | None:
        """Milliseconds for a single row, 95th of 100."""
        ...


class ModelFiles(Protocol):
    """Model files, handled as the hostile things they may be."""

    def inspect(self, path: Path, trusted: bytes) -> tuple[Format, list[str]]:
        """Return the kind of a file, and the types in it beyond those always trusted. Loads nothing.

        Args:
            path: the file.
            trusted: the project's file of trusted types.

        Raises:
            MlgitError: it is no model, or holds types that nobody listed (`model-type-untrusted`).
        """
        ...

    def score(
        self,
        path: Path,
        kind: Format,
        trusted: bytes,
        features: Path,
        *,
        columns: Sequence[str],
        task: TaskKind,
        positive: Label | None,
    ) -> Scored:
        """Load the model in a guarded process and let it answer on a table of features."""
        ...


class Tables(Protocol):
    """Tables in files."""

    def frame(self, path: Path) -> "DataFrame":
        """Return a Parquet or CSV file as a table; the content says which it is.

        Raises:
            MlgitError: it is neither (`table-unreadable`).
        """
        ...


class CommandSaid(msgspec.Struct, frozen=True):
    """What a team's own command answered: a mapping, or None and why there is none."""

    answer: Mapping[str, Any] | None
    why: str


class Reproduction(Protocol):
    """Trains again what was recorded."""

    def __call__(
        self, tree: Tree, data: Mapping[str, Path], stages: Sequence[str], output: str, *, seconds: float
    ) -> AbstractContextManager[Path]:
        """Run stages, and all that they need, in a private checkout of a tree; give a file that they wrote, for a while.

        Args:
            tree: the files of a commit.
            data: content to put beside them, by path.
            stages: what to run.
            output: path of the file that is wanted.
            seconds: after which it is stopped.

        Raises:
            MlgitError: the stages did not succeed in time, or did not write the file (`not-reproduced`).
        """
        ...


class TeamGates(Protocol):
    """Gates that a team brings itself."""

    def run(self, tree: Tree, command: Sequence[str], document: bytes, *, seconds: float) -> CommandSaid:
        """Run a command in a private checkout of a tree, hand it a document on stdin, and read its answer from stdout.

        Args:
            tree: the files of a commit; the folders of versions are left out.
            command: program and arguments; no shell reads them.
            document: what it reads, JSON.
            seconds: after which it is stopped, with all that it started.

        Raises:
            Unjudged: there is no room for a checkout (`disk-failed`).
        """
        ...

    def installed(self, name: str) -> Callable[[Any, Mapping[str, Any]], Any]:
        """Return the function that an installed package provides as a gate.

        Raises:
            MlgitError: there is none of that name, or more than one (`gate-unknown`), or it cannot be used (`gate-broken`).
        """
        ...


class Workspace(Protocol):
    """All that an operation works with; each part is opened when it is first asked for."""

    @property
    def repository(self) -> Repository: ...
    @property
    def formats(self) -> Formats: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def signatures(self) -> Signatures: ...
    @property
    def pipeline(self) -> Pipeline: ...
    @property
    def model_files(self) -> ModelFiles: ...
    @property
    def tables(self) -> Tables: ...
    @property
    def cache(self) -> Cache: ...
    @property
    def team_gates(self) -> TeamGates: ...
    @property
    def reproduced(self) -> Reproduction: ...
    @property
    def root(self) -> Path: ...
    def store(self, remote: str) -> DataStore: ...
    def hashed(self, path: Path, name: str) -> Stored: ...
    def put(self, files: Mapping[str, bytes]) -> None: ...
    def target(self, environment: Environment) -> Target | None: ...
    def forge(self) -> "Forge | None":
        """Return where pull requests are kept, as the base branch says; None where it says that there are none.

        Raises:
            Unjudged: where it is cannot be told (`forge-address`), or its token is none (`forge-token`).
        """
        ...

    def trial(self) -> "AbstractContextManager[Workspace]":
        """Give the workspace with a repository that forgets what is written to it."""
        ...
