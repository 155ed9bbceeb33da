"""Leakage: test rows that were used for training, and features that alone predict the label."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd

from mlgit.domain.metrics import Task
from mlgit.domain.records.problem import Label
from mlgit.domain.results import FeatureStrength, Overlap
from mlgit.ml.arrays import Array
from mlgit.ml.columns import InvalidPredictions
from mlgit.ml.ranks import midranks

_FOLDS = 2


def feature_strengths(
    features: pd.DataFrame, labels: "pd.Series[Any]", columns: Sequence[str], task: Task, positive: Label | None
) -> list[FeatureStrength]:
    """Return how well each feature alone predicts the label, strongest first.

    In classification it is the area under the ROC curve; with more than two classes, one-versus-rest, weighted by their
    rows. In regression it is the absolute value of Spearman's rank correlation. A missing number counts as the smallest
    and as the largest, and the better of the two is used, because whether a value is missing may itself predict the label.
    Texts are target-encoded with the other of two folds (rows alternate), so that texts that occur once predict nothing.

    Args:
        features: the test rows (rows, columns).
        labels: their labels, in the same order (rows,).
        columns: features to check; those that the table lacks are skipped.
        task: kind of task.
        positive: the positive class of a binary task.

    Raises:
        InvalidPredictions: there are not as many labels as rows.
    """
    if len(features) != len(labels):
        raise InvalidPredictions(f"there are {len(features):,} rows of features and {len(labels):,} predictions")
    targets = _targets(labels, task, positive)
    measure: Literal["roc_auc", "rank correlation"] = "rank correlation" if task == "regression" else "roc_auc"
    strengths = [
        FeatureStrength(feature=name, strength=_strength(features[name], targets, measure), measure=measure)
        for name in columns
        if name in features.columns
    ]
    return sorted(strengths, key=lambda feature: (-feature.strength, feature.feature))


def overlap(
    test: pd.DataFrame,
    datasets: Mapping[str, pd.DataFrame],
    keys: Sequence[str],
    *,
    training: Sequence[str],
    trained_on: int,
) -> Overlap:
    """Return how many test rows were used for training, as far as it can be known.

    With datasets that contain training rows only, it follows from their keys. Otherwise, if all test rows come from a
    single dataset, a lower bound may follow from counts: if the training rows and the test rows together are more than it
    has, the excess is in both. This assumes that each training row is one row of the dataset, so the result is unknown if
    there are more training rows than it has.

    Args:
        test: the predictions, with the key columns.
        datasets: datasets that the version was made from, by name.
        keys: columns that together identify a row.
        training: names of the datasets that contain training rows only.
        trained_on: number of rows of the training table.

    Raises:
        InvalidPredictions: a table that `training` names, or the test, lacks a key column.
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
    total = len(keyed[sources[0]].drop_duplicates(list(keys)))
    counts = f"{sources[0]} has {total:,} rows, {trained_on:,} were trained on and {rows:,} are tested on"
    if trained_on > total or trained_on + rows <= total:
        return Overlap(
            rows=rows, shared=None, exact=False, reason=f"only counts are kept of the rows trained on: {counts}"
        )
    return Overlap(rows=rows, shared=min(trained_on + rows - total, rows), exact=False, reason=counts)


def _shared(test: pd.DataFrame, training: pd.DataFrame, keys: Sequence[str]) -> int:
    """Return how many rows of a test table have a key that is in a training table too.

    Keys are compared as texts, so that a file that stores numbers as texts hides nothing.
    """
    trained = pd.MultiIndex.from_frame(_texts(training, keys))
    return int(pd.MultiIndex.from_frame(_texts(_keys(test, keys, "the test"), keys)).isin(trained).sum())


def _keys(table: pd.DataFrame, keys: Sequence[str], name: str) -> pd.DataFrame:
    lacking = [key for key in keys if key not in table.columns]
    if lacking:
        raise InvalidPredictions(f"{name} has no column {', '.join(lacking)}, which identifies rows")
    return table[list(keys)]


def _texts(table: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    # Integers become floats if one is missing; their text must stay the same.
    return pd.DataFrame({key: table[key].convert_dtypes().astype(str) for key in keys})


def _targets(labels: "pd.Series[Any]", task: Task, positive: Label | None) -> list[tuple[float, Array]]:
    """Return the targets with their weights: the label itself, or for each class whether a row belongs to it."""
    if task == "regression":
        return [(1.0, labels.to_numpy(dtype=np.float64))]
    if task == "binary":
        return [(1.0, (labels == positive).to_numpy(dtype=np.float64))]
    return [
        (float((labels == label).mean()), (labels == label).to_numpy(dtype=np.float64))
        for label in labels.dropna().unique()
    ]


def _strength(column: "pd.Series[Any]", targets: Sequence[tuple[float, Array]], measure: str) -> float:
    score = _correlation if measure == "rank correlation" else _auc
    return float(
        sum(weight * max(score(values, target) for values in _rankings(column, target)) for weight, target in targets)
    )


def _rankings(column: "pd.Series[Any]", target: Array) -> list[Array]:
    """Return the numbers by which a feature can be ranked."""
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        numbers = pd.to_datetime(column, utc=True).to_numpy(dtype="datetime64[us]").astype(np.float64)
    elif pd.api.types.is_numeric_dtype(column.dtype):
        numbers = column.to_numpy(dtype=np.float64, na_value=np.nan)
    else:
        return [_target_encoded(column, target)]
    missing = column.isna().to_numpy()
    if not missing.any():
        return [numbers]
    return [np.where(missing, end, numbers) for end in (-np.inf, np.inf)]


def _target_encoded(column: "pd.Series[Any]", target: Array) -> Array:
    """Return for each row the mean target of the rows with its text in the other fold; the overall mean if there are none."""
    codes = pd.factorize(column.astype(object).astype(str), use_na_sentinel=False)[0]
    fold_of = np.arange(len(codes)) % _FOLDS
    means = np.empty(len(codes))
    for fold in range(_FOLDS):
        other = fold_of != fold
        counts = np.bincount(codes[other], minlength=codes.max(initial=0) + 1)
        sums = np.bincount(codes[other], weights=target[other], minlength=len(counts))
        means[fold_of == fold] = np.where(counts > 0, sums / np.maximum(counts, 1), target.mean())[
            codes[fold_of == fold]
        ]
    return means


def _auc(values: Array, truth: Array) -> float:
    """Return the area under the ROC curve in the better direction; 0.5 where there is a single class."""
    positives = int(truth.sum())
    negatives = len(truth) - positives
    if not positives or not negatives:
        return 0.5
    ranks = midranks(values)
    area = (ranks[truth == 1].sum() - positives * (positives + 1) / 2) / (positives * negatives)
    return float(max(area, 1 - area))


def _correlation(values: Array, target: Array) -> float:
    """Return the absolute value of Spearman's rank correlation; 0 where either is constant."""
    ranks, target_ranks = midranks(values), midranks(target)
    if np.ptp(ranks) == 0 or np.ptp(target_ranks) == 0:
        return 0.0
    return float(abs(np.corrcoef(ranks, target_ranks)[0, 1]))
