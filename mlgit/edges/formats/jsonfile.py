"""The one reader of JSON: RFC 8259 in UTF-8, no duplicate keys, no NaN or Infinity, bounded size and depth.

What mlgit wrote itself is recognised by its bytes and read in microseconds; anything else takes the strict way, which
says what is wrong.
"""

import functools
import json
import math
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final, NamedTuple, TypeVar

import msgspec

from mlgit.domain import codec
from mlgit.domain.records.base import Record
from mlgit.edges.formats.document import (
    MOST_FINDINGS,
    Document,
    Lines,
    Path,
    check_text,
    dotted,
    empty,
    line_at,
    no_mapping,
    shortened,
    too_large,
)
from mlgit.errors import Finding, Location, MlgitError

MOST_BYTES: Final = 16 << 20
MOST_DEPTH: Final = 64

R = TypeVar("R", bound=Record)

_DEEP = b"\n" + b"  " * MOST_DEPTH  # the indent by which mlgit's own writing shows a depth near the limit
_MOST_MARKS = 200_000  # a search for places gives up after so many, and names the nearest one above
_MARK = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[{}\[\]:,]|[^\s"{}\[\]:,]+', re.DOTALL)
_BYTE = re.compile(r" \(byte (\d+)\)")
_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = frozenset({"NaN", "Infinity", "-Infinity", "+Infinity", "nan", "inf", "-inf"})
_LONGEST_INTEGER = 300  # digits; a number beyond 10^308 is no finite double


def read_written(text: bytes, kind: type[R]) -> R | None:
    """Read a record that is, byte for byte, as mlgit writes it; None where it is anything else, whatever the reason.

    Text that comes out the same when the record is written again had no duplicate key, odd number or other encoding.
    """
    if len(text) > MOST_BYTES or _DEEP in text:
        return None
    try:
        record = codec.from_json(kind, text)
        return record if codec.to_json(record) == text else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def parse(text: bytes, file: str) -> Document:
    """Read one JSON document whose root is an object.

    Args:
        text: the content of the file.
        file: its path, for messages.

    Raises:
        MlgitError: everything that is wrong with it, up to the first thing that stops the reading.
    """
    check_text(text, file, most_bytes=MOST_BYTES)
    if not text.strip():
        raise empty(file)
    try:
        value = msgspec.json.decode(text)
        json.loads(text, object_pairs_hook=_refuse_duplicates)
    except RecursionError:
        raise _too_deep(file) from None
    except ValueError as error:  # msgspec's and json's errors are kinds of it
        raise MlgitError(*_explain(text, file, error)) from error
    if not isinstance(value, dict):
        raise no_mapping(file, "a list" if isinstance(value, list) else "a single value")
    if _is_deeper(value, MOST_DEPTH):
        raise _too_deep(file)
    return Document(file, value, functools.cache(lambda: _lines(text)))


def _refuse_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a key is there twice")
    return result


def _is_deeper(value: Any, limit: int) -> bool:
    level = [value]
    for _ in range(limit):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
    return bool(level)


def _too_deep(file: str) -> MlgitError:
    return too_large(file, f"values are nested deeper than {MOST_DEPTH}")


class _Seen(NamedTuple):
    """A key or a value in the text: where it is, and in which line the same key was before."""

    path: Path
    line: int
    mark: str
    before: int | None = None


def _walk(text: str) -> Iterator[_Seen]:
    """Yield keys and values in the order of the text, which need not be correct; stops where brackets do not fit."""
    path: list[str | int] = []
    keys: list[dict[str, int] | None] = []  # of each open object, the keys with their lines; None for an array
    line, end, key_is_next = 1, 0, False
    for match in islice(_MARK.finditer(text), _MOST_MARKS):
        line += text.count("\n", end, match.start())
        mark, end = match[0], match.start()
        if mark in ("}", "]"):
            if not path:
                return
            path.pop()
            keys.pop()
            key_is_next = False
        elif mark == ",":
            key_is_next = bool(keys) and keys[-1] is not None
            if keys and keys[-1] is None:
                path[-1] = int(path[-1]) + 1
        elif mark == ":":
            key_is_next = False
        elif key_is_next and keys[-1] is not None:
            path[-1] = _text_of(mark)
            yield _Seen(tuple(path), line, "", keys[-1].get(_text_of(mark)))
            keys[-1][_text_of(mark)] = line
        else:
            yield _Seen(tuple(path), line, mark)
            if mark in ("{", "["):
                key_is_next = mark == "{"
                path.append("" if key_is_next else 0)
                keys.append({} if key_is_next else None)
                if len(path) > MOST_DEPTH:
                    return


def _text_of(mark: str) -> str:
    try:
        return str(msgspec.json.decode(mark))
    except msgspec.DecodeError:
        return mark


def _lines(text: bytes) -> Lines:
    lines: dict[Path, int] = {}
    for seen in _walk(text.decode()):
        lines.setdefault(seen.path, seen.line)
    return lines


def _explain(text: bytes, file: str, error: ValueError) -> list[Finding]:
    """Return all duplicate keys and numbers that are not finite; where there is none, what the parser said."""
    found = (_finding(seen, file) for seen in _walk(text.decode()))
    if findings := list(islice(filter(None, found), MOST_FINDINGS)):
        return findings
    why = str(error).removeprefix("JSON is malformed: ")
    place = _BYTE.search(why)
    at = Location(file, line_at(text, int(place[1]) if place else len(text.rstrip())))
    if "truncated" in why:
        why = "it ends in the middle of a value"
    fix = "take the file from Git again; mlgit writes these files, and nobody edits them by hand"
    return [Finding("json-syntax-error", "this is not JSON", _BYTE.sub("", why), fix, at)]


def _finding(seen: _Seen, file: str) -> Finding | None:
    at = Location(file, seen.line, dotted(seen.path) or None)
    if seen.before is not None:
        message = f"the key {shortened(str(seen.path[-1]))} is there twice, in lines {seen.before} and {seen.line}"
        return Finding("key-duplicate", message, "only one of them can be meant", "remove one of the two", at)
    if seen.mark in _NOT_FINITE or (_NUMBER.fullmatch(seen.mark) and not _is_finite(seen.mark)):
        message = f"{shortened(seen.mark)} is not a finite number"
        return Finding(
            "number-not-finite",
            message,
            "every number in a record has to be finite",
            "write a finite number or null",
            at,
        )
    return None


def _is_finite(number: str) -> bool:
    return math.isfinite(float(number)) and not (number.lstrip("-").isdigit() and len(number) > _LONGEST_INTEGER)
