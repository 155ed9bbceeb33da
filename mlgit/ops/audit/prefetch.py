"""Read ahead what judging some commits will ask for: a few rounds for hundreds of commits, in place of some for each."""

from collections.abc import Iterator, Sequence

from mlgit.domain import layout
from mlgit.domain.records import Promotion
from mlgit.domain.slots import filled
from mlgit.errors import MlgitError
from mlgit.ops.audit.change_verification import is_manifest
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
    """Fetches contents into a library. What it leaves out is only read later, one by one."""

    def __init__(self, library: BlobReader, chronicle: LedgerHistory) -> None:
        self._library = library
        self._chronicle = chronicle
        self._folders: set[str] = set()
        """Folders of versions that were looked at; they never change."""

    def fetch(self, some: Sequence[HistoryStep], files: TreeOverlay) -> None:
        """Fetch in two rounds, for it is a manifest that tells what else.

        Args:
            some: commits.
            files: the files before the first of them.
        """
        added = [(change.path, change.after) for step in some for change in step.changes if change.after is not None]
        self._library.fetch(blob for path, blob in added if _is_wanted(path))
        folders: dict[str, list[str]] = {}
        for path, blob in added:
            if layout.is_immutable(path):
                folders.setdefault(path.rpartition("/")[0], []).append(blob)
        ahead: list[str] = []
        for path, blob in added:
            if not is_manifest(path):
                continue
            try:
                manifest = self._library.record(path, blob)
            except MlgitError:  # a finding of whoever judges it
                continue
            if isinstance(manifest, Promotion):
                ahead += self._version(manifest, files, folders)
                ahead += self._words(manifest)
        self._library.fetch_more(ahead)

    def _version(self, manifest: Promotion, files: TreeOverlay, folders: dict[str, list[str]]) -> Iterator[str]:
        """Yield the blobs of the folder of each version in a slot, the first time that it is asked for."""
        for slot in filled(manifest.slots).values():
            folder = layout.version_folder(manifest.model, slot.version)
            if folder in self._folders:
                continue
            self._folders.add(folder)
            yield from folders.get(folder, ())
            yield from (blob for name in files.names(folder) if (blob := files.id_of(f"{folder}/{name}")) is not None)

    def _words(self, manifest: Promotion) -> Iterator[str]:
        """Yield the blobs of the approvals of a promotion, and of the decision."""
        approvals = self._chronicle.in_folder(layout.approvals(manifest.promotion), LedgerCutoff())
        told = self._chronicle.in_folder(layout.reviews(manifest.promotion), LedgerCutoff())
        yield from (one.blob for one in (*approvals.values(), *told.values()))
        decision = self._chronicle.added.get(layout.decision(manifest.promotion))
        if decision is not None:
            yield decision.blob


def _is_wanted(path: str) -> bool:
    if path in {layout.SIGNERS, layout.TRUSTED_TYPES}:
        return True
    place = layout.parse_path(path)
    return place is not None and place.kind in _KINDS
