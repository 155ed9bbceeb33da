"""A profile is small, keeps no names of rows, and counts later data in the bins of the reference."""

import json
from datetime import UTC, date, datetime

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from mlgit.ml.profile import CategoricalProfile, NumericProfile, TableProfile, build, count, from_json, merge, to_json


def numbers(made: TableProfile, name: str) -> NumericProfile:
    column = made.columns[name]
    assert isinstance(column, NumericProfile)
    return column


def categories(made: TableProfile, name: str) -> CategoricalProfile:
    column = made.columns[name]
    assert isinstance(column, CategoricalProfile)
    return column


def test_numbers_are_counted_in_bins() -> None:
    found = numbers(build(pd.DataFrame({"x": [3.0, 1.0, 2.0, 2.0, None, np.inf, -1e300]})), "x")
    assert found == NumericProfile(
        n=4, missing=3, edges=(1.0, 2.0, 3.0), counts=(0, 1, 2, 1), sum=8.0, sum_squares=18.0, min=1.0, max=3.0
    )


def test_later_data_is_counted_in_the_same_bins() -> None:
    made = build(pd.DataFrame({"x": [1, 2, 3]}))
    later = numbers(count(made, pd.DataFrame({"x": [0.5, 1.0, 1.9, 99.0, np.nan]})), "x")
    assert (later.edges, later.counts, later.n, later.missing) == ((1.0, 2.0, 3.0), (1, 2, 0, 1), 4, 1)
    assert (later.min, later.max) == (0.5, 99.0)


def test_many_values_get_even_bins_and_finer_tails() -> None:
    values = np.random.default_rng(0).normal(size=100_000)
    found = numbers(build(pd.DataFrame({"x": values})), "x")
    assert 256 < len(found.counts) <= 270
    middle = found.counts[20:-20]
    assert min(middle) > 0.8 * 100_000 / 256
    assert max(middle) < 1.2 * 100_000 / 256
    assert found.counts[0] <= 2
    assert found.counts[-1] <= 2


@pytest.mark.parametrize("scale", [1e-90, 1e-12, 1.0, 1e9, 1e90])
@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_edges_stay_apart_whatever_the_size_of_the_numbers(scale: float, offset: float) -> None:
    values = np.random.default_rng(0).lognormal(0, 3, size=5000) * scale + offset * scale
    found = numbers(build(pd.DataFrame({"x": values})), "x")
    assert len(found.edges) > 250
    assert list(found.edges) == sorted(set(found.edges))


@pytest.mark.parametrize("shared", [0.1 + 0.2, 0.2999999, -0.2999999, 0.25])
def test_a_value_that_many_rows_share_has_a_bin_of_its_own(shared: float) -> None:
    values = np.concatenate([np.full(5000, shared), np.linspace(1, 2, 5000)])
    found = numbers(build(pd.DataFrame({"x": values})), "x")
    assert found.counts[0] == 0
    assert 5000 <= found.counts[1] <= 5000 + 10_000 / 256


@pytest.mark.parametrize(
    "values",
    [
        [date(1970, 1, 2), date(1970, 1, 3)],
        [datetime(1970, 1, 2, tzinfo=UTC), datetime(1970, 1, 3, tzinfo=UTC)],
        pd.to_datetime(["1970-01-02", "1970-01-03"]),
    ],
)
def test_times_are_counted_in_seconds(values: list[object]) -> None:
    found = numbers(build(pd.DataFrame({"at": values})), "at")
    assert (found.unit, found.min, found.max) == ("seconds", 86_400.0, 172_800.0)


@pytest.mark.parametrize("dtype", ["object", "string", "category"])
def test_texts_are_counted_by_category(dtype: str) -> None:
    table = pd.DataFrame({"carrier": pd.Series(["UA", "AA", "UA", None], dtype=dtype)})
    made = build(table)
    assert categories(made, "carrier") == CategoricalProfile(n=3, missing=1, counts={"AA": 1, "UA": 2}, other=0)
    later = categories(count(made, pd.DataFrame({"carrier": ["ZZ", "UA", "BB", "ZZ", None]})), "carrier")
    assert later == CategoricalProfile(n=4, missing=1, counts={"AA": 0, "UA": 1}, other=3, other_examples=("BB", "ZZ"))


def test_numbered_categories_are_categories() -> None:
    made = categories(build(pd.DataFrame({"x": pd.Categorical([1, 2, 1])})), "x")
    assert made.counts == {"1": 2, "2": 1}


def test_booleans_are_categories() -> None:
    assert categories(build(pd.DataFrame({"x": [True, False, True]})), "x").counts == {"false": 1, "true": 2}


def test_a_type_without_text_is_only_counted() -> None:
    table = pa.table({"embedding": pa.array([[1.0, 2.0], None, [3.0]])})
    assert categories(build(table), "embedding") == CategoricalProfile(
        n=2, missing=1, counts={"(list<item: double>)": 2}, other=0
    )


def test_categories_are_capped_at_the_most_frequent() -> None:
    often = [f"v{i:04d}" for i in range(1000)] * 3
    made = categories(build(pd.DataFrame({"x": [*often, *(f"w{i:04d}" for i in range(200))], "y": 0})), "x")
    assert made.n == 3200
    assert made.other == 3200 - sum(made.counts.values())
    assert set(made.counts.values()) == {3}
    assert len(made.counts) in {500, 1000}
    assert len(made.other_examples) == 10


def test_a_column_that_names_rows_leaves_no_names() -> None:
    table = pd.DataFrame({"customer": [f"Customer {i}" for i in range(100)]})
    made = build(table)
    assert categories(made, "customer") == CategoricalProfile(n=100, missing=0, counts={}, other=100)
    assert b"Customer 1" not in to_json(count(made, table))


@pytest.mark.parametrize(
    ("label", "names"),
    [([0, 1, 1, 0], ["0", "1"]), ([0.0, 1.0, 1.0, 0.0], ["0", "1"]), (["n", "y", "y", "n"], ["n", "y"])],
)
def test_score_and_label_are_counted_together(label: list[object], names: list[str]) -> None:
    table = pd.DataFrame({"p": [0.25, 0.5, 0.75, None], "y": label})
    made = build(table, score="p", label="y")
    assert numbers(made, "p").edges == (0.25, 0.5, 0.75)
    assert made.joint == {names[0]: (0, 1, 0, 0), names[1]: (0, 0, 1, 1)}
    without_labels = count(made, table[["p"]])
    assert without_labels.joint == {names[0]: (0, 0, 0, 0), names[1]: (0, 0, 0, 0)}
    assert categories(without_labels, "y").missing == 4


def test_a_label_that_is_a_number_has_no_joint_counts() -> None:
    made = build(pd.DataFrame({"p": range(30), "y": np.arange(30) / 7}), score="p", label="y")
    assert isinstance(made.columns["y"], NumericProfile)
    assert made.joint is None


def test_columns_that_are_missing_or_new() -> None:
    made = build(pd.DataFrame({"x": [1.0, 2.0], "c": ["a", "b"]}))
    later = count(made, pd.DataFrame({"x": [1.0, 2.0, 3.0], "new": 1}))
    assert later.rows == 3
    assert categories(later, "c") == CategoricalProfile(n=0, missing=3, counts={"a": 0, "b": 0}, other=0)
    assert set(later.columns) == {"x", "c"}


@pytest.mark.parametrize("frame", [pd.DataFrame({"x": [], "c": []}), pd.DataFrame({"x": [None], "c": [None]})])
def test_a_table_without_values_has_a_profile(frame: pd.DataFrame) -> None:
    made = build(frame.astype({"x": "float64", "c": "object"}))
    assert numbers(made, "x") == NumericProfile(
        n=0, missing=len(frame), edges=(), counts=(0,), sum=0, sum_squares=0, min=None, max=None
    )
    assert made.rows == len(frame)


def test_text_in_a_column_of_numbers_is_refused() -> None:
    made = build(pd.DataFrame({"x": [1.0, 2.0]}))
    with pytest.raises(ValueError, match=r"column 'x' has type .*string, and its profile is numeric"):
        count(made, pd.DataFrame({"x": ["one", "two"]}))


@pytest.mark.parametrize(
    ("score", "label", "message"),
    [
        ("p", None, "no column 'p' to profile"),
        (None, "y", "no column 'y' to profile"),
        ("c", None, "'c' is not a number"),
    ],
)
def test_score_and_label_must_be_there(score: str | None, label: str | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build(pd.DataFrame({"c": ["a", "b"]}), score=score, label=label)


X = build(pd.DataFrame({"x": [1.0, 2.0], "c": ["a", "b"]}))


@pytest.mark.parametrize(
    "other",
    [
        build(pd.DataFrame({"x": [1.0, 3.0], "c": ["a", "b"]})),
        build(pd.DataFrame({"x": [1.0, 2.0], "c": ["a", "z"]})),
        build(pd.DataFrame({"x": [1.0, 2.0]})),
        build(pd.DataFrame({"x": [1.0, 2.0], "c": ["a", "b"]}), score="x"),
    ],
)
def test_profiles_with_other_bins_are_not_added(other: TableProfile) -> None:
    with pytest.raises(ValueError, match="same columns, bins and categories"):
        merge(X, other)


def wide(kinds: str) -> pd.DataFrame:
    """20 columns, n(umbers) or c(ategories), with the widest values that are usual; a score and a label beside them."""
    random = np.random.default_rng(0)
    rows = 20_000
    columns: dict[str, object] = {}
    for i, kind in enumerate(kinds):
        values = random.lognormal(3, 2, rows) if i % 2 else random.normal(0, 1e4, rows)
        texts = np.array([f"category {j:04d}" for j in range(1500)])[random.integers(0, 1500, rows)]
        columns[f"a column {i}"] = values if kind == "n" else texts
    return pd.DataFrame(columns).assign(score=random.random(rows), label=random.integers(0, 2, rows))


@pytest.mark.parametrize("kinds", ["n" * 20, "n" * 19 + "c", "n" * 10 + "c" * 10, "c" * 20])
def test_twenty_columns_take_less_than_100_kb(kinds: str) -> None:
    written = to_json(build(wide(kinds), score="score", label="label"))
    assert 40_000 < len(written) <= 100_000


def test_json_has_one_line_for_each_column_in_order() -> None:
    made = build(pd.DataFrame({"b": [1.5, 2.5], 'a "quoted"\nname': ["ü", "v"]}))
    lines = to_json(made).decode().splitlines()
    text = '{"counts":{"v":1,"ü":1},"kind":"categories","missing":0,"n":2,"other":0,"other_examples":[]}'
    number = (
        '{"counts":[0,1,1],"edges":[1.5,2.5],"kind":"numbers","max":2.5,"min":1.5,"missing":0,"n":2,'
        '"sum":4.0,"sum_squares":8.5,"unit":"value"}'
    )
    assert lines[:4] == [
        "{",
        '"columns":{',
        '"a \\"quoted\\"\\nname":' + text + ",",
        '"b":' + number,
    ]
    assert json.loads(to_json(made))["schema"] == 1
    assert from_json(to_json(made)) == made


@pytest.mark.parametrize("content", [b"", b"{}", b'{"kind":"profile","rows":1,"columns":{},"extra":1}', b"[1]"])
def test_what_is_no_profile_is_refused(content: bytes) -> None:
    with pytest.raises(msgspec.MsgspecError):
        from_json(content)
