"""Find where a series of values first got worse, when some of them are unknown."""

from collections.abc import Callable, Sequence


def first_drop(values: Sequence[float | None], drop: float, sign: int) -> tuple[int | None, int | None]:
    """Find the first value that is worse than the one before it by more than `drop`.

    Args:
        values: the series; None for an unknown value, which is skipped.
        drop: tolerated loss, at least 0.
        sign: 1 where more is better, -1 where less is.

    Returns:
        Positions of the value before it and of the value itself; both None if there is none.
    """
    before: int | None = None
    last = 0.0
    for index, value in enumerate(values):
        if value is None:
            continue
        if before is not None and sign * (last - value) > drop:
            return before, index
        before, last = index, value
    return None, None


def first_beyond(
    count: int, value: Callable[[int], float | None], limit: float, sign: int
) -> tuple[int | None, int | None]:
    """Find by bisection the last value within a limit and the first beyond it, if no later value is within it again.

    Args:
        count: length of the series.
        value: returns the value at a position; None if unknown. Called about log2(count) times.
        limit: values worse than this are beyond it.
        sign: 1 where more is better, -1 where less is.

    Returns:
        Both positions; the first is None if the first known value is beyond the limit, the second if the last one is not.
    """

    def is_bad(index: int) -> bool | None:
        number = value(index)
        return None if number is None else sign * (limit - number) > 0

    known = (index for index in reversed(range(count)) if is_bad(index) is not None)
    bad = next(known, None)
    if bad is None or not is_bad(bad):
        return bad, None
    good = next(index for index in range(count) if is_bad(index) is not None)
    if is_bad(good):
        return None, good
    while (middle := _near_middle(good, bad, is_bad)) is not None:
        good, bad = (good, middle) if is_bad(middle) else (middle, bad)
    return good, bad


def _near_middle(low: int, high: int, answer: Callable[[int], bool | None]) -> int | None:
    """Return the position nearest to the middle between two others that has a known value; None if there is none."""
    middle = (low + high) // 2
    between = sorted(range(low + 1, high), key=lambda index: abs(index - middle))
    return next((index for index in between if answer(index) is not None), None)
