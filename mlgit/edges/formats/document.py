"""What the readers of YAML and JSON share: the document that they return, and checks before parsing."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from mlgit.domain.rules.texts import check_visible
from mlgit.errors import Location, MlgitError, refused

Path = tuple[str | int, ...]
"""The keys and indexes that lead from the root of a document to a value."""

Lines = Mapping[Path, int]
"""The line, counted from 1, of each key and each item of a document."""

MAX_FINDINGS: Final = 50
"""A reader stops after so many problems in one file, so that a hostile file cannot fill the screen or the memory."""

_CONFLICT = re.compile(rb"^(?:<{7}|>{7})(?: |\r?$)", re.MULTILINE)
_WORD = re.compile(r"[\w-]+")
_MAX_SHOWN = 60  # characters
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")


class Document(msgspec.Struct, frozen=True):
    """A document in Python's plain types, with the line of each value.

    Lines are computed by reading the text a second time, only when a finding needs one: most documents have no problem.
    """

    file: str
    value: dict[str, Any]
    find_lines: Callable[[], Lines]

    def line_of(self, path: Path) -> int:
        """Return the line, from 1, of the key or item at a path; of the nearest one above if the path does not exist."""
        lines = self.find_lines()
        return next((lines[parent] for end in range(len(path), -1, -1) if (parent := path[:end]) in lines), 1)

    def at(self, path: Path) -> Location:
        """Return the location of a path, for a finding."""
        return Location(self.file, self.line_of(path), dotted(path) or None)


def dotted(path: Path) -> str:
    """Write a path as people read it: `slots.champion.version`, `gates[2].margin`, `columns["a b"].type`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif _WORD.fullmatch(part):
            text += f".{shortened(part)}" if text else shortened(part)
        else:
            text += '["' + shortened(part).replace('"', '\\"') + '"]'
    return text


def shortened(text: str) -> str:
    """Return text as a message shows it: at most 60 characters."""
    return text if len(text) <= _MAX_SHOWN else text[:_MAX_SHOWN] + "…"


def check_text(text: bytes, file: str, *, max_bytes: int) -> None:
    """Refuse text that no parser has to see.

    Raises:
        MlgitError: it is too long (`document-too-large`), has an unresolved merge conflict
            (`merge-conflict-unresolved`), is not plain UTF-8: a byte order mark or NUL (`encoding-not-utf8`), or has a
            character that is not seen (`text-hidden-character`).
    """
    if len(text) > max_bytes:
        raise too_large(file, f"it has {len(text):,} bytes, {max_bytes:,} are allowed")
    if (b"<<<<<<<" in text or b">>>>>>>" in text) and (conflict := _CONFLICT.search(text)):
        raise refused(
            "merge-conflict-unresolved",
            "unresolved merge conflict",
            why=f"the line begins with {conflict[0].decode().strip()}",
            fix="keep one side, delete the marker lines, then `git add` the file",
            at=Location(file, line_at(text, conflict.start())),
        )
    if text.startswith(b"\xef\xbb\xbf"):
        raise _not_utf8(text, file, 0, "it begins with a byte order mark (EF BB BF)")
    if not text.isascii():
        try:
            text.decode("utf-8")
        except UnicodeDecodeError as error:
            why = (
                "it looks like UTF-16"
                if text[:2] in _UTF_16
                else f"the byte is {text[error.start]:02X}, which is not UTF-8 at this place"
            )
            raise _not_utf8(text, file, error.start, why) from error
    if b"\0" in text:
        raise _not_utf8(text, file, text.index(b"\0"), "it has a NUL byte, as UTF-16 and binary files have")
    if findings := list(check_visible(text, file)):
        raise MlgitError(*findings)


def line_at(text: bytes, offset: int) -> int:
    """Return the line, from 1, of a byte offset."""
    return text.count(b"\n", 0, offset) + 1


def too_large(file: str, why: str) -> MlgitError:
    """Return the error for a document beyond a limit of size, depth or number of values."""
    return refused(
        "document-too-large",
        f"{file} is too large for a record",
        why=why,
        fix="store data with DVC; this file only describes it",
        at=Location(file),
    )


def not_mapping(file: str, actual: str) -> MlgitError:
    """Return the error for a document that is not a mapping; `actual` says what it is."""
    return refused(
        "document-not-mapping",
        f"{file} is not a mapping",
        why=f"it is {actual}",
        fix="write keys and values, as in `name: churn`; `mlgit explain document-not-mapping` shows an example",
        at=Location(file, 1),
    )


def empty(file: str) -> MlgitError:
    """Return the error for a document without content."""
    return refused(
        "document-empty",
        f"{file} is empty",
        why="it has only white space and comments",
        fix="fill it in, or delete it",
        at=Location(file, 1),
    )


def _not_utf8(text: bytes, file: str, offset: int, why: str) -> MlgitError:
    return refused(
        "encoding-not-utf8",
        f"{file} is not plain UTF-8 at byte {offset}",
        why=why,
        fix="save it as UTF-8 without a byte order mark",
        at=Location(file, line_at(text, offset)),
    )
