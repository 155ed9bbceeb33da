"""Evidence that is computed once for the same content, whichever commands need it."""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

from mlgit.domain.codec import digest, sha256
from mlgit.domain.records import Version
from mlgit.domain.records.version import StoredFile
from mlgit.domain.results import (
    CalibrationErrors,
    Correction,
    DatasetCheck,
    FeatureStrength,
    Gain,
    GroupMeasure,
    ModelFileInspection,
    Overlap,
    PairedTest,
    PredictionComparison,
    SliceGain,
    SliceValue,
)
from mlgit.ops.evaluation import evidence_numbers
from mlgit.ops.evaluation.evidence import StoredEvidence
from mlgit.ops.evaluation.facts import Facts, fact_key
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.ports.workspace import Workspace

T = TypeVar("T")


class KnownEvidence(StoredEvidence):
    """Stored evidence, whose results are taken from the workspace's cache if they were computed from the same content.

    Before a cached result is used, all content that it was computed from is hashed and compared with the records, as it is
    when the result is computed. What depends on more than content is never cached: the remote, a command of the team,
    another training run.
    """

    def __init__(
        self, workspace: Workspace, state: Lifecycle, candidate: Version, champion: Version | None, *, at: datetime
    ) -> None:
        super().__init__(workspace, state, candidate, champion, at=at)
        self._facts = Facts(workspace.evidence_cache)
        # From the records themselves: the digest that a record states may be that of another one.
        self._versions = [digest(candidate), None if champion is None else digest(champion)]

    def save(self) -> None:
        """Keep what was computed for the next command."""
        self._facts.save()

    def metric_value(self, metric: str) -> float:
        """Compute a metric of the candidate from its stored predictions."""
        return self._fact(float, "metric", [metric], self._predictions, partial(super().metric_value, metric))

    def gain(self, metric: str, *, resamples: int, level: float, test: PairedTest) -> Gain:
        """Compare candidate and champion on the same rows."""
        compute = partial(super().gain, metric, resamples=resamples, level=level, test=test)
        return self._fact(Gain, "gain", [metric, resamples, level, test, self._seed], self._compared, compute)

    def baseline_gain(self, metric: str, *, resamples: int, level: float) -> Gain:
        """Compare candidate and baseline on the candidate's test rows."""
        needs = [*self._predictions, *self._features]
        compute = partial(super().baseline_gain, metric, resamples=resamples, level=level)
        return self._fact(Gain, "baseline-gain", [metric, resamples, level, self._seed], needs, compute)

    def slice_gains(
        self, metric: str, *, min_rows: int, resamples: int, level: float, max_drop: float, correction: Correction
    ) -> Sequence[SliceGain]:
        """Compare candidate and champion on each slice of the same rows."""
        compute = partial(
            super().slice_gains,
            metric,
            min_rows=min_rows,
            resamples=resamples,
            level=level,
            max_drop=max_drop,
            correction=correction,
        )
        arguments = [metric, min_rows, resamples, level, max_drop, correction, self._seed]
        return self._fact(list[SliceGain], "slice-gains", arguments, self._compared, compute)

    def slice_values(
        self, metric: str, columns: Sequence[str], *, min_rows: int, resamples: int, level: float | None
    ) -> Sequence[SliceValue]:
        """Compute a metric of the candidate on each slice."""
        compute = partial(super().slice_values, metric, columns, min_rows=min_rows, resamples=resamples, level=level)
        arguments = [metric, list(columns), min_rows, resamples, level, self._seed]
        return self._fact(list[SliceValue], "slice-values", arguments, self._predictions, compute)

    def group_measures(
        self, measures: Sequence[str], columns: Sequence[str], *, min_rows: int
    ) -> Sequence[GroupMeasure]:
        """Compute rates or metrics of the candidate on each group."""
        compute = partial(super().group_measures, measures, columns, min_rows=min_rows)
        arguments = [list(measures), list(columns), min_rows]
        return self._fact(list[GroupMeasure], "group-measures", arguments, self._predictions, compute)

    def calibration(self, *, bins: int) -> CalibrationErrors:
        """Compare the candidate's scores with the labels."""
        compute = partial(super().calibration, bins=bins)
        return self._fact(CalibrationErrors, "calibration", [bins], self._predictions, compute)

    def overlap(self, training: Sequence[str]) -> Overlap:
        """Search the candidate's test rows in the data that it was made from."""
        evidence_numbers.read_profile(self._state, self.candidate)
        needs = [*self._predictions, *self.candidate.inputs.data.values()]
        contracts = {name: self._contract(name) for name in self.candidate.inputs.data}
        digests = {name: None if contract is None else digest(contract) for name, contract in contracts.items()}
        return self._fact(Overlap, "overlap", [list(training), digests], needs, partial(super().overlap, training))

    def feature_strengths(self) -> Sequence[FeatureStrength]:
        """Compute how well each stored feature alone predicts the labels of the candidate's test rows."""
        needs = [*self._predictions, *self._features]
        return self._fact(list[FeatureStrength], "feature-strengths", [], needs, super().feature_strengths)

    def inspect_model_file(self) -> ModelFileInspection:
        """Inspect the candidate's model file without loading it."""
        needs = [self.candidate.artifact]
        return self._fact(ModelFileInspection, "model-file", [], needs, super().inspect_model_file)

    def rescore(self) -> PredictionComparison:
        """Compare predictions of the candidate's model file for its stored features with the stored ones."""
        needs = [self.candidate.artifact, *self._features, *self._predictions]
        return self._fact(PredictionComparison, "rescore", [], needs, super().rescore)

    def _check_dataset(self, name: str) -> DatasetCheck:
        contract = self._state.dataset(name)
        # The age of the data is the only rule that depends on the time.
        arguments = [name, digest(contract), None if contract.freshness is None else self.at.isoformat()]
        needs = [self.candidate.inputs.data[name]]
        return self._fact(DatasetCheck, "dataset", arguments, needs, partial(super()._check_dataset, name))

    def _fact(
        self, kind: type[T], name: str, arguments: Sequence[Any], needs: Sequence[StoredFile], compute: Callable[[], T]
    ) -> T:
        """Return a known result, after checking the files that it needs; otherwise compute it, which reads and checks them."""
        inputs = [*self._versions, digest(self.model), digest(self.problem), sha256(self._trusted)]
        key = fact_key(name, inputs, arguments)
        known = self._facts.find(kind, key)
        if known is None:
            result = compute()
            self._facts.add(key, result)
            return result
        for stored in needs:
            self._store.verify(stored)
        return known

    @property
    def _predictions(self) -> list[StoredFile]:
        return [self.candidate.evaluation.predictions]

    @property
    def _features(self) -> list[StoredFile]:
        features = self.candidate.evaluation.features
        return [] if features is None else [features]

    @property
    def _compared(self) -> list[StoredFile]:
        """The files that a comparison with the champion needs: its predictions, or what gives them on the new rows."""
        champion = self.champion
        assert champion is not None  # noqa: S101 - gates skip where there is none
        if champion.evaluation.split == self.candidate.evaluation.split:
            return [*self._predictions, champion.evaluation.predictions]
        return [*self._predictions, champion.artifact, *self._features]
