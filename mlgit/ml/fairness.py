"""Rates and metrics of groups of rows."""

from collections.abc import Sequence

import pandas as pd

from mlgit.domain.records.problem import Label
from mlgit.domain.results import GroupMeasure
from mlgit.ml.columns import InvalidPredictions, MetricInput, read_classes
from mlgit.ml.metrics import UndefinedMetric, measure
from mlgit.ml.slices import MIN_PER_CLASS, MIN_ROWS, iter_slices, why_too_small

RATES = ("selection_rate", "true_positive_rate", "false_positive_rate")


def group_measures(
    predictions: pd.DataFrame,
    measures: Sequence[str],
    columns: Sequence[str],
    positive: Label | None,
    *,
    min_rows: int = MIN_ROWS,
    min_per_class: int = MIN_PER_CLASS,
) -> list[GroupMeasure]:
    """Return measures of each group, in the order of the columns, then of their values.

    `selection_rate` is the share of rows predicted as the positive class; `true_positive_rate` that share among the
    positive rows; `false_positive_rate` among the negative ones.

    Args:
        predictions: a predictions table with these columns; for rates with `prediction`.
        measures: names in RATES, or of metrics.
        columns: columns whose values are the groups; split as by `slice_values`.
        positive: the positive class of a binary task.
        min_rows: smaller groups are listed without measures.
        min_per_class: as are groups with fewer rows of a class that a rate is a share of.

    Raises:
        InvalidPredictions: a column is missing, or as for `measure`; a rate without a positive class.
    """
    result = []
    for column, value, rows in iter_slices(predictions, columns):
        part = predictions.iloc[rows]
        values: dict[str, float] = {}
        reason: str | None = f"{len(rows):,} rows, {min_rows:,} needed"
        if len(rows) >= min_rows:
            try:
                values = {name: _measure(name, part, positive, min_rows, min_per_class) for name in measures}
                reason = None
            except UndefinedMetric as undefined:
                reason = str(undefined)
        result.append(GroupMeasure(column=column, value=value, rows=len(rows), measures=values, reason=reason))
    return result


def _measure(name: str, part: pd.DataFrame, positive: Label | None, min_rows: int, min_per_class: int) -> float:
    if name in RATES:
        if positive is None:
            raise InvalidPredictions(f"{name} needs a positive class")
        return _rate(name, read_classes(part, positive), min_per_class)
    reason = why_too_small(part, name, positive, min_rows, min_per_class)
    if reason is not None:
        raise UndefinedMetric(reason)
    return measure(name, part, positive)


def _rate(name: str, columns: MetricInput, min_per_class: int) -> float:
    selected, actual = columns.output == columns.positive, columns.truth == columns.positive
    if name == "selection_rate":
        return float(selected.mean())
    population = actual if name == "true_positive_rate" else ~actual
    if population.sum() < min_per_class:
        which = "the positive class" if name == "true_positive_rate" else "the other class"
        raise UndefinedMetric(f"{int(population.sum()):,} rows of {which}, {min_per_class:,} needed")
    return float(selected[population].mean())
