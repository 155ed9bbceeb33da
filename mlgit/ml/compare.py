"""Paired comparison of the candidate with the champion on the same rows, with a bootstrap interval."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mlgit.domain.records.problem import Label
from mlgit.domain.results import Gain
from mlgit.ml.arrays import Array
from mlgit.ml.columns import InvalidPredictions, MetricInput
from mlgit.ml.draws import resample_weights, row_strata
from mlgit.ml.metrics import FUNCTIONS, UndefinedMetric, find_metric, read_input
from mlgit.ml.resample import resampler

_MAX_SHOWN = 3  # keys of differing rows in an error message


class MismatchedRows(ValueError):
    """Two predictions tables differ in their rows or labels; the message says in how many, with examples."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BootstrapGains:
    """The gain of the candidate over the champion, on all rows and on each resample.

    Attributes:
        metric: name of the metric.
        candidate: the candidate's value.
        champion: the champion's value.
        value: the gain on all rows; above zero is better.
        gains: the gain on each resample (resamples,).
        seed: seed of the resamples.
        rows: number of rows compared.
    """

    metric: str
    candidate: float
    champion: float
    value: float
    gains: Array
    seed: int
    rows: int

    def gain_at(self, level: float) -> Gain:
        """Return the gain with its percentile interval at a confidence level between 0 and 1."""
        low, high = np.quantile(self.gains, [(1 - level) / 2, (1 + level) / 2])
        return Gain(
            metric=self.metric,
            candidate=self.candidate,
            champion=self.champion,
            value=self.value,
            low=float(low),
            high=float(high),
            level=level,
            rows=self.rows,
            resamples=len(self.gains),
            seed=self.seed,
        )

    def p_value_of(self, gain: float) -> float:
        """Return the share of resamples with at least this gain: the one-sided p-value of "the gain is at least that".

        It is consistent with the percentile interval. A value of 0 means less than 1 / resamples.
        """
        return float(np.mean(self.gains >= gain))


def align(candidate: pd.DataFrame, champion: pd.DataFrame, keys: Sequence[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Sort both predictions tables by key, after checking that they have the same rows; return both.

    The order depends on the keys only, so that the result of a comparison does not depend on the order of the files.

    Args:
        candidate: predictions of the candidate.
        champion: predictions of the champion.
        keys: columns that together identify a row.

    Raises:
        MismatchedRows: a row is in only one table, or has another label there.
        InvalidPredictions: a key column or `label` is missing, or the keys are not unique.
    """
    keys = list(keys)
    for table, name in ((candidate, "candidate"), (champion, "champion")):
        _need_keys(table, name, keys)
    ordered = candidate.sort_values(keys, key=_sortable, kind="stable", ignore_index=True)
    left = ordered[keys].assign(_label=_plain(ordered["label"]))
    right = (
        champion[keys].reset_index(drop=True).assign(_other=_plain(champion["label"]), _position=range(len(champion)))
    )
    try:
        both = left.merge(right, on=keys, how="outer", indicator="_side", sort=False)
    except ValueError as error:
        raise MismatchedRows(f"the keys {', '.join(keys)} are of different types in the two tables") from error
    one_side = both["_side"] != "both"
    _refuse_differing(both[one_side | _differ(both["_label"], both["_other"])], keys, total=len(both))
    # All rows are on both sides, so an inner merge keeps the order of the left one.
    positions = ordered[keys].merge(right, on=keys, how="inner", sort=False)["_position"].to_numpy()
    return ordered, champion.iloc[positions].reset_index(drop=True)


def paired_bootstrap(
    metric: str,
    candidate: pd.DataFrame,
    champion: pd.DataFrame,
    positive: Label | None,
    *,
    resamples: int = 1000,
    seed: int,
    level: float = 0.95,
) -> Gain:
    """Return the gain of the candidate over the champion, with a percentile bootstrap interval.

    The bounds are plain quantiles of the resampled gains (neither BCa nor studentised); `method` says so.

    Each resample draws rows with replacement, the same for both; in classification it is stratified by label, so that
    every resample has as many rows of each label as the table. The draws depend on the seed only: they use the raw output
    of PCG64, which NumPy guarantees never to change, unlike the methods of its Generator.

    Source: Efron & Tibshirani (1993), "An Introduction to the Bootstrap", chapters 8 and 13.

    Args:
        metric: a name in METRICS.
        candidate: predictions of the candidate, from `align`.
        champion: predictions of the champion, from `align`.
        positive: the positive class of a binary task, else None.
        resamples: number of resamples.
        seed: any non-negative integer.
        level: confidence level, between 0 and 1.

    Raises:
        MismatchedRows: the tables differ in length, or in a label.
        UndefinedMetric: the metric is undefined on the table, or on a resample.
        InvalidPredictions: as for `measure`.
        ValueError: no such metric, or a setting outside its range.
    """
    _need_level(level)
    return resample_gains(metric, candidate, champion, positive, resamples=resamples, seed=seed).gain_at(level)


def resample_gains(
    metric: str, candidate: pd.DataFrame, champion: pd.DataFrame, positive: Label | None, *, resamples: int, seed: int
) -> BootstrapGains:
    """Return the gain on each resample, for intervals at any level; arguments and exceptions as for `paired_bootstrap`."""
    if not (resamples >= 1 and seed >= 0):
        raise ValueError(f"resamples {resamples} or seed {seed} is outside its range")
    definition = find_metric(metric)
    new, old = read_pair(metric, candidate, champion, positive)
    sign = 1 if definition.direction == "max" else -1
    values = FUNCTIONS[metric](new), FUNCTIONS[metric](old)
    strata = row_strata(definition, new)
    order = np.argsort(strata, kind="stable")
    evaluate_new, evaluate_old = resampler(metric, new.take(order)), resampler(metric, old.take(order))
    blocks = resample_weights(strata[order], resamples, seed)
    gains = np.concatenate([sign * (evaluate_new(block) - evaluate_old(block)) for block in blocks])
    _need_defined(metric, gains)
    return BootstrapGains(
        metric=metric,
        candidate=values[0],
        champion=values[1],
        value=sign * (values[0] - values[1]),
        gains=gains,
        seed=seed,
        rows=len(candidate),
    )


def bootstrap(
    metric: str,
    predictions: pd.DataFrame,
    positive: Label | None,
    *,
    resamples: int = 1000,
    seed: int,
    level: float = 0.95,
) -> tuple[float, float]:
    """Return both bounds of the percentile bootstrap interval of one model's metric.

    Resampling, arguments and exceptions are as for `paired_bootstrap`.
    """
    _need_level(level)
    definition, columns = find_metric(metric), read_input(metric, predictions, positive)
    strata = row_strata(definition, columns)
    order = np.argsort(strata, kind="stable")
    evaluate = resampler(metric, columns.take(order))
    values = np.concatenate([evaluate(block) for block in resample_weights(strata[order], resamples, seed)])
    _need_defined(metric, values)
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def read_pair(
    metric: str, candidate: pd.DataFrame, champion: pd.DataFrame, positive: Label | None
) -> tuple[MetricInput, MetricInput]:
    """Return what a metric reads from both tables, after checking that their labels are the same row by row.

    Raises:
        MismatchedRows: the tables differ in length, or in a label.
        InvalidPredictions, UndefinedMetric, ValueError: as for `read`.
    """
    pair = read_input(metric, candidate, positive), read_input(metric, champion, positive)
    # The labels themselves are compared, because each table has its own class codes.
    if len(candidate) != len(champion) or _differ(_plain(candidate["label"]), _plain(champion["label"])).any():
        raise MismatchedRows("the two tables are not the same row by row; they must be aligned first")
    return pair


def _need_level(level: float) -> None:
    if not 0 < level < 1:
        raise ValueError(f"level {level} is outside its range")


def _need_defined(metric: str, values: Array) -> None:
    undefined = int(np.isnan(values).sum())
    if undefined:
        raise UndefinedMetric(f"{metric} is undefined on {undefined:,} of {len(values):,} resamples")


def _need_keys(table: pd.DataFrame, name: str, keys: list[str]) -> None:
    lacking = [column for column in [*keys, "label"] if column not in table.columns]
    if not keys or lacking:
        raise InvalidPredictions(f"the predictions of the {name} lack {', '.join(lacking) or 'keys'}")
    not_unique = int((table[keys].isna().any(axis=1) | table.duplicated(keys)).sum())
    if not_unique:
        raise InvalidPredictions(f"in the predictions of the {name}, {not_unique:,} rows have no unique key")


def _sortable(column: "pd.Series[Any]") -> "pd.Series[Any]":
    return column if pd.api.types.is_numeric_dtype(column.dtype) else column.astype(str)


def _plain(column: "pd.Series[Any]") -> "pd.Series[Any]":
    return column.astype(object).where(column.notna(), None).reset_index(drop=True)


def _differ(left: "pd.Series[Any]", right: "pd.Series[Any]") -> "pd.Series[bool]":
    return (left != right) & ~(left.isna() & right.isna())


def _refuse_differing(rows: pd.DataFrame, keys: list[str], *, total: int) -> None:
    if rows.empty:
        return
    counts = rows["_side"].value_counts()
    shown = ["/".join(f"{key}={row[key]}" for key in keys) for row in rows.head(_MAX_SHOWN).to_dict("records")]
    raise MismatchedRows(
        f"{len(rows):,} of {total:,} rows differ ({counts['left_only']:,} only of the candidate, "
        f"{counts['right_only']:,} only of the champion, {counts['both']:,} with another label), "
        f"such as {', '.join(shown)}"
    )
