"""Metrics of a predictions table: how each is computed, and where it is undefined.

The numbers are scikit-learn's, to 1e-12; see its user guide, "Metrics and scoring", for the formulas. They are computed with
NumPy, because to import scikit-learn takes longer than to judge a promotion.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

from mlgit.domain.metrics import METRICS, Metric, Task
from mlgit.domain.records.problem import Label
from mlgit.ml.arrays import Array
from mlgit.ml.columns import (
    CLASS_SCORE,
    InvalidPredictions,
    MetricInput,
    read_class_scores,
    read_classes,
    read_scores,
    read_values,
)


class UndefinedMetric(ValueError):
    """A metric is undefined on these rows; the message says why."""


def measure(metric: str, predictions: pd.DataFrame, positive: Label | None) -> float:
    """Return one metric of a predictions table.

    Args:
        metric: a name in METRICS.
        predictions: one row for each prediction.
        positive: the positive class of a binary task, else None. Metrics that end in `_macro` are plain means over the
            classes that occur, those that end in `_weighted` are weighted by the rows of each class; a class that was never
            predicted has precision 0.

    Raises:
        UndefinedMetric: the metric is undefined on these rows.
        InvalidPredictions: a column is missing, has missing or infinite values, or has the wrong type.
        ValueError: there is no such metric.
    """
    columns = read_input(metric, predictions, positive)
    return FUNCTIONS[metric](columns)


def measure_all(predictions: pd.DataFrame, task: Task, positive: Label | None) -> dict[str, float]:
    """Return by name every metric of the task that is defined on these rows.

    Args:
        predictions: one row for each prediction.
        task: kind of task.
        positive: the positive class; only read for binary tasks.

    Raises:
        UndefinedMetric: no metric of the task is defined, for example because there are no rows.
        InvalidPredictions: as for `measure`.
    """
    values: dict[str, float] = {}
    reason = ""
    for name, metric in METRICS.items():
        if task in metric.tasks:
            try:
                values[name] = measure(name, predictions, positive if task == "binary" else None)
            except UndefinedMetric as undefined:
                reason = str(undefined)
    if not values:
        raise UndefinedMetric(f"no {task} metric is defined: {reason}")
    return values


def find_metric(metric: str) -> Metric:
    """Return the metric of this name.

    Raises:
        ValueError: there is none; the message lists the known ones.
    """
    if metric not in METRICS:
        raise ValueError(f"there is no metric {metric!r}; there are {', '.join(sorted(METRICS))}")
    return METRICS[metric]


def read_input(metric: str, predictions: pd.DataFrame, positive: Label | None) -> MetricInput:
    """Return the columns that a metric reads, checked; arguments and exceptions as for `measure`."""
    reads = find_metric(metric).reads
    if predictions.empty:
        raise UndefinedMetric("there are no rows")
    if reads == "value":
        return read_values(predictions)
    if reads == "class":
        return read_classes(predictions, positive)
    if positive is None and metric == "log_loss":
        if not any(str(name).startswith(CLASS_SCORE) for name in predictions.columns):
            raise UndefinedMetric(f"log_loss needs the probability of each class, in columns {CLASS_SCORE}<class>")
        return read_class_scores(predictions)
    if "score" not in predictions.columns:
        raise UndefinedMetric(f"{metric} needs scores, and there is no column 'score'")
    columns = read_scores(predictions, positive)
    if metric in ("log_loss", "brier") and not (columns.output.min() >= 0 and columns.output.max() <= 1):
        raise InvalidPredictions(f"{metric} needs probabilities, and column 'score' has values outside 0 to 1")
    return columns


def _roc_auc(columns: MetricInput) -> float:
    """Return the share of pairs of a positive and a negative row that the scores order correctly; a tie counts half.

    Source: Hanley & McNeil (1982), "The meaning and use of the area under a ROC curve": the Mann-Whitney statistic.
    """
    _need_both_classes(columns)
    positives, negatives = _by_score(columns)
    below = np.cumsum(negatives) - negatives
    pairs = int(positives.sum()) * int(negatives.sum())
    return int((positives * (2 * below + negatives)).sum()) / (2 * pairs)


def _average_precision(columns: MetricInput) -> float:
    """Return the precision at each score, weighted by the gain in recall."""
    _need_both_classes(columns)
    positives, negatives = _by_score(columns)
    hits, misses = np.cumsum(positives[::-1]), np.cumsum(negatives[::-1])
    return float((positives[::-1] * (hits / (hits + misses))).sum() / hits[-1])


def _log_loss(columns: MetricInput) -> float:
    # Clipped, so that a certain mistake has a finite loss.
    eps = np.finfo(np.float64).eps
    of_truth = np.where(columns.truth, columns.output, 1 - columns.output)
    return float(-np.log(np.clip(of_truth, eps, 1 - eps)).mean())


def _brier(columns: MetricInput) -> float:
    return float(np.mean((columns.truth - columns.output) ** 2))


def _accuracy(columns: MetricInput) -> float:
    return float(np.mean(columns.truth == columns.output))


def _balanced_accuracy(columns: MetricInput) -> float:
    actual, _, both = _counts(columns)
    if np.count_nonzero(actual) < 2:  # noqa: PLR2004 - balance needs two classes
        raise UndefinedMetric("every row has the same label")
    return float(np.mean(both[actual > 0] / actual[actual > 0]))


def _precision(columns: MetricInput) -> float:
    positive, (_, predicted, both) = _need_positive(columns), _counts(columns)
    if not predicted[positive]:
        raise UndefinedMetric("no row was predicted as the positive class")
    return float(both[positive] / predicted[positive])


def _recall(columns: MetricInput) -> float:
    positive, (actual, _, both) = _need_positive(columns), _counts(columns)
    if not actual[positive]:
        raise UndefinedMetric("no row has the positive class")
    return float(both[positive] / actual[positive])


def _f1(columns: MetricInput) -> float:
    positive, (actual, predicted, both) = _need_positive(columns), _counts(columns)
    either = actual + predicted
    if not either[positive]:
        raise UndefinedMetric("no row has the positive class, and none was predicted as it")
    return float(2 * both[positive] / either[positive])


_Share = Callable[[Array, Array, Array], Array]
"""Rows with the class, rows predicted as it, and rows that are both, each (classes,) -> the share of each class (classes,)."""


def _macro(share: _Share) -> Callable[[MetricInput], float]:
    """Return a metric that is the mean share of the classes that occur."""

    def metric(columns: MetricInput) -> float:
        actual, predicted, both = _counts(columns)
        return float(share(actual, predicted, both)[actual + predicted > 0].mean())

    return metric


def _weighted(share: _Share) -> Callable[[MetricInput], float]:
    """Return a metric that is the mean share of the classes, weighted by their rows."""

    def metric(columns: MetricInput) -> float:
        actual, predicted, both = _counts(columns)
        return float((share(actual, predicted, both) * actual).sum() / actual.sum())

    return metric


def _precisions(_actual: Array, predicted: Array, both: Array) -> Array:
    return _shares(both, predicted)


def _recalls(actual: Array, _predicted: Array, both: Array) -> Array:
    return _shares(both, actual)


def _f1s(actual: Array, predicted: Array, both: Array) -> Array:
    return _shares(2 * both, actual + predicted)


def _shares(part: Array, whole: Array) -> Array:
    """Divide; a share of nothing is 0."""
    return np.asarray(np.divide(part, whole, out=np.zeros(len(part)), where=whole > 0))


def _need_positive(columns: MetricInput) -> int:
    if columns.positive is None:
        raise InvalidPredictions(
            "the metric needs a positive class; for several classes there are _macro and _weighted ones"
        )
    return columns.positive


def _r2(columns: MetricInput) -> float:
    if columns.truth.min() == columns.truth.max():
        raise UndefinedMetric("every row has the same label")
    spread = ((columns.truth - columns.truth.mean()) ** 2).sum()
    return float(1 - ((columns.truth - columns.output) ** 2).sum() / spread)


def _rmse(columns: MetricInput) -> float:
    return float(np.sqrt(np.mean((columns.truth - columns.output) ** 2)))


def _mae(columns: MetricInput) -> float:
    return float(np.mean(np.abs(columns.truth - columns.output)))


def _mape(columns: MetricInput) -> float:
    if not columns.truth.all():
        raise UndefinedMetric("a label is 0, and a relative error needs a label other than 0")
    # Divided as scikit-learn does: by at least the machine epsilon.
    sizes = np.maximum(np.abs(columns.truth), np.finfo(np.float64).eps)
    return float(np.mean(np.abs(columns.truth - columns.output) / sizes))


def _by_score(columns: MetricInput) -> tuple[Array, Array]:
    """Return the number of positive and of negative rows of each distinct score, lowest first."""
    scores, codes = np.unique(columns.output, return_inverse=True)
    rows = np.bincount(codes, minlength=len(scores))
    positives = np.bincount(codes[columns.truth], minlength=len(scores))
    return positives, rows - positives


def _counts(columns: MetricInput) -> tuple[Array, Array, Array]:
    """Return for each class its rows, the rows predicted as it, and the rows that are both."""
    right = columns.truth[columns.truth == columns.output]
    actual, predicted, both = (
        np.bincount(codes, minlength=columns.classes) for codes in (columns.truth, columns.output, right)
    )
    return actual, predicted, both


def _need_both_classes(columns: MetricInput) -> None:
    if columns.truth.all():
        raise UndefinedMetric("every row has the positive class")
    if not columns.truth.any():
        raise UndefinedMetric("no row has the positive class")


FUNCTIONS: dict[str, Callable[[MetricInput], float]] = {
    "roc_auc": _roc_auc,
    "average_precision": _average_precision,
    "log_loss": _log_loss,
    "brier": _brier,
    "accuracy": _accuracy,
    "balanced_accuracy": _balanced_accuracy,
    "f1": _f1,
    "precision": _precision,
    "recall": _recall,
    "f1_macro": _macro(_f1s),
    "f1_weighted": _weighted(_f1s),
    "precision_macro": _macro(_precisions),
    "precision_weighted": _weighted(_precisions),
    "recall_macro": _macro(_recalls),
    "recall_weighted": _weighted(_recalls),
    "r2": _r2,
    "rmse": _rmse,
    "mae": _mae,
    "mape": _mape,
}
"""How each metric of METRICS is computed: columns of at least one row in, a finite number out; raises UndefinedMetric."""
