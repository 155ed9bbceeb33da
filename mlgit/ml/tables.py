"""Whole tables in memory: as Arrow, with the types of a contract, and as pandas for libraries that need it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from mlgit.domain.records.dataset import ColumnRule
from mlgit.ml.coltypes import TextFormat, typed
from mlgit.ml.draft import draft
from mlgit.ml.repeats import Spill
from mlgit.ml.source import TableSource

if TYPE_CHECKING:
    from pandas import DataFrame

_PARSED: Final = ("integer", "number", "boolean")
"""The types in which the texts of a CSV file are replaced by values."""


def read(source: TableSource, columns: Mapping[str, ColumnRule] | None, *, spill: Spill) -> pa.Table:
    """Read a whole table.

    Args:
        source: the table.
        columns: the rules of the columns of a CSV file; None to find their types.
        spill: opens a temporary file.

    Returns:
        The table with the types of its file. Of a CSV file, integers, numbers and truth values are parsed. A column with a
        value of another type is left as text, as are dates and times.
    """
    table = pa.Table.from_batches(source.batches(), source.schema)
    if source.csv is None:
        return table
    decimal: str = source.csv.decimal
    if columns is None:
        found = draft(source, spill)
        columns, decimal = found.rules, found.decimal
    return pa.table({name: _parsed(table[name], columns.get(name), decimal) for name in source.names})


def to_frame(table: pa.Table) -> "DataFrame":
    """Return a table as pandas has it. Integers with missing values keep their digits, and every column is a column."""
    import pandas as pd  # noqa: PLC0415 - heavy

    frame: DataFrame = table.replace_schema_metadata(None).to_pandas()
    for name in table.column_names:
        column = table[name]
        if pa.types.is_integer(column.type) and column.null_count:
            numbers = column.cast(pa.uint64() if pa.types.is_uint64(column.type) else pa.int64())
            nullable = pd.UInt64Dtype() if pa.types.is_uint64(column.type) else pd.Int64Dtype()
            frame[name] = numbers.to_pandas(types_mapper=lambda _, dtype=nullable: dtype)
    return frame


def _parsed(column: pa.ChunkedArray, rule: ColumnRule | None, decimal: str) -> pa.ChunkedArray:
    if rule is None or rule.type not in _PARSED:
        return column
    chunks = [typed(chunk, rule.type, TextFormat(decimal, rule.null_words)) for chunk in column.chunks]
    if not chunks or any(chunk.invalid.true_count for chunk in chunks):
        return column
    return pa.chunked_array([chunk.values for chunk in chunks])
