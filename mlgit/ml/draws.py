"""Reproducible bootstrap draws: the same for a seed, on every machine and in every version of NumPy."""

from collections.abc import Iterator

import numpy as np

from mlgit.domain.metrics import Metric
from mlgit.ml.arrays import Array
from mlgit.ml.columns import MetricInput

_BLOCK = 2**18  # weights in memory at a time: 2 MB, so that a block stays in the processor's cache


def row_strata(definition: Metric, columns: MetricInput) -> Array:
    """Return the stratum of each row (rows,): its label in classification, zero in regression.

    Rows are drawn within their stratum, so that every resample has as many rows of each label as the table.
    """
    if definition.reads == "value":
        return np.zeros(len(columns.truth), dtype=np.int64)
    return columns.truth.astype(np.int64)


def resample_weights(strata: Array, resamples: int, seed: int) -> Iterator[Array]:
    """Yield blocks (resamples of the block, rows) of how often each row was drawn; rows are ordered by stratum.

    For each row, one of its stratum is drawn: 32 random bits times the size of the stratum, without the lower 32 bits of
    the product. Source: Lemire (2019), "Fast random integer generation in an interval", without the rejection step, so
    that the probabilities of two rows differ by at most a factor of 1 + size / 2**32.
    """
    rows = len(strata)
    _, first, inverse, counts = np.unique(strata, return_index=True, return_inverse=True, return_counts=True)
    start, size = first[inverse].astype(np.int64), counts[inverse].astype(np.uint64)
    source = np.random.PCG64(seed)
    per_block = max(1, _BLOCK // rows)
    for done in range(0, resamples, per_block):
        block = np.empty((min(per_block, resamples - done), rows), dtype=np.int64)
        for weights in block:
            # A resample takes whole 64-bit words, so that the draws do not depend on the block size.
            words: Array = np.asarray(source.random_raw((rows + 1) // 2), dtype="<u8")
            bits = words.view("<u4")[:rows].astype(np.uint64)
            drawn = (bits * size >> np.uint64(32)).astype(np.int64) + start
            weights[:] = np.bincount(drawn, minlength=rows)
        yield block
