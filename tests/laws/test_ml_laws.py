"""What holds for any predictions, any table and any contract."""

import math
from datetime import UTC, date, datetime
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlgit.domain.metrics import METRICS
from mlgit.domain.records.dataset import ColumnRule
from mlgit.ml import profile
from mlgit.ml.columns import MetricInput
from mlgit.ml.compare import align, paired_bootstrap
from mlgit.ml.contract import check_table, draft_rules
from mlgit.ml.metrics import FUNCTIONS, UndefinedMetric, measure, read_input
from mlgit.ml.resample import resampler

# Few distinct scores and values, so that ties are the rule.
SCORES = st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.5000001, 0.9, 1.0])
VALUES = st.sampled_from([-3.0, -1.0, -0.5, 0.25, 1.0, 2.0, 1e3])


@st.composite
def predictions(draw: st.DrawFn, metric: str) -> tuple[pd.DataFrame, str | None]:
    """A predictions table for a metric, and its positive class."""
    rows = draw(st.integers(1, 25))

    def column(values: st.SearchStrategy[Any]) -> list[Any]:
        return draw(st.lists(values, min_size=rows, max_size=rows))

    if METRICS[metric].reads == "value":
        return pd.DataFrame({"label": column(VALUES), "prediction": column(VALUES)}), None
    positive = "a" if METRICS[metric].reads == "score" else draw(st.sampled_from(["a", None]))
    labels = st.sampled_from("ab" if positive else "abcd")
    return pd.DataFrame({"label": column(labels), "prediction": column(labels), "score": column(SCORES)}), positive


def reference(metric: str, columns: MetricInput, weights: list[int]) -> float:
    """The metric of the resampled table itself, as scikit-learn computes it; NaN where it is undefined."""
    try:
        return FUNCTIONS[metric](columns.take(np.repeat(np.arange(len(weights)), weights)))
    except UndefinedMetric:
        return math.nan


@pytest.mark.parametrize("metric", METRICS)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_a_resample_is_measured_as_scikit_learn_measures_its_rows(metric: str, data: st.DataObject) -> None:
    table, positive = data.draw(predictions(metric))
    rows = len(table)
    draws = data.draw(
        st.lists(st.lists(st.integers(0, rows - 1), min_size=rows, max_size=rows), min_size=1, max_size=4)
    )
    weights = np.array([np.bincount(drawn, minlength=rows) for drawn in draws])
    columns = read_input(metric, table, positive)
    expected = [reference(metric, columns, row.tolist()) for row in weights]
    np.testing.assert_allclose(resampler(metric, columns)(weights), expected, rtol=1e-9, atol=1e-12)


@settings(max_examples=25, deadline=None)
@given(data=st.data(), metric=st.sampled_from(["roc_auc", "accuracy", "mae"]))
def test_the_order_of_the_files_makes_no_difference(data: st.DataObject, metric: str) -> None:
    rows = 30
    numbers = np.random.default_rng(data.draw(st.integers(0, 99)))
    label = np.arange(rows) % 2
    candidate, champion = (
        pd.DataFrame({"id": [f"k{i}" for i in range(rows)], "label": label, "score": numbers.random(rows)}).assign(
            prediction=lambda table: (table["score"] > 0.5).astype(int)
        )
        for _ in range(2)
    )
    orders = [data.draw(st.permutations(range(rows))) for _ in range(2)]
    shuffled = align(candidate.iloc[list(orders[0])], champion.iloc[list(orders[1])], ["id"])
    straight = align(candidate, champion, ["id"])
    gains = [paired_bootstrap(metric, *pair, 1, resamples=20, seed=5) for pair in (shuffled, straight)]
    assert gains[0] == gains[1]


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_the_gain_is_the_difference_of_the_metrics(data: st.DataObject) -> None:
    metric = data.draw(st.sampled_from(["brier", "mae", "rmse", "accuracy"]))
    table, positive = data.draw(predictions(metric))
    other = table.assign(**{column: table[column].to_numpy()[::-1] for column in table.columns if column != "label"})
    gain = paired_bootstrap(metric, table, other, positive, resamples=10, seed=1)
    sign = 1 if METRICS[metric].direction == "max" else -1
    assert gain.value == sign * (measure(metric, table, positive) - measure(metric, other, positive))
    assert gain.low <= gain.high


NUMBERS = st.one_of(st.none(), st.sampled_from([0.0, 1.0, 1.5, math.nan, math.inf]), st.floats(-1e6, 1e6, width=32))


@st.composite
def tables(draw: st.DrawFn) -> pd.DataFrame:
    rows = draw(st.integers(1, 40))

    def column(values: st.SearchStrategy[Any], dtype: str) -> "pd.Series[Any]":
        return pd.Series(draw(st.lists(values, min_size=rows, max_size=rows)), dtype=dtype)

    return pd.DataFrame(
        {
            "amount": column(NUMBERS, "float64"),
            "count": column(st.integers(-(2**40), 2**40), "int64"),
            "at": column(st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1)), "datetime64[us]"),  # noqa: DTZ001
            "carrier": column(st.one_of(st.none(), st.sampled_from("abcdef"), st.text(max_size=3)), "object"),
            "weekend": column(st.one_of(st.none(), st.booleans()), "boolean"),
            "score": column(st.one_of(st.none(), SCORES), "float64"),
            "late": column(st.integers(0, 1), "int64"),
        }
    )


def integers(value: profile.TableProfile) -> object:
    """All of a profile but its sums, which are rounded."""
    document = msgspec.to_builtins(value)
    for column in document["columns"].values():
        column.pop("sum", None), column.pop("sum_squares", None)
    return document


@settings(max_examples=40, deadline=None)
@given(table=tables(), data=st.data())
def test_counting_parts_and_adding_is_counting_the_whole(table: pd.DataFrame, data: st.DataObject) -> None:
    """Whatever the reference, the parts, and the order in which they are added."""
    reference_rows = data.draw(st.integers(0, len(table)))
    made = profile.build(table.head(reference_rows), score="score", label="late")
    part_of_row = np.array(data.draw(st.lists(st.integers(0, 3), min_size=len(table), max_size=len(table))))
    parts = [profile.count(made, table[part_of_row == part]) for part in data.draw(st.permutations(range(4)))]
    merged = profile.merge(profile.merge(parts[0], parts[1]), profile.merge(parts[2], parts[3]))
    whole = profile.count(made, table)
    assert integers(merged) == integers(whole)
    for name in ("amount", "count", "at", "score"):
        one, other = merged.columns[name], whole.columns[name]
        assert isinstance(one, profile.NumericProfile)
        assert isinstance(other, profile.NumericProfile)
        assert one.sum == pytest.approx(other.sum, rel=1e-9, abs=1e-3)
        assert one.sum_squares == pytest.approx(other.sum_squares, rel=1e-9)


@settings(max_examples=40, deadline=None)
@given(table=tables())
def test_a_profile_counts_every_row_once(table: pd.DataFrame) -> None:
    made = profile.build(table, score="score", label="late")
    assert profile.count(made, table) == made
    assert profile.from_json(profile.to_json(made)) == made
    for column in made.columns.values():
        counted = (
            sum(column.counts)
            if isinstance(column, profile.NumericProfile)
            else sum(column.counts.values()) + column.other
        )
        assert counted == column.n
        assert column.n + column.missing == made.rows == len(table)
        if isinstance(column, profile.NumericProfile):
            assert list(column.edges) == sorted(set(column.edges))
    assert made.joint is not None
    assert sum(map(sum, made.joint.values())) == made.columns["score"].n


@st.composite
def data_sets(draw: st.DrawFn) -> pd.DataFrame:
    rows = draw(st.integers(1, 30))
    kinds: dict[str, st.SearchStrategy[Any]] = {
        "integer": st.integers(-(10**9), 10**9),
        "number": st.floats(-1e9, 1e9),
        "text": st.sampled_from(["x", "y", "2026-01-01", "", " "]),
        "truth": st.booleans(),
        "day": st.dates(date(1900, 1, 1), date(2100, 1, 1)),
        "day_text": st.dates(date(1900, 1, 1), date(2100, 1, 1)).map(date.isoformat),
        "time": st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1)),  # noqa: DTZ001
        "time_text": st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1)).map(datetime.isoformat),  # noqa: DTZ001
    }
    columns = {}
    for name, values in kinds.items():
        cells = st.one_of(st.none(), values) if draw(st.booleans()) else values
        columns[name] = draw(st.lists(cells, min_size=rows, max_size=rows))
    return pd.DataFrame(columns)


@settings(max_examples=50, deadline=None)
@given(frame=data_sets())
def test_a_table_keeps_the_contract_drafted_from_it(frame: pd.DataFrame) -> None:
    rules = {name: msgspec.convert(msgspec.to_builtins(rule), ColumnRule) for name, rule in draft_rules(frame).items()}
    assert check_table(frame, rules, rows_min=1, now=datetime(2026, 1, 1, tzinfo=UTC)) == []
