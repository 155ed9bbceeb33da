"""Read a Parquet file in batches, by its own schema: what pandas noted about an index or about types does not count."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from mlgit.edges.tables.unreadable import translating_errors, unreadable

_BATCH_ROWS: Final = 16_384
_BUFFER_BYTES: Final = 1 << 16  # of each column: without it, all of a row group would be in memory


class ParquetSource:
    """The rows of a Parquet file (see `ml.source.TableSource`)."""

    csv = None

    def __init__(self, path: Path) -> None:
        """Read the schema of a file.

        Raises:
            MlgitError: two columns have the same name (`table-unreadable`).
        """
        self._path = path
        with self._open() as file:
            schema = file.schema_arrow.remove_metadata()
        repeated = [name for name, times in Counter(schema.names).items() if times > 1]
        if repeated:
            raise unreadable(path, f"more than one column is called {repeated[0]!r}", fix="name each column once")
        self.schema: pa.Schema = schema
        self.names: list[str] = schema.names

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield all rows.

        Raises:
            MlgitError: the file is damaged (`table-unreadable`).
        """
        with translating_errors(self._path), self._open() as file:
            for batch in file.iter_batches(batch_size=_BATCH_ROWS):
                yield batch.replace_schema_metadata(None)

    def _open(self) -> pq.ParquetFile:
        return pq.ParquetFile(self._path, pre_buffer=False, buffer_size=_BUFFER_BYTES, memory_map=False)
