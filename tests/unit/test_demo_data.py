"""The demo's data is the file that its README describes."""

import hashlib
import re
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

FOLDER = Path(__file__).parents[2] / "demo" / "data"
FILE = FOLDER / "flights-2013.parquet"
INTEGERS = ("flight_id", "month", "day", "hour", "weekday", "distance")
STRINGS = ("carrier", "origin", "dest")
WEATHER = ("temp", "dewp", "humid", "wind_speed", "precip", "pressure", "visib")


@pytest.fixture(scope="module")
def flights() -> pd.DataFrame:
    return pd.read_parquet(FILE)


def readme() -> str:
    return (FOLDER / "README.md").read_text(encoding="utf-8")


def test_file_is_the_one_that_the_readme_names() -> None:
    content = FILE.read_bytes()
    stated = re.search(r"sha256 of the result \| `([0-9a-f]{64})`", readme())
    assert stated is not None
    assert hashlib.sha256(content).hexdigest() == stated[1]
    assert f"{len(content):,} bytes" in readme()


def test_file_is_small_enough_for_git() -> None:
    assert FILE.stat().st_size < 2_000_000


def test_types_and_required_columns() -> None:
    expected = {
        **dict.fromkeys(INTEGERS, (pa.int64(), False)),
        **dict.fromkeys(STRINGS, (pa.string(), False)),
        **dict.fromkeys(WEATHER, (pa.float64(), True)),
        "date": (pa.date32(), False),
        "late": (pa.bool_(), False),
    }
    assert {field.name: (field.type, field.nullable) for field in pq.read_schema(FILE)} == expected


def test_every_column_is_documented() -> None:
    documented = re.findall(r"^\| (`.*?`) \|", readme(), flags=re.MULTILINE)
    assert set(re.findall(r"`(\w+)`", " ".join(documented))) == set(pq.read_schema(FILE).names)


def test_keys_are_unique_and_in_the_order_of_time(flights: pd.DataFrame) -> None:
    assert flights["flight_id"].is_unique
    assert flights["flight_id"].is_monotonic_increasing
    assert flights[["month", "day", "hour"]].equals(
        flights[["month", "day", "hour"]].sort_values(["month", "day", "hour"])
    )


def test_dates_cover_the_year_and_agree_with_the_calendar_columns(flights: pd.DataFrame) -> None:
    dates = pd.to_datetime(flights["date"])
    assert set(flights["month"]) == set(range(1, 13))
    assert dates.nunique() == 365
    assert (dates.dt.year == 2013).all()
    assert (dates.dt.month == flights["month"]).all()
    assert (dates.dt.day == flights["day"]).all()
    assert (dates.dt.day_of_week + 1 == flights["weekday"]).all()


@pytest.mark.parametrize(("month", "share"), [(5, 0.227), (9, 0.137), (12, 0.335)])
def test_share_of_late_flights(flights: pd.DataFrame, month: int, share: float) -> None:
    assert flights.loc[flights["month"] == month, "late"].mean() == pytest.approx(share, abs=0.0005)


def test_weather_belongs_to_the_airport_and_hour(flights: pd.DataFrame) -> None:
    by_hour = flights.groupby(["date", "hour", "origin"])[list(WEATHER)]
    assert (by_hour.nunique(dropna=False) == 1).all(axis=None)
