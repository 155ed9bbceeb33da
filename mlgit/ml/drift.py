"""Drift between two tables, column by column, computed from their profiles alone.

The profiles of two versions have different bins. A bin contains less than 1/256 of the rows, not counting those that
equal its lower bound (see `numeric.choose_bins`), so the distribution function follows from a profile with an error of at
most 1/256; the distances here are as exact as that.
"""

import math
from collections.abc import Sequence
from itertools import pairwise

import msgspec
import numpy as np

from mlgit.domain.results import ColumnDrift, Drift
from mlgit.ml.arrays import Array
from mlgit.ml.numeric import NumericProfile
from mlgit.ml.profile import CategoricalProfile, TableProfile

_BINS = 10  # of equal mass in the reference: the convention for the index
_MAX_VALUES = 20  # a column with no more distinct values in both tables is compared value by value
_MIN_SHARE = 1e-4  # smaller shares count as this, because the logarithm of 0 is infinite
_ROUNDING = (
    1 / 50
)  # of the gap to the nearest other edge: how far an edge may be below the value that it was rounded from
_INTERIOR = 1 / 256  # maximum share of all rows in a bin, not counting those on its lower bound


def drift(reference: TableProfile, current: TableProfile) -> Drift:
    """Compare the profiles of two tables, each with its own bins.

    The population stability index is the sum of (q - p) ln(q / p) over bins with shares p in the reference and q now. Its
    limits are a convention of credit scoring without a theory: below 0.1 little, above 0.25 a large change. Without drift
    its expectation is about (bins - 1) (1/n + 1/m) for n and m rows, so small tables reach any limit by chance: see `noise`.

    Source: Siddiqi (2006), "Credit Risk Scorecards", chapter 6 (index and limits); Yurdakul (2018), "Statistical
    properties of population stability index" (noise); Lin (1991), "Divergence measures based on the Shannon entropy"
    (Jensen-Shannon, to base 2; its root is the distance).

    Args:
        reference: profile of the reference table.
        current: profile of the newer table.

    Raises:
        ValueError: a profile is inconsistent (numbers of edges and counts), or has no rows.
    """
    if not (reference.rows and current.rows):
        raise ValueError("a profile of no rows cannot be compared")
    old, new = reference.columns, current.columns
    columns, retyped = [], []
    for name in sorted(old.keys() & new.keys()):
        before, after = old[name], new[name]
        if isinstance(before, NumericProfile) and isinstance(after, NumericProfile) and before.unit == after.unit:
            columns.append(_numbers(name, before, after))
        elif isinstance(before, CategoricalProfile) and isinstance(after, CategoricalProfile):
            columns.append(_categories(name, before, after))
        else:
            retyped.append(name)
    return Drift(
        columns=columns, added=sorted(new.keys() - old.keys()), removed=sorted(old.keys() - new.keys()), retyped=retyped
    )


def psi(reference: Array, current: Array) -> float:
    """Return the population stability index of two lists of shares (bins,); see `drift`."""
    p, q = np.maximum(reference, _MIN_SHARE), np.maximum(current, _MIN_SHARE)
    return float(((q - p) * np.log(q / p)).sum())


def jensen_shannon(reference: Array, current: Array) -> float:
    """Return the Jensen-Shannon distance of two lists of shares (bins,), 0 to 1; see `drift`."""
    mixture = (reference + current) / 2
    entropy = sum(
        float((part[part > 0] * np.log2(part[part > 0] / mixture[part > 0])).sum()) / 2 for part in (reference, current)
    )
    return math.sqrt(min(max(entropy, 0.0), 1.0))


def _numbers(name: str, before: NumericProfile, after: NumericProfile) -> ColumnDrift:
    for part in (before, after):
        fits = len(part.counts) == len(part.edges) + 1 and sum(part.counts) == part.n and min(part.counts) >= 0
        if not fits or any(low >= high for low, high in pairwise(part.edges)):
            raise ValueError(f"the counts of column {name!r} do not fit its bins")
    after = msgspec.structs.replace(after, edges=tuple(_snapped(after.edges, before.edges)))
    every = np.unique([*before.edges, *after.edges])
    few = len(every) <= _MAX_VALUES
    # The lowest edge is left out if it is the lowest value of the reference: nothing is below it.
    bounds = every[1:] if few else _bounds_of_mass(before)
    shares = [_with_missing(np.diff(_below(part, bounds), prepend=0.0, append=1.0), part) for part in (before, after)]
    below = [_below(part, every) for part in (before, after)]
    ks = float(np.abs(below[0] - below[1]).max(initial=0.0)) if before.n and after.n else 0.0
    return _column_drift(name, before, after, shares, ks)


def _categories(name: str, before: CategoricalProfile, after: CategoricalProfile) -> ColumnDrift:
    for part in (before, after):
        if sum(part.counts.values()) + part.other != part.n or min(part.other, *part.counts.values(), 0) < 0:
            raise ValueError(f"the counts of column {name!r} do not add up")
    # A category that one profile lacks may be among its `other` rows; only if there are none of these, its count is zero.
    comparable = [
        text
        for text in sorted(before.counts.keys() | after.counts.keys())
        if all(text in part.counts or not part.other for part in (before, after))
    ]
    weight = {text: sum(part.counts.get(text, 0) / max(part.n, 1) for part in (before, after)) for text in comparable}
    largest = sorted(comparable, key=lambda text: (-weight[text], text))[:_MAX_VALUES]
    shares = []
    for part in (before, after):
        counts = np.array([part.counts.get(text, 0) for text in largest], dtype=np.float64)
        shares.append(_with_missing(np.append(counts, part.n - counts.sum()) / max(part.n, 1), part))
    return _column_drift(name, before, after, shares, None)


def _column_drift(
    name: str,
    before: NumericProfile | CategoricalProfile,
    after: NumericProfile | CategoricalProfile,
    shares: Sequence[Array],
    ks: float | None,
) -> ColumnDrift:
    used = np.maximum(*shares) > _MIN_SHARE
    old, new = shares[0][used], shares[1][used]
    rows = [part.n + part.missing for part in (before, after)]
    bins = int(used.sum())
    return ColumnDrift(
        column=name,
        psi=psi(old, new),
        js=jensen_shannon(old, new),
        ks=ks,
        bins=bins,
        noise=(bins - 1) * sum(1 / max(count, 1) for count in rows),
    )


def _with_missing(shares: Array, column: NumericProfile | CategoricalProfile) -> Array:
    """Return shares of the rows with a value as shares of all rows, followed by the share of missing values."""
    rows = max(column.n + column.missing, 1)
    return np.append(shares * column.n / rows, column.missing / rows)


def _bounds_of_mass(column: NumericProfile) -> Array:
    """Return the edges of a column's bins that divide it into parts of equal mass, as far as its values allow."""
    if not column.edges:
        return np.empty(0)
    running = np.cumsum(column.counts[:-1]) / max(column.n, 1)
    indices = np.searchsorted(running, np.arange(1, _BINS) / _BINS - 1e-12)
    edges = np.asarray(column.edges, dtype=np.float64)
    return np.unique(edges[np.minimum(indices, len(edges) - 1)])


def _below(column: NumericProfile, points: Array) -> Array:
    """Return the share of a column's values below each point (points,): exact on its own edges, otherwise to 1/256."""
    if not column.n or not column.edges:
        return np.zeros(len(points))
    edges, counts = np.asarray(column.edges, dtype=np.float64), np.asarray(column.counts, dtype=np.float64)
    running = np.concatenate([[0.0], np.cumsum(counts)])  # rows below each bin
    lowest = edges[0] if column.min is None else min(column.min, edges[0])
    highest = edges[-1] if column.max is None else max(column.max, edges[-1])
    starts, ends = np.append(lowest, edges), np.append(edges, highest)
    bin_of = np.searchsorted(edges, points, side="right")
    on_bound = np.isin(points, edges)
    # Within a bin, all but 1/256 of the rows equal its lower bound. The others are assumed to be distributed uniformly; if a
    # column has few edges, these are its values, and all rows are on them.
    inside = np.minimum(counts[bin_of], _INTERIOR * column.n) if len(edges) > _MAX_VALUES else np.zeros(len(points))
    with np.errstate(divide="ignore", invalid="ignore"):
        fraction = np.clip(
            np.nan_to_num((points - starts[bin_of]) / (ends[bin_of] - starts[bin_of]), nan=1.0), 0.0, 1.0
        )
    within = np.where(
        points > highest, counts[bin_of], np.where(points <= lowest, 0.0, counts[bin_of] - inside * (1 - fraction))
    )
    return np.asarray((running[bin_of] + np.where(on_bound, 0.0, within)) / column.n)


def _snapped(edges: Sequence[float], to: Sequence[float]) -> list[float]:
    """Return a column's edges, each replaced by an edge of another column that may stand for the same value.

    A value that many rows share is an edge in both, but was rounded differently in each; it must be one value.
    """
    own, other = np.asarray(edges, dtype=np.float64), np.asarray(to, dtype=np.float64)
    snapped: list[float] = own.tolist()
    nearest = [math.inf] * len(own)
    first = np.searchsorted(own + _slack(own), other, side="left")
    for index, edge, slack in zip(first.tolist(), other.tolist(), _slack(other).tolist(), strict=True):
        if index < len(own) and own[index] <= edge + slack and abs(own[index] - edge) < nearest[index]:
            snapped[index], nearest[index] = edge, abs(own[index] - edge)
    return snapped


def _slack(bounds: Array) -> Array:
    """Return how far above each edge the value may be that it was rounded from."""
    if len(bounds) < 2:  # noqa: PLR2004  (one bound has no neighbour, and was not shortened)
        return np.zeros(len(bounds))
    gaps = np.diff(bounds)
    return np.asarray(np.minimum(np.append(gaps, np.inf), np.append(np.inf, gaps)) * _ROUNDING)
