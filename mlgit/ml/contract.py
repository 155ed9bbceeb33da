"""Does a table keep its contract? And what would the contract of a table look like?

A violation shows up to three of the values that break a rule; where data is personal, callers leave these out.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

import numpy as np
import pandas as pd

from mlgit.domain.records.dataset import ColumnRule
from mlgit.domain.results import ContractRule, ContractViolation
from mlgit.ml.coltypes import Column, drop_missing, infer_type, is_of_type, matches, to_timestamps
from mlgit.ml.columns import Array

_SHOWN = 3  # values that a violation shows,
_LONGEST = 80  # and characters of each,
_LOOKED_AT = 1000  # from the first that are wrong
_MOST_ALLOWED = 20  # a draft lists no more values than this,
_OFTEN = 5  # and only where each occurs this often on average
_DAY = 86_400


def draft_rules(frame: pd.DataFrame) -> dict[str, ColumnRule]:
    """Return what each column of a table looks like, as a start for its contract.

    Texts that repeat themselves become a list of allowed values; only integers and texts can be found to be unique.

    Raises:
        ValueError: a column has values of a type that a contract cannot ask for, or of several.
    """
    return {str(name): _facts(frame[name]) for name in frame.columns}


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
        keys: columns that together name a row; none of their values may be missing.
        rows_min: how many rows there must be at least.
        rows_max: how many there may be.
        freshness_column: the column that says when a row is from; times without a zone are UTC.
        max_age_seconds: how old its newest value may be. Times later than `now` prove nothing and do not count.
        now: the moment to judge by, with a zone.

    Raises:
        ValueError: `now` has no zone, or a pattern is not a regular expression.
    """
    if now.tzinfo is None:
        raise ValueError("the moment to judge by has no time zone")
    needed = list(dict.fromkeys([*columns, *keys, *([freshness_column] if freshness_column else [])]))
    found = [*_check_names(frame, needed, columns), *_check_row_count(len(frame), rows_min, rows_max)]
    if freshness_column in frame.columns and max_age_seconds is not None:
        found += _check_freshness(frame, str(freshness_column), max_age_seconds, now)
    if keys and not set(keys) - set(frame.columns):
        found += _check_unique(frame, list(keys))
    for name, rule in columns.items():
        if name in frame.columns:
            found += _check_values(frame, name, rule, nullable=rule.nullable and name not in keys)
            if rule.unique and list(keys) != [name]:
                found += _check_unique(frame, [name])
    return found


def _facts(column: Column) -> ColumnRule:
    values = drop_missing(column)
    kind = infer_type(values)
    if kind is None:
        raise ValueError(f"column {str(column.name)!r} mixes types, or has one that a contract cannot ask for")
    nullable = len(values) < len(column)
    if kind == "integer" and pd.api.types.is_float_dtype(values.dtype) and not nullable:
        kind = "number"  # integers become floats only where one is missing: these were written as fractions
    numeric = kind in ("integer", "number") and not values.empty
    distinct = values.nunique()
    repeats = kind == "string" and 0 < distinct <= _MOST_ALLOWED and distinct * _OFTEN <= len(values)
    return ColumnRule(
        type=kind,
        min=_number(values.min()) if numeric else None,
        max=_number(values.max()) if numeric else None,
        in_=sorted(values.unique()) if repeats else None,
        nullable=nullable,
        unique=kind in ("integer", "string") and not nullable and 1 < distinct == len(values),
    )


def _number(value: float) -> float:
    """Return a number of Python's own, whole if it is: contracts say 23, not 23.0."""
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
    """Yield a violation if rows repeat an earlier one in these columns; missing values repeat nothing."""
    complete = frame[names].dropna()
    repeated = complete[complete.duplicated()].drop_duplicates()
    if repeated.empty:
        return
    count = int(complete.duplicated().sum())
    examples = ["/".join(map(str, row)) for row in repeated.head(_SHOWN).itertuples(index=False)]
    column = names[0] if len(names) == 1 else None
    message = f"{count:,} of {len(frame):,} rows repeat the {', '.join(names)} of an earlier one"
    yield _violation("duplicate", column, len(frame), message, count=count, examples=examples)


def _check_values(frame: pd.DataFrame, name: str, rule: ColumnRule, *, nullable: bool) -> Iterator[ContractViolation]:
    rows = len(frame)
    values = drop_missing(frame[name])

    def broken(rule_id: ContractRule, bad: Array, among: Column, fact: str) -> Iterator[ContractViolation]:
        if bad.any():
            count = int(bad.sum())
            examples = among[bad].head(_LOOKED_AT)
            yield _violation(
                rule_id, name, rows, f"{name}: {count:,} of {rows:,} values {fact}", count=count, examples=examples
            )

    missing = rows - len(values)
    if missing and not nullable:
        yield _violation("null", name, rows, f"{name}: {missing:,} of {rows:,} values are missing", count=missing)
    typed = is_of_type(values, rule.type)
    yield from broken("type", ~typed, values, f"are not of type {rule.type}")
    # The other rules are about values of the right type; the others are known to be wrong.
    values = values[typed].infer_objects()
    if rule.type in ("integer", "number"):
        numbers = values.to_numpy(dtype=np.float64)
        if rule.min is not None:
            yield from broken("range", numbers < rule.min, values, f"are below {rule.min:.12g}")
        if rule.max is not None:
            yield from broken("range", numbers > rule.max, values, f"are above {rule.max:.12g}")
    if rule.in_ is not None:
        allowed = _allowed(values, rule).to_numpy(dtype=bool)
        yield from broken("not-allowed", ~allowed, values, f"are not among the {len(rule.in_):,} allowed")
    if rule.pattern is not None:
        unmatched = ~matches(values, _compiled(name, rule.pattern))
        yield from broken("pattern", unmatched, values, f"do not match {rule.pattern}")


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
    """Make a violation; it concerns all rows unless a count is given."""
    texts = list(dict.fromkeys(str(example)[:_LONGEST] for example in examples))[:_SHOWN]
    concerned = rows if count is None else count
    return ContractViolation(rule=rule, column=column, count=concerned, rows=rows, examples=texts, message=message)
