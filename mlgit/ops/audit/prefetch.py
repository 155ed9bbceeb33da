"""Prefetch the blobs that the verification of some commits needs: two rounds for hundreds of commits, not some for each."""

from collections.abc import Iterator, Sequence

from mlgit.domain import layout
from mlgit.domain.records import Promotion
from mlgit.domain.slots import filled
from mlgit.errors import MlgitError
from mlgit.ops.audit.first_parents import HistoryStep
from mlgit.ops.audit.ledger_history import LedgerCutoff, LedgerHistory
from mlgit.ops.audit.tree_history import BlobReader, TreeOverlay

_KINDS = frozenset(
    {
        "dataset",
        "environment",
        "gate-report",
        "hold",
        "model",
        "override",
        "policy",
        "problem",
        "promotion",
        "roles",
        "standing-approval",
    }
)


class Prefetch:
    """Prefetches blobs into a reader. It is only an optimization: a blob that is left out is read later, by itself."""

    def __init__(self, blobs: BlobReader, ledger_history: LedgerHistory) -> None:
        self._blobs = blobs
        self._ledger_history = ledger_history
        self._version_folders: set[str] = set()
        """Folders of versions that were prefetched; they are immutable."""

    def fetch(self, steps: Sequence[HistoryStep], files: TreeOverlay) -> None:
        """Prefetch in two rounds: the manifests of the first name the files of the second.

        Args:
            steps: the commits.
            files: the files before the first of them.
        """
        added = [(change.path, change.blob) for step in steps for change in step.changes if change.blob is not None]
        self._blobs.fetch(blob for path, blob in added if _is_needed(path))
        folders: dict[str, list[str]] = {}
        for path, blob in added:
            if layout.is_immutable(path):
                folders.setdefault(path.rpartition("/")[0], []).append(blob)
        referenced: list[str] = []
        for path, blob in added:
            if not layout.is_manifest(path):
                continue
            try:
                manifest = self._blobs.record(path, blob)
            except MlgitError:  # reported when the change is verified
                continue
            if isinstance(manifest, Promotion):
                referenced += self._version_files(manifest, files, folders)
                referenced += self._ledger_files(manifest)
        self._blobs.fetch_more(referenced)

    def _version_files(self, manifest: Promotion, files: TreeOverlay, folders: dict[str, list[str]]) -> Iterator[str]:
        """Yield the blobs in the folder of each version in a slot, once for each folder."""
        for slot in filled(manifest.slots).values():
            folder = layout.version_folder(manifest.model, slot.version)
            if folder in self._version_folders:
                continue
            self._version_folders.add(folder)
            yield from folders.get(folder, ())
            yield from (blob for name in files.names(folder) if (blob := files.id_of(f"{folder}/{name}")) is not None)

    def _ledger_files(self, manifest: Promotion) -> Iterator[str]:
        """Yield the blobs of the approvals, reviews and decision record of a promotion."""
        approvals = self._ledger_history.in_folder(layout.approvals(manifest.promotion), LedgerCutoff())
        reviews = self._ledger_history.in_folder(layout.reviews(manifest.promotion), LedgerCutoff())
        yield from (file.blob for file in (*approvals.values(), *reviews.values()))
        decision = layout.decision(manifest.promotion)
        files = map(self._ledger_history.added.get, (decision, layout.signature(decision)))
        yield from (file.blob for file in files if file is not None)


def _is_needed(path: str) -> bool:
    if path in {layout.SIGNERS, layout.TRUSTED_TYPES}:
        return True
    place = layout.parse_path(path)
    return place is not None and place.kind in _KINDS
