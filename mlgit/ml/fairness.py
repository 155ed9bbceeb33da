"""How groups of rows fare: how often they are chosen, and how often rightly."""

from collections.abc import Sequence

import msgspec
import pandas as pd

from mlgit.ml.columns import BadPredictions, Columns, Label, read_classes
from mlgit.ml.metrics import Undefined, measure
from mlgit.ml.slices import MIN_PER_CLASS, MIN_ROWS, slices_of, too_little

RATES = ("selection_rate", "true_positive_rate", "false_positive_rate")


class GroupMeasure(msgspec.Struct, frozen=True, kw_only=True):
    """Measures of one group: the rows where a column has one value (or lies in one quarter).

    Attributes:
        column: the column.
        value: its value, as text.
        rows: number of rows of the group.
        measures: what was measured, by name; empty where there is too little to say.
        reason: why it is empty.
    """

    column: str
    value: str
    rows: int
    measures: dict[str, float] = {}
    reason: str | None = None


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

    `selection_rate` is the share of rows predicted as the positive class; `true_positive_rate` that share among the rows
    that are of it; `false_positive_rate` among those that are not. A rate never looks at rows that it is not a share of.

    Args:
        predictions: a predictions table with these columns; for rates with `prediction`.
        measures: names in RATES, or of metrics.
        columns: columns whose values are the groups; cut as by `slice_values`.
        positive: the positive class of a binary task.
        min_rows: smaller groups are listed without measures.
        min_per_class: as are groups with fewer rows of a class that a measure is a share of.

    Raises:
        BadPredictions: a column is missing, or as for `measure`; a rate without a positive class.
    """
    result = []
    for column, value, rows in slices_of(predictions, columns):
        part = predictions.iloc[rows]
        found: dict[str, float] = {}
        reason: str | None = f"{len(rows):,} rows, {min_rows:,} needed"
        if len(rows) >= min_rows:
            try:
                found = {name: _measured(name, part, positive, min_rows, min_per_class) for name in measures}
                reason = None
            except Undefined as undefined:
                reason = str(undefined)
        result.append(GroupMeasure(column=column, value=value, rows=len(rows), measures=found, reason=reason))
    return result


def _measured(name: str, part: pd.DataFrame, positive: Label | None, min_rows: int, min_per_class: int) -> float:
    if name in RATES:
        if positive is None:
            raise BadPredictions(f"{name} can only be told when the positive class is known")
        return _rate(name, read_classes(part, positive), min_per_class)
    reason = too_little(part, name, positive, min_rows, min_per_class)
    if reason is not None:
        raise Undefined(reason)
    return measure(name, part, positive)


def _rate(name: str, columns: Columns, min_per_class: int) -> float:
    chosen, actual = columns.output == columns.positive, columns.truth == columns.positive
    if name == "selection_rate":
        return float(chosen.mean())
    among = actual if name == "true_positive_rate" else ~actual
    if among.sum() < min_per_class:
        which = "the positive class" if name == "true_positive_rate" else "the other class"
        raise Undefined(f"{int(among.sum()):,} rows of {which}, {min_per_class:,} needed")
    return float(chosen[among].mean())
