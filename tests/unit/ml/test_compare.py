"""Candidate and champion are compared on the same rows, the same way on every machine."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mlgit.domain.metrics import METRICS, Metric
from mlgit.domain.results import Gain
from mlgit.ml.columns import InvalidPredictions, MetricInput
from mlgit.ml.compare import MismatchedRows, align, paired_bootstrap
from mlgit.ml.metrics import FUNCTIONS, UndefinedMetric, measure


def binary(rows: int, noise: float, seed: int = 1) -> pd.DataFrame:
    """Predictions of a model that gets worse with `noise`; labels and what is easy depend on `rows` alone."""
    common = np.random.default_rng(0)
    positive = common.random(rows) < 0.4
    signal = positive + common.normal(size=rows)
    logit = signal + noise * np.random.default_rng(seed).normal(size=rows)
    score = (1 / (1 + np.exp(-logit))).round(2)
    return pd.DataFrame(
        {
            "id": np.arange(rows),
            "label": np.where(positive, "yes", "no"),
            "score": score,
            "prediction": np.where(score > 0.6, "yes", "no"),
        }
    )


def regression(rows: int, noise: float, seed: int = 1) -> pd.DataFrame:
    label = np.random.default_rng(0).normal(10, 2, size=rows)
    return pd.DataFrame({"label": label, "prediction": label + noise * np.random.default_rng(seed).normal(size=rows)})


def table(metric: str, noise: float, rows: int = 400) -> pd.DataFrame:
    return (regression if METRICS[metric].reads == "value" else binary)(rows, noise)


@pytest.mark.parametrize("metric", METRICS)
def test_gain_is_positive_when_the_candidate_is_better(metric: str) -> None:
    good, bad = table(metric, 0.1), table(metric, 3.0)
    gain = paired_bootstrap(metric, good, bad, "yes", resamples=200, seed=3)
    assert gain.candidate == measure(metric, good, "yes")
    assert gain.champion == measure(metric, bad, "yes")
    assert abs(gain.value) == pytest.approx(abs(gain.candidate - gain.champion))
    assert 0 < gain.low < gain.value < gain.high
    back = paired_bootstrap(metric, bad, good, "yes", resamples=200, seed=3)
    assert (back.value, back.low, back.high) == pytest.approx((-gain.value, -gain.high, -gain.low))


@pytest.mark.parametrize("metric", METRICS)
def test_a_model_gains_nothing_over_itself(metric: str) -> None:
    same = table(metric, 0.5)
    gain = paired_bootstrap(metric, same, same, "yes", resamples=50, seed=3)
    assert (gain.value, gain.low, gain.high) == (0, 0, 0)


CANDIDATE, CHAMPION, LOW, HIGH = 0.7738095238095237, 0.8082010582010581, -0.17208994708994713, 0.0994047619047617


def arithmetic(step: int) -> pd.DataFrame:
    """Predictions without random numbers or mathematics that a machine may round in its own way."""
    rows = np.arange(41)
    return pd.DataFrame(
        {"label": np.where(rows % 3 == 0, "yes", "no"), "score": rows * step % 11 / 16 + (rows % 3 == 0) / 4}
    )


def test_the_result_for_a_seed_is_fixed() -> None:
    """These numbers must never change: gate reports of the past are verified against them."""
    gain = paired_bootstrap("roc_auc", arithmetic(5), arithmetic(7), "yes", resamples=500, seed=7, level=0.9)
    numbers = (gain.candidate, gain.champion, gain.value, gain.low, gain.high)
    assert numbers == pytest.approx((CANDIDATE, CHAMPION, CANDIDATE - CHAMPION, LOW, HIGH), abs=1e-12)
    assert gain == Gain(
        metric="roc_auc",
        candidate=gain.candidate,
        champion=gain.champion,
        value=gain.value,
        low=gain.low,
        high=gain.high,
        level=0.9,
        resamples=500,
        seed=7,
        rows=41,
        method="paired bootstrap, percentile",
    )


@pytest.mark.parametrize("metric", ["roc_auc", "f1", "log_loss"])
def test_the_result_does_not_depend_on_the_memory_used(metric: str, monkeypatch: pytest.MonkeyPatch) -> None:
    candidate, champion = binary(151, 0.5), binary(151, 1.0)
    at_once = paired_bootstrap(metric, candidate, champion, "yes", resamples=100, seed=7)
    monkeypatch.setattr("mlgit.ml.draws._BLOCK", 1)
    one_by_one = paired_bootstrap(metric, candidate, champion, "yes", resamples=100, seed=7)
    assert (one_by_one.low, one_by_one.high) == pytest.approx((at_once.low, at_once.high), abs=1e-12)


def test_the_draws_are_those_that_are_documented() -> None:
    """Rows ordered by label; for each, 32 bits of PCG64, lower half first, pick a row of the same label."""
    candidate, champion = arithmetic(5), arithmetic(7)
    negative, positive = (np.flatnonzero(candidate["label"] == label).tolist() for label in ("no", "yes"))
    source = np.random.PCG64(7)
    gains = []
    for _ in range(30):
        words = [int(word) for word in source.random_raw(21)]
        halves = [half for word in words for half in (word & 0xFFFFFFFF, word >> 32)]
        sizes = [negative] * len(negative) + [positive] * len(positive)
        drawn = [stratum[half * len(stratum) >> 32] for half, stratum in zip(halves, sizes, strict=False)]
        new, old = (measure("roc_auc", part.iloc[drawn], "yes") for part in (candidate, champion))
        gains.append(new - old)
    gain = paired_bootstrap("roc_auc", candidate, champion, "yes", resamples=30, seed=7)
    assert (gain.low, gain.high) == pytest.approx(tuple(np.quantile(gains, [0.025, 0.975])), abs=1e-12)


def test_another_seed_draws_other_rows() -> None:
    first, second = (
        paired_bootstrap("roc_auc", binary(300, 0.5), binary(300, 1.0), "yes", seed=seed) for seed in (1, 2)
    )
    assert first.low != second.low
    assert first.low == pytest.approx(second.low, abs=0.2 * (first.high - first.low))


def test_a_higher_level_gives_a_wider_interval() -> None:
    narrow, wide = (
        paired_bootstrap("mae", regression(200, 0.5), regression(200, 1, seed=2), None, seed=1, level=level)
        for level in (0.8, 0.99)
    )
    assert wide.low < narrow.low < narrow.high < wide.high


@pytest.mark.parametrize("metric", ["mae", "rmse"])
def test_interval_agrees_with_scipy(metric: str) -> None:
    """Ends of two independent intervals of 9,999 resamples agree within 5 % of the interval's width.

    The standard error of such a 2.5 % quantile is about 0.7 % of the width, so 5 % is exceeded by mistakes only.
    """
    candidate, champion = regression(500, 0.8, seed=2), regression(500, 1.0, seed=3)
    gain = paired_bootstrap(metric, candidate, champion, None, resamples=9_999, seed=5)
    power, root = (1, 1) if metric == "mae" else (2, 2)
    losses = [np.abs(part["label"] - part["prediction"]) ** power for part in (candidate, champion)]

    def better_by(new: np.ndarray, old: np.ndarray, axis: int) -> np.ndarray:
        return np.asarray(old.mean(axis=axis) ** (1 / root) - new.mean(axis=axis) ** (1 / root))

    expected = stats.bootstrap(
        losses,
        better_by,
        paired=True,
        method="percentile",
        n_resamples=9_999,
        rng=np.random.default_rng(11),
        batch=500,
    ).confidence_interval
    width = expected.high - expected.low
    assert gain.low == pytest.approx(expected.low, abs=0.05 * width)
    assert gain.high == pytest.approx(expected.high, abs=0.05 * width)


def test_resamples_keep_the_rows_of_each_label() -> None:
    """With 3 positive rows of 300, an unstratified resample would lack them in one of twenty draws."""
    rare = binary(300, 0.5).assign(label=["yes"] * 3 + ["no"] * 297)
    gain = paired_bootstrap("roc_auc", rare, rare, "yes", resamples=1000, seed=1)
    assert gain.value == 0


def test_a_metric_that_some_resamples_lack_is_undefined() -> None:
    once = binary(100, 0.5).assign(prediction=["yes"] + ["no"] * 99)
    with pytest.raises(UndefinedMetric, match=r"precision is undefined on \d+ of 1,000 resamples"):
        paired_bootstrap("precision", once, once, "yes", seed=1)


def test_a_metric_without_a_fast_way_is_resampled_row_by_row(monkeypatch: pytest.MonkeyPatch) -> None:
    def median_error(columns: MetricInput) -> float:
        if columns.truth.max() < 0:
            raise UndefinedMetric("no label is above zero")
        return float(np.median(np.abs(columns.truth - columns.output)))

    monkeypatch.setitem(METRICS, "median_error", Metric("min", ("regression",), "value"))
    monkeypatch.setitem(FUNCTIONS, "median_error", median_error)
    gain = paired_bootstrap("median_error", regression(200, 0.2), regression(200, 2), None, resamples=100, seed=1)
    assert 0 < gain.low < gain.value < gain.high
    once = regression(50, 1).assign(label=[1.0] + [-1.0] * 49)
    with pytest.raises(UndefinedMetric, match=r"median_error is undefined on \d+ of 100 resamples"):
        paired_bootstrap("median_error", once, once, None, resamples=100, seed=1)


@pytest.mark.parametrize("settings", [{"level": 1.0}, {"level": 0.0}, {"resamples": 0}, {"seed": -1}])
def test_settings_outside_their_range_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="outside its range"):
        paired_bootstrap("mae", regression(9, 1), regression(9, 2), None, **({"seed": 1} | settings))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(binary(50, 1).head(49), id="fewer rows"),
        pytest.param(binary(50, 1).iloc[::-1], id="another order"),
        pytest.param(binary(50, 1).replace({"label": {"yes": "no", "no": "yes"}}), id="other labels"),
    ],
)
def test_tables_that_are_not_aligned_are_refused(other: pd.DataFrame) -> None:
    with pytest.raises(MismatchedRows, match="must be aligned first"):
        paired_bootstrap("accuracy", binary(50, 1), other, "yes", seed=1)


def test_align_orders_both_by_key() -> None:
    candidate = pd.DataFrame({"day": ["b", "a", "b"], "no": [1, 1, 0], "label": [1, 0, 1], "score": [0.1, 0.2, 0.3]})
    champion = pd.DataFrame({"no": [0, 1, 1], "day": ["b", "b", "a"], "label": [1.0, 1, 0], "score": [0.4, 0.5, 0.6]})
    left, right = align(candidate, champion, ["day", "no"])
    assert left["score"].tolist() == [0.2, 0.3, 0.1]
    assert right["score"].tolist() == [0.6, 0.4, 0.5]
    assert left[["day", "no"]].equals(right[["day", "no"]])
    assert left.index.tolist() == right.index.tolist() == [0, 1, 2]


BASE = pd.DataFrame({"id": [1, 2, 3, 4, 5], "label": ["a", "b", "a", "b", "a"]})


@pytest.mark.parametrize(
    ("champion", "message"),
    [
        (BASE.head(4), "1 of 5 rows differ (1 only of the candidate, 0 only of the champion, 0 with another label), "),
        (BASE.assign(id=[1, 2, 3, 4, 9]), "2 of 6 rows differ (1 only of the candidate, 1 only of the champion"),
        (BASE.assign(label="a"), "2 of 5 rows differ (0 only of the candidate, 0 only of the champion, 2 with another"),
        (BASE.assign(label="a"), "such as id=2, id=4"),
        (BASE.assign(label="z"), "such as id=1, id=2, id=3"),
        (BASE.assign(label=["a", "b", "a", "b", np.nan]), "1 with another label), such as id=5"),
        (BASE.astype({"id": str}), "the keys id are of different types in the two tables"),
    ],
)
def test_align_says_what_differs(champion: pd.DataFrame, message: str) -> None:
    with pytest.raises(MismatchedRows) as caught:
        align(BASE, champion, ["id"])
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("champion", "keys", "message"),
    [
        (BASE.assign(id=[1, 2, 3, 4, 4]), ["id"], "of the champion, 1 rows have no unique key"),
        (BASE.assign(id=[1, 2, 3, 4, np.nan]), ["id"], "of the champion, 1 rows have no unique key"),
        (BASE.drop(columns="id"), ["id"], "of the champion lack id"),
        (BASE.drop(columns="label"), ["id"], "of the champion lack label"),
        (BASE, [], "of the candidate lack keys"),
    ],
)
def test_align_needs_keys_that_name_rows(champion: pd.DataFrame, keys: list[str], message: str) -> None:
    with pytest.raises(InvalidPredictions, match=message):
        align(BASE, champion, keys)
