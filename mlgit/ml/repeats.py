"""Find rows that repeat an earlier one, in memory that does not grow with their number.

Each row is reduced to 24 bytes: a hash of 128 bits and its position. Up to 131,072 rows stay in memory. Beyond that, runs
of so many rows are written to a temporary file, each run grouped by the first byte of its hashes; at the end, the rows of
one group at a time are read from all runs and sorted. So it takes some 10 MB and half a byte of memory for each row, and
24 bytes of disk.
"""

from collections.abc import Callable, Iterator
from typing import IO, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mlgit.ml.arrays import Array
from mlgit.ml.rowhash import hash_rows

_RUN_ROWS: Final = 1 << 17
_GROUPS: Final = 256
_SHIFT: Final = np.uint64(56)
_WORDS: Final = 3  # two of the hash, and the position
_MAX_EXAMPLES: Final = 3

Spill = Callable[[], IO[bytes]]
"""Opens a temporary file, which is deleted when it is closed."""


class Repeated(NamedTuple):
    """The number of rows that repeat an earlier one, and the first few of them, each with another value."""

    number: int
    rows: list[int]


class Repeats:
    """Collects the rows of one or more columns; rows with a missing value are ignored."""

    def __init__(self, spill: Spill, run_rows: int = _RUN_ROWS) -> None:
        self._spill = spill
        self._run_rows = run_rows
        self._pending: list[Array] = []
        self._pending_rows = 0
        self._file: IO[bytes] | None = None
        self._runs: list[Array] = []  # for each run, where its groups begin in the file, in rows
        self._written = 0

    def add(self, columns: list[pa.Array], first: int) -> None:
        """Add rows, of which the first has this position in the table."""
        complete = pc.is_valid(columns[0])
        for column in columns[1:]:
            complete = pc.and_(complete, pc.is_valid(column))
        if not complete.true_count:
            return
        positions = np.arange(first, first + len(complete), dtype=np.uint64)
        if complete.false_count:
            columns = [pc.filter(column, complete) for column in columns]
            positions = positions[_mask(complete)]
        entries = np.empty((len(positions), _WORDS), np.uint64)
        entries[:, :2] = hash_rows(columns)
        entries[:, 2] = positions
        self._pending.append(entries)
        self._pending_rows += len(entries)
        if self._pending_rows > self._run_rows:
            self._write_run()

    def pending_repeats(self) -> bool:
        """Return whether a row that is still in memory repeats another one there."""
        return bool(self._pending) and bool(_repeated(np.concatenate(self._pending))[1].any())

    def close(self) -> None:
        """Delete the temporary file."""
        if self._file is not None:
            self._file.close()

    def result(self) -> Repeated:
        """Return the rows that repeat an earlier one, and delete the temporary file."""
        count, firsts = 0, np.empty(0, np.uint64)
        for entries in self._groups():
            ordered, repeats = _repeated(entries)
            count += int(repeats.sum())
            # Of each value, the first row that repeats it.
            is_first = repeats & ~np.concatenate([[False], repeats[:-1]])
            firsts = np.sort(np.concatenate([firsts, ordered[is_first, 2]]))[:_MAX_EXAMPLES]
        self.close()
        return Repeated(count, firsts.astype(int).tolist())

    def _groups(self) -> Iterator[Array]:
        """Yield the rows in parts, with all rows of a hash in one part."""
        if self._file is None:
            if self._pending:
                yield np.concatenate(self._pending)
            return
        if self._pending:
            self._write_run()
        for group in range(_GROUPS):
            yield np.concatenate([self._read(run[group], run[group + 1]) for run in self._runs])

    def _read(self, start: int, end: int) -> Array:
        assert self._file is not None  # noqa: S101 - it is read only where there is one
        self._file.seek(int(start) * _WORDS * 8)
        return np.frombuffer(self._file.read(int(end - start) * _WORDS * 8), np.uint64).reshape(-1, _WORDS)

    def _write_run(self) -> None:
        self._file = self._file or self._spill()
        entries = np.concatenate(self._pending)
        groups = entries[:, 0] >> _SHIFT
        order = np.argsort(groups, kind="stable")
        self._runs.append(self._written + np.searchsorted(groups[order], np.arange(_GROUPS + 1)))
        self._file.write(entries[order].tobytes())
        self._written += len(entries)
        self._pending, self._pending_rows = [], 0


def _mask(values: pa.Array) -> Array:
    """Return truth values without nulls; `to_numpy` would import pandas, which takes 60 MB."""
    numbers = pc.cast(values, pa.uint8())
    return np.frombuffer(numbers.buffers()[1], np.bool_, numbers.offset + len(numbers))[numbers.offset :]


def _repeated(entries: Array) -> tuple[Array, Array]:
    """Return rows in the order of their hashes and positions, and whether each has the hash of the one before."""
    ordered = entries[np.lexsort((entries[:, 2], entries[:, 1], entries[:, 0]))]
    repeats = np.zeros(len(ordered), bool)
    repeats[1:] = (ordered[1:, :2] == ordered[:-1, :2]).all(axis=1)
    return ordered, repeats
