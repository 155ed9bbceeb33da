"""The metrics that records may name: which way is better, and for which kind of problem. Computed in `ml.metrics`."""

from typing import Literal

import msgspec

TaskKind = Literal["binary", "multiclass", "regression"]


class MetricFacts(msgspec.Struct, frozen=True):
    """What is known of a metric without computing it."""

    direction: Literal["max", "min"]
    kinds: tuple[TaskKind, ...]


_BINARY: tuple[TaskKind, ...] = ("binary",)
_CLASSES: tuple[TaskKind, ...] = ("binary", "multiclass")
_VALUES: tuple[TaskKind, ...] = ("regression",)

METRICS: dict[str, MetricFacts] = {
    "roc_auc": MetricFacts("max", _BINARY),
    "average_precision": MetricFacts("max", _BINARY),
    "log_loss": MetricFacts("min", _BINARY),
    "brier": MetricFacts("min", _BINARY),
    "accuracy": MetricFacts("max", _CLASSES),
    "balanced_accuracy": MetricFacts("max", _CLASSES),
    "f1": MetricFacts("max", _CLASSES),
    "precision": MetricFacts("max", _CLASSES),
    "recall": MetricFacts("max", _CLASSES),
    "r2": MetricFacts("max", _VALUES),
    "rmse": MetricFacts("min", _VALUES),
    "mae": MetricFacts("min", _VALUES),
    "mape": MetricFacts("min", _VALUES),
}
