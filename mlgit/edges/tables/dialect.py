"""How a CSV file is written: its encoding from the whole file, its delimiter and quote from the first rows.

A wrong guess is not silent: the whole file is read strictly afterwards, and each row must have as many fields as the header.
"""

import codecs
import csv
import io
import itertools
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal

from mlgit.domain.records.dataset import CsvFormat
from mlgit.edges.tables.unreadable import unreadable
from mlgit.errors import MlgitError

SAMPLE_ROWS: Final = 1000
"""Rows that delimiter and quote are detected from."""

_CHUNK: Final = 1 << 20
_SAMPLE_CHARACTERS: Final = 1 << 20
_DELIMITERS: Final[tuple[Literal[",", ";", "\t", "|"], ...]] = (",", ";", "\t", "|")
_CODECS: Final = {"utf-8": "utf-8-sig", "utf-16": "utf-16", "windows-1252": "cp1252"}
_UTF_16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def detect(path: Path) -> CsvFormat:
    """Return how a CSV file is written, but for its decimal separator, which follows from all of its values.

    Raises:
        MlgitError: it is no text in a known encoding, or has a NUL (`table-unreadable`).
    """
    with path.open("rb") as file:
        is_utf_16 = file.read(2) in _UTF_16
    if is_utf_16:
        check_text(path, "utf-16")
        return _of_sample(path, "utf-16")
    wrong_line = _first_wrong_line(path, "utf-8")
    if wrong_line is None:
        return _of_sample(path, "utf-8")
    if _first_wrong_line(path, "windows-1252") is not None:
        raise _wrong_encoding(path, "UTF-8 or windows-1252", wrong_line)
    return _of_sample(path, "windows-1252")


def check_text(path: Path, encoding: str) -> None:
    """Read all of a file, and refuse one that is not text in an encoding or has a NUL.

    Raises:
        MlgitError: with the first such line (`table-unreadable`).
    """
    line = _first_wrong_line(path, encoding)
    if line is not None:
        raise _wrong_encoding(path, encoding, line)


def header(path: Path, written: CsvFormat) -> list[str]:
    """Return the names in the header of a CSV file.

    Raises:
        MlgitError: there is no header, or it has an empty name or one that occurs twice (`table-unreadable`).
    """
    names = next(rows(path, written), (0, []))[1]
    if not names:
        raise unreadable(path, "it is empty; its first line must name the columns")
    for position, name in enumerate(names, start=1):
        if not name.strip():
            raise unreadable(path, f"column {position} has no name", line=1, fix="name each column in the header")
    repeated = [name for name, times in Counter(names).items() if times > 1]
    if repeated:
        raise unreadable(path, f"{repeated[0]!r} names two columns", line=1, fix="name each column once")
    return names


def rows(path: Path, written: CsvFormat) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows of a CSV file that are not empty, with the line in which each begins. Slow: for single rows.

    The last row has no fields if it cannot be read, because a field is longer than 128 KiB.
    """
    with path.open(encoding=_CODECS[written.encoding], newline="") as file:
        yield from _parsed(file, written.delimiter, written.quote)


def codec(encoding: str) -> str:
    """Return Python's name of an encoding."""
    return _CODECS[encoding]


def _parsed(file: io.TextIOBase, delimiter: str, quote: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(file, delimiter=delimiter, quotechar=quote)
    begin = 1
    try:
        for row in reader:
            if row:
                yield begin, row
            begin = reader.line_num + 1
    except csv.Error:
        yield begin, []


def _of_sample(path: Path, encoding: Literal["utf-8", "utf-16", "windows-1252"]) -> CsvFormat:
    with path.open(encoding=_CODECS[encoding], newline="") as file:
        sample = file.read(_SAMPLE_CHARACTERS)
        is_whole = not file.read(1)
    quote = _quote(sample)
    delimiter = max(_DELIMITERS, key=lambda candidate: _fitness(sample, candidate, quote, is_whole=is_whole))
    return CsvFormat(delimiter=delimiter, quote=quote, encoding=encoding)


def _quote(sample: str) -> Literal['"', "'"]:
    """Return the apostrophe if all names of the header are between apostrophes."""
    first = next(iter(sample.splitlines()), "").strip()
    for delimiter in _DELIMITERS:
        fields = first.split(delimiter)
        if all(len(field) > 1 and field[0] == field[-1] == "'" for field in fields):
            return "'"
    return '"'


def _fitness(sample: str, delimiter: str, quote: str, *, is_whole: bool) -> tuple[bool, int]:
    """Return whether a delimiter gives each row as many fields as the header, and how many those are."""
    parsed = _parsed(io.StringIO(sample, newline=""), delimiter, quote)
    widths = [len(row) for _, row in itertools.islice(parsed, SAMPLE_ROWS + 1)]
    names = widths[0] if widths else 0
    if not is_whole and 1 < len(widths) <= SAMPLE_ROWS:
        widths.pop()  # cut off
    return names > 1 and set(widths) == {names}, names


def _first_wrong_line(path: Path, encoding: str) -> int | None:
    """Return the first line that is not text in an encoding; None if there is none.

    Raises:
        MlgitError: a line has a NUL (`table-unreadable`).
    """
    decoder = codecs.getincrementaldecoder(_CODECS[encoding])()
    line = 1
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            try:
                text = decoder.decode(chunk)
            except UnicodeDecodeError as error:
                # A line break of UTF-16 contains this byte too, in characters that are rarely used.
                return line + error.object[: error.start].count(b"\n")
            if "\0" in text:
                line += text[: text.index("\0")].count("\n")
                raise unreadable(path, "it has a NUL character", line=line, fix="export the file again, as text")
            line += text.count("\n")
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return line
    return None


def _wrong_encoding(path: Path, encoding: str, line: int) -> MlgitError:
    return unreadable(
        path,
        f"it is not {encoding}",
        line=line,
        fix="save it as UTF-8, or name its encoding in the contract: `csv: {encoding: windows-1252}`",
    )
