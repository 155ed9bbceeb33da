"""Calibration of scores: of the rows with a score of 0.7, are 70 % positive?"""

import numpy as np
import pandas as pd

from mlgit.domain.records.problem import Label
from mlgit.domain.results import CalibrationBin, CalibrationErrors
from mlgit.ml.metrics import read_input


def calibration(predictions: pd.DataFrame, positive: Label | None, *, bins: int = 10) -> CalibrationErrors:
    """Return the calibration errors of the scores of a binary task.

    Bins have equal mass: as many rows each, except that rows with the same score stay together. The error is never
    negative, so it is above zero for a perfect model too, the more so the fewer rows a bin has.

    Source: Naeini, Cooper & Hauskrecht (2015), "Obtaining well calibrated probabilities using Bayesian binning"; bins of
    equal mass: Nixon et al. (2019), "Measuring calibration in deep learning"; Brier (1950), "Verification of forecasts
    expressed in terms of probability".

    Args:
        predictions: a predictions table with `label` and `score`.
        positive: the positive class.
        bins: number of bins, at least 1.

    Raises:
        UndefinedMetric: there are no rows or no scores.
        InvalidPredictions: as for `measure`; a score is beyond 0 to 1.
    """
    columns = read_input("brier", predictions, positive)
    score, truth = columns.output, columns.truth.astype(np.float64)
    levels = np.arange(1, bins) / bins
    edges = np.unique(np.quantile(score, levels, method="inverted_cdf")) if bins > 1 else np.empty(0)
    bin_of_row = np.searchsorted(edges, score, side="left")
    counts = np.bincount(bin_of_row)
    rows = counts[counts > 0]
    scores, rates = (np.bincount(bin_of_row, weights=values)[counts > 0] / rows for values in (score, truth))
    return CalibrationErrors(
        ece=float(rows @ np.abs(scores - rates) / rows.sum()),
        brier=float(np.mean((score - truth) ** 2)),
        rows=len(score),
        bins=[
            CalibrationBin(rows=int(count), score=float(mean), rate=float(rate))
            for count, mean, rate in zip(rows, scores, rates, strict=True)
        ],
    )
