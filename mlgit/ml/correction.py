"""Corrections for multiple comparisons, which control the family-wise error rate."""

from collections.abc import Sequence


def bonferroni_level(level: float, comparisons: int) -> float:
    """Return the confidence level of each interval, so that all of them hold simultaneously with at least `level`.

    Source: Dunn (1961), "Multiple comparisons among means".

    Args:
        level: simultaneous confidence level, between 0 and 1.
        comparisons: number of intervals, at least 1.
    """
    return 1 - (1 - level) / comparisons


def holm(p_values: Sequence[float]) -> list[float]:
    """Return adjusted p-values in the given order; each is compared with the family-wise error rate.

    The smallest is multiplied by the number of p-values, the next by one less, and so on; none gets smaller than one
    before it. It is uniformly more powerful than Bonferroni's correction, and controls the same error rate.

    Source: Holm (1979), "A simple sequentially rejective multiple test procedure".
    """
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda index: p_values[index])):
        highest = max(highest, min(1.0, p_values[index] * (len(p_values) - rank)))
        adjusted[index] = highest
    return adjusted
