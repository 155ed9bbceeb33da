"""The ledger branch, read: approvals, decisions, deployments."""

from collections.abc import Iterable
from datetime import datetime

from mlgit.domain import layout
from mlgit.domain.names import CommitId, PromotionId
from mlgit.domain.records import (
    DecisionRecord,
    Deployment,
)
from mlgit.ops.kernel.lifecycle import Lifecycle, R
from mlgit.ops.kernel.ports.formats import RecordReader
from mlgit.ops.kernel.ports.git import Repository, Tree


class Ledger:
    """What was seen to happen: the records of the ledger branch. Empty where there is no such branch yet."""

    def __init__(self, tree: Tree | None, reader: RecordReader) -> None:
        self.tree = tree
        self._lifecycle = None if tree is None else Lifecycle(tree, reader)

    @property
    def commit(self) -> CommitId | None:
        """The commit of the ledger branch; None where there is no such branch yet."""
        return None if self.tree is None else self.tree.commit

    def last_deployments(self, keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Deployment]:
        """Return the newest entry of each environment and model that has one, in two looks."""
        if self.tree is None or self._lifecycle is None:
            return {}
        wanted = list(keys)
        listings = self.tree.names_of([layout.deployments(*key) for key in wanted])
        newest = {
            key: f"{layout.deployments(*key)}/{max(numbers)}.json"
            for key, names in zip(wanted, listings, strict=True)
            if (numbers := [number for name in names if (number := layout.sequence_number(name)) is not None])
        }
        entries = self._lifecycle.read(Deployment, newest.values())
        return {key: entry for key, path in newest.items() if (entry := entries[path]) is not None}

    def deployments(self, environment: str, model: str) -> list[Deployment]:
        """Return every entry of an environment and model, in order of their numbers."""
        return self.deployments_of([(environment, model)])[environment, model]

    def deployments_of(self, keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], list[Deployment]]:
        """Return every entry of each environment and model, in order of their numbers, in two looks."""
        wanted = list(keys)
        if self.tree is None or self._lifecycle is None:
            return {key: [] for key in wanted}
        listings = self.tree.names_of([layout.deployments(*key) for key in wanted])
        numbered = [sorted(filter(None, map(layout.sequence_number, names))) for names in listings]
        paths = {
            key: [f"{layout.deployments(*key)}/{number}.json" for number in numbers]
            for key, numbers in zip(wanted, numbered, strict=True)
        }
        found = self._lifecycle.read(Deployment, [path for listed in paths.values() for path in listed])
        return {key: [entry for path in listed if (entry := found[path])] for key, listed in paths.items()}

    def appended(self, folder: str, repository: Repository) -> dict[str, datetime]:
        """Return when each file of a folder came in, by the commit that brought it."""
        tip = None if self.tree is None else self.tree.commit
        history = repository.commits(tip, paths=[folder]) if tip is not None else ()
        return {change.path: commit.at for commit, changes in history for change in changes}

    def find(self, kind: type[R], path: str) -> R | None:
        """Return the record at a path of the ledger; None if there is none."""
        return None if self._lifecycle is None else self._lifecycle.find(kind, path)

    def first_applied(self, promotions: Iterable[PromotionId]) -> dict[PromotionId, datetime]:
        """Return when each promotion was first applied, of those that were; later entries only saw that it still runs."""
        if self._lifecycle is None:
            return {}
        paths = {promotion: layout.decision(promotion) for promotion in promotions}
        decided = self._lifecycle.read(DecisionRecord, paths.values())
        return {promotion: found.at for promotion, path in paths.items() if (found := decided[path]) is not None}

    def files(self, folder: str) -> dict[str, bytes]:
        """Return the files directly in a folder of the ledger, by path."""
        if self.tree is None:
            return {}
        paths = [f"{folder}/{name}" for name in self.tree.names(folder) if not name.endswith("/")]
        return {path: content for path, content in self.tree.read_many(paths) if content is not None}
