"""A baseline answers for the same rows as a model: with the best constant, a column, or a rule on a column."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlgit.domain.metrics import METRICS
from mlgit.domain.records.problem import Baseline
from mlgit.ml.baseline import baseline_answers
from mlgit.ml.columns import InvalidPredictions
from mlgit.ml.metrics import UndefinedMetric, measure

CONSTANT = Baseline(method="the same for all")
LABELS = pd.DataFrame({"label": ["no", "yes", "no", "no", "yes"]})
COLUMN = pd.Series([1.0, 5.0, 2.0, 3.0, 4.0], name="radius", index=[10, 11, 12, 13, 14])


def value(metric: str, labels: pd.DataFrame, baseline: Baseline, positive: Any, column: Any = None) -> float:
    return measure(metric, baseline_answers(metric, labels, baseline, positive, column), positive)


@pytest.mark.parametrize("metric", [name for name, metric in METRICS.items() if metric.reads == "value"])
def test_no_constant_value_is_better(metric: str) -> None:
    label = np.random.default_rng(3).gamma(2.0, size=41) + 0.1
    labels = pd.DataFrame({"label": label})
    sign = 1 if METRICS[metric].direction == "max" else -1
    best = sign * value(metric, labels, CONSTANT, None)
    others = [sign * measure(metric, labels.assign(prediction=at), None) for at in np.linspace(0.1, label.max(), 300)]
    assert best >= max(others) - 1e-12


@pytest.mark.parametrize("metric", ["log_loss", "brier"])
def test_no_constant_probability_is_better(metric: str) -> None:
    best = value(metric, LABELS, CONSTANT, "yes")
    others = [measure(metric, LABELS.assign(score=at), "yes") for at in np.linspace(0.01, 0.99, 197)]
    assert best <= min(others) + 1e-12


@pytest.mark.parametrize(
    ("metric", "positive", "expected"),
    [
        ("roc_auc", "yes", 0.5),
        ("average_precision", "yes", 0.4),
        ("accuracy", "yes", 0.6),
        ("recall", "yes", 1.0),
        ("precision", "yes", 0.4),
        ("f1", "yes", 4 / 7),
        ("accuracy", None, 0.6),
        ("balanced_accuracy", None, 0.5),
    ],
)
def test_a_constant_reaches_what_is_known_of_it(metric: str, positive: Any, expected: float) -> None:
    assert value(metric, LABELS, CONSTANT, positive) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("settings", "metric", "expected"),
    [
        ({}, "roc_auc", 1.0),
        ({"descending": True}, "roc_auc", 0.0),
        ({"threshold": 3.0}, "accuracy", 0.8),
        ({"threshold": 4.0}, "accuracy", 1.0),
        ({"threshold": 2.0, "descending": True}, "accuracy", 0.2),
        ({"threshold": 3.0}, "roc_auc", 5 / 6),
    ],
)
def test_a_column_is_a_score_or_a_rule(settings: dict[str, Any], metric: str, expected: float) -> None:
    baseline = Baseline(method="radius alone", column="radius", **settings)
    assert value(metric, LABELS, baseline, "yes", COLUMN) == pytest.approx(expected)


def test_a_column_of_classes_or_of_values_is_the_answer_itself() -> None:
    named = Baseline(method="yesterday", column="yesterday")
    classes = pd.Series(["no", "yes", "yes", "no", "no"])
    assert value("accuracy", LABELS, named, None, classes) == pytest.approx(0.6)
    assert value("mae", pd.DataFrame({"label": [1.0, 2.0]}), named, None, pd.Series([2.0, 2.0])) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("settings", "metric", "positive", "column", "error"),
    [
        ({}, "roc_auc", "yes", COLUMN.head(3), InvalidPredictions),
        ({}, "roc_auc", "yes", COLUMN.replace(3.0, np.nan), InvalidPredictions),
        ({"descending": True}, "roc_auc", "yes", COLUMN.astype(str), InvalidPredictions),
        ({"threshold": 3.0}, "accuracy", "yes", COLUMN.replace(3.0, np.nan), InvalidPredictions),
        ({"threshold": 3.0}, "accuracy", None, COLUMN, InvalidPredictions),
        ({}, "log_loss", "yes", COLUMN, InvalidPredictions),
        ({}, "nonsense", "yes", COLUMN, ValueError),
    ],
)
def test_a_column_that_gives_no_answer_is_an_error(
    settings: dict[str, Any], metric: str, positive: Any, column: Any, error: type[ValueError]
) -> None:
    with pytest.raises(error):
        value(metric, LABELS, Baseline(method="radius", column="radius", **settings), positive, column)


def test_a_rule_decides_where_one_class_never_occurs() -> None:
    only = pd.DataFrame({"label": ["yes", "yes"]})
    rule = Baseline(method="r", column="radius", threshold=3.0)
    assert value("recall", only, rule, "yes", pd.Series([1.0, 4.0])) == pytest.approx(0.5)
    with pytest.raises(UndefinedMetric):
        value("roc_auc", only, CONSTANT, "yes")
