"""Paired tests without resampling: DeLong's for ROC AUC, McNemar's for accuracy."""

import math
from statistics import NormalDist

import pandas as pd

from mlgit.domain.records.problem import Label
from mlgit.domain.results import Gain
from mlgit.ml.arrays import Array
from mlgit.ml.compare import read_pair
from mlgit.ml.metrics import FUNCTIONS, UndefinedMetric
from mlgit.ml.ranks import midranks

_MIN_CHI_SQUARED = 25  # discordant rows below which the exact binomial test is used
_MIN_PER_CLASS = 2  # rows of a class for a variance


def delong(candidate: pd.DataFrame, champion: pd.DataFrame, positive: Label | None, *, level: float = 0.95) -> Gain:
    """Return the gain in `roc_auc` on the same rows, with DeLong's two-sided p-value and interval.

    The difference of two AUCs is asymptotically normal; its variance follows from the placement of each row among the rows
    of the other class. Takes O(n log n). If no placement varies, as between a model and itself, the interval has zero
    width, and p is 1 without a difference and 0 otherwise.

    Source: DeLong, DeLong & Clarke-Pearson (1988), "Comparing the areas under two or more correlated receiver operating
    characteristic curves: a nonparametric approach"; placements by midranks as in Sun & Xu (2014), "Fast implementation
    of DeLong's algorithm for comparing the areas under correlated receiver operating characteristic curves".

    Args:
        candidate: predictions of the candidate, from `align`.
        champion: predictions of the champion, from `align`.
        positive: the positive class.
        level: confidence level, between 0 and 1.

    Raises:
        MismatchedRows: the tables differ in length, or in a label.
        UndefinedMetric: there are not at least two rows of each class.
        InvalidPredictions: as for `measure`.
    """
    new, old = read_pair("roc_auc", candidate, champion, positive)
    fewest = min(int(new.truth.sum()), int((~new.truth).sum()))
    if fewest < _MIN_PER_CLASS:
        raise UndefinedMetric(f"DeLong's test needs two rows of each class, and one has {fewest}")
    new_placements, old_placements = _placements(new.truth, new.output), _placements(old.truth, old.output)
    # Differences first, so that equal models differ by exactly zero, and swapped ones by exactly the negative.
    differences = [new_part - old_part for new_part, old_part in zip(new_placements, old_placements, strict=True)]
    value = float(differences[0].mean())
    standard_error = math.sqrt(sum(float(part.var(ddof=1)) / len(part) for part in differences))
    margin = NormalDist().inv_cdf((1 + level) / 2) * standard_error
    auc = FUNCTIONS["roc_auc"]
    return Gain(
        metric="roc_auc",
        candidate=auc(new),
        champion=auc(old),
        value=value,
        low=max(value - margin, -1.0),
        high=min(value + margin, 1.0),
        level=level,
        rows=len(candidate),
        method="DeLong",
        p=_two_sided(value, standard_error),
    )


def mcnemar(candidate: pd.DataFrame, champion: pd.DataFrame, positive: Label | None, *, level: float = 0.95) -> Gain:
    """Return the gain in `accuracy` on the same rows, with McNemar's two-sided p-value and an interval.

    Only discordant rows count: those on which exactly one of the two is right. With fewer than 25 of them, the test is the
    exact binomial test of the candidate's share of these rows, and the interval is the exact one of that share, times the
    share of discordant rows, which is taken as given. With more, the statistic is chi-squared with continuity correction,
    and the interval is that of a difference of paired proportions, corrected too. `method` says which.

    Source: McNemar (1947), "Note on the sampling error of the difference between correlated proportions or percentages";
    the correction: Edwards (1948); the exact interval: Clopper & Pearson (1934); the other: Fleiss, Levin & Paik (2003),
    "Statistical Methods for Rates and Proportions", section 13.1.

    Arguments and exceptions are as for `delong`, but with any number of classes and of rows of each.
    """
    new, old = read_pair("accuracy", candidate, champion, positive)
    right, was_right = new.truth == new.output, old.truth == old.output
    won, lost, rows = int((right & ~was_right).sum()), int((was_right & ~right).sum()), len(candidate)
    exact = won + lost < _MIN_CHI_SQUARED
    p, low, high = (_exact if exact else _chi_squared)(won, lost, rows, level)
    accuracy = FUNCTIONS["accuracy"]
    return Gain(
        metric="accuracy",
        candidate=accuracy(new),
        champion=accuracy(old),
        value=(won - lost) / rows,
        low=low,
        high=high,
        level=level,
        rows=rows,
        method="McNemar, exact" if exact else "McNemar, chi-squared with continuity correction",
        p=p,
    )


def _placements(truth: Array, score: Array) -> tuple[Array, Array]:
    """Return the placement of each positive row, and of each negative row.

    It is the share of the rows of the other class that it is ranked correctly against; a tie counts half.
    """
    positive, negative = score[truth], score[~truth]
    among_all = midranks(score)
    below = (among_all[truth] - midranks(positive)) / len(negative)
    above = 1 - (among_all[~truth] - midranks(negative)) / len(positive)
    return below, above


def _two_sided(value: float, standard_error: float) -> float:
    if standard_error == 0:
        return 1.0 if value == 0 else 0.0
    return math.erfc(abs(value) / standard_error / math.sqrt(2))


def _exact(won: int, lost: int, rows: int, level: float) -> tuple[float, float, float]:
    """Return p, low and high from the exact binomial test of `won` out of the discordant rows."""
    discordant = won + lost
    if discordant == 0:
        return 1.0, 0.0, 0.0
    from scipy.special import betaincinv  # noqa: PLC0415 - takes 0.3 s, and is needed for few rows only

    fewer, tail = min(won, lost), (1 - level) / 2
    # Both tails are equal, and overlap only if as many were won as lost.
    p = min(1.0, 2 * sum(math.comb(discordant, count) for count in range(fewer + 1)) / 2**discordant)
    low = float(betaincinv(won, lost + 1, tail)) if won else 0.0
    high = float(betaincinv(won + 1, lost, 1 - tail)) if lost else 1.0
    scale = discordant / rows
    return p, (2 * low - 1) * scale, (2 * high - 1) * scale


def _chi_squared(won: int, lost: int, rows: int, level: float) -> tuple[float, float, float]:
    """Return p, low and high from the normal approximation with continuity correction."""
    difference, discordant = won - lost, won + lost
    # Chi-squared with one degree of freedom is the square of a standard normal variable.
    p = math.erfc(max(abs(difference) - 1, 0) / math.sqrt(2 * discordant))
    margin = (NormalDist().inv_cdf((1 + level) / 2) * math.sqrt(discordant - difference**2 / rows) + 1) / rows
    return p, max(difference / rows - margin, -1.0), min(difference / rows + margin, 1.0)
