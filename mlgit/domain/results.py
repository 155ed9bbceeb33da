"""Results of statistics and checks: `ml` and `ops` return them, gates are evaluated on them. Each is defined here once."""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from mlgit.domain.records.version import ModelFormat
from mlgit.errors import Finding

PairedTest = Literal["bootstrap", "delong", "mcnemar"]
Correction = Literal["none", "bonferroni", "holm"]
ContractRule = Literal[
    "column-missing",
    "column-extra",
    "too-few-rows",
    "too-many-rows",
    "stale",
    "duplicate",
    "null",
    "type",
    "range",
    "not-allowed",
    "pattern",
]


# Comparison of a candidate with the champion


class Gain(msgspec.Struct, frozen=True, kw_only=True):
    """How much better the candidate is than the champion on the same rows, with a confidence interval.

    Attributes:
        metric: name of the metric.
        candidate: the candidate's value.
        champion: the champion's value.
        value: the gain, in units of the metric; above zero is better, whichever direction the metric has.
        low: lower end of the confidence interval of the gain.
        high: upper end.
        level: confidence level, between 0 and 1.
        rows: number of rows compared.
        method: name of the test.
        resamples: number of bootstrap resamples; None for a test without resampling.
        seed: seed of the resamples; None for a test without resampling.
        p: two-sided p-value of "no difference"; None for the bootstrap, which decides by its interval.
    """

    metric: str
    candidate: float
    champion: float
    value: float
    low: float
    high: float
    level: float
    rows: int
    method: str = "paired bootstrap, percentile"
    resamples: int | None = None
    seed: int | None = None
    p: float | None = None


class SliceValue(msgspec.Struct, frozen=True, kw_only=True):
    """A metric on the rows where a column has one value (or lies in one quarter).

    Attributes:
        column: name of the column.
        value: its value, as text.
        rows: number of rows of the slice.
        metric: the metric of the slice; None where it has too few rows.
        reason: why `metric` is None.
        low: lower end of the bootstrap interval, if one was requested.
        high: upper end.
    """

    column: str
    value: str
    rows: int
    metric: float | None = None
    reason: str | None = None
    low: float | None = None
    high: float | None = None


class SliceGain(msgspec.Struct, frozen=True, kw_only=True):
    """The gain of the candidate over the champion on one slice; fields as for `SliceValue`.

    Attributes:
        p: one-sided p-value of "not worse by more than the accepted drop": the share of resamples in which that holds,
            corrected for the number of slices as requested. Harm is likely where it is small. None without a gain.
    """

    column: str
    value: str
    rows: int
    gain: Gain | None = None
    reason: str | None = None
    p: float | None = None


# Properties of one version's predictions


class GroupMeasure(msgspec.Struct, frozen=True, kw_only=True):
    """Rates or metrics of one group: the rows where a column has one value (or lies in one quarter).

    Attributes:
        column: name of the column.
        value: its value, as text.
        rows: number of rows of the group.
        measures: rates or metrics by name; empty where the group has too few rows.
        reason: why `measures` is empty.
    """

    column: str
    value: str
    rows: int
    measures: dict[str, float] = {}
    reason: str | None = None


class CalibrationBin(msgspec.Struct, frozen=True, kw_only=True):
    """Rows with scores in one range.

    Attributes:
        rows: number of rows.
        score: their mean score.
        rate: share of them that is of the positive class.
    """

    rows: int
    score: float
    rate: float


class CalibrationErrors(msgspec.Struct, frozen=True, kw_only=True):
    """How far scores are from the observed rates of the positive class.

    Attributes:
        ece: expected calibration error, 0 to 1: mean distance of a bin's score from its rate, weighted by rows.
        brier: Brier score, 0 to 1: mean squared difference of score and truth.
        rows: number of rows.
        bins: the bins, by ascending score; fewer than requested where many rows share a score.
    """

    ece: float
    brier: float
    rows: int
    bins: list[CalibrationBin]


class PredictionComparison(msgspec.Struct, frozen=True, kw_only=True):
    """Recomputed predictions against the stored ones, row by row.

    Attributes:
        rows: number of stored predictions.
        max_error: largest |new - stored| / (1 + |stored|), where predictions are numbers.
        mismatches: number of rows with another label, where predictions are labels; where the tables differ in length,
            by how many rows.
    """

    rows: int
    max_error: float = 0.0
    mismatches: int = 0


# Training data


class ColumnDrift(msgspec.Struct, frozen=True, kw_only=True):
    """How far the distribution of a column differs between two tables.

    Attributes:
        column: name of the column.
        psi: population stability index, from 0.
        js: Jensen-Shannon distance, 0 to 1.
        ks: Kolmogorov-Smirnov statistic, 0 to 1; None for a categorical column.
        bins: number of bins that psi and js are summed over; missing values are one of them.
        noise: psi expected between two samples of these sizes without drift.
    """

    column: str
    psi: float
    js: float
    ks: float | None
    bins: int
    noise: float


class Drift(msgspec.Struct, frozen=True, kw_only=True):
    """How far two tables differ.

    Attributes:
        columns: each column that both tables have with the same kind of values, by name.
        added: columns that only the newer table has.
        removed: columns that only the reference has.
        retyped: columns that are numeric in one table, and categorical or times in the other.
    """

    columns: list[ColumnDrift]
    added: list[str]
    removed: list[str]
    retyped: list[str]


class Overlap(msgspec.Struct, frozen=True, kw_only=True):
    """How many test rows were used for training.

    Attributes:
        rows: number of test rows.
        shared: how many of them were used for training; None if unknown.
        exact: whether `shared` is exact; otherwise it is a lower bound.
        reason: what a lower bound follows from, or why the number is unknown; empty where keys were compared.
    """

    rows: int
    shared: int | None
    exact: bool
    reason: str = ""


class FeatureStrength(msgspec.Struct, frozen=True, kw_only=True):
    """How well one feature alone predicts the label.

    Attributes:
        feature: name of the feature.
        strength: 0 to 1; 1 predicts it perfectly.
        measure: `roc_auc` (0.5 is chance; the direction of the feature does not matter) or `rank correlation`.
    """

    feature: str
    strength: float
    measure: Literal["roc_auc", "rank correlation"]


class ContractViolation(msgspec.Struct, frozen=True, kw_only=True):
    """One way in which a table breaks its contract.

    Attributes:
        rule: the rule that is broken.
        column: name of the column; None for a rule about the whole table.
        count: number of rows that break it.
        rows: rows of the table.
        examples: up to three different values that break it, as text.
        message: the fact in words.
    """

    rule: ContractRule
    column: str | None
    count: int
    rows: int
    examples: list[str]
    message: str


class DatasetCheck(msgspec.Struct, frozen=True):
    """Rows of a dataset, and in words what in it breaks its contract."""

    rows: int
    violations: list[str] = []


# Files of a version, and a team's own commands


class ModelFileInspection(msgspec.Struct, frozen=True, kw_only=True):
    """Content of a model file, found without loading it.

    Attributes:
        format: format of the file; None where it could not be inspected.
        types: types in it beyond those that are always trusted, by dotted name.
        findings: reasons not to load it.
    """

    format: ModelFormat | None
    types: list[str] = []
    findings: list[Finding] = []


class InputColumn(msgspec.Struct, frozen=True):
    """An input column of a version, as the profile of its training table describes it.

    Attributes:
        type: `numbers`, `times` or `categories`; None where the profile lacks the column.
        required: whether every training row had a value.
    """

    type: str | None
    required: bool


class CommandAnswer(msgspec.Struct, frozen=True):
    """Answer of a team's own gate command: a mapping, or None and what went wrong."""

    answer: Mapping[str, Any] | None
    error: str = ""
