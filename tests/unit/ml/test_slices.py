"""Slices say how a model does on parts of the rows, and say nothing on too few."""

import numpy as np
import pandas as pd
import pytest

from mlgit.domain.results import Correction, SliceGain, SliceValue
from mlgit.ml.columns import InvalidPredictions
from mlgit.ml.compare import MismatchedRows, paired_bootstrap
from mlgit.ml.correction import holm
from mlgit.ml.metrics import measure
from mlgit.ml.slices import slice_gains, slice_values

ROWS = 1000


def predictions(noise: float) -> pd.DataFrame:
    common = np.random.default_rng(0)
    positive = common.random(ROWS) < 0.5
    score = np.clip(
        0.3 * positive + 0.7 * common.random(ROWS) + noise * np.random.default_rng(1).normal(size=ROWS), 0, 1
    )
    return pd.DataFrame(
        {
            "label": positive,
            "score": score,
            "prediction": score > 0.5,
            "carrier": ["UA"] * 600 + ["AA"] * 390 + ["ZZ"] * 10,
            "hour": np.arange(ROWS) % 4,
            "age": np.arange(ROWS, dtype=float),
        }
    )


def test_each_value_of_a_column_is_a_slice() -> None:
    table = predictions(0)
    found = slice_values(table, "roc_auc", ["carrier"], positive=True)
    assert found == [
        SliceValue(column="carrier", value="AA", rows=390, metric=measure("roc_auc", table[600:990], True)),
        SliceValue(column="carrier", value="UA", rows=600, metric=measure("roc_auc", table[:600], True)),
        SliceValue(column="carrier", value="ZZ", rows=10, reason="10 rows, 200 needed"),
    ]


def test_few_numbers_are_values_and_many_are_cut_at_quartiles() -> None:
    found = slice_values(predictions(0), "accuracy", ["hour", "age"], positive=True)
    assert [(part.column, part.value, part.rows) for part in found] == [
        ("hour", "0", 250),
        ("hour", "1", 250),
        ("hour", "2", 250),
        ("hour", "3", 250),
        ("age", "up to 249", 250),
        ("age", "over 249, up to 499", 250),
        ("age", "over 499, up to 749", 250),
        ("age", "over 749", 250),
    ]


def test_few_fractions_are_values() -> None:
    table = predictions(0).assign(age=np.arange(ROWS) % 2 / 2)
    found = slice_values(table, "accuracy", ["age"], positive=True)
    assert [(part.value, part.rows) for part in found] == [("0.0", 500), ("0.5", 500)]


def test_quartiles_that_coincide_are_one() -> None:
    table = predictions(0)
    table["age"] = table["age"].where(table["age"] >= 600, 0.0)
    found = slice_values(table, "accuracy", ["age"], positive=True)
    assert [(part.value, part.rows) for part in found] == [
        ("up to 0", 600),
        ("over 0, up to 749", 150),
        ("over 749", 250),
    ]


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("age", ["up to 324", "over 324, up to 549", "over 549, up to 774", "over 774", "(missing)"]),
        ("carrier", ["(missing)", "AA", "UA", "ZZ"]),
        ("hour", ["(missing)", "0", "1", "2", "3"]),
    ],
)
def test_rows_without_a_value_are_a_slice(column: str, values: list[str]) -> None:
    table = predictions(0)
    table[column] = table[column].where(np.arange(ROWS) >= 100)
    found = slice_values(table, "accuracy", [column], positive=True)
    assert [part.value for part in found] == values
    assert sum(part.rows for part in found) == ROWS
    assert next(part.rows for part in found if part.value == "(missing)") == 100


@pytest.mark.parametrize(
    ("positives", "reason"),
    [
        (29, "29 rows of the positive class, 30 needed"),
        (0, "0 rows of the positive class, 30 needed"),
        (980, "20 rows of the other class, 30 needed"),
        (30, None),
    ],
)
def test_both_classes_need_rows(positives: int, reason: str | None) -> None:
    table = predictions(0).assign(label=np.arange(ROWS) < positives, part="all")
    (found,) = slice_values(table, "roc_auc", ["part"], positive=True)
    assert found.reason == reason
    assert (found.metric is None) == (reason is not None)


def test_an_undefined_metric_is_a_reason() -> None:
    table = predictions(0).assign(prediction=False, part="all")
    (found,) = slice_values(table, "precision", ["part"], positive=True)
    assert (found.metric, found.reason) == (None, "no row was predicted as the positive class")
    (compared,) = slice_gains("precision", table, table, ["part"], positive=True, seed=1)
    assert (compared.gain, compared.reason) == (None, "no row was predicted as the positive class")


def test_gains_are_paired_on_each_slice() -> None:
    candidate, champion = predictions(0), predictions(0.3)
    found = slice_gains("roc_auc", candidate, champion, ["carrier"], positive=True, seed=4, resamples=100)
    assert [(part.value, part.rows, part.reason) for part in found] == [
        ("AA", 390, None),
        ("UA", 600, None),
        ("ZZ", 10, "10 rows, 200 needed"),
    ]
    assert found[1].gain == paired_bootstrap(
        "roc_auc", candidate.head(600), champion.head(600), True, seed=4, resamples=100
    )
    assert found[2].gain is None


def test_harm_on_one_slice_shows() -> None:
    """A model that is better on the whole and much worse for one carrier."""
    champion = predictions(0.3)
    candidate = predictions(0)
    candidate.loc[600:, "score"] = 1 - candidate.loc[600:, "score"]
    by_carrier = {
        part.value: part.gain
        for part in slice_gains("roc_auc", candidate, champion, ["carrier"], positive=True, seed=4, resamples=200)
    }
    harmed, helped = by_carrier["AA"], by_carrier["UA"]
    assert harmed is not None
    assert helped is not None
    assert harmed.high < 0 < helped.low


def test_regression_needs_no_classes() -> None:
    table = pd.DataFrame({"label": np.arange(300.0), "prediction": np.arange(300.0) + 1, "part": "all"})
    (found,) = slice_values(table, "mae", ["part"], None)
    assert found.metric == pytest.approx(1.0)


def test_a_candidate_cannot_change_its_slices() -> None:
    candidate, champion = predictions(0), predictions(0.3)
    candidate.loc[:4, "carrier"] = "AA"
    with pytest.raises(MismatchedRows, match="5 rows have another 'carrier'"):
        slice_gains("roc_auc", candidate, champion, ["carrier"], positive=True, seed=1)


def test_a_champion_from_before_the_slice_column_is_compared() -> None:
    found = slice_gains(
        "accuracy", predictions(0), predictions(0.3).drop(columns="hour"), ["hour"], positive=True, seed=1, resamples=20
    )
    assert all(part.gain is not None for part in found)


def test_a_missing_slice_column_is_refused() -> None:
    with pytest.raises(InvalidPredictions, match="no column 'origin' to slice by"):
        slice_values(predictions(0), "accuracy", ["origin"], positive=True)


def test_no_rows_have_no_slices() -> None:
    assert slice_values(predictions(0).head(0), "accuracy", ["carrier", "age"], positive=True) == []


def test_an_interval_is_given_where_a_level_is() -> None:
    table = predictions(0.3)
    plain = slice_values(table, "roc_auc", ["carrier"], positive=True)
    found = slice_values(table, "roc_auc", ["carrier"], positive=True, level=0.9, resamples=300, seed=4)
    assert [(part.value, part.metric, part.reason) for part in found] == [
        (part.value, part.metric, part.reason) for part in plain
    ]
    assert {(part.low, part.high) for part in plain} == {(None, None)}
    for part in found[:2]:
        assert (part.low or 1) < (part.metric or 0) < (part.high or 0)
    assert (found[2].low, found[2].high) == (None, None)
    wider = slice_values(table, "roc_auc", ["carrier"], positive=True, level=0.99, resamples=300, seed=4)
    assert (wider[0].low or 1) < (found[0].low or 0)


def test_the_interval_of_a_metric_is_that_of_its_resamples() -> None:
    """A share of n rows has a standard error of root(p (1 - p) / n), within a tenth of it for 4,000 resamples."""
    table = predictions(0.3).assign(all="rows")
    (part,) = slice_values(table, "accuracy", ["all"], positive=True, level=0.95, resamples=4000, seed=1)
    assert part.metric is not None
    error = (part.metric * (1 - part.metric) / ROWS) ** 0.5
    assert (part.low, part.high) == pytest.approx(
        (part.metric - 1.96 * error, part.metric + 1.96 * error), abs=0.2 * error
    )


def harms(correction: Correction, max_drop: float = 0.0, resamples: int = 400) -> list[SliceGain]:
    """Gains of a worse candidate on slices by carrier and hour: seven, one of them too small."""
    worse, better = predictions(0.5), predictions(0.3)
    return slice_gains(
        "accuracy",
        worse,
        better,
        ["carrier", "hour"],
        True,
        seed=3,
        resamples=resamples,
        max_drop=max_drop,
        correction=correction,
    )


def test_p_is_the_share_of_resamples_that_are_not_worse_than_accepted() -> None:
    """It says what the interval says: harm at its high end is a p below half of what the level leaves."""
    for max_drop in (0.0, 0.05, 0.1, 0.15):
        for part in harms("none", max_drop):
            assert (part.p is None) == (part.gain is None)
            if part.gain is not None and part.p is not None:
                assert (part.gain.high < -max_drop) == (part.p < 0.025)


@pytest.mark.parametrize("correction", ["bonferroni", "holm"])
def test_corrections_are_for_the_slices_that_can_be_judged(correction: Correction) -> None:
    plain, corrected = harms("none", 0.1), harms(correction, 0.1)
    raw = [part.p for part in plain if part.p is not None]
    assert len(raw) == 6
    adjusted = [part.p for part in corrected if part.p is not None]
    assert adjusted == (holm(raw) if correction == "holm" else [min(1.0, 6 * p) for p in raw])
    for one, other in zip(plain, corrected, strict=True):
        if one.gain is not None and other.gain is not None:
            assert other.gain.value == one.gain.value
            assert other.gain.level == pytest.approx(1 - 0.05 / 6 if correction == "bonferroni" else 0.95)
            assert (other.gain.high > one.gain.high) == (correction == "bonferroni")


def test_without_a_slice_that_can_be_judged_there_is_nothing_to_correct() -> None:
    table = predictions(0).head(20)
    for correction in ("none", "bonferroni", "holm"):
        found = slice_gains("accuracy", table, table, ["carrier"], True, seed=1, correction=correction)
        assert [(part.gain, part.p) for part in found] == [(None, None)]
