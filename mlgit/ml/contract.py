"""Checks of a table against its data contract, and drafts of contracts from a table.

A violation shows up to three of the values that break a rule; for personal data, callers remove these.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

import numpy as np
import pandas as pd

from mlgit.domain.records.dataset import ColumnRule
from mlgit.domain.results import ContractRule, ContractViolation
from mlgit.ml.arrays import Array
from mlgit.ml.coltypes import Column, drop_missing, infer_type, is_of_type, matches, to_timestamps

_MAX_EXAMPLES = 3  # values that a violation shows
_MAX_EXAMPLE_LENGTH = 80  # characters of each
_EXAMPLE_POOL = 1000  # first invalid values that examples are taken from
_MAX_ALLOWED = 20  # a draft lists at most so many allowed values,
_MIN_REPEATS = 5  # and only if each occurs so often on average
_DAY = 86_400


def draft_rules(frame: pd.DataFrame) -> dict[str, ColumnRule]:
    """Return rules that the columns of a table satisfy, as a draft of its contract.

    Texts that repeat become a list of allowed values; only integers and texts can be found to be unique.

    Raises:
        ValueError: a column has values of mixed types, or of a type that contracts do not have.
    """
    return {str(name): _draft_rule(frame[name]) for name in frame.columns}


def check_table(
    frame: pd.DataFrame,
    columns: Mapping[str, ColumnRule],
    *,
    keys: Sequence[str] = (),
    rows_min: int | None = None,
    rows_max: int | None = None,
    freshness_column: str | None = None,
    max_age_seconds: float | None = None,
    now: datetime,
) -> list[ContractViolation]:
    """Return every violation of a contract: of the table first, then column by column in the order of the contract.

    Args:
        frame: the table.
        columns: the rule of each column.
        keys: columns that together identify a row; none of their values may be missing.
        rows_min: minimum number of rows.
        rows_max: maximum number of rows.
        freshness_column: column with the time of a row; times without a zone are UTC.
        max_age_seconds: maximum age of its newest value. Times after `now` are ignored.
        now: time of the check, with a zone.

    Raises:
        ValueError: `now` has no zone, or a pattern is not a regular expression.
    """
    if now.tzinfo is None:
        raise ValueError("the time of the check has no time zone")
    needed = list(dict.fromkeys([*columns, *keys, *([freshness_column] if freshness_column else [])]))
    violations = [*_check_names(frame, needed, columns), *_check_row_count(len(frame), rows_min, rows_max)]
    if freshness_column in frame.columns and max_age_seconds is not None:
        violations += _check_freshness(frame, str(freshness_column), max_age_seconds, now)
    if keys and not set(keys) - set(frame.columns):
        violations += _check_unique(frame, list(keys))
    for name, rule in columns.items():
        if name in frame.columns:
            violations += _check_values(frame, name, rule, nullable=rule.nullable and name not in keys)
            if rule.unique and list(keys) != [name]:
                violations += _check_unique(frame, [name])
    return violations


def _draft_rule(column: Column) -> ColumnRule:
    values = drop_missing(column)
    column_type = infer_type(values)
    if column_type is None:
        raise ValueError(f"column {str(column.name)!r} mixes types, or has one that contracts do not have")
    nullable = len(values) < len(column)
    if column_type == "integer" and pd.api.types.is_float_dtype(values.dtype) and not nullable:
        column_type = "number"  # integers become floats only if one is missing: these were written as decimals
    numeric = column_type in ("integer", "number") and not values.empty
    distinct = values.nunique()
    repeats = column_type == "string" and 0 < distinct <= _MAX_ALLOWED and distinct * _MIN_REPEATS <= len(values)
    return ColumnRule(
        type=column_type,
        min=_number(values.min()) if numeric else None,
        max=_number(values.max()) if numeric else None,
        in_=sorted(values.unique()) if repeats else None,
        nullable=nullable,
        unique=column_type in ("integer", "string") and not nullable and 1 < distinct == len(values),
    )


def _number(value: float) -> float:
    """Return a Python number, an integer if possible: contracts say 23, not 23.0."""
    return int(value) if float(value).is_integer() else float(value)


def _check_names(
    frame: pd.DataFrame, needed: list[str], columns: Mapping[str, ColumnRule]
) -> Iterator[ContractViolation]:
    for name in needed:
        if name not in frame.columns:
            yield _violation("column-missing", name, len(frame), f"there is no column {name!r}")
    for name in map(str, frame.columns):
        if name not in columns:
            yield _violation("column-extra", name, len(frame), f"the contract has no column {name!r}")


def _check_row_count(rows: int, rows_min: int | None, rows_max: int | None) -> Iterator[ContractViolation]:
    if rows_min is not None and rows < rows_min:
        yield _violation("too-few-rows", None, rows, f"{rows:,} rows, at least {rows_min:,} required")
    if rows_max is not None and rows > rows_max:
        yield _violation("too-many-rows", None, rows, f"{rows:,} rows, at most {rows_max:,} allowed")


def _check_freshness(frame: pd.DataFrame, name: str, max_age: float, now: datetime) -> Iterator[ContractViolation]:
    times = to_timestamps(drop_missing(frame[name]))
    past = times[times <= now]
    if past.empty:
        yield _violation("stale", name, len(frame), f"{name!r} has no time up to {now.isoformat()}")
        return
    newest = past.max()
    age = (now - newest).total_seconds()
    if age > max_age:
        message = f"the newest {name!r} is {age / _DAY:.1f} days old, {max_age / _DAY:.1f} allowed"
        yield _violation("stale", name, len(frame), message, examples=[newest.isoformat()])


def _check_unique(frame: pd.DataFrame, names: list[str]) -> Iterator[ContractViolation]:
    """Yield a violation if rows repeat an earlier one in these columns; rows with missing values are ignored."""
    complete = frame[names].dropna()
    repeated = complete[complete.duplicated()].drop_duplicates()
    if repeated.empty:
        return
    count = int(complete.duplicated().sum())
    examples = ["/".join(map(str, row)) for row in repeated.head(_MAX_EXAMPLES).itertuples(index=False)]
    column = names[0] if len(names) == 1 else None
    message = f"{count:,} of {len(frame):,} rows repeat the {', '.join(names)} of an earlier one"
    yield _violation("duplicate", column, len(frame), message, count=count, examples=examples)


def _check_values(frame: pd.DataFrame, name: str, rule: ColumnRule, *, nullable: bool) -> Iterator[ContractViolation]:
    rows = len(frame)
    values = drop_missing(frame[name])

    def violations(rule_id: ContractRule, invalid: Array, column: Column, fact: str) -> Iterator[ContractViolation]:
        if invalid.any():
            count = int(invalid.sum())
            examples = column[invalid].head(_EXAMPLE_POOL)
            yield _violation(
                rule_id, name, rows, f"{name}: {count:,} of {rows:,} values {fact}", count=count, examples=examples
            )

    missing = rows - len(values)
    if missing and not nullable:
        yield _violation("null", name, rows, f"{name}: {missing:,} of {rows:,} values are missing", count=missing)
    typed = is_of_type(values, rule.type)
    yield from violations("type", ~typed, values, f"are not of type {rule.type}")
    # The other rules apply to values of the right type only.
    values = values[typed].infer_objects()
    if rule.type in ("integer", "number"):
        numbers = values.to_numpy(dtype=np.float64)
        if rule.min is not None:
            yield from violations("range", numbers < rule.min, values, f"are below {rule.min:.12g}")
        if rule.max is not None:
            yield from violations("range", numbers > rule.max, values, f"are above {rule.max:.12g}")
    if rule.in_ is not None:
        allowed = _allowed(values, rule).to_numpy(dtype=bool)
        yield from violations("not-allowed", ~allowed, values, f"are not among the {len(rule.in_):,} allowed")
    if rule.pattern is not None:
        unmatched = ~matches(values, _compiled(name, rule.pattern))
        yield from violations("pattern", unmatched, values, f"do not match {rule.pattern}")


def _allowed(values: Column, rule: ColumnRule) -> "pd.Series[bool]":
    if rule.type in ("date", "datetime"):
        return to_timestamps(values).isin(to_timestamps(pd.Series(rule.in_ or [], dtype=object)))
    return values.isin(rule.in_ or [])


def _compiled(name: str, pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except re.error as error:
        raise ValueError(f"the pattern of column {name!r} is not a regular expression: {error}") from error


def _violation(
    rule: ContractRule,
    column: str | None,
    rows: int,
    message: str,
    *,
    count: int | None = None,
    examples: Iterable[object] = (),
) -> ContractViolation:
    """Return a violation of all rows, or of `count` rows."""
    texts = list(dict.fromkeys(str(example)[:_MAX_EXAMPLE_LENGTH] for example in examples))[:_MAX_EXAMPLES]
    affected = rows if count is None else count
    return ContractViolation(rule=rule, column=column, count=affected, rows=rows, examples=texts, message=message)
