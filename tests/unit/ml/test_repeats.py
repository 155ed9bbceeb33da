"""Rows that repeat an earlier one are found, however many there are and however they are stored."""

from collections import Counter
from datetime import date, datetime
from decimal import Decimal
from tempfile import TemporaryFile
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pytest

from mlgit.ml.repeats import Repeats
from mlgit.ml.rowhash import hash_rows


def repeated(columns: list[list[Any]], *, batch: int = 3, run_rows: int = 4) -> tuple[int, list[int]]:
    repeats = Repeats(TemporaryFile, run_rows)
    for first in range(0, len(columns[0]), batch):
        repeats.add([pa.array(column).slice(first, batch) for column in columns], first)
    return tuple(repeats.result())  # type: ignore[return-value]


@pytest.mark.parametrize("run_rows", [4, 1000])
def test_repeats_are_counted_and_the_first_of_each_value_is_named(run_rows: int) -> None:
    assert repeated([[7, 8, 7, 7, None, None, 9, 8]], run_rows=run_rows) == (3, [2, 7])
    assert repeated([["a", "b", "a"], [1, 1, 1]], run_rows=run_rows) == (1, [2])
    assert repeated([["a", "b", "a"], [1, 1, 2]], run_rows=run_rows) == (0, [])
    assert repeated([["ab", "a"], ["c", "bc"]], run_rows=run_rows) == (0, [])
    assert repeated([[]], run_rows=run_rows) == (0, [])


def test_a_spilled_table_gives_what_a_small_one_gives() -> None:
    values = np.random.default_rng(5).integers(0, 3000, 10_000).tolist()
    count = sum(times - 1 for times in Counter(values).values())
    files: list[IO[bytes]] = []

    def spill() -> IO[bytes]:
        files.append(TemporaryFile())  # noqa: SIM115 - `Repeats` closes it
        return files[-1]

    repeats = Repeats(spill, 1000)
    for first in range(0, len(values), 700):
        repeats.add([pa.array(map(str, values[first : first + 700]))], first)
    found = repeats.result()
    assert (len(files), found.number) == (1, count)
    assert files[0].closed
    assert found.rows == repeated([values], batch=10_000, run_rows=20_000)[1]


@pytest.mark.parametrize(
    "values",
    [
        ["", "a", "aa", "ab", "ba", "\0", "a\0", "x" * 300, "x" * 301, "y" + "x" * 299],
        [0, 1, -1, 2**62, 2**62 + 1],
        [0.0, 0.1, -0.1, 1e300],
        [True, False],
        [date(2026, 1, 1), date(2026, 1, 2)],
        [datetime(2026, 1, 1, 1), datetime(2026, 1, 1, 2)],  # noqa: DTZ001
        [Decimal("1.10"), Decimal("1.11")],
    ],
)
def test_equal_values_and_no_others_have_equal_hashes(values: list[Any]) -> None:
    column = pa.array(values + values)
    hashes = [tuple(row) for row in hash_rows([column.slice(1)]).tolist()]
    rows = [*values, *values][1:]
    assert len(set(hashes)) == len(values)
    for value, hashed in zip(rows, hashes, strict=True):
        assert hashes[len(values) - 1 + values.index(value)] == hashed


def test_zero_has_one_hash() -> None:
    assert (hash_rows([pa.array([0.0])]) == hash_rows([pa.array([-0.0])])).all()
