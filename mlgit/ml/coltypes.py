"""Types of the values of a column, as data contracts name them. Columns here have no missing values."""

import math
import re
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from pandas.api import types as dtypes

from mlgit.domain.records.dataset import ColumnType
from mlgit.ml.arrays import Array

Column: TypeAlias = "pd.Series[Any]"

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_DATETIME = re.compile(
    _DATE.pattern + r"[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:?\d{2})?",
    re.ASCII,
)


def drop_missing(column: Column) -> Column:
    """Return the values that are not missing, in their own dtype: not categorical and, if possible, not object."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(object)
    return column.dropna().infer_objects()


def is_of_type(column: Column, column_type: ColumnType) -> Array:
    """Return for each value whether it has a type.

    Whole numbers are integers however they are stored; dates and times may be stored as texts in the form of ISO 8601.
    """
    return _TESTS[column_type](column)


def infer_type(column: Column) -> ColumnType | None:
    """Return the narrowest type that all values have; None if there is none, "string" for an empty column."""
    if column.empty:
        return "string"
    return next((column_type for column_type, test in _TESTS.items() if test(column).all()), None)


def matches(column: Column, pattern: re.Pattern[str]) -> Array:
    """Return for each value whether it is a text that a pattern matches completely."""
    # Python's regular expressions on distinct values: the engine that pandas uses depends on how it stores texts.
    matched = _each(column, lambda value: isinstance(value, str))
    codes, texts = pd.factorize(column.to_numpy(dtype=object)[matched])
    matched[matched] = np.array([pattern.fullmatch(text) is not None for text in texts], dtype=bool)[codes]
    return matched


def to_timestamps(column: Column) -> Column:
    """Return times in UTC, which is assumed where there is no zone; missing where a value is not a time."""
    if dtypes.is_datetime64_any_dtype(column.dtype):
        return pd.to_datetime(column, utc=True)
    is_time = _each(column, lambda value: isinstance(value, str | date))
    return pd.to_datetime(column.astype(object).where(is_time, None), utc=True, errors="coerce", format="ISO8601")


def _each(column: Column, test: Callable[[Any], bool]) -> Array:
    return np.fromiter((test(value) for value in column), dtype=bool, count=len(column))


def _is_boolean(column: Column) -> Array:
    if dtypes.is_object_dtype(column.dtype):
        return _each(column, lambda value: isinstance(value, bool | np.bool_))
    return np.full(len(column), dtypes.is_bool_dtype(column.dtype))


def _is_number(column: Column) -> Array:
    if dtypes.is_object_dtype(column.dtype):
        return _each(column, _is_finite_number)
    if dtypes.is_numeric_dtype(column.dtype) and not dtypes.is_bool_dtype(column.dtype):
        return np.asarray(np.isfinite(column.to_numpy(dtype=np.float64)))
    return np.zeros(len(column), dtype=bool)


def _is_finite_number(value: object) -> bool:
    return isinstance(value, int | float | Decimal | np.number) and not isinstance(value, bool) and math.isfinite(value)


def _is_integer(column: Column) -> Array:
    number = _is_number(column)
    if not number.any() or dtypes.is_integer_dtype(column.dtype):
        return number
    values = column.where(number, np.nan).to_numpy(dtype=np.float64)
    return np.asarray(number & (values == np.round(values)))


def _is_date(column: Column) -> Array:
    if dtypes.is_datetime64_any_dtype(column.dtype):
        return (column == column.dt.normalize()).to_numpy()
    dates = _each(column, lambda value: isinstance(value, date) and not isinstance(value, datetime))
    return dates | _is_text_of(column, _DATE)


def _is_datetime(column: Column) -> Array:
    if dtypes.is_datetime64_any_dtype(column.dtype):
        return np.ones(len(column), dtype=bool)
    times = _each(column, lambda value: isinstance(value, datetime))
    return times | _is_text_of(column, _DATETIME)


def _is_text_of(column: Column, form: re.Pattern[str]) -> Array:
    """Return which texts have the format of a time and are valid: 2026-02-30 is not."""
    formatted = matches(column, form)
    # Parsing times is slow, so it is skipped if no text has the format.
    return formatted & to_timestamps(column).notna().to_numpy() if formatted.any() else formatted


def _is_string(column: Column) -> Array:
    if dtypes.is_object_dtype(column.dtype):
        return _each(column, lambda value: isinstance(value, str))
    return np.full(len(column), dtypes.is_string_dtype(column.dtype))


# Narrowest first: `type_of` takes the first that fits.
_TESTS: dict[ColumnType, Callable[[Column], Array]] = {
    "boolean": _is_boolean,
    "integer": _is_integer,
    "number": _is_number,
    "date": _is_date,
    "datetime": _is_datetime,
    "string": _is_string,
}
