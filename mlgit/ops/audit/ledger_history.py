"""The ledger with its history: which commit added each file, and whether any file was changed or deleted."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Final

import msgspec

from mlgit.domain import layout
from mlgit.domain.names import CommitId
from mlgit.domain.records import Deployment, Record
from mlgit.ops.audit.tree_history import BlobReader, TreeOverlay
from mlgit.ops.kernel.ledger import Ledger
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.ports.git import Commit, PathChange, Repository, Tree


class LedgerFile(msgspec.Struct, frozen=True, array_like=True):
    """A file as it was added: the id of its blob, and the position, id and time of the commit that added it."""

    blob: str
    position: int
    commit: str
    at: datetime


class LedgerCutoff(msgspec.Struct, frozen=True):
    """Which part of the ledger counts; None for no limit.

    An approval counts if it was added by the commit at `position`, and by the time `added_by`. A deployment counts if it was
    observed by `deployed_by`, as its entry states.
    """

    position: int | None = None
    added_by: datetime | None = None
    deployed_by: datetime | None = None

    def includes(self, file: LedgerFile) -> bool:
        """Return whether an approval was added in time."""
        in_order = self.position is None or file.position <= self.position
        return in_order and (self.added_by is None or file.at <= self.added_by)


LOST: Final = "lost"


class LedgerAlteration(msgspec.Struct, frozen=True):
    """A commit that changed or deleted a file of the ledger, by Git's status, or one that added a file that a merge lost."""

    commit: CommitId
    path: str
    status: str


class LedgerHistory:
    """All files of the ledger, each with the content that it was added with, whatever happened to it later."""

    def __init__(
        self,
        blobs: BlobReader,
        *,
        before: Tree | None = None,
        pending: Mapping[str, LedgerFile] | None = None,
        length: int = 0,
        latest: datetime | None = None,
    ) -> None:
        """Start with an empty ledger, or with the state of an earlier audit.

        Args:
            blobs: reads blobs.
            before: the files of the ledger at the last audited commit.
            pending: those of them for which it still matters when they were added, by path.
            length: how many commits the ledger had.
            latest: the latest time of any of them; None if there are none.
        """
        self.blobs = blobs
        self._files = TreeOverlay(blobs, before)
        self._earlier = before
        self._before: Ledger | None = None
        """The ledger as it was at the last audited commit."""
        self.tip = None if before is None else before.commit
        self.length = length
        self.latest = latest or datetime.min.replace(tzinfo=UTC)
        self.added: dict[str, LedgerFile] = {}
        self.new: list[str] = []
        """The files that were added since the earlier audit, in order."""
        self.altered: list[LedgerAlteration] = []
        self.refused: dict[str, str] = {}
        """Why `apply` refused a promotion, by its id."""
        self._folders: dict[str, list[str]] = {}
        self._entries: dict[tuple[str, str], list[Deployment]] = {}
        """Deployment logs that were read since the last commit was appended: each change of a model needs them."""
        for path, file in (pending or {}).items():
            self._add(path, file)

    def append(self, commit: Commit, changes: Iterable[PathChange]) -> None:
        """Add the next commit of the first-parent history of the ledger; it counts as made after those before it."""
        self.latest = max(self.latest, commit.at)
        for change in changes:
            if change.status != "A" or change.blob is None or change.path in self.added:
                self.altered.append(LedgerAlteration(commit.id, change.path, change.status))
                continue
            self._add(change.path, LedgerFile(change.blob, self.length, commit.id, self.latest))
            self._files.advance(commit.id, [change])
            self.new.append(change.path)
        self.tip = commit.id
        self.length += 1
        self._entries.clear()

    def restore(self, commit: CommitId, path: str, blob: str) -> None:
        """Add a file that was added on another line of the ledger, if the merge of the two lines lost it.

        Where both lines have a file of that path with different content, the one that is here already counts.
        """
        present = self._files.read(path)
        if present == self.blobs.content(blob):
            return
        self.altered.append(LedgerAlteration(commit, path, LOST))
        if present is not None:
            return
        self._add(path, LedgerFile(blob, self.length, commit, self.latest))
        self._files.advance(self.tip, [PathChange(path, "A", None, blob)])
        self.new.append(path)
        self._entries.clear()

    def in_folder(self, folder: str, cutoff: LedgerCutoff) -> dict[str, LedgerFile]:
        """Return the files directly in a folder that were added in time, by path."""
        files = ((path, self.added[path]) for path in self._folders.get(folder, ()))
        return {path: file for path, file in files if cutoff.includes(file)}

    def ledger(self, cutoff: LedgerCutoff) -> Ledger:
        """Return the ledger with only the approvals and deployments within a cutoff."""
        return LedgerAsOf(self, self._files, cutoff)

    def entries(self, key: tuple[str, str]) -> list[Deployment]:
        """Return the deployment log of an environment and model, in the order of its numbers.

        Raises:
            MlgitError: with every problem of the entries that cannot be read.
        """
        if key not in self._entries:
            folder = layout.deployments(*key)
            numbers = sorted(filter(None, map(layout.sequence_number, self._files.names(folder))))
            paths = [f"{folder}/{number}.json" for number in numbers]
            records = Lifecycle(self._files, self._read).read(Deployment, paths)
            self._entries[key] = [entry for entry in records.values() if entry is not None]
        return self._entries[key]

    def received_before(self, path: str, repository: Repository) -> datetime | None:
        """Return when a file was added that the earlier audit did not keep."""
        if self._before is None:
            self._before = Ledger(self._earlier, self.blobs.read)
        return self._before.received(path, repository)

    def _read(self, file: str, content: bytes) -> Record:
        """Read a record, from the cache of blobs if it was read before."""
        added = self.added.get(file)
        return self.blobs.read(file, content) if added is None else self.blobs.record(file, added.blob)

    def _add(self, path: str, file: LedgerFile) -> None:
        self.added[path] = file
        self._folders.setdefault(path.rpartition("/")[0], []).append(path)


class LedgerAsOf(Ledger):
    """The ledger with only the approvals and deployments within a cutoff."""

    def __init__(self, history: LedgerHistory, files: TreeOverlay, cutoff: LedgerCutoff) -> None:
        super().__init__(files, history.blobs.read)
        self._history = history
        self._files = files
        self._cutoff = cutoff

    def deployments_of(self, keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], list[Deployment]]:
        """Return the entries of each environment and model that were observed in time, in the order of their numbers."""
        limit = self._cutoff.deployed_by
        logs = {key: self._history.entries(key) for key in keys}
        return {key: [entry for entry in log if limit is None or entry.at <= limit] for key, log in logs.items()}

    def files(self, folder: str) -> dict[str, bytes]:
        """Return the content of the files directly in a folder that were added in time, by path."""
        contents = ((path, self._files.read(path)) for path in sorted(self._history.in_folder(folder, self._cutoff)))
        return {path: content for path, content in contents if content is not None}

    def added_files(self, folder: str, repository: Repository) -> dict[str, bytes]:  # noqa: ARG002 - the history is known already
        """Return the files directly in a folder that were added in time, by path; they are as they were added."""
        return self.files(folder)

    def append_times(self, folder: str, repository: Repository) -> Mapping[str, datetime]:  # noqa: ARG002 - the history is known already
        """Return when each file of a folder was added: the time of the commit."""
        return {path: file.at for path, file in self._history.in_folder(folder, self._cutoff).items()}

    def received(self, path: str, repository: Repository) -> datetime | None:
        """Return when a file was added, in time or not; those from before a checkpoint are looked up."""
        file = self._history.added.get(path)
        if file is not None:
            return file.at
        return self._history.received_before(path, repository)
