"""The metrics that records may name: direction, tasks, and what each reads. `ml.metrics` computes them."""

from typing import Literal

import msgspec

Task = Literal["binary", "multiclass", "regression"]
Direction = Literal["max", "min"]
PredictionKind = Literal["score", "class", "value"]


class Metric(msgspec.Struct, frozen=True):
    """Properties of a metric that are known without computing it.

    Attributes:
        direction: whether more (`max`) or less (`min`) is better.
        tasks: the tasks that it is defined for.
        reads: what it reads beside the label: a score, a predicted class, or a predicted value.
        low: the smallest value that it can have; None if there is none.
        high: the largest value that it can have; None if there is none.
    """

    direction: Direction
    tasks: tuple[Task, ...]
    reads: PredictionKind
    low: float | None = 0.0
    high: float | None = 1.0

    def has_value(self, value: float) -> bool:
        """Tell whether the metric can have a value."""
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)

    @property
    def span(self) -> float | None:
        """The largest difference of two values; None if there is none."""
        return None if self.low is None or self.high is None else self.high - self.low


_BINARY: tuple[Task, ...] = ("binary",)
_CLASSES: tuple[Task, ...] = ("binary", "multiclass")
_VALUES: tuple[Task, ...] = ("regression",)
_MANY: tuple[Task, ...] = ("multiclass",)

METRICS: dict[str, Metric] = {
    "roc_auc": Metric("max", _BINARY, "score"),
    "average_precision": Metric("max", _BINARY, "score"),
    "log_loss": Metric("min", _CLASSES, "score", high=None),
    "brier": Metric("min", _BINARY, "score"),
    "accuracy": Metric("max", _CLASSES, "class"),
    "balanced_accuracy": Metric("max", _CLASSES, "class"),
    "f1": Metric("max", _BINARY, "class"),
    "precision": Metric("max", _BINARY, "class"),
    "recall": Metric("max", _BINARY, "class"),
    "f1_macro": Metric("max", _MANY, "class"),
    "f1_weighted": Metric("max", _MANY, "class"),
    "precision_macro": Metric("max", _MANY, "class"),
    "precision_weighted": Metric("max", _MANY, "class"),
    "recall_macro": Metric("max", _MANY, "class"),
    "recall_weighted": Metric("max", _MANY, "class"),
    "r2": Metric("max", _VALUES, "value", low=None),
    "rmse": Metric("min", _VALUES, "value", high=None),
    "mae": Metric("min", _VALUES, "value", high=None),
    "mape": Metric("min", _VALUES, "value", high=None),
}
