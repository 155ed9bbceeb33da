"""The ledger with its own history: what was added to it, by which commit, and whether anything was ever taken back."""

from collections.abc import Iterable, Mapping
from datetime import datetime

import msgspec

from mlgit.domain import layout
from mlgit.domain.names import CommitId
from mlgit.domain.records import Deployment, Record
from mlgit.ops.audit.tree_history import BlobReader, TreeOverlay
from mlgit.ops.kernel.ledger import Ledger
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.ports.git import Commit, PathChange, Repository, Tree


class LedgerFile(msgspec.Struct, frozen=True, array_like=True):
    """A file as it was added: the id of its content, and the commit that brought it, by its number, its id and its time."""

    blob: str
    step: int
    commit: str
    at: datetime


class LedgerCutoff(msgspec.Struct, frozen=True):
    """By when something has to have come in; None for any time.

    An approval has to be there by a commit of the ledger, by its number, and by a moment. What a target was seen to run has
    to have been seen by a moment, of which the entry itself says when it was.
    """

    step: int | None = None
    at: datetime | None = None
    seen: datetime | None = None

    def lets(self, one: LedgerFile) -> bool:
        """Tell whether an approval came in time."""
        return (self.step is None or one.step <= self.step) and (self.at is None or one.at <= self.at)


class LedgerAlteration(msgspec.Struct, frozen=True):
    """A file that was there, and that a commit changed or deleted all the same."""

    commit: CommitId
    path: str
    status: str


class LedgerHistory:
    """All that the ledger holds, each file as it was first, whatever became of it."""

    def __init__(
        self,
        library: BlobReader,
        *,
        before: Tree | None = None,
        pending: Mapping[str, LedgerFile] | None = None,
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
        self._files = TreeOverlay(library, before)
        self.tip = None if before is None else before.commit
        self.length = length
        self.added: dict[str, LedgerFile] = {}
        self.new: list[str] = []
        """What was added since the earlier look, in its order."""
        self.altered: list[LedgerAlteration] = []
        self.refused: dict[str, str] = {}
        """Why `apply` refused a promotion, by its id."""
        self._folders: dict[str, list[str]] = {}
        self._entries: dict[tuple[str, str], list[Deployment]] = {}
        """What targets were seen to run, as far as it was asked for since the last commit: each change of a model asks."""
        for path, one in (pending or {}).items():
            self._add(path, one)

    def append(self, commit: Commit, changes: Iterable[PathChange]) -> None:
        """Take in the next commit of the ledger's first-parent line."""
        for change in changes:
            if change.status != "A" or change.after is None or change.path in self.added:
                self.altered.append(LedgerAlteration(commit.id, change.path, change.status))
                continue
            self._add(change.path, LedgerFile(change.after, self.length, commit.id, commit.at))
            self._files.advance(commit.id, [change])
            self.new.append(change.path)
        self.tip = commit.id
        self.length += 1
        self._entries.clear()

    def in_folder(self, folder: str, cut: "LedgerCutoff") -> dict[str, LedgerFile]:
        """Return what is directly in a folder, by path, as far as it came in time."""
        found = ((path, self.added[path]) for path in self._folders.get(folder, ()))
        return {path: one for path, one in found if cut.lets(one)}

    def ledger(self, cut: "LedgerCutoff") -> Ledger:
        """Return what an examination asks the ledger for; of approvals and deployments only those that came in time."""
        return LedgerAsOf(self, self._files, cut)

    def entries(self, key: tuple[str, str]) -> list[Deployment]:
        """Return every entry of an environment and model, in order of their numbers.

        Raises:
            MlgitError: with every problem of those that cannot be read.
        """
        if key not in self._entries:
            folder = layout.deployments(*key)
            numbers = sorted(filter(None, map(layout.sequence_number, self._files.names(folder))))
            paths = [f"{folder}/{one}.json" for one in numbers]
            found = Lifecycle(self._files, self._read).read(Deployment, paths)
            self._entries[key] = [entry for entry in found.values() if entry is not None]
        return self._entries[key]

    def _read(self, file: str, content: bytes) -> Record:
        """Read a record; those that were read when they came in are known by their blobs."""
        added = self.added.get(file)
        return self.library.read(file, content) if added is None else self.library.record(file, added.blob)

    def _add(self, path: str, one: LedgerFile) -> None:
        self.added[path] = one
        self._folders.setdefault(path.rpartition("/")[0], []).append(path)


class LedgerAsOf(Ledger):
    """The ledger as one change finds it: of approvals and deployments those that came in time."""

    def __init__(self, chronicle: LedgerHistory, files: TreeOverlay, cut: LedgerCutoff) -> None:
        super().__init__(files, chronicle.library.read)
        self._chronicle = chronicle
        self._files = files
        self._cut = cut

    def deployments_of(self, keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], list[Deployment]]:
        """Return the entries of each environment and model that were seen in time, in order of their numbers."""
        seen = self._cut.seen
        every = {key: self._chronicle.entries(key) for key in keys}
        return {key: [one for one in entries if seen is None or one.at <= seen] for key, entries in every.items()}

    def files(self, folder: str) -> dict[str, bytes]:
        """Return the files directly in a folder of approvals that came in time, by path."""
        found = ((path, self._files.read(path)) for path in sorted(self._chronicle.in_folder(folder, self._cut)))
        return {path: content for path, content in found if content is not None}

    def appended(self, folder: str, repository: Repository) -> dict[str, datetime]:  # noqa: ARG002 - it is known already
        """Return when each file of a folder came in, by the commit that brought it."""
        return {path: one.at for path, one in self._chronicle.in_folder(folder, self._cut).items()}
