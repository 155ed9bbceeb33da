"""Read a CSV file in batches, every field as text: what a text stands for is decided by the contract, not by its looks."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pyarrow as pa
from pyarrow import csv as arrow_csv

from mlgit.domain.formatting import plural
from mlgit.domain.records.dataset import CsvFormat
from mlgit.edges.tables import dialect
from mlgit.edges.tables.unreadable import translating_errors, unreadable
from mlgit.errors import MlgitError

_BLOCK_BYTES: Final = (1 << 20, 1 << 24)
"""Bytes that are parsed at once; a row has to fit. The larger block is for a file with a row that does not fit the smaller."""
_STRADDLING: Final = "straddling object"
_TAIL_BYTES: Final = 16


class CsvSource:
    """The rows of a CSV file (see `ml.source.TableSource`). An empty field is a missing value, in quotes too."""

    def __init__(self, path: Path, written: CsvFormat | None) -> None:
        """Read all of the text to check its encoding, and the header.

        Args:
            path: the file.
            written: how the file is written; None to find out.

        Raises:
            MlgitError: it is not text in this encoding, has a NUL, or no proper header (`table-unreadable`).
        """
        self._path = path
        if written is None:
            written = dialect.detect(path)
        else:
            dialect.check_text(path, written.encoding)
        self.csv = written
        self.names = dialect.header(path, written)
        self.schema = pa.schema([(name, pa.string()) for name in self.names])

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield all rows.

        Raises:
            MlgitError: a row has more or fewer fields than the header, a quote is not closed, or there is no row
                (`table-unreadable`).
        """
        last: pa.RecordBatch | None = None
        with translating_errors(self._path):
            for batch in self._read():
                if batch.num_rows:
                    last = batch
                    yield batch
            if last is None:
                raise unreadable(self._path, "it has a header and no rows", line=1, fix="add the rows")
            self._check_end(last)

    def _read(self) -> Iterator[pa.RecordBatch]:
        done = 0
        for block in _BLOCK_BYTES:
            seen = 0
            try:
                for batch in self._parsed(block):
                    seen += batch.num_rows
                    if seen > done:
                        yield batch.slice(max(batch.num_rows - (seen - done), 0))
                        done = seen
            except pa.ArrowInvalid as error:
                if _STRADDLING not in str(error) or block == _BLOCK_BYTES[-1]:
                    raise self._explained(str(error)) from error
            else:
                return

    def _parsed(self, block: int) -> Iterator[pa.RecordBatch]:
        with arrow_csv.open_csv(
            self._path,
            # One thread: with more, Arrow reads ahead as much as memory allows.
            read_options=arrow_csv.ReadOptions(
                use_threads=False, block_size=block, encoding=dialect.codec(self.csv.encoding)
            ),
            parse_options=arrow_csv.ParseOptions(
                delimiter=self.csv.delimiter, quote_char=self.csv.quote, newlines_in_values=True
            ),
            convert_options=arrow_csv.ConvertOptions(
                column_types=self.schema, null_values=[""], strings_can_be_null=True
            ),
        ) as reader:
            yield from reader

    def _explained(self, message: str) -> MlgitError:
        """Return the error for rows that Arrow cannot parse, with the first line of them."""
        if _STRADDLING in message:
            fix = "close the quote; a table with such long fields can be written as Parquet"
            return unreadable(
                self._path, f"a quote is not closed, or a row has over {_BLOCK_BYTES[-1] >> 20} MiB", fix=fix
            )
        width = len(self.names)
        for line, row in dialect.rows(self._path, self.csv):
            if row and len(row) != width:
                why = f"{plural(len(row), 'field')}, and the header has {width}"
                fix = "give each row one field for each column, and quote fields that contain the delimiter"
                return unreadable(self._path, why, line=line, fix=fix)
        return unreadable(self._path, message.splitlines()[0])

    def _check_end(self, last: pa.RecordBatch) -> None:
        """Refuse a quote that is still open at the end: it would hide all rows after it in one field."""
        value = last.column(last.num_columns - 1)[-1].as_py()
        if value is None or "\n" not in value:
            return
        with self._path.open("rb") as file:
            file.seek(-min(_TAIL_BYTES, self._path.stat().st_size), os.SEEK_END)
            tail = file.read().replace(b"\0", b"").rstrip(b"\r\n")
        if not tail.endswith(self.csv.quote.encode()):
            line = max(line for line, _ in dialect.rows(self._path, self.csv))
            raise unreadable(self._path, "a quote is opened and not closed", line=line, fix="close the quote")
