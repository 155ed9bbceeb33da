"""Metrics of a predictions table: what each one reads, which way is better, and when it says nothing.

The numbers are scikit-learn's; see its user guide, "Metrics and scoring", for the formulas.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from sklearn import metrics as sk

from mlgit.ml.columns import Array, BadPredictions, Columns, Label, read_classes, read_scores, read_values

Task = Literal["binary", "multiclass", "regression"]
Direction = Literal["max", "min"]
Reads = Literal["score", "class", "value"]


class Undefined(ValueError):
    """A metric has no value on these rows; the text says why."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One way to measure predictions.

    Attributes:
        direction: whether more ("max") or less ("min") is better.
        tasks: the tasks that it is for.
        reads: what it reads beside the label.
        function: columns of at least one row in, a finite number out; raises Undefined.
    """

    direction: Direction
    tasks: tuple[Task, ...]
    reads: Reads
    function: Callable[[Columns], float]


def measure(metric: str, predictions: pd.DataFrame, positive: Label | None) -> float:
    """Return one metric of a predictions table.

    Args:
        metric: a name in METRICS.
        predictions: one row for each prediction.
        positive: the positive class of a binary task. If None, precision, recall and f1 are the plain mean over the
            classes that occur (macro), and a class that was never predicted counts with precision 0.

    Raises:
        Undefined: the metric has no value on these rows.
        BadPredictions: a column is missing, has missing or infinite values, or is of the wrong kind.
        ValueError: there is no such metric.
    """
    return find(metric).function(read(metric, predictions, positive))


def measure_all(predictions: pd.DataFrame, task: Task, positive: Label | None) -> dict[str, float]:
    """Return by name every metric of the task that is defined on these rows.

    Args:
        predictions: one row for each prediction.
        task: what kind of answer was wanted.
        positive: the positive class; only read for binary tasks.

    Raises:
        Undefined: no metric of the task is defined, for one because there are no rows.
        BadPredictions: as for `measure`.
    """
    measured: dict[str, float] = {}
    reason = ""
    for name, metric in METRICS.items():
        if task in metric.tasks:
            try:
                measured[name] = measure(name, predictions, positive if task == "binary" else None)
            except Undefined as undefined:
                reason = str(undefined)
    if not measured:
        raise Undefined(f"no {task} metric is defined: {reason}")
    return measured


def find(metric: str) -> Metric:
    """Return the metric of this name.

    Raises:
        ValueError: there is none; the text lists those there are.
    """
    if metric not in METRICS:
        raise ValueError(f"there is no metric {metric!r}; there are {', '.join(sorted(METRICS))}")
    return METRICS[metric]


def read(metric: str, predictions: pd.DataFrame, positive: Label | None) -> Columns:
    """Return the columns that a metric reads, checked; arguments and exceptions as for `measure`."""
    reads = find(metric).reads
    if predictions.empty:
        raise Undefined("there are no rows")
    if reads == "value":
        return read_values(predictions)
    if reads == "class":
        return read_classes(predictions, positive)
    if "score" not in predictions.columns:
        raise Undefined(f"{metric} needs scores, and there is no column 'score'")
    columns = read_scores(predictions, positive)
    if metric in ("log_loss", "brier") and not (columns.output.min() >= 0 and columns.output.max() <= 1):
        raise BadPredictions(f"{metric} needs probabilities, and column 'score' goes beyond 0 to 1")
    return columns


def _roc_auc(columns: Columns) -> float:
    _need_both_classes(columns)
    return float(sk.roc_auc_score(columns.truth, columns.output))


def _average_precision(columns: Columns) -> float:
    _need_both_classes(columns)
    return float(sk.average_precision_score(columns.truth, columns.output))


def _log_loss(columns: Columns) -> float:
    return float(sk.log_loss(columns.truth, columns.output, labels=[False, True]))


def _brier(columns: Columns) -> float:
    return float(sk.brier_score_loss(columns.truth.astype(np.int64), columns.output, pos_label=1))


def _accuracy(columns: Columns) -> float:
    return float(sk.accuracy_score(columns.truth, columns.output))


def _balanced_accuracy(columns: Columns) -> float:
    classes = np.unique(columns.truth)
    if len(classes) < 2:  # noqa: PLR2004  (balance is between at least two)
        raise Undefined("every row has the same label")
    # The mean recall of the classes that occur as labels, as balanced_accuracy_score, which warns of all others.
    return float(sk.recall_score(columns.truth, columns.output, labels=classes, average="macro", zero_division=0.0))


def _precision(columns: Columns) -> float:
    if columns.positive is None:
        return float(sk.precision_score(columns.truth, columns.output, average="macro", zero_division=0.0))
    truth, output = _one_against_rest(columns)
    if not output.any():
        raise Undefined("no row was predicted as the positive class")
    return float(sk.precision_score(truth, output))


def _recall(columns: Columns) -> float:
    if columns.positive is None:
        return float(sk.recall_score(columns.truth, columns.output, average="macro", zero_division=0.0))
    truth, output = _one_against_rest(columns)
    if not truth.any():
        raise Undefined("no row has the positive class")
    return float(sk.recall_score(truth, output))


def _f1(columns: Columns) -> float:
    if columns.positive is None:
        return float(sk.f1_score(columns.truth, columns.output, average="macro", zero_division=0.0))
    truth, output = _one_against_rest(columns)
    if not (truth.any() or output.any()):
        raise Undefined("no row has the positive class, and none was predicted as it")
    return float(sk.f1_score(truth, output))


def _r2(columns: Columns) -> float:
    if columns.truth.min() == columns.truth.max():
        raise Undefined("every row has the same label")
    return float(sk.r2_score(columns.truth, columns.output))


def _rmse(columns: Columns) -> float:
    return float(sk.root_mean_squared_error(columns.truth, columns.output))


def _mae(columns: Columns) -> float:
    return float(sk.mean_absolute_error(columns.truth, columns.output))


def _mape(columns: Columns) -> float:
    if not columns.truth.all():
        raise Undefined("a label is 0, and no error is a share of 0")
    return float(sk.mean_absolute_percentage_error(columns.truth, columns.output))


def _one_against_rest(columns: Columns) -> tuple[Array, Array]:
    return columns.truth == columns.positive, columns.output == columns.positive


def _need_both_classes(columns: Columns) -> None:
    if columns.truth.all():
        raise Undefined("every row has the positive class")
    if not columns.truth.any():
        raise Undefined("no row has the positive class")


_CLASSES: tuple[Task, ...] = ("binary", "multiclass")

METRICS: dict[str, Metric] = {
    "roc_auc": Metric("max", ("binary",), "score", _roc_auc),
    "average_precision": Metric("max", ("binary",), "score", _average_precision),
    "log_loss": Metric("min", ("binary",), "score", _log_loss),
    "brier": Metric("min", ("binary",), "score", _brier),
    "accuracy": Metric("max", _CLASSES, "class", _accuracy),
    "balanced_accuracy": Metric("max", _CLASSES, "class", _balanced_accuracy),
    "f1": Metric("max", _CLASSES, "class", _f1),
    "precision": Metric("max", _CLASSES, "class", _precision),
    "recall": Metric("max", _CLASSES, "class", _recall),
    "r2": Metric("max", ("regression",), "value", _r2),
    "rmse": Metric("min", ("regression",), "value", _rmse),
    "mae": Metric("min", ("regression",), "value", _mae),
    "mape": Metric("min", ("regression",), "value", _mape),
}
