"""Read tables from Parquet and CSV files, with Arrow: whole, or in batches."""

import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING

from mlgit.domain.records import Dataset
from mlgit.domain.records.dataset import CsvFormat
from mlgit.edges.tables.unreadable import translating_errors

if TYPE_CHECKING:
    import pyarrow as pa
    from pandas import DataFrame

    from mlgit.ml.source import TableSource

_PARQUET = b"PAR1"


class ArrowTables:
    """Reads tables with Arrow (see `ops.kernel.ports.Tables`); the content decides what a file is, not its name."""

    def open(self, path: Path, csv: CsvFormat | None = None) -> "TableSource":
        """Open a table to read it in batches.

        Args:
            path: a Parquet or CSV file.
            csv: how a CSV file is written; None to find out.

        Raises:
            MlgitError: it is neither, or its rows do not fit its header (`table-unreadable`), now or while it is read.
        """
        from mlgit.edges.tables.csvfile import CsvSource  # noqa: PLC0415 - pyarrow
        from mlgit.edges.tables.parquetfile import ParquetSource  # noqa: PLC0415 - pyarrow

        with translating_errors(path):
            if self._is_parquet(path):
                return ParquetSource(path)
            return CsvSource(path, csv)

    def arrow(self, path: Path, contract: Dataset | None = None) -> "pa.Table":
        """Return a whole table. The columns of a CSV file have the types of its contract, or else of its values.

        Dates and times of a CSV file stay texts, as does a column with a value that is not of its type. Raises as `open`.
        """
        from mlgit.ml import tables  # noqa: PLC0415 - pyarrow

        if contract is None:
            return tables.read(self.open(path), None, spill=self.spill)
        return tables.read(self.open(path, contract.csv), contract.columns, spill=self.spill)

    def frame(self, path: Path, contract: Dataset | None = None) -> "DataFrame":
        """Return a whole table for libraries that need pandas, with the same columns and digits; see `arrow`."""
        from mlgit.ml import tables  # noqa: PLC0415 - pyarrow

        return tables.to_frame(self.arrow(path, contract))

    def spill(self) -> IO[bytes]:
        """Open a temporary file, which is deleted when it is closed."""
        return tempfile.TemporaryFile(prefix="mlgit-")

    def _is_parquet(self, path: Path) -> bool:
        with path.open("rb") as file:
            return file.read(len(_PARQUET)) == _PARQUET
