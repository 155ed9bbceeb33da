"""What a brief is made of when it is shown: blocks and sections of plain text, and how numbers and times are said in them.

The text may be anybody's: whoever writes it out makes it harmless.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from mlgit.cli.render import text

FEW: Final = 3
"""How many names a sentence lists."""


class Title(msgspec.Struct, frozen=True):
    """What it is about."""

    text: str


class Paragraph(msgspec.Struct, frozen=True):
    """A paragraph; a strong one is what is read first."""

    text: str
    strong: bool = False


class Items(msgspec.Struct, frozen=True):
    """A list of sentences, the important first."""

    items: Sequence[str]


class Table(msgspec.Struct, frozen=True):
    """A table: a header, and rows of as many cells, the important first."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]


class Command(msgspec.Struct, frozen=True):
    """Something to run."""

    line: str


class Section(msgspec.Struct, frozen=True):
    """A heading and what is below it; a folded one is detail."""

    title: str
    blocks: Sequence["Title | Paragraph | Items | Table | Command"]
    folded: bool = False


Block = Title | Paragraph | Items | Table | Command
Part = Block | Section


def number(found: float | None) -> str:
    """Return a metric with four decimals; a dash where there is none."""
    return "-" if found is None else f"{found:.4f}"


def count(found: int | None) -> str:
    """Return a number of rows; `unknown` where nobody knows it."""
    return "unknown" if found is None else f"{found:,}"


def value(found: Any, what: str = "") -> str:
    """Return a value of a document in words: a digest cut short, a size with its unit, all else as JSON writes it."""
    if found is None:
        return "-"
    if what == "size":
        return text.size(found)
    if isinstance(found, str):
        return found[7:19] if found.startswith("sha256:") else found
    return f"{found:.4g}" if isinstance(found, float) else msgspec.json.encode(found).decode()


def minute(moment: datetime | None) -> str:
    """Return a moment in UTC, to the minute."""
    return "unknown" if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def few(names: Sequence[str]) -> str:
    """Return some names in words: all, or the first and how many more there are."""
    more = f" and {len(names) - FEW} more" if len(names) > FEW else ""
    return ", ".join(names[:FEW]) + more
