"""Rates of groups are those that one counts by hand."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import confusion_matrix

from mlgit.ml.columns import InvalidPredictions
from mlgit.ml.fairness import RATES, group_measures
from mlgit.ml.metrics import measure

ROWS = 1200


@pytest.fixture
def predictions() -> pd.DataFrame:
    numbers = np.random.default_rng(3)
    label = numbers.random(ROWS) < 0.4
    return pd.DataFrame(
        {
            "label": np.where(label, "yes", "no"),
            "prediction": np.where(label ^ (numbers.random(ROWS) < 0.25), "yes", "no"),
            "sex": np.where(numbers.random(ROWS) < 0.5, "f", "m"),
            "region": ["north"] * 700 + ["south"] * 490 + ["sea"] * 10,
            "age": np.arange(ROWS) % 100,
        }
    )


def test_rates_are_those_of_the_confusion_matrix(predictions: pd.DataFrame) -> None:
    found = group_measures(predictions, [*RATES, "accuracy"], ["sex"], "yes")
    assert [(group.column, group.value) for group in found] == [("sex", "f"), ("sex", "m")]
    for group in found:
        part = predictions[predictions["sex"] == group.value]
        (tn, fp), (fn, tp) = confusion_matrix(part["label"], part["prediction"], labels=["no", "yes"])
        assert group.rows == len(part)
        assert group.measures == pytest.approx(
            {
                "selection_rate": (tp + fp) / len(part),
                "true_positive_rate": tp / (tp + fn),
                "false_positive_rate": fp / (fp + tn),
                "accuracy": measure("accuracy", part, "yes"),
            }
        )


def test_small_groups_are_named_and_not_measured(predictions: pd.DataFrame) -> None:
    found = group_measures(predictions, ["selection_rate"], ["region"], "yes")
    assert [(group.value, group.rows, group.reason) for group in found] == [
        ("north", 700, None),
        ("sea", 10, "10 rows, 200 needed"),
        ("south", 490, None),
    ]
    assert found[1].measures == {}


def test_a_rate_needs_rows_of_the_class_that_it_is_a_share_of(predictions: pd.DataFrame) -> None:
    rare = predictions.assign(label=["yes"] * 5 + ["no"] * (ROWS - 5), group="all")
    (chosen,) = group_measures(rare, ["selection_rate"], ["group"], "yes")
    assert chosen.reason is None
    (found,) = group_measures(rare, ["true_positive_rate"], ["group"], "yes")
    assert found.reason == "5 rows of the positive class, 30 needed"
    (others,) = group_measures(rare, ["false_positive_rate"], ["group"], "no")
    assert others.reason == "5 rows of the other class, 30 needed"
    (auc,) = group_measures(rare.assign(score=0.5), ["roc_auc"], ["group"], "yes")
    assert auc.reason == "5 rows of the positive class, 30 needed"


def test_numbers_are_groups_by_quarter(predictions: pd.DataFrame) -> None:
    found = group_measures(predictions, ["selection_rate"], ["age"], "yes")
    assert [group.value for group in found] == ["up to 24", "over 24, up to 49", "over 49, up to 74", "over 74"]


@pytest.mark.parametrize(
    ("changes", "columns", "positive", "message"),
    [
        ({}, ["origin"], "yes", "there is no column 'origin'"),
        ({}, ["sex"], None, "selection_rate needs a positive class"),
        ({"prediction": None}, ["sex"], "yes", "missing or infinite values"),
    ],
)
def test_what_cannot_be_told_is_said(
    predictions: pd.DataFrame, changes: dict[str, Any], columns: list[str], positive: str | None, message: str
) -> None:
    with pytest.raises(InvalidPredictions, match=message):
        group_measures(predictions.assign(**changes), ["selection_rate"], columns, positive)


def test_predictions_without_classes_have_no_rates(predictions: pd.DataFrame) -> None:
    with pytest.raises(InvalidPredictions, match="there is no column 'prediction'"):
        group_measures(predictions.drop(columns="prediction"), ["selection_rate"], ["sex"], "yes")
