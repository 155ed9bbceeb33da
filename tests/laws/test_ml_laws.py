"""What holds for any predictions, any table and any contract."""

import math
from datetime import UTC, date, datetime
from tempfile import TemporaryFile
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics as sk

from mlgit.domain.metrics import METRICS
from mlgit.domain.records.dataset import ColumnRule
from mlgit.edges.tables import ArrowTables
from mlgit.ml import profile
from mlgit.ml.columns import MetricInput
from mlgit.ml.compare import align, paired_bootstrap
from mlgit.ml.contract import check_table
from mlgit.ml.draft import draft
from mlgit.ml.metrics import FUNCTIONS, UndefinedMetric, measure, read_input
from mlgit.ml.paired import mcnemar
from mlgit.ml.ranks import midranks
from mlgit.ml.resample import resampler
from mlgit.ml.source import MemorySource

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
    positive = "a" if "binary" in METRICS[metric].tasks else None
    labels = st.sampled_from("ab" if positive else "abcd")
    return pd.DataFrame({"label": column(labels), "prediction": column(labels), "score": column(SCORES)}), positive


def reference(metric: str, columns: MetricInput, weights: list[int]) -> float:
    """The metric of the resampled table itself; NaN where it is undefined."""
    try:
        return FUNCTIONS[metric](columns.take(np.repeat(np.arange(len(weights)), weights)))
    except UndefinedMetric:
        return math.nan


def by_scikit_learn(metric: str, columns: MetricInput) -> float:
    """The metric as scikit-learn computes it."""
    truth, output = columns.truth, columns.output
    binary = METRICS[metric].reads == "class" and columns.positive is not None
    if binary:
        truth, output = truth == columns.positive, output == columns.positive
    average = "binary" if binary else "weighted" if metric.endswith("_weighted") else "macro"
    options = {"average": average, "zero_division": 0.0}
    functions: dict[str, Any] = {
        "roc_auc": lambda: sk.roc_auc_score(truth, output),
        "average_precision": lambda: sk.average_precision_score(truth, output),
        "log_loss": lambda: sk.log_loss(truth, output, labels=[False, True]),
        "brier": lambda: sk.brier_score_loss(truth.astype(int), output, pos_label=1),
        "accuracy": lambda: sk.accuracy_score(columns.truth, columns.output),
        "balanced_accuracy": lambda: sk.recall_score(
            columns.truth, columns.output, labels=np.unique(columns.truth), average="macro", zero_division=0.0
        ),
        "f1": lambda: sk.f1_score(truth, output, **options),
        "f1_macro": lambda: sk.f1_score(truth, output, **options),
        "f1_weighted": lambda: sk.f1_score(truth, output, **options),
        "precision": lambda: sk.precision_score(truth, output, **options),
        "precision_macro": lambda: sk.precision_score(truth, output, **options),
        "precision_weighted": lambda: sk.precision_score(truth, output, **options),
        "recall": lambda: sk.recall_score(truth, output, **options),
        "recall_macro": lambda: sk.recall_score(truth, output, **options),
        "recall_weighted": lambda: sk.recall_score(truth, output, **options),
        "r2": lambda: sk.r2_score(truth, output),
        "rmse": lambda: sk.root_mean_squared_error(truth, output),
        "mae": lambda: sk.mean_absolute_error(truth, output),
        "mape": lambda: sk.mean_absolute_percentage_error(truth, output),
    }
    return float(functions[metric]())


@pytest.mark.parametrize("metric", METRICS)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_metric_is_that_of_scikit_learn(metric: str, data: st.DataObject) -> None:
    table, positive = data.draw(predictions(metric))
    try:
        measured = measure(metric, table, positive)
    except UndefinedMetric:
        return  # scikit-learn warns, or returns a number that means nothing
    expected = by_scikit_learn(metric, read_input(metric, table, positive))
    assert measured == pytest.approx(expected, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("metric", METRICS)
def test_a_metric_of_many_rows_is_that_of_scikit_learn(metric: str) -> None:
    rows, numbers = 20_000, np.random.default_rng(1)
    if METRICS[metric].reads == "value":
        label = numbers.normal(size=rows) * 1e4
        table, positive = pd.DataFrame({"label": label, "prediction": label + numbers.normal(size=rows)}), None
    else:
        score = numbers.random(rows)
        label = numbers.random(rows) < score
        table = pd.DataFrame({"label": label, "score": score, "prediction": score > 0.4})
        positive = True if "binary" in METRICS[metric].tasks else None
    expected = by_scikit_learn(metric, read_input(metric, table, positive))
    assert measure(metric, table, positive) == pytest.approx(expected, rel=1e-12, abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(values=st.lists(st.sampled_from([-math.inf, -1.0, -0.0, 0.0, 0.5, 2.0, math.inf]), max_size=30))
def test_ranks_are_those_of_scipy(values: list[float]) -> None:
    np.testing.assert_array_equal(midranks(np.array(values)), stats.rankdata(values))


@settings(max_examples=60, deadline=None)
@given(outcomes=st.lists(st.sampled_from([(1, 1), (1, 0), (0, 1), (0, 0)]), min_size=1, max_size=60))
def test_mcnemars_test_is_that_of_scipy(outcomes: list[tuple[int, int]]) -> None:
    candidate, champion = (pd.DataFrame({"label": 1, "prediction": column}) for column in zip(*outcomes, strict=True))
    won, lost = outcomes.count((1, 0)), outcomes.count((0, 1))
    gain = mcnemar(candidate, champion, None, level=0.9)
    if won + lost == 0:
        assert (gain.p, gain.low, gain.high) == (1.0, 0.0, 0.0)
        return
    if won + lost >= 25:
        statistic = max(abs(won - lost) - 1, 0) ** 2 / (won + lost)
        assert gain.p == pytest.approx(stats.chi2.sf(statistic, 1), rel=1e-12)
        return
    test = stats.binomtest(won, won + lost, 0.5)
    interval, scale = test.proportion_ci(0.9, method="exact"), (won + lost) / len(outcomes)
    expected = (test.pvalue, (2 * interval.low - 1) * scale, (2 * interval.high - 1) * scale)
    assert (gain.p, gain.low, gain.high) == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("metric", METRICS)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_a_resample_is_measured_as_its_rows_are(metric: str, data: st.DataObject) -> None:
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
    source = MemorySource(pa.Table.from_pandas(frame), batch_rows=7)
    drafted = draft(source, TemporaryFile).rules
    rules = {name: msgspec.convert(msgspec.to_builtins(rule), ColumnRule) for name, rule in drafted.items()}
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert check_table(source, rules, spill=TemporaryFile, rows_min=1, now=now).violations == []


@settings(max_examples=50, deadline=None)
@given(frame=data_sets())
def test_a_csv_file_keeps_the_contract_drafted_from_it(frame: pd.DataFrame, tmp_path_factory: Any) -> None:
    path = tmp_path_factory.mktemp("csv") / "table.csv"
    frame.to_csv(path, index=False, sep=";", decimal=",")
    found = draft(source := ArrowTables().open(path), TemporaryFile)
    assert source.csv is not None
    source = ArrowTables().open(path, msgspec.structs.replace(source.csv, decimal=found.decimal))
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert check_table(source, found.rules, spill=TemporaryFile, now=now) == (len(frame), [])
