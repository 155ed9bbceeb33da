"""Metrics and gains on slices: the rows where a column has one value."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np
import pandas as pd

from mlgit.domain.records.problem import Label
from mlgit.domain.results import Correction, SliceGain, SliceValue
from mlgit.ml.arrays import Array
from mlgit.ml.columns import InvalidPredictions
from mlgit.ml.compare import BootstrapGains, MismatchedRows, bootstrap, resample_gains
from mlgit.ml.correction import bonferroni_level, holm
from mlgit.ml.metrics import UndefinedMetric, find_metric, measure

MIN_ROWS = 200
MIN_PER_CLASS = 30
MISSING = "(missing)"

_MAX_VALUES = 20  # a numeric column with more distinct values is split at its quartiles
_MAX_NAME_LENGTH = 200  # characters of a slice's name


def slice_values(
    predictions: pd.DataFrame,
    metric: str,
    columns: Sequence[str],
    positive: Label | None,
    *,
    min_rows: int = MIN_ROWS,
    min_per_class: int = MIN_PER_CLASS,
    level: float | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> list[SliceValue]:
    """Return a metric for each value of each column, in the order of the columns, then of the values.

    Args:
        predictions: a predictions table with these columns.
        metric: a name in METRICS.
        columns: columns to slice by. Numbers with more than 20 distinct values are split at their quartiles; rows without
            a value are a separate slice.
        positive: the positive class of a binary task, else None.
        min_rows: smaller slices are listed without a metric.
        min_per_class: binary slices with fewer rows of either class are listed without a metric.
        level: confidence level of the interval on each slice; None for no intervals.
        resamples: number of bootstrap resamples of an interval.
        seed: seed of the resamples.

    Raises:
        InvalidPredictions: a column is missing, or as for `measure`.
    """
    result = []
    for column, value, rows in iter_slices(predictions, columns):
        part = predictions.iloc[rows]
        reason = why_too_small(part, metric, positive, min_rows, min_per_class)
        metric_value = low = high = None
        if reason is None:
            try:
                metric_value = measure(metric, part, positive)
                if level is not None:
                    low, high = bootstrap(metric, part, positive, resamples=resamples, seed=seed, level=level)
            except UndefinedMetric as undefined:
                metric_value, reason = None, str(undefined)
        result.append(
            SliceValue(
                column=column, value=value, rows=len(rows), metric=metric_value, reason=reason, low=low, high=high
            )
        )
    return result


def slice_gains(
    metric: str,
    candidate: pd.DataFrame,
    champion: pd.DataFrame,
    columns: Sequence[str],
    positive: Label | None,
    *,
    min_rows: int = MIN_ROWS,
    min_per_class: int = MIN_PER_CLASS,
    resamples: int = 1000,
    seed: int,
    level: float = 0.95,
    max_drop: float = 0.0,
    correction: Correction = "none",
) -> list[SliceGain]:
    """Return the paired gain for each value of each column; arguments as for `slice_values` and `paired_bootstrap`.

    Slices are those of the candidate's table. If the champion's table has the column too, it must have the same values, so
    that a candidate cannot choose its own slices.

    The p of a slice is for the null hypothesis that the candidate is not worse by more than `max_drop`. `correction` is for
    the number of slices that have a gain: `bonferroni` widens every interval and multiplies every p; `holm` adjusts p
    only, because it is a step-down procedure without intervals.

    Raises:
        MismatchedRows: as for `paired_bootstrap`, or the tables disagree in a slice column.
        InvalidPredictions: a column is missing, or as for `measure`.
    """
    for column in columns:
        if column in candidate.columns and column in champion.columns:
            differing = int((_texts(candidate[column]) != _texts(champion[column])).sum())
            if differing:
                raise MismatchedRows(f"{differing:,} rows have another {column!r} in the two tables")
    parts: list[tuple[SliceGain, BootstrapGains | None]] = []
    for column, value, rows in iter_slices(candidate, columns):
        part = candidate.iloc[rows]
        reason = why_too_small(part, metric, positive, min_rows, min_per_class)
        gains = None
        if reason is None:
            try:
                gains = resample_gains(metric, part, champion.iloc[rows], positive, resamples=resamples, seed=seed)
            except UndefinedMetric as undefined:
                reason = str(undefined)
        parts.append((SliceGain(column=column, value=value, rows=len(rows), reason=reason), gains))
    return _corrected(parts, level, max_drop, correction)


def _corrected(
    parts: Sequence[tuple[SliceGain, BootstrapGains | None]], level: float, max_drop: float, correction: Correction
) -> list[SliceGain]:
    """Fill in gain and corrected p of the slices that have enough rows."""
    uncorrected = [gains.p_value_of(-max_drop) for _, gains in parts if gains is not None]
    if correction == "bonferroni" and uncorrected:
        level = bonferroni_level(level, len(uncorrected))
    adjusted = {
        "none": uncorrected,
        "bonferroni": [min(1.0, p * len(uncorrected)) for p in uncorrected],
        "holm": holm(uncorrected),
    }[correction]
    p_values = iter(adjusted)
    return [
        part if gains is None else msgspec.structs.replace(part, gain=gains.gain_at(level), p=next(p_values))
        for part, gains in parts
    ]


def iter_slices(table: pd.DataFrame, columns: Sequence[str]) -> Iterator[tuple[str, str, Array]]:
    """Yield column, value and row positions of each slice.

    Raises:
        InvalidPredictions: a column is missing.
    """
    for column in columns:
        if column not in table.columns:
            raise InvalidPredictions(f"there is no column {column!r} to slice by")
        codes, values = _split(table[column])
        order = np.argsort(codes, kind="stable")
        bounds = np.searchsorted(codes[order], np.arange(len(values) + 1))
        for value, (start, end) in zip(values, pairwise(bounds), strict=True):
            yield column, value[:_MAX_NAME_LENGTH], order[start:end]


def _split(column: "pd.Series[Any]") -> tuple[Array, list[str]]:
    """Return the index of the slice of each row (rows,), and the names of the slices."""
    if pd.api.types.is_numeric_dtype(column.dtype) and column.nunique() > _MAX_VALUES:
        numbers = column.to_numpy(dtype=np.float64, na_value=np.nan)
        present = numbers[np.isfinite(numbers)]
        edges = np.unique(np.quantile(present, [0.25, 0.5, 0.75], method="inverted_cdf")).tolist()
        names = [f"up to {edges[0]:.12g}"]
        names += [f"over {low:.12g}, up to {high:.12g}" for low, high in pairwise(edges)]
        names += [f"over {edges[-1]:.12g}", MISSING]
        codes = np.where(np.isnan(numbers), len(names) - 1, np.searchsorted(edges, numbers, side="left"))
        used = np.unique(codes)
        return np.searchsorted(used, codes), [names[code] for code in used]
    codes, values = pd.factorize(_texts(column), sort=True)
    return np.asarray(codes), [str(value) for value in values]


def _texts(column: "pd.Series[Any]") -> Array:
    """Return each value as text, independent of the type that a file gave the column."""
    if pd.api.types.is_float_dtype(column.dtype):
        whole = column.dropna()
        # Integers become floats if one is missing; their text must stay the same.
        if np.isfinite(whole).all() and (whole == whole.round()).all():
            column = column.astype("Int64")
    return column.astype(object).where(column.notna(), MISSING).astype(str).to_numpy(dtype=object)


def why_too_small(
    part: pd.DataFrame, metric: str, positive: Label | None, min_rows: int, min_per_class: int
) -> str | None:
    """Return why a slice is too small for a metric, or None; arguments as for `slice_values`."""
    if len(part) < min_rows:
        return f"{len(part):,} rows, {min_rows:,} needed"
    if positive is not None and find_metric(metric).reads != "value" and "label" in part.columns:
        positives = int((part["label"] == positive).sum())
        for count, name in ((positives, "the positive class"), (len(part) - positives, "the other class")):
            if count < min_per_class:
                return f"{count:,} rows of {name}, {min_per_class:,} needed"
    return None
