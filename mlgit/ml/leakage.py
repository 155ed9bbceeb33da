"""Does the test tell what production will: were its rows trained on, and does a feature give the label away?"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy import stats

from mlgit.domain.metrics import Task
from mlgit.domain.records.problem import Label
from mlgit.domain.results import FeatureStrength, Overlap
from mlgit.ml.coltypes import to_timestamps
from mlgit.ml.columns import Array, InvalidPredictions

_HALVES = 2


def feature_strengths(
    features: pd.DataFrame, labels: "pd.Series[Any]", columns: Sequence[str], task: Task, positive: Label | None
) -> list[FeatureStrength]:
    """Return how well each feature alone tells the label, strongest first.

    For classes it is the area under the ROC curve; with more than two, that of each class against the rest, averaged by
    their rows. For values it is Spearman's rank correlation, without its sign. A missing number counts as the smallest and
    as the largest, and the better of the two is taken, for whether a value is there may itself give the label away. Texts
    are ranked by the mean label of the rows with the same text in the other half of the table (rows are halved by turns),
    so that names that occur once tell nothing.

    Args:
        features: the rows that the model was tested on (rows, columns).
        labels: their labels, in the same order (rows,).
        columns: features to look at; those that the table lacks are left out.
        task: what kind of answer was wanted.
        positive: the positive class of a binary task.

    Raises:
        BadPredictions: there are not as many labels as rows.
    """
    if len(features) != len(labels):
        raise InvalidPredictions(f"there are {len(features):,} rows of features and {len(labels):,} predictions")
    targets = _targets(labels, task, positive)
    measure: Literal["roc_auc", "rank correlation"] = "rank correlation" if task == "regression" else "roc_auc"
    found = [
        FeatureStrength(feature=name, strength=_strength(features[name], targets, measure), measure=measure)
        for name in columns
        if name in features.columns
    ]
    return sorted(found, key=lambda one: (-one.strength, one.feature))


def overlap(
    test: pd.DataFrame,
    datasets: Mapping[str, pd.DataFrame],
    keys: Sequence[str],
    *,
    training: Sequence[str],
    trained_on: int,
) -> Overlap:
    """Return how many test rows were trained on, as far as it can be told.

    With datasets of training rows alone, their keys tell it. Else, if all test rows come from a single dataset, counts may:
    where the rows trained on and the test rows together are more than it has, at least the excess is in both. That takes each
    row trained on for one row of the dataset, so nothing is said where more rows were trained on than it has.

    Args:
        test: the predictions, with the key columns.
        datasets: what the version was made from, by name.
        keys: columns that together name a row.
        training: names of the datasets of which every row is for training.
        trained_on: rows of the training table.

    Raises:
        BadPredictions: a table that `training` names, or the test, lacks a key column.
    """
    rows = len(test)
    if training:
        shared = _shared(test, pd.concat([_keys(datasets[name], keys, name) for name in training]), keys)
        return Overlap(rows=rows, shared=shared, exact=True)
    keyed = {name: table for name, table in datasets.items() if set(keys) <= set(table.columns)}
    sources = [name for name, table in keyed.items() if _shared(test, table, keys) == rows]
    if len(sources) != 1:
        reason = f"{', '.join(sources) or 'no dataset'} has all of the test rows, by {', '.join(keys)}"
        return Overlap(rows=rows, shared=None, exact=False, reason=reason)
    there = len(keyed[sources[0]].drop_duplicates(list(keys)))
    counts = f"{sources[0]} has {there:,} rows, {trained_on:,} were trained on and {rows:,} are tested on"
    if trained_on > there or trained_on + rows <= there:
        return Overlap(
            rows=rows, shared=None, exact=False, reason=f"only counts are kept of the rows trained on: {counts}"
        )
    return Overlap(rows=rows, shared=min(trained_on + rows - there, rows), exact=False, reason=counts)


def _shared(test: pd.DataFrame, training: pd.DataFrame, keys: Sequence[str]) -> int:
    """Return how many rows of a test table have a key that a training table has too.

    Keys are compared as texts, so that a file that keeps numbers as texts hides nothing.
    """
    trained = pd.MultiIndex.from_frame(_texts(training, keys))
    return int(pd.MultiIndex.from_frame(_texts(_keys(test, keys, "the test"), keys)).isin(trained).sum())


def _keys(table: pd.DataFrame, keys: Sequence[str], name: str) -> pd.DataFrame:
    lacking = [key for key in keys if key not in table.columns]
    if lacking:
        raise InvalidPredictions(f"{name} has no column {', '.join(lacking)}, by which rows are named")
    return table[list(keys)]


def _texts(table: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    # Whole numbers become floats as soon as one is missing; they are still whole numbers.
    return pd.DataFrame({key: table[key].convert_dtypes().astype(str) for key in keys})


def _targets(labels: "pd.Series[Any]", task: Task, positive: Label | None) -> list[tuple[float, Array]]:
    """Return what is to be told, each with its weight: the label itself, or for each class whether a row is of it."""
    if task == "regression":
        return [(1.0, labels.to_numpy(dtype=np.float64))]
    if task == "binary":
        return [(1.0, (labels == positive).to_numpy(dtype=np.float64))]
    return [
        (float((labels == one).mean()), (labels == one).to_numpy(dtype=np.float64)) for one in labels.dropna().unique()
    ]


def _strength(column: "pd.Series[Any]", targets: Sequence[tuple[float, Array]], measure: str) -> float:
    measured = _correlation if measure == "rank correlation" else _auc
    return float(
        sum(weight * max(measured(way, target) for way in _ways(column, target)) for weight, target in targets)
    )


def _ways(column: "pd.Series[Any]", target: Array) -> list[Array]:
    """Return the numbers that a feature can be ranked by."""
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        numbers = to_timestamps(column).to_numpy(dtype="datetime64[us]").astype(np.float64)
    elif pd.api.types.is_numeric_dtype(column.dtype):
        numbers = column.to_numpy(dtype=np.float64, na_value=np.nan)
    else:
        return [_by_other_half(column, target)]
    missing = column.isna().to_numpy()
    if not missing.any():
        return [numbers]
    return [np.where(missing, end, numbers) for end in (-np.inf, np.inf)]


def _by_other_half(column: "pd.Series[Any]", target: Array) -> Array:
    """Return for each row the mean target of the rows with its text in the half that it is not in; of all, if there is none."""
    codes = pd.factorize(column.astype(object).astype(str), use_na_sentinel=False)[0]
    half = np.arange(len(codes)) % _HALVES
    means = np.empty(len(codes))
    for one in range(_HALVES):
        other = half != one
        counts = np.bincount(codes[other], minlength=codes.max(initial=0) + 1)
        sums = np.bincount(codes[other], weights=target[other], minlength=len(counts))
        means[half == one] = np.where(counts > 0, sums / np.maximum(counts, 1), target.mean())[codes[half == one]]
    return means


def _auc(values: Array, truth: Array) -> float:
    """Return the area under the ROC curve whichever way the values go; one half where there is a single class."""
    positives = int(truth.sum())
    negatives = len(truth) - positives
    if not positives or not negatives:
        return 0.5
    ranks = stats.rankdata(values)
    area = (ranks[truth == 1].sum() - positives * (positives + 1) / 2) / (positives * negatives)
    return float(max(area, 1 - area))


def _correlation(values: Array, target: Array) -> float:
    """Return Spearman's rank correlation without its sign; 0 where either is the same in all rows."""
    one, other = stats.rankdata(values), stats.rankdata(target)
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return 0.0
    return float(abs(np.corrcoef(one, other)[0, 1]))
