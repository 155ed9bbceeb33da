"""Metrics of a predictions table: how each is computed, and where it is undefined.

The numbers are scikit-learn's; see its user guide, "Metrics and scoring", for the formulas.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd
from sklearn import metrics as sk

from mlgit.domain.metrics import METRICS, Metric, Task
from mlgit.domain.records.problem import Label
from mlgit.ml.arrays import Array
from mlgit.ml.columns import InvalidPredictions, MetricInput, read_classes, read_scores, read_values


class UndefinedMetric(ValueError):
    """A metric is undefined on these rows; the message says why."""


def measure(metric: str, predictions: pd.DataFrame, positive: Label | None) -> float:
    """Return one metric of a predictions table.

    Args:
        metric: a name in METRICS.
        predictions: one row for each prediction.
        positive: the positive class of a binary task. If None, precision, recall and f1 are macro averages over the
            classes that occur, and a class that was never predicted has precision 0.

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
    if "score" not in predictions.columns:
        raise UndefinedMetric(f"{metric} needs scores, and there is no column 'score'")
    columns = read_scores(predictions, positive)
    if metric in ("log_loss", "brier") and not (columns.output.min() >= 0 and columns.output.max() <= 1):
        raise InvalidPredictions(f"{metric} needs probabilities, and column 'score' has values outside 0 to 1")
    return columns


def _roc_auc(columns: MetricInput) -> float:
    _need_both_classes(columns)
    return float(sk.roc_auc_score(columns.truth, columns.output))


def _average_precision(columns: MetricInput) -> float:
    _need_both_classes(columns)
    return float(sk.average_precision_score(columns.truth, columns.output))


def _log_loss(columns: MetricInput) -> float:
    return float(sk.log_loss(columns.truth, columns.output, labels=[False, True]))


def _brier(columns: MetricInput) -> float:
    return float(sk.brier_score_loss(columns.truth.astype(np.int64), columns.output, pos_label=1))


def _accuracy(columns: MetricInput) -> float:
    return float(sk.accuracy_score(columns.truth, columns.output))


def _balanced_accuracy(columns: MetricInput) -> float:
    classes = np.unique(columns.truth)
    if len(classes) < 2:  # noqa: PLR2004 - balance needs two classes
        raise UndefinedMetric("every row has the same label")
    # As balanced_accuracy_score: mean recall over the classes that occur as labels. That function warns about all others.
    return float(sk.recall_score(columns.truth, columns.output, labels=classes, average="macro", zero_division=0.0))


def _precision(columns: MetricInput) -> float:
    if columns.positive is None:
        return float(sk.precision_score(columns.truth, columns.output, average="macro", zero_division=0.0))
    truth, output = _one_versus_rest(columns)
    if not output.any():
        raise UndefinedMetric("no row was predicted as the positive class")
    return float(sk.precision_score(truth, output))


def _recall(columns: MetricInput) -> float:
    if columns.positive is None:
        return float(sk.recall_score(columns.truth, columns.output, average="macro", zero_division=0.0))
    truth, output = _one_versus_rest(columns)
    if not truth.any():
        raise UndefinedMetric("no row has the positive class")
    return float(sk.recall_score(truth, output))


def _f1(columns: MetricInput) -> float:
    if columns.positive is None:
        return float(sk.f1_score(columns.truth, columns.output, average="macro", zero_division=0.0))
    truth, output = _one_versus_rest(columns)
    if not (truth.any() or output.any()):
        raise UndefinedMetric("no row has the positive class, and none was predicted as it")
    return float(sk.f1_score(truth, output))


def _r2(columns: MetricInput) -> float:
    if columns.truth.min() == columns.truth.max():
        raise UndefinedMetric("every row has the same label")
    return float(sk.r2_score(columns.truth, columns.output))


def _rmse(columns: MetricInput) -> float:
    return float(sk.root_mean_squared_error(columns.truth, columns.output))


def _mae(columns: MetricInput) -> float:
    return float(sk.mean_absolute_error(columns.truth, columns.output))


def _mape(columns: MetricInput) -> float:
    if not columns.truth.all():
        raise UndefinedMetric("a label is 0, and a relative error needs a label other than 0")
    return float(sk.mean_absolute_percentage_error(columns.truth, columns.output))


def _one_versus_rest(columns: MetricInput) -> tuple[Array, Array]:
    return columns.truth == columns.positive, columns.output == columns.positive


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
    "r2": _r2,
    "rmse": _rmse,
    "mae": _mae,
    "mape": _mape,
}
"""How each metric of METRICS is computed: columns of at least one row in, a finite number out; raises UndefinedMetric."""
