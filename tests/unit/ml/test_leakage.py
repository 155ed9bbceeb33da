"""What gives the label away is found, and what does not is left alone."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from mlgit.domain.results import Overlap
from mlgit.ml.columns import InvalidPredictions
from mlgit.ml.leakage import feature_strengths, overlap

ROWS = 600
LATE = np.random.default_rng(0).random(ROWS) < 0.3


def strength(values: Any, labels: Any = LATE, task: Any = "binary", positive: Any = True) -> float:
    table = pd.DataFrame({"x": values})
    (found,) = feature_strengths(table, pd.Series(labels), ["x"], task, positive)
    return found.strength


NOISE = np.random.default_rng(1).normal(size=ROWS)


@pytest.mark.parametrize(
    ("values", "low", "high"),
    [
        pytest.param(LATE.astype(int), 1, 1, id="the label itself"),
        pytest.param(-LATE.astype(float), 1, 1, id="upside down"),
        pytest.param(np.where(LATE, "y", "n"), 1, 1, id="as a text"),
        pytest.param(pd.Categorical(np.where(LATE, "y", "n")), 1, 1, id="as a category"),
        pytest.param(LATE, 1, 1, id="as a boolean"),
        pytest.param(pd.array(LATE, dtype="boolean"), 1, 1, id="as a nullable boolean"),
        pytest.param(pd.to_datetime("2026-01-01") + pd.to_timedelta(LATE.astype(int), "D"), 1, 1, id="as a date"),
        pytest.param(
            pd.to_datetime("2026-01-01", utc=True) + pd.to_timedelta(LATE.astype(int), "D"), 1, 1, id="with a zone"
        ),
        pytest.param(np.where(LATE, np.nan, 5.0), 1, 1, id="by what is missing"),
        pytest.param([None if late else "x" for late in LATE], 1, 1, id="by a text that is missing"),
        pytest.param(pd.array(np.where(LATE, 1, 0), dtype="Int64"), 1, 1, id="nullable integers"),
        pytest.param(LATE + 0.3 * NOISE, 0.95, 0.999, id="with noise"),
        pytest.param(NOISE, 0.5, 0.58, id="noise"),
        pytest.param(np.zeros(ROWS), 0.5, 0.5, id="nothing"),
        pytest.param([f"row {row}" for row in range(ROWS)], 0.5, 0.5, id="a name of each row"),
        pytest.param([f"pair {row // 2}" for row in range(ROWS)], 0.5, 0.6, id="a name of two rows"),
        pytest.param(np.arange(ROWS) % 7, 0.5, 0.6, id="a few values"),
        pytest.param([[row % 3] for row in range(ROWS)], 0.5, 0.6, id="lists"),
    ],
)
def test_how_well_a_feature_alone_tells_a_binary_label(values: Any, low: float, high: float) -> None:
    assert low - 1e-9 <= strength(values) <= high + 1e-9


def test_for_numbers_it_is_the_area_under_the_roc_curve() -> None:
    values = (LATE + NOISE).round(1)
    assert strength(values) == pytest.approx(roc_auc_score(LATE, values))
    assert strength(-values) == pytest.approx(roc_auc_score(LATE, values))


def test_for_values_it_is_the_rank_correlation() -> None:
    delay = np.random.default_rng(2).normal(size=ROWS)
    values = np.exp(delay + 0.5 * NOISE)
    expected = stats.spearmanr(values, delay).statistic
    assert strength(values, delay, "regression", None) == pytest.approx(expected)
    assert strength(-values, delay, "regression", None) == pytest.approx(expected)
    assert strength(np.exp(delay), delay, "regression", None) == pytest.approx(1)
    assert strength(np.zeros(ROWS), delay, "regression", None) == 0


def test_one_class_that_is_told_apart_is_no_leak_of_all_classes() -> None:
    kinds = np.array(["a", "b", "c"])[np.arange(ROWS) % 3]
    assert strength(kinds == "a", kinds, "multiclass", None) == pytest.approx((1 + 0.75 + 0.75) / 3)
    assert strength(kinds, kinds, "multiclass", None) == pytest.approx(1)


def test_the_strongest_come_first_and_what_is_not_stored_is_left_out() -> None:
    table = pd.DataFrame({"noise": NOISE, "leak": LATE, "other": LATE})
    found = feature_strengths(table, pd.Series(LATE), ["noise", "leak", "gone"], "binary", True)
    assert [(one.feature, one.measure) for one in found] == [("leak", "roc_auc"), ("noise", "roc_auc")]


def test_a_single_class_tells_nothing() -> None:
    assert strength(NOISE, np.ones(ROWS, dtype=bool)) == 0.5


def test_features_of_other_rows_are_refused() -> None:
    with pytest.raises(InvalidPredictions, match="there are 600 rows of features and 599 predictions"):
        strength(NOISE, LATE[1:])


def rows(*keys: Any) -> pd.DataFrame:
    return pd.DataFrame({"id": list(keys), "value": 0})


@pytest.mark.parametrize(
    ("datasets", "training", "trained_on", "expected"),
    [
        ({"past": rows(1, 2, 3)}, ["past"], 3, Overlap(rows=3, shared=1, exact=True)),
        ({"past": rows(1, 2)}, ["past"], 2, Overlap(rows=3, shared=0, exact=True)),
        ({"past": rows("3", "4")}, ["past"], 2, Overlap(rows=3, shared=2, exact=True)),
        ({"past": rows(3.0, None)}, ["past"], 2, Overlap(rows=3, shared=1, exact=True)),
        ({"a": rows(3), "b": rows(3, 5)}, ["a", "b"], 3, Overlap(rows=3, shared=2, exact=True)),
        ({"a": rows(1), "b": rows(3, 5)}, ["a"], 1, Overlap(rows=3, shared=0, exact=True)),
        (
            {"all": rows(1, 2, 3, 4, 5)},
            [],
            4,
            Overlap(rows=3, shared=2, exact=False, reason="all has 5 rows, 4 were trained on and 3 are tested on"),
        ),
        (
            {"all": rows(3, 4, 5)},
            [],
            3,
            Overlap(rows=3, shared=3, exact=False, reason="all has 3 rows, 3 were trained on and 3 are tested on"),
        ),
    ],
)
def test_rows_that_were_trained_on(
    datasets: dict[str, pd.DataFrame], training: list[str], trained_on: int, expected: Overlap
) -> None:
    assert overlap(rows(3, 4, 5), datasets, ["id"], training=training, trained_on=trained_on) == expected


@pytest.mark.parametrize(
    ("datasets", "trained_on", "why"),
    [
        (
            {"all": rows(1, 2, 3, 4, 5)},
            2,
            "only counts are kept of the rows trained on: all has 5 rows, 2 were trained on",
        ),
        (
            {"all": rows(1, 2, 3, 4, 5)},
            6,
            "only counts are kept of the rows trained on: all has 5 rows, 6 were trained on",
        ),
        ({"some": rows(1, 2, 3)}, 3, "no dataset has all of the test rows, by id"),
        ({"a": rows(3, 4, 5), "b": rows(3, 4, 5)}, 3, "a, b has all of the test rows, by id"),
        ({"weather": pd.DataFrame({"day": [1]})}, 1, "no dataset has all of the test rows, by id"),
        ({}, 1, "no dataset has all of the test rows, by id"),
    ],
)
def test_what_cannot_be_told_is_said(datasets: dict[str, pd.DataFrame], trained_on: int, why: str) -> None:
    found = overlap(rows(3, 4, 5), datasets, ["id"], training=[], trained_on=trained_on)
    assert (found.shared, found.exact) == (None, False)
    assert found.reason.startswith(why)


def test_several_keys_name_a_row_together() -> None:
    test = pd.DataFrame({"day": [1, 1, 2], "no": ["a", "b", "a"]})
    past = pd.DataFrame({"no": ["a", "b"], "day": [2, 1]})
    assert overlap(test, {"past": past}, ["day", "no"], training=["past"], trained_on=2).shared == 2


def test_training_rows_without_keys_are_refused() -> None:
    with pytest.raises(InvalidPredictions, match="past has no column id, which identifies rows"):
        overlap(rows(1), {"past": pd.DataFrame({"day": [1]})}, ["id"], training=["past"], trained_on=1)
