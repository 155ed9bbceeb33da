"""Do scores mean what they say: of the rows with a score of 0.7, are seven of ten positive?"""

import msgspec
import numpy as np
import pandas as pd

from mlgit.ml.columns import Label
from mlgit.ml.metrics import read


class Bin(msgspec.Struct, frozen=True, kw_only=True):
    """Rows with scores of one range.

    Attributes:
        rows: how many.
        score: their mean score.
        rate: share of them that is of the positive class.
    """

    rows: int
    score: float
    rate: float


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """How far scores are from the shares that they state.

    Attributes:
        ece: expected calibration error, 0 to 1: the mean over all rows of how far the score of a bin is from its rate.
        brier: mean squared difference of score and truth, 0 to 1.
        rows: number of rows.
        bins: the bins, scores ascending; fewer than asked for where many rows share a score.
    """

    ece: float
    brier: float
    rows: int
    bins: list[Bin]


def calibration(predictions: pd.DataFrame, positive: Label | None, *, bins: int = 10) -> Calibration:
    """Return how well the scores of a binary task are calibrated.

    Bins have equal mass: as many rows each, as far as rows with one score stay together. The error is never below 0, so
    that it is a little above it for a perfect model too, and the more so the fewer rows a bin has.

    Source: Naeini, Cooper & Hauskrecht (2015), "Obtaining well calibrated probabilities using Bayesian binning"; bins of
    equal mass: Nixon et al. (2019), "Measuring calibration in deep learning"; Brier (1950), "Verification of forecasts
    expressed in terms of probability".

    Args:
        predictions: a predictions table with `label` and `score`.
        positive: the positive class.
        bins: how many, at least 1.

    Raises:
        Undefined: there are no rows or no scores.
        BadPredictions: as for `measure`; a score is beyond 0 to 1.
    """
    columns = read("brier", predictions, positive)
    score, truth = columns.output, columns.truth.astype(np.float64)
    levels = np.arange(1, bins) / bins
    edges = np.unique(np.quantile(score, levels, method="inverted_cdf")) if bins > 1 else np.empty(0)
    place = np.searchsorted(edges, score, side="left")
    counts = np.bincount(place)
    rows = counts[counts > 0]
    scores, rates = (np.bincount(place, weights=values)[counts > 0] / rows for values in (score, truth))
    return Calibration(
        ece=float(rows @ np.abs(scores - rates) / rows.sum()),
        brier=float(np.mean((score - truth) ** 2)),
        rows=len(score),
        bins=[
            Bin(rows=int(count), score=float(mean), rate=float(rate))
            for count, mean, rate in zip(rows, scores, rates, strict=True)
        ],
    )
