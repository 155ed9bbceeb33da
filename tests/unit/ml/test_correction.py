"""Corrections for many comparisons keep the order and the promise."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlgit.ml.correction import bonferroni_level, holm

P_VALUES = st.lists(st.floats(0, 1), max_size=12)


@pytest.mark.parametrize(
    ("level", "comparisons", "expected"), [(0.95, 1, 0.95), (0.95, 5, 0.99), (0.9, 20, 0.995), (0.95, 1000, 0.99995)]
)
def test_bonferroni(level: float, comparisons: int, expected: float) -> None:
    assert bonferroni_level(level, comparisons) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        ([], []),
        ([0.3], [0.3]),
        # The example of R's p.adjust(c(0.01, 0.02, 0.03, 0.04, 0.05), "holm").
        ([0.01, 0.02, 0.03, 0.04, 0.05], [0.05, 0.08, 0.09, 0.09, 0.09]),
        ([0.05, 0.01], [0.05, 0.02]),
        ([0.5, 0.6], [1.0, 1.0]),
        ([0.0, 0.0, 1.0], [0.0, 0.0, 1.0]),
    ],
)
def test_holm(given_: list[float], expected: list[float]) -> None:
    assert holm(given_) == pytest.approx(expected)


@given(p_values=P_VALUES)
def test_holm_lies_between_nothing_and_bonferroni(p_values: list[float]) -> None:
    adjusted = holm(p_values)
    for raw, one in zip(p_values, adjusted, strict=True):
        assert raw <= one <= 1
    rejected = [place for place, raw in enumerate(p_values) if raw * len(p_values) <= 0.05]
    assert all(adjusted[place] <= 0.05 for place in rejected)


@given(p_values=P_VALUES, seed=st.randoms())
def test_holm_does_not_depend_on_the_order(p_values: list[float], seed: object) -> None:
    shuffled = list(enumerate(p_values))
    seed.shuffle(shuffled)  # type: ignore[attr-defined]
    adjusted = holm([p for _, p in shuffled])
    assert [p for _, p in sorted(zip([place for place, _ in shuffled], adjusted, strict=True))] == holm(p_values)
