"""Evidence that says what a test wants, and evidence that cannot be had."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from mlgit.domain.cards import CardText
from mlgit.domain.gates.base import passed
from mlgit.domain.gates.card import SECTIONS
from mlgit.domain.gates.facts import Correction, PairedTest
from mlgit.domain.records import Model, Problem, Version
from mlgit.domain.records.version import Stored
from mlgit.errors import Finding, inconclusive
from mlgit.ml.calibration import Bin, Calibration
from mlgit.ml.drift import ColumnDrift, Drift
from mlgit.ml.fairness import GroupMeasure
from mlgit.ml.leakage import FeatureStrength, Overlap
from mlgit.ml.slices import SliceValue
from tests import samples

CALIBRATED = Calibration(ece=0.02, brier=0.16, rows=1200, bins=[Bin(rows=1200, score=0.42, rate=0.4)])
DRIFTED = Drift(
    columns=[ColumnDrift(column="dep_hour", psi=0.05, js=0.1, ks=0.06, bins=10, noise=0.01)],
    added=[],
    removed=[],
    retyped=[],
)
NO_OVERLAP = Overlap(rows=1200, shared=0, exact=True)
WRITTEN = CardText({heading.casefold(): "Words that say something." for heading in SECTIONS})


def whole(version: Version) -> Version:
    """Return a version that was registered with all that a record can name."""
    features = Stored(path="test.parquet", sha256=samples.sha(62), md5=f"{62:032x}", size=1062)
    return msgspec.structs.replace(
        version,
        evaluation=msgspec.structs.replace(version.evaluation, features=features),
        inputs=msgspec.structs.replace(version.inputs, environment=samples.sha(60)),
    )


@dataclass(frozen=True, kw_only=True)
class Gained:
    """A gain with an interval (see `gates.base.Gain`)."""

    value: float = 0.01
    low: float = 0.005
    high: float = 0.015
    candidate: float = 0.81
    champion: float = 0.8
    level: float = 0.95
    rows: int = 1200
    method: str = "paired bootstrap, percentile"
    resamples: int | None = 1000
    seed: int | None = 7
    p: float | None = None


@dataclass(frozen=True, kw_only=True)
class Part:
    """A slice (see `gates.base.SliceGain`)."""

    gain: Gained | None
    column: str = "carrier"
    value: str = "AA"
    rows: int = 500
    p: float | None = 1.0
    reason: str | None = None


@dataclass(frozen=True)
class Checked:
    """The check of a dataset (see `gates.base.DataReport`)."""

    rows: int
    violations: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Looked:
    """A look into a model file (see `gates.base.InspectedFile`)."""

    format: str | None = "skops"
    types: Sequence[str] = ()
    findings: Sequence[Finding] = ()


@dataclass(frozen=True, kw_only=True)
class Again:
    """Answers of a model file that was asked again (see `gates.base.Rescored`)."""

    rows: int = 1200
    distance: float = 1e-12
    differing: int = 0


@dataclass(frozen=True)
class Column:
    """A column that a version takes (see `gates.base.InputColumn`)."""

    type: str | None = "numbers"
    required: bool = True


@dataclass(frozen=True)
class Said:
    """What a command answered (see `gates.base.Said`)."""

    answer: Mapping[str, Any] | None = field(default_factory=lambda: {"outcome": "pass", "message": "none found"})
    why: str = ""


@dataclass(frozen=True, kw_only=True)
class Known:
    """Evidence that is at hand; sound unless a test says otherwise. Keeps what it was asked for."""

    problem: Problem = field(default_factory=samples.problem)
    model: Model = field(default_factory=samples.model)
    candidate: Version = field(default_factory=lambda: whole(samples.version(2, seed=2)))
    champion: Version | None = field(default_factory=samples.version)
    card: CardText = WRITTEN
    findings: Sequence[Finding] = ()
    history: Sequence[Finding] = ()
    reports: Mapping[str, Checked] = field(default_factory=lambda: {"flights": Checked(1200)})
    metrics: Mapping[str, float] = field(default_factory=lambda: {"roc_auc": 0.712})
    gained: Gained = Gained()
    parts: Sequence[Part] = (Part(gain=Gained()),)
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
    calibrated: Calibration = CALIBRATED
    drifted: Drift = DRIFTED
    overlapped: Overlap = NO_OVERLAP
    strengths: Sequence[FeatureStrength] = (FeatureStrength(feature="dep_hour", strength=0.62, measure="roc_auc"),)
    asked: list[Any] = field(default_factory=list)
    at: datetime = samples.NOW
    absent: Sequence[str] = ()
    looked: Looked = Looked()
    again: Again = Again()
    columns: Mapping[str, Mapping[str, Column]] = field(default_factory=dict)
    locked: str | None = samples.sha(60)
    said: Said = field(default_factory=Said)
    function: Callable[[Any, Mapping[str, Any]], Any] = lambda evidence, settings: passed("fast enough")

    def integrity(self) -> Sequence[Finding]:
        return self.findings

    def immutability(self) -> Sequence[Finding]:
        return self.history

    def datasets(self) -> Mapping[str, Checked]:
        return self.reports

    def measured(self, metric: str) -> float:
        self.asked.append(metric)
        return self.metrics[metric]

    def gain(self, metric: str, *, resamples: int, level: float, test: PairedTest) -> Gained:
        self.asked.append((metric, resamples, level, test))
        return self.gained

    def slice_gains(
        self, metric: str, *, min_rows: int, resamples: int, level: float, max_drop: float, correction: Correction
    ) -> Sequence[Part]:
        self.asked.append((metric, min_rows, resamples, level, max_drop, correction))
        return self.parts

    def slice_values(
        self, metric: str, columns: Sequence[str], *, min_rows: int, resamples: int, level: float | None
    ) -> Sequence[SliceValue]:
        self.asked.append((metric, columns, min_rows, resamples, level))
        return self.values

    def groups(self, measures: Sequence[str], columns: Sequence[str], *, min_rows: int) -> Sequence[GroupMeasure]:
        self.asked.append((measures, columns, min_rows))
        return self.grouped

    def calibration(self, *, bins: int) -> Calibration:
        self.asked.append(bins)
        return self.calibrated

    def drift(self) -> Drift:
        return self.drifted

    def overlap(self, training: Sequence[str]) -> Overlap:
        self.asked.append(training)
        return self.overlapped

    def feature_strengths(self) -> Sequence[FeatureStrength]:
        return self.strengths

    def missing(self) -> Sequence[str]:
        return self.absent

    def model_file(self) -> Looked:
        return self.looked

    def rescored(self) -> Again:
        return self.again

    def reproduced(self, *, seconds: int) -> Again:
        self.asked.append(seconds)
        return self.again

    def inputs(self, version: Version) -> Mapping[str, Column]:
        return self.columns.get(version.digest, {"dep_hour": Column(), "carrier": Column("categories")})

    def lock(self) -> str | None:
        return self.locked

    def run(self, command: Sequence[str], settings: Mapping[str, Any], *, seconds: int) -> Said:
        self.asked.append((command, settings, seconds))
        return self.said

    def installed(self, name: str) -> Callable[[Any, Mapping[str, Any]], Any]:
        self.asked.append(name)
        return self.function


FACTS = (
    "problem",
    "model",
    "candidate",
    "champion",
    "card",
    "integrity",
    "immutability",
    "datasets",
    "measured",
    "gain",
    "slice_gains",
    "slice_values",
    "groups",
    "calibration",
    "drift",
    "overlap",
    "feature_strengths",
    "at",
    "missing",
    "model_file",
    "rescored",
    "reproduced",
    "inputs",
    "lock",
    "run",
    "installed",
)
"""All that a gate may ask evidence for."""


class Without:
    """Sound evidence of which some facts cannot be had."""

    def __init__(self, *facts: str) -> None:
        self._facts = facts

    def __getattr__(self, name: str) -> Any:
        if name in self._facts:
            raise inconclusive(
                "data-missing", f"{name} cannot be fetched", why="the remote does not answer", fix="try again"
            )
        return getattr(Known(), name)
