"""What profiles tell of drift is what the tables themselves would, to the width of a bin."""

import math
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial import distance

from mlgit.domain.results import ColumnDrift
from mlgit.ml import profile
from mlgit.ml.drift import drift, jensen_shannon, psi

WIDTH = 1 / 256  # of the rows: what a bin may hold beside the rows on its bound


def of(
    column: "pd.Series[Any] | np.ndarray | list[Any]", other: "pd.Series[Any] | np.ndarray | list[Any]"
) -> ColumnDrift:
    profiles = [profile.build(pd.DataFrame({"x": values})) for values in (column, other)]
    (found,) = drift(*profiles).columns
    return found


def drawn(kind: str, rows: int, seed: int) -> np.ndarray:
    numbers = np.random.default_rng(seed)
    values: dict[str, Callable[[], np.ndarray]] = {
        "normal": lambda: numbers.normal(size=rows),
        "skewed": lambda: numbers.lognormal(3, 2, size=rows),
        "counts": lambda: numbers.poisson(3, size=rows),
        "wide counts": lambda: numbers.poisson(400, size=rows),
        "many zeros": lambda: np.where(numbers.random(rows) < 0.4, 0, numbers.exponential(size=rows)),
        "many zeros inside": lambda: np.where(numbers.random(rows) < 0.4, 0, numbers.normal(size=rows)),
        "prices": lambda: numbers.choice([0.1, 0.29, 0.3, 1.07, 2.5], size=rows),
        "cents": lambda: numbers.exponential(20, size=rows).round(2),
        "large": lambda: 1e15 + numbers.integers(0, 1000, size=rows),
    }
    return values[kind]()


KINDS = ["normal", "skewed", "counts", "wide counts", "many zeros", "many zeros inside", "prices", "cents", "large"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("rows", "others"), [(5000, 5000), (2000, 30_000), (400, 150)])
def test_ks_is_that_of_the_tables_to_the_width_of_a_bin(kind: str, rows: int, others: int) -> None:
    for seed in range(3):
        one, other = drawn(kind, rows, 2 * seed), drawn(kind, others, 2 * seed + 1)
        for shift in (0, 1):
            found = of(one, other + shift)
            expected = stats.ks_2samp(one, other + shift).statistic
            assert found.ks == pytest.approx(expected, abs=2 * WIDTH + 1e-9)


def by_deciles(reference: np.ndarray, current: np.ndarray) -> float:
    bounds = np.quantile(reference, np.arange(1, 10) / 10)
    shares = [
        np.bincount(np.searchsorted(bounds, part, side="right"), minlength=10) / len(part)
        for part in (reference, current)
    ]
    return float(((shares[1] - shares[0]) * np.log(shares[1] / shares[0])).sum())


@pytest.mark.parametrize("shift", [0.0, 0.2, 0.5, 1.0])
def test_psi_is_that_of_the_tables_in_ten_bins_of_equal_mass(shift: float) -> None:
    one, other = drawn("normal", 20_000, 1), drawn("normal", 20_000, 2) + shift
    found = of(one, other)
    assert found.psi == pytest.approx(by_deciles(one, other), rel=0.03, abs=0.002)
    assert found.bins == 10


def test_noise_is_what_chance_gives_on_average() -> None:
    measured = [of(drawn("normal", 400, 2 * seed), drawn("normal", 300, 2 * seed + 1)) for seed in range(60)]
    expected = 9 * (1 / 400 + 1 / 300)
    assert measured[0].noise == pytest.approx(expected)
    assert np.mean([one.psi for one in measured]) == pytest.approx(expected, rel=0.25)


def test_few_values_are_compared_one_by_one() -> None:
    found = of([0] * 500 + [1] * 500, [0] * 500 + [2] * 500)
    assert found.bins == 3
    assert found.ks == pytest.approx(0.5)
    shares = [np.array([0.5, 0.5, 0.0]), np.array([0.5, 0.0, 0.5])]
    assert found.js == pytest.approx(distance.jensenshannon(*shares, base=2))
    assert found.psi == pytest.approx(2 * (0.5 - 1e-4) * math.log(0.5 / 1e-4))


def test_missing_values_are_a_bin_of_their_own() -> None:
    whole = drawn("normal", 4000, 1)
    gaps = np.where(np.arange(4000) % 2 == 0, np.nan, drawn("normal", 4000, 2))
    found = of(whole, gaps)
    assert found.bins == 11
    assert found.psi > 1
    assert found.ks == pytest.approx(0, abs=0.04)


@pytest.mark.parametrize(
    ("one", "other", "bins", "js"),
    [
        (["a"] * 50 + ["b"] * 50, ["a"] * 50 + ["b"] * 50, 2, 0.0),
        (["a"] * 50 + ["b"] * 50, ["c"] * 100, 3, 1.0),
        (["a"] * 100, ["a"] * 50 + [None] * 50, 2, None),
        ([True] * 100, [False] * 100, 2, 1.0),
        # Columns that name their rows have no categories, and say nothing but how many are missing.
        ([f"a{row}" for row in range(100)], [f"b{row}" for row in range(100)], 1, 0.0),
    ],
)
def test_categories(one: list[Any], other: list[Any], bins: int, js: float | None) -> None:
    found = of(one, other)
    assert (found.bins, found.ks) == (bins, None)
    if js is not None:
        assert found.js == pytest.approx(js, abs=1e-9)
        assert (found.psi > 1) == (js == 1)


def test_a_category_that_may_be_among_the_others_is_not_taken_for_gone() -> None:
    """One profile lists 1,000 categories and counts the rest as others; the other lists fewer, for its texts are longer."""
    texts = [f"t{number:04}" for number in range(3000)]
    many = [text for text in texts for _ in range(3)]
    found = of(many, many[::-1])
    assert found.psi == pytest.approx(0, abs=1e-6)


def test_rare_categories_are_one_bin() -> None:
    numbers = np.random.default_rng(1)
    texts = [f"c{number}" for number in range(100)]
    found = of(numbers.choice(texts, 3000).tolist(), numbers.choice(texts, 3000).tolist())
    assert found.bins == 21
    assert found.psi < 0.1


def test_columns_that_came_went_or_hold_other_values_are_named() -> None:
    before = pd.DataFrame(
        {"kept": [1.0, 2.0], "gone": [1, 2], "kind": [1, 2], "when": pd.to_datetime(["2026-01-01"] * 2)}
    )
    after = pd.DataFrame({"kept": [1.0, 2.0], "new": [1, 2], "kind": ["a", "b"], "when": [1.0, 2.0]})
    found = drift(profile.build(before), profile.build(after))
    assert [one.column for one in found.columns] == ["kept"]
    assert (found.added, found.removed, found.retyped) == (["new"], ["gone"], ["kind", "when"])


EMPTY = profile.build(pd.DataFrame({"x": [1.0]}).head(0))
SOUND = profile.build(pd.DataFrame({"x": [1.0, 2.0, 3.0], "c": ["a", "a", "b"]}))


def altered(column: str, **changes: Any) -> profile.TableProfile:
    columns = SOUND.columns | {column: msgspec.structs.replace(SOUND.columns[column], **changes)}
    return msgspec.structs.replace(SOUND, columns=columns)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (EMPTY, "no rows"),
        (altered("x", counts=(1, 1)), "do not fit"),
        (altered("x", n=7), "do not fit"),
        (altered("x", counts=(4, -1, 0, 0)), "do not fit"),
        (altered("x", edges=(3.0, 2.0, 1.0)), "do not fit"),
        (altered("c", other=1), "do not add up"),
        (altered("c", counts={"a": 4, "b": -1}), "do not add up"),
    ],
)
def test_a_profile_that_does_not_fit_itself_is_refused(other: profile.TableProfile, message: str) -> None:
    for pair in ((SOUND, other), (other, SOUND)):
        with pytest.raises(ValueError, match=message):
            drift(*pair)


def test_a_column_without_values_is_all_missing() -> None:
    found = of(np.full(100, np.nan), drawn("normal", 100, 1))
    assert (found.bins, found.ks) == (2, 0)
    assert found.js == pytest.approx(1)


SHARES = st.lists(st.integers(0, 20), min_size=2, max_size=8).filter(any)


@given(data=st.data())
def test_both_distances_are_symmetric_and_zero_for_the_same(data: st.DataObject) -> None:
    counts = data.draw(SHARES)
    others = data.draw(st.lists(st.integers(0, 20), min_size=len(counts), max_size=len(counts)).filter(any))
    p, q = (np.array(part) / sum(part) for part in (counts, others))
    assert psi(p, q) == pytest.approx(psi(q, p))
    assert psi(p, q) >= 0
    assert psi(p, p) == 0
    assert jensen_shannon(p, q) == pytest.approx(distance.jensenshannon(p, q, base=2), abs=1e-6)


@settings(max_examples=40, deadline=None)
@given(values=st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=60))
def test_a_table_does_not_drift_from_itself(values: list[float]) -> None:
    found = of(values, values)
    assert (found.psi, found.js, found.ks) == (0, 0, 0)
