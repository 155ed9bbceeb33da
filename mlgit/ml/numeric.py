"""Counts of a numeric column in fixed bins; counts of several tables can be added."""

from typing import Literal

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mlgit.ml.arrays import Array

# Evenly spaced quantiles, and more of them in both tails, where problems in production often show.
_TAIL = np.array([0.00001, 0.00003, 0.0001, 0.0003, 0.001, 0.002, 0.003])
_MAX_MAGNITUDE = 1e100  # larger values usually stand for a missing value, and their squares would overflow
_LEVELS = np.unique(np.concatenate([_TAIL, np.arange(1, 256) / 256, 1 - _TAIL]))


class NumericProfile(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="numbers", tag_field="kind"
):
    """Counts of a numeric column.

    Attributes:
        n: rows with a value.
        missing: all other rows: null, NaN, or a magnitude of 1e100 and more.
        edges: ascending edges of the bins; a value on an edge belongs to the bin above it.
        counts: rows in each bin; one more than edges, because the first and the last bin are unbounded.
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
    """Return whether a column has numbers, dates or times (not booleans)."""
    type_ = column.type
    is_number = pa.types.is_integer(type_) or pa.types.is_floating(type_) or pa.types.is_decimal(type_)
    return bool(is_number or _is_time(type_))


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
    # The buffers are read directly, because `to_numpy` imports pandas, which takes longer than a small table does.
    chunks = [
        np.frombuffer(chunk.buffers()[1], dtype=np.float64, count=chunk.offset + len(chunk))[chunk.offset :]
        for chunk in filled.chunks
        if len(chunk)
    ]
    return np.concatenate(chunks) if chunks else np.empty(0)


def is_countable(values: Array) -> Array:
    """Return for each value whether it is a number of less than the maximum magnitude."""
    return np.asarray(np.abs(values) < _MAX_MAGNITUDE)


def choose_bins(column: pa.ChunkedArray) -> NumericProfile:
    """Return bins for a column, with zero counts: its evenly spaced quantiles and its tails, without duplicates."""
    values = values_of(column)
    values = values[is_countable(values)]
    edges: list[float] = []
    if len(values):
        edges = _rounded_down(np.unique(np.quantile(values, _LEVELS, method="inverted_cdf"))).tolist()
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
    """Return the index of the bin of each countable value."""
    return np.searchsorted(np.asarray(reference.edges, dtype=np.float64), values, side="right")


def count_numbers(reference: NumericProfile, column: pa.ChunkedArray) -> NumericProfile:
    """Return the counts of a column in the bins of the reference; raises as `values_of`."""
    values = values_of(column)
    present = values[is_countable(values)]
    counts = np.bincount(bins_of(reference, present), minlength=len(reference.counts))
    return msgspec.structs.replace(
        reference,
        n=len(present),
        missing=len(values) - len(present),
        counts=tuple(counts.tolist()),
        sum=float(present.sum()),
        sum_squares=float(np.square(present).sum()),
        min=float(present.min()) if len(present) else None,
        max=float(present.max()) if len(present) else None,
    )


def merge_numbers(left: NumericProfile, right: NumericProfile) -> NumericProfile:
    """Return the counts of two columns together; both have the same bins."""
    return msgspec.structs.replace(
        left,
        n=left.n + right.n,
        missing=left.missing + right.missing,
        counts=add(left.counts, right.counts),
        sum=left.sum + right.sum,
        sum_squares=left.sum_squares + right.sum_squares,
        min=min((part.min for part in (left, right) if part.min is not None), default=None),
        max=max((part.max for part in (left, right) if part.max is not None), default=None),
    )


def add(left: tuple[int, ...], right: tuple[int, ...]) -> tuple[int, ...]:
    """Return the element-wise sums of two tuples of equal length."""
    return tuple(a + b for a, b in zip(left, right, strict=True))


def _is_time(type_: pa.DataType) -> bool:
    return bool(pa.types.is_date(type_) or pa.types.is_timestamp(type_))


def _rounded_down(edges: Array) -> Array:
    """Round each edge down to few digits, by at most a fiftieth of the gap to its nearest neighbour.

    Down, because a value that many rows share must stay at the lower end of its bin.
    """
    if len(edges) < 2:  # noqa: PLR2004 - one edge has no neighbour
        return edges
    gaps = np.diff(edges)
    nearest = np.minimum(np.append(gaps, np.inf), np.append(np.inf, gaps))
    with np.errstate(over="ignore", invalid="ignore"):
        scale = 10.0 ** np.maximum(np.ceil(2 - np.log10(nearest)), 0)
        short = np.minimum(np.floor(edges * scale) / scale, edges)
        # From 2**52 on, a float has no digits after the decimal point.
        return np.where(np.abs(edges) * scale < 2.0**52, short, edges)
