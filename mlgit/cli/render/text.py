"""Plain text for a terminal. Colour only repeats what the words say; control characters in content are removed."""

import sys
import textwrap
from collections.abc import Collection, Iterable, Sequence

import click

from mlgit.errors import Finding, Severity
from mlgit.pages import plain
from mlgit.pages.plain import clean

__all__ = ["clean", "finding", "following", "table", "word"]

_FINDING_INDENT = " " * len("  why  ")
_COLOURS = {
    "pass": "green",
    "fail": "red",
    "error": "red",
    "wait": "yellow",
    "waived": "yellow",
    "skip": "bright_black",
    "warning": "yellow",
    "note": "cyan",
    "PROVEN": "green",
    "OVERRIDDEN": "yellow",
    "UNAPPROVED": "yellow",
    "UNPROVEN": "yellow",
    "VIOLATION": "red",
}


def word(outcome: str, width: int = 0) -> str:
    """Return an outcome, verdict or severity in its colour, padded; any other word without colour."""
    colour = _COLOURS.get(outcome)
    return click.style(outcome.ljust(width), fg=colour) if colour else outcome.ljust(width)


def finding(shown: Finding, width: int = sys.maxsize) -> str:
    """Return a finding: what is wrong, where, why, and how to fix it; lines wider than `width` are wrapped."""
    head = plain.finding_head(shown)
    styled = click.style(head, fg=_COLOURS[shown.severity], bold=shown.severity is Severity.ERROR)
    lines = [
        part
        for line in plain.finding(shown).split("\n")
        for part in textwrap.wrap(line, width, subsequent_indent=_FINDING_INDENT, break_on_hyphens=False) or [line]
    ]
    wrapped = "\n".join(lines)
    # A head that was wrapped stays without colour.
    return styled + wrapped.removeprefix(head) if wrapped.startswith(head) else wrapped


def table(header: Sequence[str], rows: Iterable[Sequence[str]], *, words: Collection[int] = ()) -> str:
    """Return aligned rows under a header; `words` are the indices of columns with outcomes, which are coloured."""
    cells = [tuple(header), *(tuple(clean(cell) for cell in row) for row in rows)]
    widths = [max(len(row[index]) for row in cells) for index in range(len(header))]

    def line(row: Sequence[str]) -> str:
        padded = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        return "  ".join(
            cell.replace(row[index], word(row[index])) if index in words and row[index] else cell
            for index, cell in enumerate(padded)
        ).rstrip()

    return "\n".join(line(row) for row in cells)


def following(step: str | None) -> str:
    """Return the line that names the next step; an empty text if there is none."""
    return f"\nNext: {click.style(clean(step), bold=True)}" if step else ""
