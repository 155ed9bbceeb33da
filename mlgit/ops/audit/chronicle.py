"""The ledger with its own history: what was added to it, by which commit, and whether anything was ever taken back."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

import msgspec

from mlgit.domain import layout
from mlgit.domain.names import CommitId
from mlgit.ops.audit.files import Layer, Library
from mlgit.ops.ports import Commit, Entry, PathChange, Tree

_APPROVALS = layout.approvals("")


class Added(msgspec.Struct, frozen=True, array_like=True):
    """A file as it was added: the id of its content, and the commit that brought it, by its number, its id and its time."""

    blob: str
    step: int
    commit: str
    at: datetime


class Cut(msgspec.Struct, frozen=True):
    """By when something has to have come in; None for any time.

    An approval has to be there by a commit of the ledger, by its number, and by a moment. What a target was seen to run has
    to have been seen by a moment, of which the entry itself says when it was.
    """

    step: int | None = None
    at: datetime | None = None
    seen: datetime | None = None

    def lets(self, one: Added) -> bool:
        """Tell whether an approval came in time."""
        return (self.step is None or one.step <= self.step) and (self.at is None or one.at <= self.at)


class Altered(msgspec.Struct, frozen=True):
    """A file that was there, and that a commit changed or deleted all the same."""

    commit: CommitId
    path: str
    status: str


class Chronicle:
    """All that the ledger holds, each file as it was first, whatever became of it."""

    def __init__(
        self,
        library: Library,
        *,
        before: Tree | None = None,
        pending: Mapping[str, Added] | None = None,
        length: int = 0,
    ) -> None:
        """Begin with nothing, or with what an earlier look left.

        Args:
            library: reads blobs.
            before: the files of the ledger's commit that was looked at last.
            pending: those of them that may still matter by the order in which they came, by path.
            length: how many commits the ledger had.
        """
        self.library = library
        self._files = Layer(library, before)
        self.tip = None if before is None else before.commit
        self.length = length
        self.added: dict[str, Added] = {}
        self.new: list[str] = []
        """What was added since the earlier look, in its order."""
        self.altered: list[Altered] = []
        self.seen: dict[str, datetime] = {}
        """When targets were seen to run what they ran, by the path of the entry."""
        self.refused: dict[str, str] = {}
        """Why `apply` refused a promotion, by its id."""
        self._folders: dict[str, list[str]] = {}
        self._commits: list[tuple[CommitId, datetime]] = []
        for path, one in (pending or {}).items():
            self._add(path, one)

    def append(self, commit: Commit, changes: Iterable[PathChange]) -> None:
        """Take in the next commit of the ledger's first-parent line."""
        for change in changes:
            if change.status != "A" or change.after is None or change.path in self.added:
                self.altered.append(Altered(commit.id, change.path, change.status))
                continue
            self._add(change.path, Added(change.after, self.length, commit.id, commit.at))
            self._files.advance(commit.id, [change])
            self.new.append(change.path)
        self.tip = commit.id
        self.length += 1
        self._commits.append((commit.id, commit.at))

    def in_folder(self, folder: str, cut: "Cut") -> dict[str, Added]:
        """Return what is directly in a folder, by path, as far as it came in time."""
        found = ((path, self.added[path]) for path in self._folders.get(folder, ()))
        return {path: one for path, one in found if cut.lets(one)}

    def saw(self, path: str, at: datetime, promotion: str, refused: str | None) -> None:
        """Note what an entry says: when it was, and why a promotion was refused, if it was."""
        self.seen[path] = at
        if refused is not None:
            self.refused[promotion] = refused

    def time_of(self, commit: CommitId) -> datetime | None:
        """Return when a commit was made; None if it is none of those since the earlier look."""
        return next((at for one, at in self._commits if one == commit), None)

    def view(self, cut: "Cut") -> "View":
        """Return the files, of approvals and deployments only those that came in time."""
        return View(self, self._files, cut)

    def _add(self, path: str, one: Added) -> None:
        self.added[path] = one
        self._folders.setdefault(path.rpartition("/")[0], []).append(path)


class View:
    """The files of the ledger (see `ops.ports.Tree`), without what came too late to count."""

    def __init__(self, chronicle: Chronicle, files: Layer, cut: Cut) -> None:
        self._chronicle = chronicle
        self._files = files
        self._cut = cut

    @property
    def commit(self) -> CommitId | None:
        """The commit."""
        return self._chronicle.tip

    def names(self, folder: str = "") -> Sequence[str]:
        """Return the names directly in a folder."""
        return self.names_of([folder])[0]

    def names_of(self, folders: Sequence[str]) -> Sequence[Sequence[str]]:
        """Return `names` of many folders."""
        return [
            sorted(path.rpartition("/")[2] for path in self._chronicle.in_folder(folder, self._cut))
            if folder.startswith(_APPROVALS)
            else [name for name in self._files.names(folder) if self._came(f"{folder}/{name}")]
            for folder in folders
        ]

    def entries(self, under: Sequence[str] = ()) -> Iterator[Entry]:
        """Yield the files below some places."""
        return (entry for entry in self._files.entries(under) if self._came(entry.path))

    def larger(self, than: int, paths: Iterable[str]) -> Iterator[tuple[str, int]]:
        """Yield those of the files at some paths that have more bytes than that, each with its size."""
        return self._files.larger(than, paths)

    def blobs(self, contents: Sequence[bytes]) -> Sequence[str] | None:
        """Return the ids of contents; None, for they are not all known."""
        return self._files.blobs(contents)

    def read(self, path: str) -> bytes | None:
        """Return the content of a file; None if there is none."""
        return self._files.read(path) if self._came(path) else None

    def read_many(self, paths: Iterable[str]) -> Iterator[tuple[str, bytes | None]]:
        """Yield each path with its content."""
        for path in paths:
            yield path, self.read(path)

    def _came(self, path: str) -> bool:
        if path.startswith(_APPROVALS):
            added = self._chronicle.added.get(path)
            return added is not None and self._cut.lets(added)
        seen = None if self._cut.seen is None else self._chronicle.seen.get(path)
        return seen is None or self._cut.seen is None or seen <= self._cut.seen
