"""Tests without resampling agree with the definition, with SciPy, and with what was published."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mlgit.ml.columns import InvalidPredictions
from mlgit.ml.compare import MismatchedRows, paired_bootstrap
from mlgit.ml.metrics import UndefinedMetric
from mlgit.ml.paired import delong, mcnemar


def scored(labels: list[bool], scores: list[float]) -> pd.DataFrame:
    return pd.DataFrame({"label": labels, "score": scores})


def sampled(rows: int, noise: float, seed: int, *, digits: int = 2) -> pd.DataFrame:
    positive = np.random.default_rng(0).random(rows) < 0.4
    signal = positive + np.random.default_rng(0).normal(size=rows)
    score = signal + noise * np.random.default_rng(seed).normal(size=rows)
    return pd.DataFrame({"label": positive, "score": score.round(digits), "prediction": score > 0.5})


def by_definition(candidate: pd.DataFrame, champion: pd.DataFrame) -> tuple[float, float]:
    """Difference of the AUCs and its standard error, pair by pair and by covariances: O(n^2), as DeLong et al. define it."""
    positive = candidate["label"].to_numpy()

    def kernel(score: np.ndarray) -> np.ndarray:
        high, low = score[positive][:, None], score[~positive][None, :]
        return np.where(high > low, 1.0, np.where(high == low, 0.5, 0.0))

    kernels = [kernel(part["score"].to_numpy()) for part in (candidate, champion)]
    areas = [one.mean() for one in kernels]
    of_positive = np.cov([one.mean(axis=1) for one in kernels])
    of_negative = np.cov([one.mean(axis=0) for one in kernels])
    covariance = of_positive / positive.sum() + of_negative / (~positive).sum()
    contrast = np.array([1.0, -1.0])
    return areas[0] - areas[1], math.sqrt(max(contrast @ covariance @ contrast, 0.0))


@pytest.mark.parametrize("rows", [12, 57, 400])
@pytest.mark.parametrize("digits", [0, 1, 8], ids=["many ties", "some ties", "no ties"])
def test_delong_is_what_its_definition_says(rows: int, digits: int) -> None:
    candidate, champion = sampled(rows, 0.5, 1, digits=digits), sampled(rows, 1.5, 2, digits=digits)
    value, error = by_definition(candidate, champion)
    gain = delong(candidate, champion, positive=True, level=0.9)
    reach = stats.norm.ppf(0.95) * error
    assert (gain.value, gain.low, gain.high) == pytest.approx((value, value - reach, value + reach), abs=1e-12)
    assert gain.p == pytest.approx(2 * stats.norm.sf(abs(value) / error), rel=1e-9)
    assert gain.value == pytest.approx(gain.candidate - gain.champion, abs=1e-12)
    assert (gain.method, gain.level, gain.rows, gain.resamples, gain.seed) == ("DeLong", 0.9, rows, None, None)


def test_delong_and_the_bootstrap_agree_on_many_rows() -> None:
    """Both ends within 8 % of the width: a 2.5 % quantile of 4,000 resamples is known to about 1 % of it."""
    candidate, champion = sampled(3000, 0.5, 1), sampled(3000, 1.0, 2)
    exact = delong(candidate, champion, positive=True)
    drawn = paired_bootstrap("roc_auc", candidate, champion, True, resamples=4000, seed=3)
    width = exact.high - exact.low
    assert (drawn.low, drawn.high) == pytest.approx((exact.low, exact.high), abs=0.08 * width)


def test_the_p_of_delong_is_uniform_where_nothing_differs() -> None:
    """Two models equally far from the truth: of 150 tests, those below 0.2 are 30, give or take 3 standard deviations."""
    numbers = np.random.default_rng(5)
    small = 0
    for _ in range(150):
        positive = numbers.random(120) < 0.5
        candidate, champion = (
            scored(positive.tolist(), (positive + numbers.normal(size=120)).tolist()) for _ in range(2)
        )
        small += (delong(candidate, champion, positive=True).p or 0.0) < 0.2
    assert abs(small - 30) < 3 * math.sqrt(150 * 0.2 * 0.8)


@pytest.mark.parametrize(
    ("labels", "message"),
    [([True, False, False], "one has 1"), ([True, True, False], "one has 1"), ([False] * 3, "one has 0")],
)
def test_delong_needs_two_rows_of_each_class(labels: list[bool], message: str) -> None:
    table = scored(labels, [0.1, 0.2, 0.3])
    with pytest.raises(UndefinedMetric, match=message):
        delong(table, table, positive=True)


def test_a_perfect_model_and_a_constant_one_differ_for_sure() -> None:
    """No placement varies, so there is nothing that the difference could be by chance."""
    labels = [True, True, False, False]
    gain = delong(scored(labels, [0.9, 0.8, 0.2, 0.1]), scored(labels, [0.5] * 4), positive=True)
    assert (gain.value, gain.low, gain.high, gain.p) == (0.5, 0.5, 0.5, 0.0)


def decided(won: int, lost: int, both: int = 0, neither: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Tables in which the candidate alone is right in `won` rows and the champion alone in `lost`."""
    right = [True] * won + [False] * lost + [True] * both + [False] * neither
    was_right = [False] * won + [True] * lost + [True] * both + [False] * neither
    label = np.array(["a", "b", "c"])[np.arange(len(right)) % 3]
    wrong = np.array(["b", "c", "a"])[np.arange(len(right)) % 3]
    return tuple(  # type: ignore[return-value]  # two of them
        pd.DataFrame({"label": label, "prediction": np.where(part, label, wrong)}) for part in (right, was_right)
    )


@pytest.mark.parametrize(("won", "lost"), list(itertools.product([0, 1, 5, 11], [0, 2, 12])))
def test_few_differing_rows_are_judged_by_the_binomial_distribution(won: int, lost: int) -> None:
    gain = mcnemar(*decided(won, lost, both=70, neither=30), positive=None)
    differing = won + lost
    assert gain.method == "McNemar, exact"
    assert gain.value == pytest.approx((won - lost) / (100 + differing))
    assert gain.value == pytest.approx(gain.candidate - gain.champion)
    if not differing:
        assert (gain.p, gain.low, gain.high) == (1, 0, 0)
        return
    expected = stats.binomtest(won, differing, 0.5)
    share = expected.proportion_ci(0.95)
    assert gain.p == pytest.approx(expected.pvalue)
    assert (gain.low, gain.high) == pytest.approx(
        tuple((2 * end - 1) * differing / (100 + differing) for end in (share.low, share.high))
    )
    # p and interval say the same: zero lies outside exactly where the test is significant.
    assert (gain.low > 0 or gain.high < 0) == (expected.pvalue < 0.05)


def test_many_differing_rows_are_judged_by_the_published_statistic() -> None:
    """121 and 59 rows differ: chi-squared 20.67 with continuity correction, as in the textbook example."""
    gain = mcnemar(*decided(59, 121, both=101, neither=33), positive=None)
    assert gain.method == "McNemar, chi-squared with continuity correction"
    assert stats.chi2.isf(gain.p or 0.0, 1) == pytest.approx(20.67, abs=0.005)
    error = math.sqrt(180 - 62**2 / 314) / 314
    reach = 1.959964 * error + 1 / 314
    assert (gain.value, gain.low, gain.high) == pytest.approx(
        (-62 / 314, -62 / 314 - reach, -62 / 314 + reach), abs=1e-6
    )


@pytest.mark.parametrize(("differing", "method"), [(24, "exact"), (25, "chi-squared with continuity correction")])
def test_the_change_from_few_to_many_is_stated(differing: int, method: str) -> None:
    assert mcnemar(*decided(differing, 0), positive=None).method == f"McNemar, {method}"


def test_a_positive_class_makes_no_difference_to_accuracy() -> None:
    pair = decided(7, 3, both=20)
    assert mcnemar(*pair, positive="a") == mcnemar(*pair, positive=None)


@pytest.mark.parametrize("test", [delong, mcnemar])
def test_tables_that_are_not_aligned_are_refused(test: type) -> None:
    with pytest.raises(MismatchedRows):
        test(sampled(50, 1, 1), sampled(49, 1, 1), positive=True)
    with pytest.raises(InvalidPredictions):
        test(sampled(50, 1, 1).drop(columns="label"), sampled(50, 1, 1), positive=True)


ROWS = st.lists(
    st.tuples(st.booleans(), st.integers(0, 4), st.integers(0, 4), st.booleans(), st.booleans()),
    min_size=4,
    max_size=40,
)


def pair_of(rows: list[tuple[bool, int, int, bool, bool]]) -> tuple[pd.DataFrame, pd.DataFrame]:
    labels = [True, True, False, False] + [row[0] for row in rows]
    scores = [[0, 4, 1, 3], [1, 1, 2, 0]]
    decisions = [[True, False, True, False], [True, True, False, False]]
    return tuple(  # type: ignore[return-value]  # two of them
        pd.DataFrame(
            {
                "label": labels,
                "score": [*scores[which], *(row[1 + which] for row in rows)],
                "prediction": [*decisions[which], *(row[3 + which] for row in rows)],
            }
        )
        for which in range(2)
    )


@pytest.mark.parametrize("test", [delong, mcnemar])
@settings(max_examples=40, deadline=None)
@given(rows=ROWS)
def test_swapping_the_models_flips_the_sign(test: type, rows: list[tuple[bool, int, int, bool, bool]]) -> None:
    candidate, champion = pair_of(rows)
    one, other = test(candidate, champion, positive=True), test(champion, candidate, positive=True)
    assert one.p == other.p
    assert (one.value, one.low, one.high) == pytest.approx((-other.value, -other.high, -other.low), abs=1e-12)
    assert 0 <= one.p <= 1
    assert -1 <= one.low <= one.value <= one.high <= 1


@pytest.mark.parametrize("test", [delong, mcnemar])
@settings(max_examples=30, deadline=None)
@given(rows=ROWS)
def test_a_model_does_not_differ_from_itself(test: type, rows: list[tuple[bool, int, int, bool, bool]]) -> None:
    same, _ = pair_of(rows)
    gain = test(same, same, positive=True)
    assert (gain.value, gain.low, gain.high, gain.p) == (0, 0, 0, 1)


@settings(max_examples=30, deadline=None)
@given(rows=ROWS)
def test_delong_sees_the_order_of_scores_alone(rows: list[tuple[bool, int, int, bool, bool]]) -> None:
    candidate, champion = pair_of(rows)
    stretched = candidate.assign(score=np.exp(candidate["score"].to_numpy(dtype=float)))
    assert delong(stretched, champion, positive=True) == delong(candidate, champion, positive=True)
