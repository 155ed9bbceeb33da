"""The calibration error is that of its definition, and does not depend on the order of rows."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss

from mlgit.ml.calibration import calibration
from mlgit.ml.columns import InvalidPredictions
from mlgit.ml.metrics import UndefinedMetric


def table(scores: list[float], labels: list[bool]) -> pd.DataFrame:
    return pd.DataFrame({"score": scores, "label": labels})


def test_by_hand() -> None:
    """Two bins of two rows: mean scores 0.2 and 0.8, rates 0.5 and 1."""
    found = calibration(table([0.1, 0.3, 0.7, 0.9], [False, True, True, True]), True, bins=2)
    assert found.ece == pytest.approx(0.25)
    assert found.brier == pytest.approx((0.01 + 0.49 + 0.09 + 0.01) / 4)
    assert [(part.rows, part.rate) for part in found.bins] == [(2, 0.5), (2, 1)]
    assert [part.score for part in found.bins] == pytest.approx([0.2, 0.8])


@pytest.mark.parametrize("bins", [1, 5, 10, 20])
def test_bins_are_those_of_scikit_learn_for_distinct_scores(bins: int) -> None:
    numbers = np.random.default_rng(1)
    score = numbers.random(2000)
    label = numbers.random(2000) < score**1.5
    found = calibration(table(score.tolist(), label.tolist()), True, bins=bins)
    rate, mean = calibration_curve(label, score, n_bins=bins, strategy="quantile")
    # A row at a bin's bound is on the other side there, which moves a bin of 100 rows by no more than a hundredth.
    assert [part.score for part in found.bins] == pytest.approx(mean.tolist(), abs=0.01)
    assert [part.rate for part in found.bins] == pytest.approx(rate.tolist(), abs=0.02)
    assert {part.rows for part in found.bins} == {2000 // bins}
    assert found.brier == pytest.approx(brier_score_loss(label, score))


def test_a_perfect_model_has_a_small_error_and_a_shifted_one_its_shift() -> None:
    numbers = np.random.default_rng(2)
    score = numbers.uniform(0.1, 0.8, 50_000)
    label = (numbers.random(50_000) < score).tolist()
    assert calibration(table(score.tolist(), label), True).ece < 0.01
    assert calibration(table((score + 0.15).tolist(), label), True).ece == pytest.approx(0.15, abs=0.01)


def test_rows_with_one_score_stay_together() -> None:
    found = calibration(table([0.2] * 60 + [0.9] * 40, [False] * 90 + [True] * 10), True)
    assert [part.rows for part in found.bins] == [60, 40]
    assert [part.score for part in found.bins] == pytest.approx([0.2, 0.9])
    assert found.ece == pytest.approx(0.6 * 0.2 + 0.4 * 0.65)


@settings(max_examples=40, deadline=None)
@given(
    rows=st.lists(st.tuples(st.sampled_from([0.0, 0.1, 0.5, 0.7, 1.0]), st.booleans()), min_size=1, max_size=40),
    order=st.randoms(),
)
def test_the_order_of_rows_makes_no_difference(rows: list[tuple[float, bool]], order: object) -> None:
    straight = calibration(table(*map(list, zip(*rows, strict=True))), True, bins=4)
    shuffled = list(rows)
    order.shuffle(shuffled)  # type: ignore[attr-defined]
    other = calibration(table(*map(list, zip(*shuffled, strict=True))), True, bins=4)
    assert other.ece == pytest.approx(straight.ece, abs=1e-12)
    assert [part.rows for part in other.bins] == [part.rows for part in straight.bins]
    assert 0 <= straight.ece <= 1


@pytest.mark.parametrize(
    ("predictions", "positive", "error", "message"),
    [
        (table([], []), True, UndefinedMetric, "there are no rows"),
        (table([0.1], [True]).drop(columns="score"), True, UndefinedMetric, "there is no column 'score'"),
        (table([1.2, 0.1], [True, False]), True, InvalidPredictions, "has values outside 0 to 1"),
        (table([0.1], [True]), None, InvalidPredictions, "positive class"),
    ],
)
def test_what_has_no_probabilities_is_refused(
    predictions: pd.DataFrame, positive: bool | None, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        calibration(predictions, positive)
