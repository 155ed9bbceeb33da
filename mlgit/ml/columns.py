"""The columns of a predictions table, checked and turned into arrays.

A predictions table has a `label` (the truth), for binary tasks a `score` (probability of the positive class), for multiclass
ones optionally `score_<class>` (probability of each class), and a `prediction` (the decided class, or the predicted value of a
regression).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mlgit.domain.records.problem import Label
from mlgit.ml.arrays import Array

CLASS_SCORE = "score_"
"""What the names of columns with the probability of a class begin with; the class as text follows."""
_SUM_TOLERANCE = 1e-6  # probabilities of single precision add up to 1 within this


class InvalidPredictions(ValueError):
    """A predictions table from which nothing can be computed: a column is missing or has invalid values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricInput:
    """The two columns that a metric reads, as arrays of equal length without missing or infinite values.

    Attributes:
        truth: with scores, whether the label is the positive class; with classes, class codes; otherwise float64 (rows,).
        output: scores, class codes or values (rows,).
        classes: number of class codes; 0 without classes.
        positive: code of the positive class; None if metrics average over all classes.
    """

    truth: Array
    output: Array
    classes: int = 0
    positive: int | None = None

    def take(self, rows: Array) -> "MetricInput":
        """Return the rows at these positions, in this order; positions may repeat."""
        return MetricInput(
            truth=self.truth[rows], output=self.output[rows], classes=self.classes, positive=self.positive
        )


def read_scores(predictions: pd.DataFrame, positive: Label | None) -> MetricInput:
    """Return `label` and `score`.

    Raises:
        InvalidPredictions: a column is missing, has missing values or the wrong type, or no positive class is named.
    """
    if positive is None:
        raise InvalidPredictions("scores need a positive class")
    label = _column(predictions, "label")
    classes = _coded(label, label, positive)
    return MetricInput(truth=classes.truth == classes.positive, output=_numbers(_column(predictions, "score")))


def require_probabilities(predictions: pd.DataFrame) -> None:
    """Check that the scores of a model whose output is a probability are within 0 and 1.

    Raises:
        InvalidPredictions: a score is not.
    """
    if "score" not in predictions.columns:
        return
    scores = _numbers(_column(predictions, "score"))
    if len(scores) and not (scores.min() >= 0 and scores.max() <= 1):
        raise InvalidPredictions("the model's output is a probability, and column 'score' has values outside 0 to 1")


def read_class_scores(predictions: pd.DataFrame) -> MetricInput:
    """Return the probability of the true class of each row, out of the columns `score_<class>`; every truth is True.

    Raises:
        InvalidPredictions: there are no such columns, a class that occurs has none, or the values are no probabilities that
            add up to 1.
    """
    label = _column(predictions, "label")
    names = [str(name) for name in predictions.columns if str(name).startswith(CLASS_SCORE)]
    if not names:
        raise InvalidPredictions(f"there are no columns {CLASS_SCORE}<class>")
    scores = np.column_stack([_numbers(_column(predictions, name)) for name in names])
    if scores.min() < 0 or np.abs(scores.sum(axis=1) - 1).max() > _SUM_TOLERANCE:
        raise InvalidPredictions(
            f"the columns {', '.join(names)} do not hold probabilities that add up to 1 in each row"
        )
    places = {name.removeprefix(CLASS_SCORE): place for place, name in enumerate(names)}
    truth = np.array([places.get(str(value), -1) for value in label.tolist()])
    if truth.min() < 0:
        missing = str(label.iloc[int(truth.argmin())])
        raise InvalidPredictions(f"label {missing!r} occurs, and there is no column {CLASS_SCORE}{missing}")
    return MetricInput(truth=np.ones(len(label), dtype=bool), output=scores[np.arange(len(label)), truth])


def read_classes(predictions: pd.DataFrame, positive: Label | None) -> MetricInput:
    """Return `label` and `prediction` as class codes; raises as `read_scores`, but needs no positive class."""
    return _coded(_column(predictions, "label"), _column(predictions, "prediction"), positive)


def read_values(predictions: pd.DataFrame) -> MetricInput:
    """Return `label` and `prediction` as numbers; raises as `read_scores`."""
    return MetricInput(
        truth=_numbers(_column(predictions, "label")), output=_numbers(_column(predictions, "prediction"))
    )


def _column(predictions: pd.DataFrame, name: str) -> "pd.Series[Any]":
    if name not in predictions.columns:
        raise InvalidPredictions(f"there is no column {name!r}")
    column = predictions[name]
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(object)
    column = column.infer_objects()
    gaps = column.isna().to_numpy()
    if _is_numeric(column):
        gaps = gaps | ~np.isfinite(column.to_numpy(dtype=np.float64, na_value=np.nan))
    if gaps.any():
        raise InvalidPredictions(f"column {name!r} has {int(gaps.sum()):,} missing or infinite values")
    return column


def _is_numeric(column: "pd.Series[Any]") -> bool:
    return bool(pd.api.types.is_numeric_dtype(column.dtype))


def _numbers(column: "pd.Series[Any]") -> Array:
    if not _is_numeric(column):
        raise InvalidPredictions(f"column {str(column.name)!r} must hold numbers")
    return column.to_numpy(dtype=np.float64)


def _coded(label: "pd.Series[Any]", prediction: "pd.Series[Any]", positive: Label | None) -> MetricInput:
    """Encode the classes in order of occurrence, labels first, so that equal labels get equal codes."""
    numeric = _is_numeric(label)
    # Text never equals a number ("1" is not 1): a wrong type is an error, not an accuracy of 0.
    if _is_numeric(prediction) != numeric:
        raise InvalidPredictions("of the columns 'label' and 'prediction', one holds numbers and the other does not")
    if positive is not None and isinstance(positive, str) == numeric:
        kind = "numbers" if numeric else "no numbers"
        raise InvalidPredictions(f"column 'label' holds {kind}, so {positive!r} cannot be its positive class")
    dtype = np.float64 if numeric else object
    codes, names = pd.factorize(np.concatenate([label.to_numpy(dtype=dtype), prediction.to_numpy(dtype=dtype)]))
    classes = list(names)
    if positive is not None and positive not in classes:
        classes.append(positive)
    return MetricInput(
        truth=codes[: len(label)],
        output=codes[len(label) :],
        classes=len(classes),
        positive=None if positive is None else classes.index(positive),
    )
