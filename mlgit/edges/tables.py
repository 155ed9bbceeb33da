"""Read tables from Parquet and CSV files."""

from pathlib import Path
from typing import TYPE_CHECKING

from mlgit.errors import Location, refused

if TYPE_CHECKING:
    from pandas import DataFrame

_PARQUET = b"PAR1"


class PandasTables:
    """Reads tables with pandas (see `ops.kernel.ports.Tables`)."""

    def frame(self, path: Path) -> "DataFrame":
        """Load a Parquet or CSV file; the format is detected from the content.

        Raises:
            MlgitError: it is neither (`table-unreadable`).
        """
        import pandas as pd  # noqa: PLC0415 - heavy
        from pyarrow import ArrowException  # noqa: PLC0415 - heavy

        try:
            with path.open("rb") as file:
                parquet = file.read(len(_PARQUET)) == _PARQUET
            return pd.read_parquet(path) if parquet else pd.read_csv(path)
        except (OSError, ValueError, ArrowException) as error:
            raise refused(
                "table-unreadable",
                f"{path.name} cannot be read as a table",
                why=str(error).splitlines()[0],
                fix="write it as Parquet, or as CSV with a header",
                at=Location(path.name),
            ) from error
