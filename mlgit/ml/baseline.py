"""What a simple method without learning answers for the test rows of a model, to compare both on the same rows."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from mlgit.domain.records.problem import Baseline, Label
from mlgit.ml.arrays import Array
from mlgit.ml.columns import InvalidPredictions
from mlgit.ml.metrics import UndefinedMetric, find_metric, measure


def baseline_answers(
    metric: str,
    predictions: pd.DataFrame,
    baseline: Baseline,
    positive: Label | None,
    column: "pd.Series[Any] | None" = None,
) -> pd.DataFrame:
    """Return a predictions table with the answers of a baseline, row by row as in the predictions of a model.

    Without a column, every row gets the same answer: the best constant for these very rows, so that no constant fitted on other
    rows can do better.

    Args:
        metric: a name in METRICS.
        predictions: predictions of the model, with its labels.
        baseline: the baseline.
        positive: the positive class of a binary task, else None.
        column: values of the column that the baseline names, one for each row; None for a constant.

    Raises:
        InvalidPredictions: the column has missing values or the wrong type, or other rows than the predictions.
        UndefinedMetric: no constant has a defined value of the metric.
        ValueError: there is no such metric.
    """
    label = predictions["label"]
    reads = find_metric(metric).reads
    answers = pd.DataFrame({"label": label})
    if column is None:
        name = "score" if reads == "score" else "prediction"
        return answers.assign(**{name: _best_constant(metric, label, positive)})
    if len(column) != len(label):
        raise InvalidPredictions(f"column {baseline.column!r} has {len(column):,} rows, the predictions {len(label):,}")
    values = column.reset_index(drop=True).set_axis(label.index)
    if baseline.threshold is None:
        if reads != "score":
            return answers.assign(prediction=values)
        return answers.assign(score=-_numbers(baseline, values) if baseline.descending else values)
    if positive is None:
        raise InvalidPredictions("a threshold decides between two classes, and the task is not binary")
    numbers = _numbers(baseline, values)
    chosen = numbers <= baseline.threshold if baseline.descending else numbers >= baseline.threshold
    if reads == "score":
        return answers.assign(score=chosen.astype(np.float64))
    return answers.assign(prediction=[positive if hit else _other(label, positive) for hit in chosen])


def _numbers(baseline: Baseline, values: "pd.Series[Any]") -> Array:
    if not pd.api.types.is_numeric_dtype(values.dtype) or values.isna().any():
        raise InvalidPredictions(f"column {baseline.column!r} must hold numbers, without missing values")
    return values.to_numpy(dtype=np.float64)


def _best_constant(metric: str, label: "pd.Series[Any]", positive: Label | None) -> Any:
    """Return the constant answer with the best value of a metric; a constant score is the share of the positive class.

    The share minimises the logarithmic loss and the Brier score, the mean the squared error and the median the absolute one; a
    relative error is minimised by a median with weights of 1 / |label|. For the other metrics each class is tried.

    Source: Gneiting (2011), "Making and evaluating point forecasts", table 1 and theorem 5.
    """
    reads = find_metric(metric).reads
    if reads == "score":
        return float((label == positive).mean())
    if reads == "value":
        values = label.to_numpy(dtype=np.float64)
        return float(_CONSTANTS.get(metric, np.mean)(values))
    candidates = list(label.unique()) + ([] if positive is None else [positive])
    return _best(metric, label, candidates, positive)


def _best(metric: str, label: "pd.Series[Any]", candidates: Sequence[Any], positive: Label | None) -> Any:
    sign = 1 if find_metric(metric).direction == "max" else -1
    best, best_value, reason = None, -np.inf, "there are no rows"
    for answer in candidates:
        try:
            value = sign * measure(metric, pd.DataFrame({"label": label, "prediction": answer}), positive)
        except UndefinedMetric as undefined:
            reason = str(undefined)
            continue
        if value > best_value:
            best, best_value = answer, value
    if best_value == -np.inf:
        raise UndefinedMetric(f"no constant has a value of {metric}: {reason}")
    return best


def _relative_median(values: Array) -> float:
    order = np.argsort(values, kind="stable")
    weights = 1 / np.maximum(np.abs(values[order]), np.finfo(np.float64).eps)
    running = np.cumsum(weights)
    return float(values[order][np.searchsorted(running, running[-1] / 2)])


def _other(label: "pd.Series[Any]", positive: Label) -> Any:
    """Return the negative class; if no row has it, a text or number that no class is."""
    others = [value for value in label.unique().tolist() if value != positive]
    if others:
        return others[0]
    return "" if isinstance(positive, str) else -1


_CONSTANTS: dict[str, Callable[[Array], Any]] = {"mae": np.median, "mape": _relative_median}
