"""Ranks of numbers, with ties."""

import numpy as np

from mlgit.ml.arrays import Array


def midranks(values: Array) -> Array:
    """Return the rank of each value from 1 on (rows,); equal values get the mean of their ranks.

    Source: Kendall (1945), "The treatment of ties in ranking problems".

    Args:
        values: numbers without missing ones (rows,).
    """
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[inverse])
