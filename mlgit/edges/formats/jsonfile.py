"""The reader of JSON: RFC 8259 in UTF-8, no duplicate keys, no NaN or Infinity, bounded size and depth.

A record that mlgit wrote is recognized by its bytes and read in microseconds. Anything else is parsed strictly, with a
finding for each problem.
"""

import functools
import json
import math
import re
import unicodedata
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final, NamedTuple, TypeVar

import msgspec

from mlgit.domain import codec
from mlgit.domain.records.base import Record
from mlgit.edges.formats.document import (
    MAX_FINDINGS,
    Document,
    Lines,
    Path,
    check_text,
    dotted,
    empty,
    line_at,
    not_mapping,
    shortened,
    too_large,
)
from mlgit.errors import Finding, Location, MlgitError

MAX_BYTES: Final = 16 << 20
MAX_DEPTH: Final = 64

R = TypeVar("R", bound=Record)

_DEEP = b"\n" + b"  " * MAX_DEPTH  # the indent of a value near the depth limit, as mlgit writes it
_MAX_LEXEMES = 200_000  # the search for lines stops here; a later value gets the line of the nearest one above
_LEXEME = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[{}\[\]:,]|[^\s"{}\[\]:,]+', re.DOTALL)
_BYTE = re.compile(r" \(byte (\d+)\)")
_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = frozenset({"NaN", "Infinity", "-Infinity", "+Infinity", "nan", "inf", "-inf"})
_MAX_INTEGER_DIGITS = 300  # digits; a number beyond 10^308 is no finite double


def read_written(text: bytes, kind: type[R]) -> R | None:
    """Read a record that is byte for byte as mlgit writes it; None for anything else, whatever the reason.

    If writing the record again gives the same bytes, they had no duplicate key, no unusual number and no other encoding,
    so the strict checks can be left out. An audit reads tens of thousands of records.
    """
    if len(text) > MAX_BYTES or _DEEP in text:
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
        MlgitError: every problem, up to the first that stops the parser.
    """
    check_text(text, file, max_bytes=MAX_BYTES)
    if not text.strip():
        raise empty(file)
    try:
        value = msgspec.json.decode(text)
        json.loads(text, object_pairs_hook=_refuse_duplicates)
    except RecursionError:
        raise _too_deep(file) from None
    except ValueError as error:  # msgspec's and json's errors are subclasses
        raise MlgitError(*_explain(text, file, error)) from error
    if not isinstance(value, dict):
        raise not_mapping(file, "a list" if isinstance(value, list) else "a single value")
    if _is_deeper(value, MAX_DEPTH):
        raise _too_deep(file)
    return Document(file, value, functools.cache(lambda: _lines(text)))


def _refuse_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("duplicate key")
    if len({unicodedata.normalize("NFC", key) for key in result}) != len(result):
        raise ValueError("two keys of an object differ only in Unicode normalization")
    return result


def _is_deeper(value: Any, limit: int) -> bool:
    level = [value]  # breadth first and without recursion, since the value may be hostile
    for _ in range(limit):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
    return bool(level)


def _too_deep(file: str) -> MlgitError:
    return too_large(file, f"values are nested deeper than {MAX_DEPTH}")


class _Node(NamedTuple):
    """A key or value in the text: its path, line and lexeme, and the line of an earlier equal key in the same object."""

    path: Path
    line: int
    lexeme: str
    first_line: int | None = None


def _walk(text: str) -> Iterator[_Node]:
    """Yield keys and values in the order of the text, which need not be valid; stop where brackets do not match."""
    path: list[str | int] = []
    keys: list[dict[str, int] | None] = []  # for each open object its keys with their lines; None for an array
    line, end, key_is_next = 1, 0, False
    for match in islice(_LEXEME.finditer(text), _MAX_LEXEMES):
        line += text.count("\n", end, match.start())
        lexeme, end = match[0], match.start()
        if lexeme in ("}", "]"):
            if not path:
                return
            path.pop()
            keys.pop()
            key_is_next = False
        elif lexeme == ",":
            key_is_next = bool(keys) and keys[-1] is not None
            if keys and keys[-1] is None:
                path[-1] = int(path[-1]) + 1
        elif lexeme == ":":
            key_is_next = False
        elif key_is_next and keys[-1] is not None:
            key = _text_of(lexeme)
            path[-1] = key
            yield _Node(tuple(path), line, "", keys[-1].get(key))
            keys[-1][key] = line
        else:
            yield _Node(tuple(path), line, lexeme)
            if lexeme in ("{", "["):
                key_is_next = lexeme == "{"
                path.append("" if key_is_next else 0)
                keys.append({} if key_is_next else None)
                if len(path) > MAX_DEPTH:
                    return


def _text_of(lexeme: str) -> str:
    try:
        return str(msgspec.json.decode(lexeme))
    except msgspec.DecodeError:
        return lexeme


def _lines(text: bytes) -> Lines:
    lines: dict[Path, int] = {}
    for node in _walk(text.decode()):
        lines.setdefault(node.path, node.line)
    return lines


def _explain(text: bytes, file: str, error: ValueError) -> list[Finding]:
    """Return findings for duplicate keys and numbers that are not finite; without any, the parser's own message."""
    candidates = (_finding(node, file) for node in _walk(text.decode()))
    if findings := list(islice(filter(None, candidates), MAX_FINDINGS)):
        return findings
    why = str(error).removeprefix("JSON is malformed: ")
    offset = _BYTE.search(why)
    at = Location(file, line_at(text, int(offset[1]) if offset else len(text.rstrip())))
    if "truncated" in why:
        why = "it ends in the middle of a value"
    fix = "restore the file from Git; mlgit writes these files, and nobody edits them by hand"
    return [Finding("json-syntax-error", "the file is not valid JSON", _BYTE.sub("", why), fix, at)]


def _finding(node: _Node, file: str) -> Finding | None:
    at = Location(file, node.line, dotted(node.path) or None)
    if node.first_line is not None:
        message = f"duplicate key {shortened(str(node.path[-1]))} in lines {node.first_line} and {node.line}"
        return Finding("key-duplicate", message, "a key can have only one value", "remove one of the two", at)
    if node.lexeme in _NOT_FINITE or (_NUMBER.fullmatch(node.lexeme) and not _is_finite(node.lexeme)):
        message = f"{shortened(node.lexeme)} is not a finite number"
        return Finding(
            "number-not-finite",
            message,
            "every number in a record has to be finite",
            "write a finite number or null",
            at,
        )
    return None


def _is_finite(number: str) -> bool:
    return math.isfinite(float(number)) and not (number.lstrip("-").isdigit() and len(number) > _MAX_INTEGER_DIGITS)
