"""Where something first got worse, by a scan and by a search."""

from math import log2

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlgit.domain.bisect import first_beyond, first_drop


@pytest.mark.parametrize(
    ("values", "drop", "sign", "found"),
    [
        ([], 0.0, 1, (None, None)),
        ([0.9], 0.0, 1, (None, None)),
        ([0.8, 0.9, 0.9], 0.0, 1, (None, None)),
        ([0.8, 0.9, 0.7, 0.6], 0.0, 1, (1, 2)),
        ([0.8, 0.9, 0.7, 0.6], 0.0, -1, (0, 1)),
        ([3.0, 2.0, 2.0, 5.0], 0.0, -1, (2, 3)),
        ([0.875, 0.75, 0.25], 0.125, 1, (1, 2)),  # a drop that is tolerated is not one
        ([0.9, None, 0.7], 0.0, 1, (0, 2)),
        ([None, 0.9, None], 0.0, 1, (None, None)),
        ([None, None], 0.0, 1, (None, None)),
    ],
)
def test_a_scan_finds_the_first_that_is_worse_than_the_one_before(
    values: list[float | None], drop: float, sign: int, found: tuple[int | None, int | None]
) -> None:
    assert first_drop(values, drop, sign) == found


@pytest.mark.parametrize(
    ("values", "limit", "sign", "found"),
    [
        ([], 0.5, 1, (None, None)),
        ([None, None], 0.5, 1, (None, None)),
        ([0.9, 0.8], 0.5, 1, (1, None)),
        ([0.9, 0.8, None], 0.5, 1, (1, None)),
        ([0.5, 0.5], 0.5, 1, (1, None)),  # what is at the limit is not beyond it
        ([0.4, 0.3], 0.5, 1, (None, 0)),
        ([None, 0.4, 0.3], 0.5, 1, (None, 1)),
        ([0.9, 0.8, 0.4, 0.3], 0.5, 1, (1, 2)),
        ([1.0, 2.0, 6.0, 7.0], 5.0, -1, (1, 2)),
        ([0.9, None, None, 0.3], 0.5, 1, (0, 3)),
        ([0.9, None, 0.8, None, 0.3, 0.2], 0.5, 1, (2, 4)),
    ],
)
def test_a_search_finds_the_first_beyond_a_limit(
    values: list[float | None], limit: float, sign: int, found: tuple[int | None, int | None]
) -> None:
    assert first_beyond(len(values), lambda index: values[index], limit, sign) == found


@given(good=st.integers(0, 400), bad=st.integers(0, 400), sign=st.sampled_from([1, -1]))
def test_a_search_looks_at_few_and_finds_what_looking_at_all_would(good: int, bad: int, sign: int) -> None:
    values = [sign * 1.0] * good + [sign * -1.0] * bad
    asked: set[int] = set()

    def value(index: int) -> float:
        asked.add(index)
        return values[index]

    found = first_beyond(len(values), value, 0.0, sign)
    assert found == (good - 1 if good else None, good if bad else None)
    assert len(asked) <= 3 + log2(len(values) + 1)


@given(st.lists(st.sampled_from([None, 1.0, -1.0]), max_size=40))
def test_whatever_is_unknown_or_comes_back_what_is_found_is_a_fall_between_two_that_are_known(
    values: list[float | None],
) -> None:
    before, first = first_beyond(len(values), lambda index: values[index], 0.0, 1)
    assert before is None or values[before] == 1.0
    assert first is None or values[first] == -1.0
    if before is not None and first is not None:
        assert set(values[before + 1 : first]) <= {None}
    known = [value for value in values if value is not None]
    assert (first is None) == (not known or known[-1] == 1.0)
