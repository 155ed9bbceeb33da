"""Each metric gives scikit-learn's number, or says in words why it has none."""

import math
import subprocess
import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sk

from mlgit.domain.metrics import METRICS
from mlgit.ml.columns import InvalidPredictions, require_probabilities
from mlgit.ml.metrics import UndefinedMetric, measure, measure_all

LABEL = ["yes", "no", "no", "yes", "no", "yes", "no", "no"]
SCORE = [0.9, 0.2, 0.6, 0.4, 0.4, 0.7, 0.1, 0.2]
PREDICTION = ["yes", "no", "yes", "no", "no", "yes", "no", "no"]
BINARY = pd.DataFrame({"label": LABEL, "score": SCORE, "prediction": PREDICTION})
REGRESSION = pd.DataFrame({"label": [1.0, 2.0, 4.0, 8.0], "prediction": [1.5, 2.0, 3.0, 9.0]})
MULTICLASS = pd.DataFrame(
    {
        "label": ["a", "b", "c", "a", "b"],
        "prediction": ["a", "c", "c", "b", "b"],
        "score_a": [0.5, 0.25, 0.25, 0.25, 0.25],
        "score_b": [0.25, 0.25, 0.25, 0.5, 0.5],
        "score_c": [0.25, 0.5, 0.5, 0.25, 0.25],
    }
)


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("roc_auc", sk.roc_auc_score([1, 0, 0, 1, 0, 1, 0, 0], SCORE)),
        ("average_precision", sk.average_precision_score([1, 0, 0, 1, 0, 1, 0, 0], SCORE)),
        ("log_loss", sk.log_loss([1, 0, 0, 1, 0, 1, 0, 0], SCORE)),
        ("brier", sk.brier_score_loss([1, 0, 0, 1, 0, 1, 0, 0], SCORE)),
        ("accuracy", 6 / 8),
        ("balanced_accuracy", (2 / 3 + 4 / 5) / 2),
        ("precision", 2 / 3),
        ("recall", 2 / 3),
        ("f1", 2 / 3),
    ],
)
def test_binary(metric: str, expected: float) -> None:
    assert measure(metric, BINARY, "yes") == pytest.approx(expected)


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("mae", 2.5 / 4),
        ("rmse", math.sqrt((0.25 + 0 + 1 + 1) / 4)),
        ("mape", (0.5 + 0 + 0.25 + 0.125) / 4),
        ("r2", 1 - 2.25 / sum((y - 3.75) ** 2 for y in (1, 2, 4, 8))),
    ],
)
def test_regression(metric: str, expected: float) -> None:
    assert measure(metric, REGRESSION, None) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("accuracy", 3 / 5),
        ("balanced_accuracy", (1 / 2 + 1 / 2 + 1) / 3),
        ("recall_macro", (1 / 2 + 1 / 2 + 1) / 3),
        ("precision_macro", (1 + 1 / 2 + 1 / 2) / 3),
        ("f1_macro", (2 / 3 + 1 / 2 + 2 / 3) / 3),
        ("recall_weighted", (2 * 1 / 2 + 2 * 1 / 2 + 1) / 5),
        ("precision_weighted", (2 * 1 + 2 * 1 / 2 + 1 / 2) / 5),
        ("f1_weighted", (2 * 2 / 3 + 2 * 1 / 2 + 2 / 3) / 5),
        ("log_loss", -math.log(0.5 * 0.25 * 0.5 * 0.25 * 0.5) / 5),
    ],
)
def test_multiclass_is_a_mean_over_classes(metric: str, expected: float) -> None:
    assert measure(metric, MULTICLASS, None) == pytest.approx(expected)


@pytest.mark.parametrize("dtype", ["object", "category", "string"])
def test_the_type_of_a_text_column_makes_no_difference(dtype: Any) -> None:
    table = BINARY.astype({"label": dtype, "prediction": dtype})
    assert measure_all(table, "binary", "yes") == measure_all(BINARY, "binary", "yes")


@pytest.mark.parametrize("positive", [1, True, 1.0])
@pytest.mark.parametrize("dtype", ["int64", "bool", "float64", "Int64", "boolean"])
def test_the_type_of_a_number_column_makes_no_difference(dtype: Any, positive: Any) -> None:
    numbers = (BINARY[["label", "prediction"]] == "yes").astype(dtype)
    table = numbers.assign(score=SCORE)
    assert measure_all(table, "binary", positive) == measure_all(BINARY, "binary", "yes")


@pytest.mark.parametrize(
    ("task", "table", "positive"),
    [("binary", BINARY, "yes"), ("multiclass", MULTICLASS, None), ("regression", REGRESSION, None)],
)
def test_all_of_a_task_are_measured(task: Any, table: pd.DataFrame, positive: str | None) -> None:
    measured = measure_all(table, task, positive)
    assert set(measured) == {name for name, metric in METRICS.items() if task in metric.tasks}
    assert measured == {name: measure(name, table, positive) for name in measured}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"score_a": 1.0}, "add up to 1"),
        ({"score_a": -0.25, "score_b": 0.75, "score_c": 0.5}, "add up to 1"),
        ({"label": "d"}, "no column score_d"),
        ({"score_c": None}, "missing or infinite"),
    ],
)
def test_probabilities_of_classes_have_to_be_such(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidPredictions, match=message):
        measure("log_loss", MULTICLASS.assign(**change), None)


def test_without_probabilities_the_other_metrics_of_classes_are_measured() -> None:
    assert "log_loss" not in measure_all(MULTICLASS[["label", "prediction"]], "multiclass", None)


@pytest.mark.parametrize("metric", ["f1", "precision", "recall"])
def test_what_is_about_one_class_needs_that_class(metric: str) -> None:
    with pytest.raises(InvalidPredictions, match="_macro and _weighted"):
        measure(metric, MULTICLASS, None)


def test_what_is_undefined_is_left_out_of_all() -> None:
    measured = measure_all(REGRESSION.assign(label=[0.0, 2.0, 4.0, 8.0]), "regression", None)
    assert set(measured) == {"r2", "rmse", "mae"}


def test_without_scores_the_classes_are_still_measured() -> None:
    measured = measure_all(BINARY.drop(columns="score"), "binary", "yes")
    assert set(measured) == {"accuracy", "balanced_accuracy", "f1", "precision", "recall"}


NO = pd.DataFrame({"label": ["no"] * 3, "score": [0.1, 0.2, 0.3], "prediction": ["no"] * 3})


@pytest.mark.parametrize(
    ("metric", "table", "reason"),
    [
        ("roc_auc", NO, "no row has the positive class"),
        ("roc_auc", NO.assign(label="yes"), "every row has the positive class"),
        ("average_precision", NO, "no row has the positive class"),
        ("recall", NO, "no row has the positive class"),
        ("precision", NO, "no row was predicted as the positive class"),
        ("f1", NO, "no row has the positive class, and none was predicted as it"),
        ("balanced_accuracy", NO, "every row has the same label"),
        ("roc_auc", BINARY.drop(columns="score"), "roc_auc needs scores, and there is no column 'score'"),
        ("r2", REGRESSION.assign(label=3.0), "every row has the same label"),
        (
            "mape",
            REGRESSION.assign(label=[0, 1, 2, 3]),
            "a label is 0, and a relative error needs a label other than 0",
        ),
    ],
)
def test_undefined_says_why(metric: str, table: pd.DataFrame, reason: str) -> None:
    with pytest.raises(UndefinedMetric) as caught:
        measure(metric, table, "yes")
    assert str(caught.value) == reason


@pytest.mark.parametrize("metric", METRICS)
def test_no_metric_is_defined_without_rows(metric: str) -> None:
    with pytest.raises(UndefinedMetric, match="there are no rows"):
        measure(metric, BINARY.head(0), "yes")


def test_nothing_can_be_measured_without_rows() -> None:
    with pytest.raises(UndefinedMetric, match="no binary metric is defined: there are no rows"):
        measure_all(BINARY.head(0), "binary", "yes")


@pytest.mark.parametrize(
    ("metric", "table", "reason"),
    [
        ("roc_auc", BINARY.assign(score=[math.nan, math.inf, *SCORE[2:]]), "column 'score' has 2 missing or infinite"),
        ("accuracy", BINARY.assign(label=[np.nan, *LABEL[1:]]), "column 'label' has 1 missing"),
        ("mae", REGRESSION.assign(label=[math.inf, 1, 2, 3]), "column 'label' has 1 missing or infinite"),
        ("accuracy", BINARY.drop(columns="prediction"), "there is no column 'prediction'"),
        ("roc_auc", BINARY.drop(columns="label"), "there is no column 'label'"),
        ("roc_auc", BINARY.assign(score="high"), "column 'score' must hold numbers"),
        ("mae", BINARY, "column 'label' must hold numbers"),
        ("brier", BINARY.assign(score=[1.5, *SCORE[1:]]), "has values outside 0 to 1"),
        ("log_loss", BINARY.assign(score=[-0.1, *SCORE[1:]]), "has values outside 0 to 1"),
        ("accuracy", BINARY.assign(prediction=range(8)), "one holds numbers and the other does not"),
        ("roc_auc", BINARY.assign(label=[1, 0] * 4), "column 'label' holds numbers, so 'yes' cannot be"),
    ],
)
def test_what_cannot_be_measured_is_refused(metric: str, table: pd.DataFrame, reason: str) -> None:
    with pytest.raises(InvalidPredictions, match=reason):
        measure(metric, table, "yes")


def test_scores_need_a_positive_class() -> None:
    with pytest.raises(InvalidPredictions, match="scores need a positive class"):
        measure("roc_auc", BINARY, None)


def test_a_number_cannot_be_the_positive_class_of_texts() -> None:
    with pytest.raises(InvalidPredictions, match="column 'label' holds no numbers, so 1 cannot be"):
        measure("recall", BINARY, 1)


def test_an_unknown_metric_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"no metric 'auc'; there are accuracy, .*, roc_auc"):
        measure("auc", BINARY, "yes")


def test_certain_mistakes_cost_what_scikit_learn_says() -> None:
    table = BINARY.assign(score=[0.0, 1.0, *SCORE[2:]])
    expected = sk.log_loss(np.array(LABEL) == "yes", table["score"])
    assert measure("log_loss", table, "yes") == pytest.approx(expected)


def test_judging_imports_neither_scikit_learn_nor_scipy() -> None:
    script = (
        "import sys\n"
        "from mlgit.ml import calibration, compare, contract, drift, fairness, leakage, metrics, paired, slices\n"
        "print(sorted({'sklearn', 'scipy'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("scores", "accepted"), [([0.0, 1.0], True), ([], True), ([0.5, 1.5], False), ([-0.1, 0.2], False)]
)
def test_probabilities_are_within_0_and_1(scores: list[float], accepted: bool) -> None:
    table = pd.DataFrame({"label": [True] * len(scores), "score": np.array(scores, dtype=float)})
    if accepted:
        require_probabilities(table)
    else:
        with pytest.raises(InvalidPredictions, match="outside 0 to 1"):
            require_probabilities(table)
