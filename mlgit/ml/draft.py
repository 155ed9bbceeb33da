"""Drafts of data contracts: rules that all rows of a table satisfy, found in one pass over it.

The types of a Parquet file are those of its schema. The type of a column of a CSV file is the narrowest that all of its
values have, from the first row to the last, so it does not depend on how large the file is.
"""

from collections import Counter
from typing import Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from mlgit.domain.formatting import plural
from mlgit.domain.records.dataset import ColumnRule, ColumnType
from mlgit.ml import coltypes
from mlgit.ml.profile import is_row_number
from mlgit.ml.repeats import Repeats, Spill
from mlgit.ml.source import TableSource

_MAX_ALLOWED: Final = 20  # a draft lists at most so many allowed values,
_MIN_REPEATS: Final = 5  # and only if each occurs so often on average
_NULL_WORDS: Final = ("NA", "N/A", "n/a", "#N/A", "NaN", "nan", "NULL", "Null", "null", "None", "none", "?", "-", ".")
"""Words that stand for a missing number, date or truth value in many files."""
_CODE: Final = r"^\s*([-+]?0[0-9]|\+|-?[0-9]{19,}\s*$)"
"""Digits with a zero or a plus in front are a code, not a number, as are more digits than an integer has."""


class Draft(NamedTuple):
    """A draft of a contract.

    Attributes:
        rules: the rule of each column.
        decimal: the decimal separator of a CSV file.
        rows: the number of rows.
        notes: by column, what a person should know about its rule.
    """

    rules: dict[str, ColumnRule]
    decimal: str
    rows: int
    notes: dict[str, str]


def draft(source: TableSource, spill: Spill) -> Draft:
    """Draft the rules of a table.

    Args:
        source: the table.
        spill: opens a temporary file for what does not fit into memory.

    Raises:
        ValueError: a column has a type that contracts do not have, or an infinite number.
    """
    columns = [_column(source, name, spill) for name in source.names]
    rows = 0
    try:
        for batch in source.batches():
            for column, values in zip(columns, batch.columns, strict=True):
                column.add(values, rows)
            rows += batch.num_rows
        decimal = "," if any(isinstance(column, _Texts) and column.needs_comma for column in columns) else "."
        rules, notes = {}, {}
        for column in columns:
            rules[column.name], note = column.rule(rows, decimal)
            if note is not None:
                notes[column.name] = note
    finally:
        for column in columns:
            column.close()
    return Draft(rules, decimal, rows, notes)


def _column(source: TableSource, name: str, spill: Spill) -> "_Texts | _Native":
    if source.csv is not None:
        # Where the comma separates fields, one in a field (in quotes) separates thousands rather than decimals.
        return _Texts(name, spill, comma=source.csv.delimiter != ",")
    type_ = source.schema.field(name).type
    found = coltypes.column_type(type_)
    if found is None:
        raise ValueError(f"column {name!r} has the type {type_}, which contracts do not have")
    return _Native(name, found, spill)


class _Range:
    """The smallest and largest of some numbers."""

    def __init__(self) -> None:
        self.low: float | None = None
        self.high: float | None = None

    def add(self, values: pa.Array) -> None:
        """Include values."""
        ends = pc.min_max(values).as_py()
        if ends["min"] is not None:
            self._add(_number(ends["min"]), _number(ends["max"]))

    def include(self, other: "_Range") -> None:
        """Include the values of another range."""
        if other.low is not None and other.high is not None:
            self._add(other.low, other.high)

    def _add(self, low: float, high: float) -> None:
        self.low = low if self.low is None else min(self.low, low)
        self.high = high if self.high is None else max(self.high, high)


class _Values:
    """The distinct values of a column while they are few, and whether each occurs once."""

    def __init__(self, spill: Spill) -> None:
        self._repeats: Repeats | None = Repeats(spill)
        self._is_first = True
        self.counts: Counter[Any] | None = Counter()

    def add(self, values: pa.Array, first: int) -> None:
        """Include values; the first is in this row."""
        if self.counts is not None:
            self.counts.update(
                {one["values"]: one["counts"] for one in pc.value_counts(values.drop_null()).to_pylist()}
            )
            if len(self.counts) > _MAX_ALLOWED:
                self.counts = None
        if self._repeats is not None:
            self._repeats.add([values], first)
            if self._is_first and self._repeats.pending_repeats():  # most columns repeat a value early
                self.close()
        self._is_first = False

    def are_unique(self) -> bool:
        """Return whether no value occurs twice."""
        return self._repeats is not None and self._repeats.result().number == 0

    def allowed(self, rows: int) -> list[Any] | None:
        """Return the values that a rule should allow: few that repeat."""
        if not self.counts or len(self.counts) * _MIN_REPEATS > rows:
            return None
        return sorted(self.counts)

    def close(self) -> None:
        """Stop looking for values that repeat."""
        if self._repeats is not None:
            self._repeats.close()
        self._repeats = None


class _Native:
    """A column of a file that states its type. Texts may be dates or times."""

    def __init__(self, name: str, type_: ColumnType, spill: Spill) -> None:
        self.name = name
        self._type = type_
        self._times: list[ColumnType] = ["date", "datetime"] if type_ == "string" else []
        self._present = 0
        self._range = _Range()
        self._values = _Values(spill)

    def add(self, column: pa.Array, first: int) -> None:
        """Include the values of a batch."""
        values = coltypes.plain(column)
        present = len(values) - values.null_count
        self._present += present
        if self._type in ("integer", "number"):
            finite = coltypes.typed(values, "number", None).values
            if finite.null_count > values.null_count:
                raise ValueError(f"column {self.name!r} has infinite numbers, which contracts do not have")
            self._range.add(values)
        if self._type in ("integer", "string"):
            self._values.add(values, first)
        self._times = [
            type_ for type_ in self._times if coltypes.typed(values, type_, None).values.null_count == values.null_count
        ]

    def rule(self, rows: int, _decimal: str) -> tuple[ColumnRule, str | None]:
        """Return the rule of the column, and a note if there is something to know."""
        type_ = self._times[0] if self._times and self._present else self._type
        note = "the file has no type for it" if type_ == "unknown" else None
        if is_row_number(self.name):
            note = "row numbers that pandas wrote; `to_parquet(..., index=False)` leaves them out"
        return _rule(type_, self._present, rows, self._range, self._values), note

    def close(self) -> None:
        """Delete the temporary file."""
        self._values.close()


class _Texts:
    """A column of a CSV file. Its type is what all values have in common, and so is only known at the end."""

    def __init__(self, name: str, spill: Spill, *, comma: bool) -> None:
        self.name = name
        decimals = (".", ",") if comma else (".",)
        self._ranges: dict[tuple[ColumnType, str], _Range] = {("integer", "."): _Range()}
        self._ranges |= {("number", decimal): _Range() for decimal in decimals}
        self._candidates: list[tuple[ColumnType, str]] = [
            *((type_, ".") for type_ in ("boolean", "integer")),
            *(("number", decimal) for decimal in decimals),
            *((type_, ".") for type_ in ("date", "datetime")),
        ]
        self._present = 0
        self._words: Counter[str] = Counter()
        self._values = _Values(spill)

    @property
    def needs_comma(self) -> bool:
        """Whether all values are numbers, and only with a decimal comma."""
        return self._has_values and ("number", ",") in self._candidates and ("number", ".") not in self._candidates

    def add(self, column: pa.Array, first: int) -> None:
        """Include the values of a batch."""
        self._present += len(column) - column.null_count
        self._values.add(column, first)
        if not self._candidates:
            return
        values = column.drop_null()
        is_word = coltypes.is_among(values, _NULL_WORDS)
        if is_word.true_count:
            words = pc.value_counts(pc.filter(values, is_word)).to_pylist()
            self._words.update({one["values"]: one["counts"] for one in words})
            values = pc.filter(values, pc.invert(is_word))
        codes = pc.filter(values, pc.match_substring_regex(values, _CODE))
        if len(codes) and not _are_long_integers(codes):
            self._candidates = [one for one in self._candidates if one not in self._ranges]
        is_integer = ("integer", ".") in self._candidates and self._fits(values, "integer", ".")
        self._candidates = [
            # Integers are numbers too; their range is added at the end.
            one
            for one in self._candidates
            if (is_integer and one[0] in ("integer", "number")) or (one[0] != "integer" and self._fits(values, *one))
        ]

    def _fits(self, values: pa.Array, type_: ColumnType, decimal: str) -> bool:
        parsed = coltypes.parse_all(pc.utf8_trim_whitespace(values), type_, decimal)
        if parsed is None:
            return False
        if (type_, decimal) in self._ranges:
            self._ranges[type_, decimal].add(parsed)
        return True

    @property
    def _has_values(self) -> bool:
        return self._present > self._words.total()

    def rule(self, rows: int, decimal: str) -> tuple[ColumnRule, str | None]:
        """Return the rule of the column, and a note if there is something to know."""
        fitting = [one for one in self._candidates if one[0] != "number" or one[1] == decimal]
        if not self._has_values:
            note = "it has no value, so its type is not known"
            return ColumnRule(type="unknown", null_words=sorted(self._words)), note
        if not fitting:
            return _rule("string", self._present, rows, _Range(), self._values), self._note(decimal)
        if self._words:
            self._values.close()  # they are among the texts that occur more than once
        type_ = fitting[0][0]
        present = self._present - self._words.total()
        range_ = self._ranges.get(fitting[0], _Range())
        if type_ == "number":
            range_.include(self._ranges["integer", "."])
        missing = f"{_listed(self._words)} counted as missing" if self._words else None
        return _rule(type_, present, rows, range_, self._values, sorted(self._words)), missing

    def _note(self, decimal: str) -> str | None:
        if any(type_ == "number" for type_, _ in self._candidates):
            other = "point" if decimal == "," else "comma"
            return f"its numbers have a decimal {other}, other columns do not, so they are texts"
        if words := {word: rows for word, rows in self._words.items() if word not in ("?", "-", ".")}:
            return f"{_listed(Counter(words))} counted as text; `null_words` would make it missing"
        return None

    def close(self) -> None:
        """Delete the temporary file."""
        self._values.close()


def _rule(
    type_: ColumnType, present: int, rows: int, range_: _Range, values: _Values, null_words: list[str] | None = None
) -> ColumnRule:
    nullable = present < rows or rows == 0  # of a table without rows nothing is known
    is_unique = type_ in ("integer", "string") and present > 1 and values.are_unique()
    return ColumnRule(
        type=type_,
        min=range_.low,
        max=range_.high,
        in_=values.allowed(present) if type_ == "string" else None,
        nullable=nullable,
        unique=is_unique,
        null_words=null_words or [],
    )


def _are_long_integers(codes: pa.Array) -> bool:
    """Return whether texts that may be codes are all integers of 19 digits."""
    padded = pc.match_substring_regex(codes, r"^\s*[-+]?0|^\s*\+")
    return not pc.any(padded).as_py() and coltypes.parse_all(pc.utf8_trim_whitespace(codes), "integer", ".") is not None


def _number(value: Any) -> float:
    """Return a Python number, an integer if possible: contracts say 23, not 23.0."""
    return int(value) if value == int(value) else float(value)


def _listed(words: Counter[str]) -> str:
    parts = [f"{word!r} ({plural(rows, 'row')})" for word, rows in sorted(words.items())]
    return f"{', '.join(parts)} {'is' if len(parts) == 1 else 'are'}"
