"""A table that is read in batches, as often as it is needed."""

from collections.abc import Iterator, Sequence
from typing import Protocol

import pyarrow as pa

from mlgit.domain.records.dataset import CsvFormat

_BATCH_ROWS = 65_536


class TableSource(Protocol):
    """A table in a file, or in memory.

    Attributes:
        names: its columns, each named once.
        schema: the types of its columns.
        csv: how its texts are written, if it is a CSV file; None if the types of its columns count.
    """

    @property
    def names(self) -> Sequence[str]:
        """The columns."""
        ...

    @property
    def schema(self) -> pa.Schema:
        """The types of the columns."""
        ...

    @property
    def csv(self) -> CsvFormat | None:
        """How the texts of a CSV file are written; None if the types of the columns count."""
        ...

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield all rows from the first on; each call starts again."""
        ...


class MemorySource:
    """A table in memory."""

    def __init__(self, table: pa.Table, *, csv: CsvFormat | None = None, batch_rows: int = _BATCH_ROWS) -> None:
        """Take a table, how its texts are written if they are to be parsed as those of a CSV file, and the rows of a batch."""
        self._table = table
        self._batch_rows = batch_rows
        self.names: list[str] = table.column_names
        self.schema: pa.Schema = table.schema
        self.csv = csv

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield all rows."""
        yield from self._table.to_batches(max_chunksize=self._batch_rows)
