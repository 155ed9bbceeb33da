"""The ledger branch, read: approvals, decision records and the deployment log."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from mlgit.domain import layout
from mlgit.domain.names import CommitId, PromotionId
from mlgit.domain.records import DecisionRecord, Deployment
from mlgit.ops.kernel.ports.formats import RecordReader
from mlgit.ops.kernel.ports.git import Repository, Tree
from mlgit.ops.kernel.record_tree import R, RecordTree

DeploymentKey = tuple[str, str]
"""Environment and model, which together name a deployment log."""


class Ledger:
    """The records of the ledger branch at one commit: what people approved, and what targets were observed to run.

    A ledger without a tree, of a project that has no ledger branch yet, is empty. Each method raises MlgitError with every
    problem of a file that is not a valid record.
    """

    def __init__(self, tree: Tree | None, reader: RecordReader) -> None:
        self.tree = tree
        self._received: dict[str, Mapping[str, datetime]] = {}
        self._added: dict[str, Mapping[str, str]] = {}
        """The blob that each file of a folder was added with, by folder and path."""
        self._records = None if tree is None else RecordTree(tree, reader)

    @property
    def commit(self) -> CommitId | None:
        """The commit of the ledger branch; None if there is no such branch yet."""
        return None if self.tree is None else self.tree.commit

    def find(self, kind: type[R], path: str) -> R | None:
        """Return the record at a path of the ledger; None if there is none.

        Raises:
            MlgitError: the file is not a valid record of that kind.
        """
        return None if self._records is None else self._records.find(kind, path)

    def files(self, folder: str) -> dict[str, bytes]:
        """Return the content of the files directly in a folder of the ledger, by path."""
        if self.tree is None:
            return {}
        paths = [f"{folder}/{name}" for name in self.tree.names(folder) if not name.endswith("/")]
        return {path: content for path, content in self.tree.read_many(paths) if content is not None}

    def added_files(self, folder: str, repository: Repository) -> dict[str, bytes]:
        """Return the files directly in a folder, by path, each as it was added, whatever happened to it later.

        Whoever may push could delete or change a file; only a server that verifies pushes refuses that at once.
        """
        if not self.files(folder):
            return {}
        self.append_times(folder, repository)
        blobs = self._added[folder]
        return dict(zip(blobs, repository.contents(blobs.values()), strict=True))

    def append_times(self, folder: str, repository: Repository) -> Mapping[str, datetime]:
        """Return when each file of a folder was appended, by the commits of the ledger (see `Repository.commit_times`)."""
        tip = self.commit
        if tip is None:
            return {}
        if folder not in self._received:
            times = repository.commit_times(tip)
            history = repository.commits(tip, paths=[folder])
            first = {change.path: (commit.id, change.blob) for commit, changes in history for change in changes}
            self._received[folder] = {path: times[commit] for path, (commit, _) in first.items()}
            self._added[folder] = {
                path: blob for path, (_, blob) in first.items() if blob and path.rpartition("/")[0] == folder
            }
        return self._received[folder]

    def received(self, path: str, repository: Repository) -> datetime | None:
        """Return when a file was appended; None if the ledger does not have it."""
        return self.append_times(path.rpartition("/")[0], repository).get(path)

    def deployments(self, environment: str, model: str) -> list[Deployment]:
        """Return the deployment log of a model in an environment, oldest entry first."""
        return self.deployments_of([(environment, model)])[environment, model]

    def deployments_of(self, keys: Iterable[DeploymentKey]) -> dict[DeploymentKey, list[Deployment]]:
        """Return many deployment logs, each with its oldest entry first, in two reads."""
        keys = list(keys)
        if self.tree is None or self._records is None:
            return {key: [] for key in keys}
        paths = {
            key: [f"{layout.deployments(*key)}/{number}.json" for number in numbers]
            for key, numbers in self._sequence_numbers(self.tree, keys).items()
        }
        entries = self._records.read(Deployment, [path for log in paths.values() for path in log])
        return {key: [entry for path in log if (entry := entries[path])] for key, log in paths.items()}

    def last_deployments(self, keys: Iterable[DeploymentKey]) -> dict[DeploymentKey, Deployment]:
        """Return the newest entry of each deployment log that has one, in two reads."""
        if self.tree is None or self._records is None:
            return {}
        newest = {
            key: f"{layout.deployments(*key)}/{numbers[-1]}.json"
            for key, numbers in self._sequence_numbers(self.tree, list(keys)).items()
            if numbers
        }
        entries = self._records.read(Deployment, newest.values())
        return {key: entry for key, path in newest.items() if (entry := entries[path]) is not None}

    def first_applied(self, promotions: Iterable[PromotionId]) -> dict[PromotionId, datetime]:
        """Return when each promotion was first applied; those that were not are left out.

        That time is in the decision record. Later entries of the deployment log say only that the version still runs.
        """
        if self._records is None:
            return {}
        paths = {promotion: layout.decision(promotion) for promotion in promotions}
        records = self._records.read(DecisionRecord, paths.values())
        return {promotion: record.at for promotion, path in paths.items() if (record := records[path]) is not None}

    @staticmethod
    def _sequence_numbers(tree: Tree, keys: list[DeploymentKey]) -> dict[DeploymentKey, list[int]]:
        """Return the numbers of the entries of each deployment log, lowest first."""
        listings = tree.names_of([layout.deployments(*key) for key in keys])
        return {
            key: sorted(number for name in names if (number := layout.sequence_number(name)) is not None)
            for key, names in zip(keys, listings, strict=True)
        }
