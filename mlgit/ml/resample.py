"""Metrics of many bootstrap resamples at once.

A resample of n rows is a vector of n integer weights: how often each row was drawn. Everything expensive
(sorting, comparing, logarithms) is done once for the table; a resample then takes a few passes over its weights. Counts
are summed as integers, so that results do not depend on order or ties.
"""

from collections.abc import Callable

import numpy as np

from mlgit.ml.arrays import Array
from mlgit.ml.columns import MetricInput
from mlgit.ml.metrics import FUNCTIONS, UndefinedMetric

Evaluate = Callable[[Array], Array]
"""Weights (resamples, rows) of int64 in, values (resamples,) of float64 out; NaN if the metric is undefined."""


def resampler(metric: str, columns: MetricInput) -> Evaluate:
    """Return a function that evaluates a metric on resamples, with the results of scikit-learn on each resampled table."""
    prepare = _PREPARE.get(metric)
    return prepare(columns) if prepare else _one_by_one(metric, columns)


def _one_by_one(metric: str, columns: MetricInput) -> Evaluate:
    """Evaluate on each resampled table: slow, but correct for every metric."""
    function = FUNCTIONS[metric]
    rows = np.arange(len(columns.truth))

    def value(weights: Array) -> float:
        try:
            return function(columns.take(np.repeat(rows, weights)))
        except UndefinedMetric:
            return np.nan

    return lambda weights: np.array([value(row) for row in weights], dtype=np.float64)


# Ranking metrics: the share of correctly ordered pairs, and the precision at each positive row.


def _roc_auc(columns: MetricInput) -> Evaluate:
    """Count, for each positive row, the negative rows with a lower score, and half of those with the same score.

    Source: Hanley & McNeil (1982), "The meaning and use of the area under a ROC curve": the Mann-Whitney statistic.
    """
    positive, negative = _by_score(columns)
    less, not_more = _ranks(columns.output[negative], columns.output[positive])

    def evaluate(weights: Array) -> Array:
        below = _running_sum(weights, negative)
        drawn = np.take(weights, positive, axis=1)
        twice_won = np.einsum("bi,bi->b", drawn, np.take(below, less, axis=1) + np.take(below, not_more, axis=1))
        return _ratio(twice_won, 2 * drawn.sum(axis=1) * below[:, -1])

    return evaluate


def _average_precision(columns: MetricInput) -> Evaluate:
    """Average, over the positive rows, the precision among all rows that score at least as much."""
    positive, negative = _by_score(columns)
    less_negative, _ = _ranks(columns.output[negative], columns.output[positive])
    less_positive, _ = _ranks(columns.output[positive], columns.output[positive])

    def evaluate(weights: Array) -> Array:
        positives, negatives = _running_sum(weights, positive), _running_sum(weights, negative)
        hits = positives[:, -1:] - np.take(positives, less_positive, axis=1)
        misses = negatives[:, -1:] - np.take(negatives, less_negative, axis=1)
        drawn = np.take(weights, positive, axis=1)
        # If no row scores as high, the positive row itself was not drawn and adds nothing.
        precision = hits / np.maximum(hits + misses, 1)
        values = _ratio((drawn * precision).sum(axis=1), positives[:, -1])
        return np.where(negatives[:, -1] > 0, values, np.nan)

    return evaluate


def _by_score(columns: MetricInput) -> tuple[Array, Array]:
    """Return the positions of the positive and of the negative rows, each with scores ascending."""
    order = np.argsort(columns.output, kind="stable")
    return order[columns.truth[order]], order[~columns.truth[order]]


def _ranks(scores: Array, values: Array) -> tuple[Array, Array]:
    """Return for each value how many of the ascending scores are less, and how many are less or equal."""
    return np.searchsorted(scores, values, side="left"), np.searchsorted(scores, values, side="right")


def _running_sum(weights: Array, rows: Array) -> Array:
    """Return (resamples, rows + 1): the weight of the first 0, 1, 2 ... of these rows."""
    total = np.zeros((len(weights), len(rows) + 1), dtype=np.int64)
    np.cumsum(np.take(weights, rows, axis=1), axis=1, out=total[:, 1:])
    return total


# Counting metrics: computed from three counts for each class.

_FromCounts = Callable[[Array, Array, Array], Array]
"""Rows with the class, rows predicted as it, and rows that are both, each (resamples, classes) -> (resamples,)."""


def _counting(formula: _FromCounts) -> Callable[[MetricInput], Evaluate]:
    """Prepare a metric from its formula, of the positive class if there is one, and else of all classes."""

    def prepare(columns: MetricInput) -> Evaluate:
        right = np.flatnonzero(columns.truth == columns.output)

        def evaluate(weights: Array) -> Array:
            actual = _per_class(weights, columns.truth, columns.classes)
            predicted = _per_class(weights, columns.output, columns.classes)
            both = _per_class(np.take(weights, right, axis=1), columns.truth[right], columns.classes)
            chosen = slice(None) if columns.positive is None else [columns.positive]
            return formula(actual[:, chosen], predicted[:, chosen], both[:, chosen])

        return evaluate

    return prepare


def _same_for_all(formula: _FromCounts) -> Callable[[MetricInput], Evaluate]:
    """Prepare a metric to which no class is special."""
    prepare = _counting(formula)
    return lambda columns: prepare(MetricInput(truth=columns.truth, output=columns.output, classes=columns.classes))


def _per_class(weights: Array, codes: Array, classes: int) -> Array:
    # bincount adds float64, which is exact for integers below 2**53.
    return np.array([np.bincount(codes, weights=row, minlength=classes) for row in weights]).reshape(-1, classes)


def _accuracy(actual: Array, _predicted: Array, both: Array) -> Array:
    return _ratio(both.sum(axis=1), actual.sum(axis=1))


def _balanced_accuracy(actual: Array, _predicted: Array, both: Array) -> Array:
    occurs = actual > 0
    recalls = np.where(occurs, _ratio(both, actual), 0.0)
    count = occurs.sum(axis=1)
    return np.where(count > 1, _ratio(recalls.sum(axis=1), count), np.nan)


def _precision(_actual: Array, predicted: Array, both: Array) -> Array:
    return _ratio(both, predicted)[:, 0]


def _recall(actual: Array, _predicted: Array, both: Array) -> Array:
    return _ratio(both, actual)[:, 0]


def _f1(actual: Array, predicted: Array, both: Array) -> Array:
    return _ratio(2 * both, actual + predicted)[:, 0]


def _macro(whole: Callable[[Array, Array], Array]) -> _FromCounts:
    """Average over the classes that occur in a resample; a share of nothing counts as 0."""

    def formula(actual: Array, predicted: Array, both: Array) -> Array:
        shares = np.nan_to_num(_ratio(both, whole(actual, predicted)), nan=0.0)
        return _ratio(shares.sum(axis=1), (actual + predicted > 0).sum(axis=1))

    return formula


def _weighted(whole: Callable[[Array, Array], Array]) -> _FromCounts:
    """Average over the classes, weighted by their rows in a resample; a share of nothing counts as 0."""

    def formula(actual: Array, predicted: Array, both: Array) -> Array:
        shares = np.nan_to_num(_ratio(both, whole(actual, predicted)), nan=0.0)
        return _ratio((shares * actual).sum(axis=1), actual.sum(axis=1))

    return formula


def _predicted_rows(_actual: Array, predicted: Array) -> Array:
    return predicted


def _actual_rows(actual: Array, _predicted: Array) -> Array:
    return actual


def _mean_rows(actual: Array, predicted: Array) -> Array:
    return (actual + predicted) / 2


# Averaging metrics: computed from weighted means of a few numbers for each row.


_Loss = Callable[[Array, Array], Array]
"""Truth and output (rows,) -> (rows,)."""


def _averaging(loss: _Loss, finish: Callable[[Array], Array]) -> Callable[[MetricInput], Evaluate]:
    """Prepare a metric that is `finish` of the mean of a loss of each row."""

    def prepare(columns: MetricInput) -> Evaluate:
        losses = loss(columns.truth, columns.output)
        return lambda weights: finish(np.asarray(weights @ losses / weights.sum(axis=1)))

    return prepare


def _log_losses(truth: Array, score: Array) -> Array:
    # Clipped as in sklearn.metrics.log_loss, so that a certain mistake has a finite loss.
    eps = np.finfo(np.float64).eps
    return np.asarray(-np.log(np.clip(np.where(truth, score, 1 - score), eps, 1 - eps)))


def _squares(truth: Array, output: Array) -> Array:
    return np.asarray((truth - output) ** 2)


def _shares(truth: Array, output: Array) -> Array:
    # A label of 0 has no relative error: the NaN makes every resample undefined, as the whole table is.
    return np.asarray(np.abs(truth - output) / np.where(truth == 0, np.nan, np.abs(truth)))


def _r2(columns: MetricInput) -> Evaluate:
    """Compare the squared error with that of the mean of the resample."""
    errors = _squares(columns.truth, columns.output)
    centred = columns.truth - columns.truth.mean()

    def evaluate(weights: Array) -> Array:
        means = weights @ centred / weights.sum(axis=1)
        spread = np.einsum("bi,bi->b", weights, (centred - means[:, None]) ** 2)
        # Rounding leaves a small spread where all drawn labels are equal, so this case is detected separately.
        drawn = weights > 0
        highest = np.where(drawn, columns.truth, -np.inf).max(axis=1)
        lowest = np.where(drawn, columns.truth, np.inf).min(axis=1)
        return np.asarray(1 - _ratio(weights @ errors, np.where(highest > lowest, spread, 0.0)))

    return evaluate


def _ratio(part: Array, whole: Array) -> Array:
    """Divide; NaN where the whole is 0."""
    return np.asarray(np.divide(part, whole, out=np.full(np.shape(part), np.nan), where=whole != 0))


def _identity(values: Array) -> Array:
    return values


_PREPARE: dict[str, Callable[[MetricInput], Evaluate]] = {
    "roc_auc": _roc_auc,
    "average_precision": _average_precision,
    "log_loss": _averaging(_log_losses, _identity),
    "brier": _averaging(lambda truth, score: _squares(truth.astype(np.float64), score), _identity),
    "accuracy": _same_for_all(_accuracy),
    "balanced_accuracy": _same_for_all(_balanced_accuracy),
    "precision": _counting(_precision),
    "recall": _counting(_recall),
    "f1": _counting(_f1),
    "precision_macro": _same_for_all(_macro(_predicted_rows)),
    "recall_macro": _same_for_all(_macro(_actual_rows)),
    "f1_macro": _same_for_all(_macro(_mean_rows)),
    "precision_weighted": _same_for_all(_weighted(_predicted_rows)),
    "recall_weighted": _same_for_all(_weighted(_actual_rows)),
    "f1_weighted": _same_for_all(_weighted(_mean_rows)),
    "r2": _r2,
    "rmse": _averaging(_squares, np.sqrt),
    "mae": _averaging(lambda truth, output: np.abs(truth - output), _identity),
    "mape": _averaging(_shares, _identity),
}
