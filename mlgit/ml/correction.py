"""Many comparisons at once: how sure each must be, so that all of them together are as sure as was asked."""

from collections.abc import Sequence


def bonferroni_level(level: float, comparisons: int) -> float:
    """Return the level of each of many intervals, so that all hold what they should at once with at least `level`.

    Source: Dunn (1961), "Multiple comparisons among means".

    Args:
        level: between 0 and 1, for all together.
        comparisons: how many there are, at least 1.
    """
    return 1 - (1 - level) / comparisons


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values adjusted for their number, in the order given: each is held against the level for all together.

    The smallest is multiplied by their number, the next by one less, and so on; none gets smaller than one before it.
    Finds at least what Bonferroni's correction finds, with the same promise: the chance of any false find is kept.

    Source: Holm (1979), "A simple sequentially rejective multiple test procedure".
    """
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for done, place in enumerate(sorted(range(len(p_values)), key=lambda place: p_values[place])):
        highest = max(highest, min(1.0, p_values[place] * (len(p_values) - done)))
        adjusted[place] = highest
    return adjusted
