"""Checks of a table against its data contract, batch by batch, so that memory does not grow with the number of rows.

A violation shows up to three of the values that break a rule; for personal data, callers remove these.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from mlgit.domain.records.dataset import ColumnRule
from mlgit.domain.results import ContractViolation
from mlgit.ml.coltypes import TextFormat, TypedColumn, plain, to_times, typed
from mlgit.ml.repeats import Repeats, Spill
from mlgit.ml.rules import ColumnChecker, violation
from mlgit.ml.source import TableSource

_DAY = 86_400


class ContractResult(NamedTuple):
    """The number of rows of a table, and how it violates a contract."""

    rows: int
    violations: list[ContractViolation]


def check_table(
    source: TableSource,
    columns: Mapping[str, ColumnRule],
    *,
    spill: Spill,
    keys: Sequence[str] = (),
    rows_min: int | None = None,
    rows_max: int | None = None,
    freshness_column: str | None = None,
    max_age_seconds: float | None = None,
    now: datetime,
) -> ContractResult:
    """Return every violation of a contract: of the table first, then column by column in the order of the contract.

    Memory is that of one batch, and some 10 MB and half a byte a row for the keys and for each unique column.

    Args:
        source: the table.
        columns: the rule of each column.
        spill: opens a temporary file, for keys and unique values that do not fit into memory.
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
    check = _Check(source, columns, list(keys), spill)
    freshness = None
    if freshness_column in source.names and max_age_seconds is not None:
        freshness = _Freshness(str(freshness_column), max_age_seconds, now)
    try:
        for batch in source.batches():
            check.add(batch)
            if freshness is not None:
                freshness.add(check.typed(batch, freshness.column).present)
        needed = list(dict.fromkeys([*columns, *keys, *([freshness_column] if freshness_column else [])]))
        violations = [
            *_check_names(source.names, needed, columns, check.rows),
            *_check_row_count(check.rows, rows_min, rows_max),
            *([] if freshness is None else freshness.violations(check.rows)),
            *check.violations(),
        ]
    finally:
        check.close()
    return ContractResult(check.rows, violations)


class _Check:
    """The state of a check after some batches: counts and examples for each rule, and what has to be unique."""

    def __init__(self, source: TableSource, columns: Mapping[str, ColumnRule], keys: list[str], spill: Spill) -> None:
        self.rows = 0
        self._source = source
        self._columns = columns
        self._checkers = {
            name: ColumnChecker(name, rule, nullable=rule.nullable and name not in keys)
            for name, rule in columns.items()
            if name in source.names
        }
        self._keys = keys if keys and set(keys) <= set(source.names) else []
        self._unique = [name for name in self._checkers if columns[name].unique and keys != [name]]
        groups = [self._keys] if self._keys else []
        self._repeats = [(names, Repeats(spill)) for names in [*groups, *([name] for name in self._unique)]]

    def typed(self, batch: pa.RecordBatch, name: str) -> TypedColumn:
        """Return the values of a column as its rule says; as they are if there is none."""
        column, rule = batch.column(self._source.names.index(name)), self._columns.get(name)
        if rule is None:
            return TypedColumn(plain(column), plain(column))
        return typed(column, rule.type, self._format(rule))

    def add(self, batch: pa.RecordBatch) -> None:
        """Check a batch."""
        columns = {name: self.typed(batch, name) for name in self._checkers}
        for name, column in columns.items():
            self._checkers[name].add(column)
        for names, repeats in self._repeats:
            values = [columns[name] if name in columns else self.typed(batch, name) for name in names]
            repeats.add([column.values for column in values], self.rows)
        self.rows += batch.num_rows

    def violations(self) -> Iterator[ContractViolation]:
        """Yield the violations, those of the keys first."""
        repeated = [(names, repeats.result()) for names, repeats in self._repeats]
        examples = self._examples({row for _, found in repeated for row in found.rows})
        duplicates = [
            violation(
                "duplicate",
                names[0] if len(names) == 1 else None,
                self.rows,
                f"{found.number:,} of {self.rows:,} rows repeat the {', '.join(names)} of an earlier one",
                count=found.number,
                examples=["/".join(examples[row][name] for name in names) for row in found.rows],
            )
            for names, found in repeated
        ]
        of_columns = dict(zip(self._unique, duplicates[1 if self._keys else 0 :], strict=True))
        if self._keys and duplicates[0].count:
            yield duplicates[0]
        for name, checker in self._checkers.items():
            yield from checker.violations(self.rows)
            if name in of_columns and of_columns[name].count:
                yield of_columns[name]

    def _examples(self, rows: set[int]) -> dict[int, dict[str, str]]:
        """Read the table again up to some rows, and return the texts of their values."""
        found: dict[int, dict[str, str]] = {}
        if not rows:
            return found
        first = 0
        for batch in self._source.batches():
            for row in sorted(rows):
                if first <= row < first + batch.num_rows:
                    values = batch.slice(row - first, 1).to_pylist()[0]
                    found[row] = {name: str(value) for name, value in values.items()}
            first += batch.num_rows
            if len(found) == len(rows):
                break
        return found

    def _format(self, rule: ColumnRule) -> TextFormat | None:
        csv = self._source.csv
        return None if csv is None else TextFormat(csv.decimal, rule.null_words)

    def close(self) -> None:
        """Delete temporary files."""
        for _, repeats in self._repeats:
            repeats.close()


class _Freshness:
    """The newest time of a column up to now."""

    def __init__(self, column: str, max_age: float, now: datetime) -> None:
        self.column = column
        self._max_age = max_age
        self._now = now
        self._newest: datetime | None = None

    def add(self, values: pa.Array) -> None:
        times = to_times(values)
        past = pc.filter(times, pc.less_equal(times, pa.scalar(self._now.astimezone(UTC), times.type)))
        newest = pc.max(past).as_py()
        if newest is not None and (self._newest is None or newest > self._newest):
            self._newest = newest

    def violations(self, rows: int) -> Iterator[ContractViolation]:
        if self._newest is None:
            yield violation("stale", self.column, rows, f"{self.column!r} has no time up to {self._now.isoformat()}")
            return
        age = (self._now - self._newest).total_seconds()
        if age > self._max_age:
            message = f"the newest {self.column!r} is {age / _DAY:.1f} days old, {self._max_age / _DAY:.1f} allowed"
            yield violation("stale", self.column, rows, message, examples=[self._newest.isoformat()])


def _check_names(
    names: Sequence[str], needed: list[str], columns: Mapping[str, ColumnRule], rows: int
) -> Iterator[ContractViolation]:
    for name in needed:
        if name not in names:
            yield violation("column-missing", name, rows, f"there is no column {name!r}")
    for name in names:
        if name not in columns:
            yield violation("column-extra", name, rows, f"the contract has no column {name!r}")


def _check_row_count(rows: int, rows_min: int | None, rows_max: int | None) -> Iterator[ContractViolation]:
    if rows_min is not None and rows < rows_min:
        yield violation("too-few-rows", None, rows, f"{rows:,} rows, at least {rows_min:,} required")
    if rows_max is not None and rows > rows_max:
        yield violation("too-many-rows", None, rows, f"{rows:,} rows, at most {rows_max:,} allowed")
