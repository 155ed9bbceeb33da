"""The facts that gates are judged on, taken from the repository's history and from what DVC keeps; each fetched once."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec

from mlgit.domain import layout, rules
from mlgit.domain.cards import CardText
from mlgit.domain.gates.base import Gain, SliceGain
from mlgit.domain.names import Digest, VersionRef
from mlgit.domain.records import Dataset, Model, Problem, Version
from mlgit.domain.records.problem import Label
from mlgit.domain.records.version import Stored
from mlgit.errors import Finding, Location, MlgitError, refused
from mlgit.ops import contracts
from mlgit.ops.load import Lifecycle
from mlgit.ops.ports import DataStore, Workspace

if TYPE_CHECKING:
    from pandas import DataFrame

_EVEN = 0.5
_CLOSE = 1e-9  # metrics are sums of floats, whose last digits depend on the machine


class DataReport(msgspec.Struct, frozen=True):
    """How many rows a dataset has, and what in it breaks its contract."""

    rows: int
    violations: list[str]


class StoredEvidence:
    """Evidence on a candidate against a champion, from their records and stored predictions. No model is loaded."""

    def __init__(
        self, workspace: Workspace, state: Lifecycle, candidate: Version, champion: Version | None, *, at: datetime
    ) -> None:
        self.candidate = candidate
        self.champion = champion
        self.model: Model = state.model(candidate.model)
        self.problem: Problem = state.problem(self.model.problem)
        self._workspace = workspace
        self._state = state
        self._at = at
        self._folder = layout.version_folder(candidate.model, candidate.version)
        self._predictions: dict[Digest, DataFrame] = {}

    @cached_property
    def card(self) -> CardText:
        """The prose of the candidate's card."""
        file = f"{self._folder}/card.md"
        return self._workspace.formats.card(file, self._state.tree.read(file) or b"")[1]

    def integrity(self) -> Sequence[Finding]:
        """Check the record, the files in Git, the files in DVC, and the recorded numbers against the stored predictions."""
        pointers = {
            f"{stored.path}.dvc": self._workspace.formats.pointer(stored)
            for stored in rules.stored_files(self.candidate)
        }
        names = ["card.md", "profile.json", *pointers]
        contents = self._state.tree.read_many(f"{self._folder}/{name}" for name in names)
        files = {path.removeprefix(f"{self._folder}/"): content for path, content in contents}
        findings = list(rules.check_version(self.candidate, files, pointers))
        for stored in rules.stored_files(self.candidate):
            try:
                with self._store.fetch(stored):
                    pass
            except MlgitError as error:
                if any(found.id == "data-missing" for found in error.findings):
                    raise
                findings.extend(error.findings)
        return findings or self._metrics_differ()

    def immutability(self) -> Sequence[Finding]:
        """Look through the first-parent history of the candidate's folder."""
        commit = self._state.tree.commit
        if commit is None:
            return []
        history = self._workspace.repository.commits(commit, paths=[self._folder])
        return list(rules.check_immutable((change.path, change.status) for _, changes in history for change in changes))

    def datasets(self) -> Mapping[str, DataReport]:
        """Check each dataset against its contract."""
        return {
            name: self._checked(self._state.dataset(name), stored)
            for name, stored in self.candidate.inputs.data.items()
        }

    def measured(self, metric: str) -> float:
        """Compute a metric of the candidate from its stored predictions."""
        from mlgit.ml.metrics import measure  # noqa: PLC0415 - scikit-learn

        with measurable(f"{metric} of {self._ref(self.candidate)}"):
            return measure(metric, self._table(self.candidate), self.problem.target.positive)

    def gain(self, metric: str, *, resamples: int, level: float) -> Gain:
        """Compare candidate and champion on the same rows."""
        from mlgit.ml.compare import paired_bootstrap  # noqa: PLC0415 - scikit-learn

        candidate, champion = self._paired()
        with measurable(f"the gain in {metric}"):
            return paired_bootstrap(
                metric,
                candidate,
                champion,
                self.problem.target.positive,
                resamples=resamples,
                seed=self._seed,
                level=level,
            )

    def slice_gains(self, metric: str, *, min_rows: int, resamples: int, level: float) -> Sequence[SliceGain]:
        """Compare candidate and champion on each slice of the same rows."""
        from mlgit.ml.slices import slice_gains  # noqa: PLC0415 - scikit-learn

        candidate, champion = self._paired()
        with measurable(f"the gain in {metric} on slices"):
            return slice_gains(
                metric,
                candidate,
                champion,
                self.problem.metric.slices,
                self.problem.target.positive,
                min_rows=min_rows,
                resamples=resamples,
                seed=self._seed,
                level=level,
            )

    @cached_property
    def _store(self) -> DataStore:
        return self._workspace.store(self._state.project().remote)

    @property
    def _seed(self) -> int:
        """A seed that anybody can find again: it comes from the candidate's digest."""
        return int(self.candidate.digest[7:15], 16)

    def _ref(self, version: Version) -> VersionRef:
        return VersionRef(version.model, version.version)

    def _table(self, version: Version) -> "DataFrame":
        if version.digest not in self._predictions:
            with self._store.fetch(version.evaluation.predictions) as path:
                self._predictions[version.digest] = self._workspace.tables.frame(path)
        return self._predictions[version.digest]

    def _paired(self) -> "tuple[DataFrame, DataFrame]":
        from mlgit.ml.compare import align  # noqa: PLC0415 - scikit-learn

        champion = self.champion
        assert champion is not None  # noqa: S101 - gates skip where there is none
        same = champion.evaluation.split == self.candidate.evaluation.split
        answers = self._table(champion) if same else self._scored_again
        with measurable("the comparison"):
            return align(self._table(self.candidate), answers, self.model.keys)

    @cached_property
    def _scored_again(self) -> "DataFrame":
        """The champion's answers on the candidate's test rows, from its model file, in a guarded process."""
        champion, features = self.champion, self.candidate.evaluation.features
        assert champion is not None  # noqa: S101 - gates skip where there is none
        if features is None:
            raise refused(
                "split-changed",
                f"{self._ref(self.candidate)} and {self._ref(champion)} were not tested on the same rows",
                why="the keys or labels of their test splits differ, and the candidate's features were not kept",
                fix="name outputs.test in the model's file and register again: the champion is then scored on the new rows",
            )
        with self._store.fetch(champion.artifact) as model, self._store.fetch(features) as rows:
            scored = self._workspace.model_files.score(
                model,
                champion.artifact.format,
                self._state.tree.read(layout.TRUSTED_TYPES) or b"",
                rows,
                columns=champion.inputs.columns,
                task=self.problem.target.type,
                positive=self.problem.target.positive,
            )
        answers = self._table(self.candidate).drop(columns=["score", "prediction"], errors="ignore")
        column = "prediction" if scored.score is None else "score"
        answers = answers.assign(**{column: scored.prediction if scored.score is None else scored.score})
        if column == "score":  # the labels that it decides for, at even odds, for metrics that need them
            answers = answers.assign(prediction=_decided(scored.score, answers["label"], self.problem.target.positive))
        return answers

    def _metrics_differ(self) -> Sequence[Finding]:
        differing = []
        for metric, recorded in self.candidate.evaluation.metrics.items():
            measured = self.measured(metric)
            if abs(measured - recorded) > _CLOSE * max(1.0, abs(recorded)):
                differing.append(
                    Finding(
                        "metric-differs",
                        f"{metric} of {self._ref(self.candidate)} is recorded as {recorded:g}; its predictions give {measured:g}",
                        fix="register again; numbers in a record are computed, never typed",
                        at=Location(f"{self._folder}/version.json", path=f"evaluation.metrics.{metric}"),
                    )
                )
        return differing

    def _checked(self, contract: Dataset, stored: Stored) -> DataReport:
        with self._store.fetch(stored) as path:
            frame = self._workspace.tables.frame(path)
        messages = [violation.message for violation in contracts.violations(contract, frame, at=self._at)]
        if contract.revoked is not None and contract.revoked.since <= self._at.date():
            messages.insert(0, f"revoked since {contract.revoked.since}: {contract.revoked.reason}")
        return DataReport(len(frame), messages)


def _decided(scores: Any, labels: Any, positive: Label | None) -> list[Any]:
    """Return the label of each score, in the type of the labels: the positive one from one half on, else the other."""
    others = [label for label in labels.unique().tolist() if label != positive]
    negative = others[0] if others else None
    return [positive if score >= _EVEN else negative for score in scores]


@contextlib.contextmanager
def measurable(what: str) -> Iterator[None]:
    """Turn what the numbers cannot say into a finding that says which number."""
    try:
        yield
    except ValueError as error:  # what `ml` raises: bad predictions, other rows, undefined, an unknown metric
        raise refused(
            "not-measurable",
            f"{what} cannot be computed",
            why=str(error),
            fix="see what the evaluate stage writes into the predictions; every row needs its key, label and a finite score",
        ) from error
