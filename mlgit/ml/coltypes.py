"""Types of the values of a column, as data contracts name them, from Arrow's types or from the texts of a CSV file."""

import re
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from mlgit.domain.records.dataset import ColumnType

_DATE: Final = r"\d{4}-\d{2}-\d{2}"
_DATETIME: Final = _DATE + r"[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})?"
_ZONE: Final = r"(Z|[+-]\d{2}:?\d{2})$"
_INTEGER: Final = r"-?\d+"
_NUMBER: Final = r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?"
_HEXADECIMAL: Final = "x"  # Arrow reads 0x1A as an integer, people do not
_TRUE: Final = ("true", "True", "TRUE")
_FALSE: Final = ("false", "False", "FALSE")
UTC: Final = pa.timestamp("us", "UTC")


class TextFormat(NamedTuple):
    """How a column of a CSV file is written: its decimal separator, and the words that stand for a missing value."""

    decimal: str = "."
    null_words: Sequence[str] = ()


class TypedColumn(NamedTuple):
    """The values of a column.

    Attributes:
        values: the values, null where one is missing or is not of the type.
        present: the column as it was read, null where a value is missing.
    """

    values: pa.Array
    present: pa.Array

    @property
    def invalid(self) -> pa.Array:
        """Whether each row has a value that is not of the type."""
        return pc.and_(pc.is_null(self.values), pc.is_valid(self.present))


def column_type(type_: pa.DataType) -> ColumnType | None:
    """Return the type that a contract has for a type of Arrow; None if there is none."""
    if pa.types.is_dictionary(type_):
        return column_type(type_.value_type)
    return next((name for name, test in _ARROW_TYPES.items() if test(type_)), None)


def is_text(type_: pa.DataType) -> bool:
    """Return whether values of a type of Arrow are texts."""
    return bool(pa.types.is_string(type_) or pa.types.is_large_string(type_) or pa.types.is_string_view(type_))


def plain(column: pa.Array) -> pa.Array:
    """Return a column without dictionary, with null for NaN."""
    if pa.types.is_dictionary(column.type):
        column = pc.cast(column, column.type.value_type)
    if pa.types.is_string_view(column.type):
        column = pc.cast(column, pa.large_string())
    if pa.types.is_floating(column.type):
        column = _where(pc.invert(pc.is_nan(column)), column)
    return column


def typed(column: pa.Array, type_: ColumnType, texts: TextFormat | None) -> TypedColumn:
    """Return the values of a column that are of a type.

    Whole numbers are integers however they are stored; dates and times may be texts in the form of ISO 8601.

    Args:
        column: the column.
        type_: the type.
        texts: how the texts of a CSV file are written; None if the types of the file count.
    """
    present = plain(column)
    if texts is None:
        return TypedColumn(_CONVERSIONS[type_](present), present)
    if texts.null_words:
        present = _where(pc.invert(is_among(present, texts.null_words)), present)
    values = parse_all(present, type_, texts.decimal)
    return TypedColumn(_parse_each(present, type_, texts.decimal) if values is None else values, present)


def parse_all(texts: pa.Array, type_: ColumnType, decimal: str) -> pa.Array | None:
    """Return the values that texts stand for, null where a text is; None if one of them is not of the type."""
    if type_ == "string":
        return texts
    if type_ in _TIMES:
        values = _CONVERSIONS[type_](texts)
    else:
        try:
            values = _parse(texts, type_, decimal)
        except pa.ArrowInvalid:
            return None
    return values if values.null_count == texts.null_count else None


def to_times(column: pa.Array) -> pa.Array:
    """Return times in UTC, which is assumed where there is no zone; null where a value is not a time."""
    column = plain(column)
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        return pc.cast(pc.cast(column, pa.timestamp("us", getattr(column.type, "tz", None)), safe=False), UTC)
    if not is_text(column.type):
        return pa.nulls(len(column), UTC)
    return pc.coalesce(_parse_times(_matching(column, _DATE)), _parse_times(_matching(column, _DATETIME)))


def matches(texts: pa.Array, pattern: re.Pattern[str]) -> pa.Array:
    """Return for each text whether a pattern matches all of it; null where the text is."""
    # Python's regular expressions on distinct values: Arrow's have another syntax.
    encoded = pc.dictionary_encode(texts)
    matched = pa.array([pattern.fullmatch(text) is not None for text in encoded.dictionary.to_pylist()], pa.bool_())
    return pc.take(matched, encoded.indices)


def is_among(column: pa.Array, values: Sequence[Any]) -> pa.Array:
    """Return for each value whether it is one of some values; False where it is null."""
    return pc.is_in(column, pa.array(values, column.type))


def _parse(texts: pa.Array, type_: ColumnType, decimal: str) -> pa.Array:
    """Return values, null where a text is not of the type; raises `ArrowInvalid` for some of these texts."""
    if type_ == "boolean":
        is_true = is_among(texts, _TRUE)
        return _where(pc.or_(is_true, is_among(texts, _FALSE)), is_true)
    if type_ == "integer":
        if pc.any(pc.match_substring(texts, _HEXADECIMAL, ignore_case=True)).as_py():
            raise pa.ArrowInvalid("hexadecimal")
        return pc.cast(texts, pa.int64())
    if type_ == "number":
        if decimal == ",":
            if pc.any(pc.match_substring(texts, ".")).as_py():
                raise pa.ArrowInvalid("a point that is no decimal separator")
            texts = pc.replace_substring(texts, ",", ".")
        numbers = pc.cast(texts, pa.float64())
        return _where(pc.is_finite(numbers), numbers)
    return pa.nulls(len(texts), texts.type)  # unknown: no value has it


def _parse_each(texts: pa.Array, type_: ColumnType, decimal: str) -> pa.Array:
    """Return values, null where a text is not of the type; space around a number is ignored."""
    trimmed = pc.utf8_trim_whitespace(texts)
    if type_ in ("integer", "number"):
        if decimal == "," and type_ == "number":
            trimmed = _where(pc.invert(pc.match_substring(trimmed, ".")), trimmed)
            trimmed = pc.replace_substring(trimmed, ",", ".")
        trimmed = _matching(trimmed, _INTEGER if type_ == "integer" else _NUMBER)
    return _each_distinct(trimmed, lambda part: _parse(part, type_, "."))


def _parse_times(texts: pa.Array) -> pa.Array:
    """Return the times of texts that have the form of a date or time, null where one is not valid: 2026-02-30 is not."""
    texts = pc.replace_substring_regex(texts, r"(\.\d{6})\d+", r"\1")  # to microseconds
    zoned = pc.match_substring_regex(texts, _ZONE)
    parts = [
        _each_distinct(_where(zoned, texts), lambda part: pc.cast(part, UTC)),
        _each_distinct(_where(pc.invert(zoned), texts), lambda part: pc.cast(pc.cast(part, pa.timestamp("us")), UTC)),
    ]
    return pc.coalesce(*parts)


def _each_distinct(texts: pa.Array, parse: Callable[[pa.Array], pa.Array]) -> pa.Array:
    """Return the parsed texts, null where one cannot be parsed."""
    try:
        return parse(texts)
    except pa.ArrowInvalid:
        encoded = pc.dictionary_encode(texts)
        parsed = [_parse_one(encoded.dictionary.slice(row, 1), parse) for row in range(len(encoded.dictionary))]
        type_ = parse(texts.slice(0, 0)).type
        return pc.take(pa.concat_arrays([pa.nulls(0, type_), *parsed]), encoded.indices)


def _parse_one(text: pa.Array, parse: Callable[[pa.Array], pa.Array]) -> pa.Array:
    try:
        return parse(text)
    except pa.ArrowInvalid:
        return pa.nulls(1, parse(text.slice(0, 0)).type)


def _matching(texts: pa.Array, pattern: str) -> pa.Array:
    """Return the texts that have a form, null for others."""
    return _where(pc.match_substring_regex(texts, f"^(?:{pattern})$"), texts)


def _where(mask: pa.Array, column: pa.Array) -> pa.Array:
    """Return the values where a mask is true, null elsewhere."""
    return pc.if_else(pc.fill_null(mask, False), column, pa.scalar(None, column.type))  # noqa: FBT003 - a value


def _booleans(column: pa.Array) -> pa.Array:
    return column if pa.types.is_boolean(column.type) else _none(column)


def _numbers(column: pa.Array) -> pa.Array:
    if pa.types.is_floating(column.type):
        return _where(pc.is_finite(column), column)
    return column if pa.types.is_integer(column.type) or pa.types.is_decimal(column.type) else _none(column)


def _integers(column: pa.Array) -> pa.Array:
    numbers = _numbers(column)
    if pa.types.is_integer(column.type) or numbers.null_count == len(numbers):
        return numbers
    return _where(pc.equal(numbers, pc.floor(numbers)), numbers)


def _dates(column: pa.Array) -> pa.Array:
    if pa.types.is_timestamp(column.type):
        return _where(pc.equal(column, pc.floor_temporal(column, unit="day")), column)
    if is_text(column.type):
        return _parse_times(_matching(column, _DATE))
    return column if pa.types.is_date(column.type) else _none(column)


def _datetimes(column: pa.Array) -> pa.Array:
    if is_text(column.type):
        return _parse_times(_matching(column, _DATETIME))
    return column if pa.types.is_timestamp(column.type) else _none(column)


def _strings(column: pa.Array) -> pa.Array:
    return column if is_text(column.type) else _none(column)


def _none(column: pa.Array) -> pa.Array:
    return pa.nulls(len(column), pa.string())


_TIMES: Final = ("date", "datetime")
_ARROW_TYPES: Final[dict[ColumnType, Callable[[pa.DataType], bool]]] = {
    "boolean": pa.types.is_boolean,
    "integer": pa.types.is_integer,
    "number": lambda type_: pa.types.is_floating(type_) or pa.types.is_decimal(type_),
    "date": pa.types.is_date,
    "datetime": pa.types.is_timestamp,
    "string": is_text,
    "unknown": pa.types.is_null,
}
_CONVERSIONS: Final[dict[ColumnType, Callable[[pa.Array], pa.Array]]] = {
    "boolean": _booleans,
    "integer": _integers,
    "number": _numbers,
    "date": _dates,
    "datetime": _datetimes,
    "string": _strings,
    "unknown": _none,
}
