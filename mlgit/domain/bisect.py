"""Where in a row of values things first got worse, when some of them are not known."""

from collections.abc import Callable, Sequence


def first_drop(values: Sequence[float | None], drop: float, sign: int) -> tuple[int | None, int | None]:
    """Return the positions of the first value that is worse than the one before it by more than `drop`, and of that one.

    Args:
        values: in order; None for what is not known, which is passed over.
        drop: what is tolerated, at least 0.
        sign: 1 where more is better, -1 where less is.

    Returns:
        Position before, and position of the first that is worse; both None where there is none.
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
    """Return the position of the last value within a limit, and of the first beyond it, where nothing comes back after that.

    Args:
        count: number of positions.
        value: the value at a position; None for what is not known. Asked for about the binary logarithm of `count` times.
        limit: values worse than this are beyond it.
        sign: 1 where more is better, -1 where less is.

    Returns:
        Both positions; the first is None where the first known value is beyond, the second where the last one is not.
    """

    def is_bad(index: int) -> bool | None:
        found = value(index)
        return None if found is None else sign * (limit - found) > 0

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
    """Return a position between two others that has an answer, the nearest to their middle; None if there is none."""
    middle = (low + high) // 2
    between = sorted(range(low + 1, high), key=lambda index: abs(index - middle))
    return next((index for index in between if answer(index) is not None), None)
