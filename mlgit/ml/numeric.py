"""Counts of a numeric column in fixed bins, which can be added."""

from typing import Any, Literal

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Array = npt.NDArray[Any]

# Even quantiles, and levels closer and closer to both ends: what goes wrong in production often goes wrong in a tail.
_TAIL = np.array([0.00001, 0.00003, 0.0001, 0.0003, 0.001, 0.002, 0.003])
_BEYOND = 1e100  # what is larger stands for "none" rather than for a number, and its square could not be summed
_LEVELS = np.unique(np.concatenate([_TAIL, np.arange(1, 256) / 256, 1 - _TAIL]))


class NumericProfile(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="numbers", tag_field="kind"
):
    """Counts of a numeric column.

    Attributes:
        n: rows with a value.
        missing: all other rows: null, NaN, or 1e100 and more to either side.
        edges: ascending bounds of the bins; a value on a bound belongs to the bin above it.
        counts: rows in each bin; one more than edges, for the first and the last bin have no outer bound.
        sum: sum of the values.
        sum_squares: sum of their squares.
        min: smallest value, None if there is none.
        max: largest value, None if there is none.
        unit: "seconds" for dates and times, which are counted in seconds since 1970-01-01 UTC; else "value".
    """

    n: int
    missing: int
    edges: tuple[float, ...]
    counts: tuple[int, ...]
    sum: float
    sum_squares: float
    min: float | None
    max: float | None
    unit: Literal["value", "seconds"] = "value"


def is_numeric(column: pa.ChunkedArray) -> bool:
    """Say whether a column has numbers, dates or times; booleans are none."""
    kind = column.type
    numbers = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    return bool(numbers or _is_time(kind))


def values_of(column: pa.ChunkedArray) -> Array:
    """Return a column as float64 (rows,), NaN for null.

    Raises:
        pyarrow.ArrowException: the column does not hold numbers, dates or times.
    """
    if _is_time(column.type):
        zone = getattr(column.type, "tz", None)
        micros = pc.cast(pc.cast(column, pa.timestamp("us", zone), safe=False), pa.int64())
        column = pc.divide(pc.cast(micros, pa.float64(), safe=False), 1e6)
    filled = pc.fill_null(pc.cast(column, pa.float64(), safe=False), float("nan"))
    # The buffers themselves are taken, for `to_numpy` imports pandas, which costs more than a small table does.
    chunks = [
        np.frombuffer(chunk.buffers()[1], dtype=np.float64, count=chunk.offset + len(chunk))[chunk.offset :]
        for chunk in filled.chunks
        if len(chunk)
    ]
    return np.concatenate(chunks) if chunks else np.empty(0)


def is_countable(values: Array) -> Array:
    """Return for each value whether it counts as a number."""
    return np.asarray(np.abs(values) < _BEYOND)


def choose_bins(column: pa.ChunkedArray) -> NumericProfile:
    """Return bins for a column, nothing counted yet: its even quantiles and its tails, each distinct value once."""
    values = values_of(column)
    values = values[is_countable(values)]
    edges: list[float] = []
    if len(values):
        edges = _shortened(np.unique(np.quantile(values, _LEVELS, method="inverted_cdf"))).tolist()
    return NumericProfile(
        n=0,
        missing=0,
        edges=tuple(edges),
        counts=(0,) * (len(edges) + 1),
        sum=0.0,
        sum_squares=0.0,
        min=None,
        max=None,
        unit="seconds" if _is_time(column.type) else "value",
    )


def bins_of(reference: NumericProfile, values: Array) -> Array:
    """Return the number of the bin of each usable value."""
    return np.searchsorted(np.asarray(reference.edges, dtype=np.float64), values, side="right")


def count_numbers(reference: NumericProfile, column: pa.ChunkedArray) -> NumericProfile:
    """Return the counts of a column in the bins of the reference; raises as `values_of`."""
    values = values_of(column)
    there = values[is_countable(values)]
    counts = np.bincount(bins_of(reference, there), minlength=len(reference.counts))
    return msgspec.structs.replace(
        reference,
        n=len(there),
        missing=len(values) - len(there),
        counts=tuple(counts.tolist()),
        sum=float(there.sum()),
        sum_squares=float(np.square(there).sum()),
        min=float(there.min()) if len(there) else None,
        max=float(there.max()) if len(there) else None,
    )


def merge_numbers(one: NumericProfile, other: NumericProfile) -> NumericProfile:
    """Return the counts of two columns together; both have the same bins."""
    return msgspec.structs.replace(
        one,
        n=one.n + other.n,
        missing=one.missing + other.missing,
        counts=add(one.counts, other.counts),
        sum=one.sum + other.sum,
        sum_squares=one.sum_squares + other.sum_squares,
        min=min((part.min for part in (one, other) if part.min is not None), default=None),
        max=max((part.max for part in (one, other) if part.max is not None), default=None),
    )


def add(one: tuple[int, ...], other: tuple[int, ...]) -> tuple[int, ...]:
    """Return the sums of two lists of counts of one length."""
    return tuple(a + b for a, b in zip(one, other, strict=True))


def _is_time(kind: pa.DataType) -> bool:
    return bool(pa.types.is_date(kind) or pa.types.is_timestamp(kind))


def _shortened(edges: Array) -> Array:
    """Round each edge down, by at most a fiftieth of the gap to its nearest neighbour, so that it takes few digits.

    Down, because a value that many rows share must stay at the bottom of the bin that it was an edge for.
    """
    if len(edges) < 2:  # noqa: PLR2004  (one edge has no neighbour)
        return edges
    gaps = np.diff(edges)
    nearest = np.minimum(np.append(gaps, np.inf), np.append(np.inf, gaps))
    with np.errstate(over="ignore", invalid="ignore"):
        scale = 10.0 ** np.maximum(np.ceil(2 - np.log10(nearest)), 0)
        short = np.minimum(np.floor(edges * scale) / scale, edges)
        # From 2**52 on, a float has no digits after the point that could be taken away.
        return np.where(np.abs(edges) * scale < 2.0**52, short, edges)
