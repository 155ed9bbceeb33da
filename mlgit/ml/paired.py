"""Tests of candidate against champion that need no resampling: DeLong's for ROC AUC, McNemar's for accuracy."""

import math

import pandas as pd
from scipy import stats

from mlgit.domain.records.problem import Label
from mlgit.domain.results import Gain
from mlgit.ml.columns import Array
from mlgit.ml.compare import read_pair
from mlgit.ml.metrics import FUNCTIONS, UndefinedMetric

_FEW = 25  # differing rows below which the chi-squared distribution is not trusted, and counts are
_LEAST = 2  # rows of a class without which it has no variance


def delong(candidate: pd.DataFrame, champion: pd.DataFrame, positive: Label | None, *, level: float = 0.95) -> Gain:
    """Return the gain in `roc_auc` on the same rows, with DeLong's two-sided p-value and interval.

    The difference of two AUCs is asymptotically normal; its variance follows from how each row fares against the rows of
    the other class (its placement). Costs O(n log n). Where no placement varies, as between a model and itself, the
    interval has no width, and p is 1 for no difference and 0 for any.

    Source: DeLong, DeLong & Clarke-Pearson (1988), "Comparing the areas under two or more correlated receiver operating
    characteristic curves: a nonparametric approach"; placements by midranks as in Sun & Xu (2014), "Fast implementation
    of DeLong's algorithm for comparing the areas under correlated receiver operating characteristic curves".

    Args:
        candidate: predictions of the candidate, from `align`.
        champion: predictions of the champion, from `align`.
        positive: the positive class.
        level: confidence level, between 0 and 1.

    Raises:
        NotSameRows: the tables differ in length, or in a label.
        Undefined: there are not at least two rows of each class.
        BadPredictions: as for `measure`.
    """
    new, old = read_pair("roc_auc", candidate, champion, positive)
    least = min(int(new.truth.sum()), int((~new.truth).sum()))
    if least < _LEAST:
        raise UndefinedMetric(f"DeLong's test needs two rows of each class, and one has {least}")
    new_placements, old_placements = _placements(new.truth, new.output), _placements(old.truth, old.output)
    # Differences first: equal models then differ by exactly nothing, and swapped ones by exactly the opposite.
    differences = [one - other for one, other in zip(new_placements, old_placements, strict=True)]
    value = float(differences[0].mean())
    error = math.sqrt(sum(float(part.var(ddof=1)) / len(part) for part in differences))
    reach = float(stats.norm.ppf((1 + level) / 2)) * error
    auc = FUNCTIONS["roc_auc"]
    return Gain(
        metric="roc_auc",
        candidate=auc(new),
        champion=auc(old),
        value=value,
        low=max(value - reach, -1.0),
        high=min(value + reach, 1.0),
        level=level,
        rows=len(candidate),
        method="DeLong",
        p=_two_sided(value, error),
    )


def mcnemar(candidate: pd.DataFrame, champion: pd.DataFrame, positive: Label | None, *, level: float = 0.95) -> Gain:
    """Return the gain in `accuracy` on the same rows, with McNemar's two-sided p-value and an interval.

    Only rows on which exactly one of the two is right tell them apart. With fewer than 25 of them the candidate's share
    of these rows is judged by the binomial distribution, and the interval is that share's (exact) times the share of the
    rows that differ, which is taken as given. With more, the statistic is chi-squared with continuity correction, and
    the interval that of a difference of paired shares, corrected as well. `method` says which.

    Source: McNemar (1947), "Note on the sampling error of the difference between correlated proportions or percentages";
    the correction: Edwards (1948); the exact interval: Clopper & Pearson (1934); the other: Fleiss, Levin & Paik (2003),
    "Statistical Methods for Rates and Proportions", section 13.1.

    Args, Raises: as for `delong`; but labels may have any number of classes, and of each any number of rows.
    """
    new, old = read_pair("accuracy", candidate, champion, positive)
    right, was_right = new.truth == new.output, old.truth == old.output
    won, lost, rows = int((right & ~was_right).sum()), int((was_right & ~right).sum()), len(candidate)
    exact = won + lost < _FEW
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
    """Return the placement of each positive row, then of each negative one.

    It is the share of the rows of the other class that it is in the right order with; a tie counts half.
    """
    positive, negative = score[truth], score[~truth]
    among_all = stats.rankdata(score)
    below = (among_all[truth] - stats.rankdata(positive)) / len(negative)
    above = 1 - (among_all[~truth] - stats.rankdata(negative)) / len(positive)
    return below, above


def _two_sided(value: float, error: float) -> float:
    if error == 0:
        return 1.0 if value == 0 else 0.0
    return float(2 * stats.norm.sf(abs(value) / error))


def _exact(won: int, lost: int, rows: int, level: float) -> tuple[float, float, float]:
    """Return p, low and high by the binomial distribution of `won` out of the rows that differ."""
    differing = won + lost
    if differing == 0:
        return 1.0, 0.0, 0.0
    test = stats.binomtest(won, differing, 0.5)
    ends = test.proportion_ci(level, method="exact")
    scale = differing / rows
    return float(test.pvalue), float(2 * ends.low - 1) * scale, float(2 * ends.high - 1) * scale


def _chi_squared(won: int, lost: int, rows: int, level: float) -> tuple[float, float, float]:
    """Return p, low and high by the normal approximation, each with continuity correction."""
    gap, differing = won - lost, won + lost
    p = float(stats.chi2.sf(max(abs(gap) - 1, 0) ** 2 / differing, 1))
    reach = (float(stats.norm.ppf((1 + level) / 2)) * math.sqrt(differing - gap**2 / rows) + 1) / rows
    return p, max(gap / rows - reach, -1.0), min(gap / rows + reach, 1.0)
