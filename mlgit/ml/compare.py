"""Is the candidate better than the champion on the same rows, and how sure is that?"""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import numpy as np
import pandas as pd

from mlgit.ml.columns import Array, BadPredictions, Label
from mlgit.ml.metrics import Undefined, find, read
from mlgit.ml.resample import resampler

_BLOCK = 2**18  # weights held at a time: 2 MB, so that memory is bounded and a block stays in the processor's cache
_SHOWN = 3  # keys of differing rows that an error names


class NotSameRows(ValueError):
    """Two predictions tables differ in their rows or labels; the text says in how many and shows a few."""


class Gain(msgspec.Struct, frozen=True, kw_only=True):
    """How much better the candidate is than the champion, with a confidence interval.

    Attributes:
        metric: what was measured.
        candidate: its value for the candidate.
        champion: its value for the champion.
        value: the gain, in units of the metric; above zero is better, whichever way the metric goes.
        low: lower end of the interval of the gain.
        high: upper end.
        level: share of such intervals that hold the true gain, above 0 and below 1.
        resamples: number of bootstrap resamples.
        seed: what they were drawn with.
        rows: number of rows compared.
        method: how the interval was made.
    """

    metric: str
    candidate: float
    champion: float
    value: float
    low: float
    high: float
    level: float
    resamples: int
    seed: int
    rows: int
    method: str = "paired bootstrap, percentile"


def align(candidate: pd.DataFrame, champion: pd.DataFrame, keys: Sequence[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return both predictions tables with their rows in one order, by key, after proving that they cover the same rows.

    The order depends on the keys alone, so that the result of a comparison does not depend on the order of the files.

    Args:
        candidate: predictions of the candidate.
        champion: predictions of the champion.
        keys: columns that together name a row.

    Raises:
        NotSameRows: a row is in only one table, or has another label there.
        BadPredictions: a key column or `label` is missing, or the keys do not name each row once.
    """
    keys = list(keys)
    for table, name in ((candidate, "candidate"), (champion, "champion")):
        _need_keys(table, name, keys)
    ordered = candidate.sort_values(keys, key=_sortable, kind="stable", ignore_index=True)
    left = ordered[keys].assign(_label=_plain(ordered["label"]))
    right = champion[keys].reset_index(drop=True).assign(_other=_plain(champion["label"]), _place=range(len(champion)))
    try:
        both = left.merge(right, on=keys, how="outer", indicator="_side", sort=False)
    except ValueError as error:
        raise NotSameRows(f"the keys {', '.join(keys)} are of different types in the two tables") from error
    one_side = both["_side"] != "both"
    _refuse_differing(both[one_side | _differ(both["_label"], both["_other"])], keys, total=len(both))
    # All rows are on both sides, so an inner merge keeps the order of the left one.
    places = ordered[keys].merge(right, on=keys, how="inner", sort=False)["_place"].to_numpy()
    return ordered, champion.iloc[places].reset_index(drop=True)


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

    Each resample draws rows with replacement, the same ones for both; classification draws within each label, so that
    every resample has as many rows of each label as the table. The draws follow from the seed alone: they are made from
    the raw output of PCG64, which NumPy keeps the same for ever, unlike the methods of its Generator.

    Source: Efron & Tibshirani (1993), "An Introduction to the Bootstrap", chapters 8 and 13.

    Args:
        metric: a name in METRICS.
        candidate: predictions of the candidate, from `align`.
        champion: predictions of the champion, from `align`.
        positive: the positive class of a binary task, else None.
        resamples: how many resamples to draw.
        seed: any integer from 0.
        level: confidence level, between 0 and 1.

    Raises:
        NotSameRows: the tables differ in length, or in a label.
        Undefined: the metric is undefined on the table, or on a resample.
        BadPredictions: as for `measure`.
        ValueError: no such metric, or a setting outside its range.
    """
    if not (0 < level < 1 and resamples >= 1 and seed >= 0):
        raise ValueError(f"level {level}, resamples {resamples} or seed {seed} is outside its range")
    definition = find(metric)
    new, old = read(metric, candidate, positive), read(metric, champion, positive)
    # Labels themselves are compared: class codes number each table's own classes.
    if len(candidate) != len(champion) or _differ(_plain(candidate["label"]), _plain(champion["label"])).any():
        raise NotSameRows("the two tables are not the same row by row; they must be aligned first")
    sign = 1 if definition.direction == "max" else -1
    values = definition.function(new), definition.function(old)

    strata = np.zeros(len(new.truth), dtype=np.int64) if definition.reads == "value" else new.truth.astype(np.int64)
    order = np.argsort(strata, kind="stable")
    evaluate_new, evaluate_old = resampler(metric, new.take(order)), resampler(metric, old.take(order))
    blocks = _weights(strata[order], resamples, seed)
    gains = np.concatenate([sign * (evaluate_new(block) - evaluate_old(block)) for block in blocks])
    undefined = int(np.isnan(gains).sum())
    if undefined:
        raise Undefined(f"{metric} is undefined on {undefined:,} of {resamples:,} resamples")
    low, high = np.quantile(gains, [(1 - level) / 2, (1 + level) / 2])
    return Gain(
        metric=metric,
        candidate=values[0],
        champion=values[1],
        value=sign * (values[0] - values[1]),
        low=float(low),
        high=float(high),
        level=level,
        resamples=resamples,
        seed=seed,
        rows=len(candidate),
    )


def _weights(strata: Array, resamples: int, seed: int) -> Iterator[Array]:
    """Yield blocks (some resamples, rows) of how often each row was drawn; rows are ordered by stratum.

    A row is drawn for each row, out of the rows of its stratum: 32 random bits times the size of the stratum, without
    the lower 32 bits of the product. Source: Lemire (2019), "Fast random integer generation in an interval", without
    the rejection: chances of two rows differ by no more than the share size / 2**32.
    """
    rows = len(strata)
    _, first, inverse, counts = np.unique(strata, return_index=True, return_inverse=True, return_counts=True)
    start, size = first[inverse].astype(np.int64), counts[inverse].astype(np.uint64)
    source = np.random.PCG64(seed)
    per_block = max(1, _BLOCK // rows)
    for done in range(0, resamples, per_block):
        block = np.empty((min(per_block, resamples - done), rows), dtype=np.int64)
        for weights in block:
            # The bits are used in the same order whatever the block size: a resample takes whole 64-bit words.
            words: Array = np.asarray(source.random_raw((rows + 1) // 2), dtype="<u8")
            bits = words.view("<u4")[:rows].astype(np.uint64)
            drawn = (bits * size >> np.uint64(32)).astype(np.int64) + start
            weights[:] = np.bincount(drawn, minlength=rows)
        yield block


def _need_keys(table: pd.DataFrame, name: str, keys: list[str]) -> None:
    lacking = [column for column in [*keys, "label"] if column not in table.columns]
    if not keys or lacking:
        raise BadPredictions(f"the predictions of the {name} lack {', '.join(lacking) or 'keys'}")
    unnamed = int((table[keys].isna().any(axis=1) | table.duplicated(keys)).sum())
    if unnamed:
        raise BadPredictions(f"in the predictions of the {name}, {unnamed:,} rows have no key of their own")


def _sortable(column: "pd.Series[Any]") -> "pd.Series[Any]":
    return column if pd.api.types.is_numeric_dtype(column.dtype) else column.astype(str)


def _plain(column: "pd.Series[Any]") -> "pd.Series[Any]":
    return column.astype(object).where(column.notna(), None).reset_index(drop=True)


def _differ(one: "pd.Series[Any]", other: "pd.Series[Any]") -> "pd.Series[bool]":
    return (one != other) & ~(one.isna() & other.isna())


def _refuse_differing(rows: pd.DataFrame, keys: list[str], *, total: int) -> None:
    if rows.empty:
        return
    counts = rows["_side"].value_counts()
    shown = ["/".join(f"{key}={row[key]}" for key in keys) for row in rows.head(_SHOWN).to_dict("records")]
    raise NotSameRows(
        f"{len(rows):,} of {total:,} rows differ ({counts['left_only']:,} only of the candidate, "
        f"{counts['right_only']:,} only of the champion, {counts['both']:,} with another label), "
        f"such as {', '.join(shown)}"
    )
