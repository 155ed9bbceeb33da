"""Evidence with the facts that a test sets, and evidence that is unavailable."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from mlgit.domain.cards import CardText
from mlgit.domain.gates.base import passed
from mlgit.domain.gates.card import CARD_SECTIONS
from mlgit.domain.records import Model, Problem, Version
from mlgit.domain.records.version import StoredFile
from mlgit.domain.results import (
    CalibrationBin,
    CalibrationErrors,
    ColumnDrift,
    CommandAnswer,
    Correction,
    DatasetCheck,
    Drift,
    FeatureStrength,
    Gain,
    GroupMeasure,
    InputColumn,
    ModelFileInspection,
    Overlap,
    PairedTest,
    PredictionComparison,
    SliceGain,
    SliceValue,
)
from mlgit.errors import Finding, inconclusive
from tests import samples

CALIBRATED = CalibrationErrors(ece=0.02, brier=0.16, rows=1200, bins=[CalibrationBin(rows=1200, score=0.42, rate=0.4)])
DRIFTED = Drift(
    columns=[ColumnDrift(column="dep_hour", psi=0.05, js=0.1, ks=0.06, bins=10, noise=0.01)],
    added=[],
    removed=[],
    retyped=[],
)
NO_OVERLAP = Overlap(rows=1200, shared=0, exact=True)
NUMBERS, CATEGORIES = InputColumn("numbers", required=True), InputColumn("categories", required=True)
WRITTEN = CardText({heading.casefold(): "Words that say something." for heading in CARD_SECTIONS})


def whole(version: Version) -> Version:
    """Return a version that was registered with all that a record can name."""
    features = StoredFile(path="test.parquet", sha256=samples.sha(62), md5=f"{62:032x}", size=1062)
    return msgspec.structs.replace(
        version,
        evaluation=msgspec.structs.replace(version.evaluation, features=features),
        inputs=msgspec.structs.replace(version.inputs, lock=samples.sha(60)),
    )


def gain(value: float = 0.01, low: float = 0.005, high: float = 0.015, **changes: Any) -> Gain:
    """Return a gain with an interval."""
    sound: dict[str, Any] = {
        "metric": "roc_auc",
        "candidate": 0.81,
        "champion": 0.8,
        "level": 0.95,
        "rows": 1200,
        "resamples": 1000,
        "seed": 7,
    }
    return Gain(value=value, low=low, high=high, **(sound | changes))


def slice_gain(gain: Gain | None, *, value: str = "AA", p: float | None = 1.0, **changes: Any) -> SliceGain:
    """Return the gain on a slice."""
    return SliceGain(column="carrier", value=value, gain=gain, p=p, **({"rows": 500} | changes))


def inspected(format_: str | None = "skops", **changes: Any) -> ModelFileInspection:
    """Return the result of inspecting a model file."""
    return ModelFileInspection(format=format_, **changes)


def compared(max_error: float = 1e-12, mismatches: int = 0) -> PredictionComparison:
    """Return a comparison of recomputed with stored predictions."""
    return PredictionComparison(rows=1200, max_error=max_error, mismatches=mismatches)


@dataclass(frozen=True, kw_only=True)
class Stub:
    """Evidence with fixed facts, sound unless a test changes them. Records what it was asked for."""

    problem: Problem = field(default_factory=samples.problem)
    model: Model = field(default_factory=samples.model)
    candidate: Version = field(default_factory=lambda: whole(samples.version(2, seed=2)))
    champion: Version | None = field(default_factory=samples.version)
    card: CardText = WRITTEN
    findings: Sequence[Finding] = ()
    history: Sequence[Finding] = ()
    checks: Mapping[str, DatasetCheck] = field(default_factory=lambda: {"flights": DatasetCheck(1200)})
    metrics: Mapping[str, float] = field(default_factory=lambda: {"roc_auc": 0.712})
    gained: Gain = field(default_factory=gain)
    slices: Sequence[SliceGain] = field(default_factory=lambda: [slice_gain(gain())])
    values: Sequence[SliceValue] = (
        SliceValue(column="carrier", value="AA", rows=700, metric=0.7, low=0.66, high=0.74),
        SliceValue(column="carrier", value="UA", rows=500, metric=0.73, low=0.68, high=0.78),
    )
    grouped: Sequence[GroupMeasure] = tuple(
        GroupMeasure(
            column="carrier",
            value=value,
            rows=600,
            measures={"selection_rate": rate, "true_positive_rate": rate, "false_positive_rate": rate, "f1": rate},
        )
        for value, rate in (("AA", 0.5), ("UA", 0.45))
    )
    calibrated: CalibrationErrors = CALIBRATED
    drifted: Drift = DRIFTED
    overlapped: Overlap = NO_OVERLAP
    strengths: Sequence[FeatureStrength] = (FeatureStrength(feature="dep_hour", strength=0.62, measure="roc_auc"),)
    asked: list[Any] = field(default_factory=list)
    at: datetime = samples.NOW
    absent: Sequence[str] = ()
    inspected: ModelFileInspection = field(default_factory=inspected)
    compared: PredictionComparison = field(default_factory=compared)
    columns: Mapping[str, Mapping[str, InputColumn]] = field(default_factory=dict)
    locked: str | None = samples.sha(60)
    answer: CommandAnswer = field(default_factory=lambda: CommandAnswer({"outcome": "pass", "message": "none found"}))
    function: Callable[[Any, Mapping[str, Any]], Any] = lambda evidence, settings: passed("fast enough")

    def check_integrity(self) -> Sequence[Finding]:
        return self.findings

    def check_immutability(self) -> Sequence[Finding]:
        return self.history

    def check_datasets(self) -> Mapping[str, DatasetCheck]:
        return self.checks

    def metric_value(self, metric: str) -> float:
        self.asked.append(metric)
        return self.metrics[metric]

    def gain(self, metric: str, *, resamples: int, level: float, test: PairedTest) -> Gain:
        self.asked.append((metric, resamples, level, test))
        return self.gained

    def baseline_gain(self, metric: str, *, resamples: int, level: float) -> Gain:
        return self.gained

    def slice_gains(
        self, metric: str, *, min_rows: int, resamples: int, level: float, max_drop: float, correction: Correction
    ) -> Sequence[SliceGain]:
        self.asked.append((metric, min_rows, resamples, level, max_drop, correction))
        return self.slices

    def slice_values(
        self, metric: str, columns: Sequence[str], *, min_rows: int, resamples: int, level: float | None
    ) -> Sequence[SliceValue]:
        self.asked.append((metric, columns, min_rows, resamples, level))
        return self.values

    def group_measures(
        self, measures: Sequence[str], columns: Sequence[str], *, min_rows: int
    ) -> Sequence[GroupMeasure]:
        self.asked.append((measures, columns, min_rows))
        return self.grouped

    def calibration(self, *, bins: int) -> CalibrationErrors:
        self.asked.append(bins)
        return self.calibrated

    def drift(self) -> Drift:
        return self.drifted

    def overlap(self, training: Sequence[str]) -> Overlap:
        self.asked.append(training)
        return self.overlapped

    def feature_strengths(self) -> Sequence[FeatureStrength]:
        return self.strengths

    def missing_files(self) -> Sequence[str]:
        return self.absent

    def inspect_model_file(self) -> ModelFileInspection:
        return self.inspected

    def rescore(self) -> PredictionComparison:
        return self.compared

    def reproduce(self, *, seconds: int) -> PredictionComparison:
        self.asked.append(seconds)
        return self.compared

    def input_columns(self, version: Version) -> Mapping[str, InputColumn]:
        return self.columns.get(version.digest, {"dep_hour": NUMBERS, "carrier": CATEGORIES})

    def lock_digest(self) -> str | None:
        return self.locked

    def run_command(self, command: Sequence[str], settings: Mapping[str, Any], *, seconds: int) -> CommandAnswer:
        self.asked.append((command, settings, seconds))
        return self.answer

    def installed_gate(self, name: str) -> Callable[[Any, Mapping[str, Any]], Any]:
        self.asked.append(name)
        return self.function


FACTS = (
    "problem",
    "model",
    "candidate",
    "champion",
    "card",
    "check_integrity",
    "check_immutability",
    "check_datasets",
    "metric_value",
    "gain",
    "baseline_gain",
    "slice_gains",
    "slice_values",
    "group_measures",
    "calibration",
    "drift",
    "overlap",
    "feature_strengths",
    "at",
    "missing_files",
    "inspect_model_file",
    "rescore",
    "reproduce",
    "input_columns",
    "lock_digest",
    "run_command",
    "installed_gate",
)
"""Everything that a gate may ask evidence for."""


class Unavailable:
    """Sound evidence of which some facts are unavailable."""

    def __init__(self, *facts: str) -> None:
        self._facts = facts

    def __getattr__(self, name: str) -> Any:
        if name in self._facts:
            raise inconclusive(
                "data-missing", f"{name} cannot be fetched", why="the remote does not answer", fix="try again"
            )
        return getattr(Stub(), name)
