"""Plain text for people: words before symbols, colour only repeats the words, hostile text made harmless."""

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
    "UNPROVEN": "yellow",
    "VIOLATION": "red",
}


def word(outcome: str, width: int = 0) -> str:
    """Return the word of an outcome, verdict or severity in its colour, padded; any other word as it is."""
    colour = _COLOURS.get(outcome)
    return click.style(outcome.ljust(width), fg=colour) if colour else outcome.ljust(width)


def finding(found: Finding, width: int = sys.maxsize) -> str:
    """Show a finding: what is wrong, where, why, and how to fix it; lines that are wider than `width` are wrapped."""
    head = plain.finding_head(found)
    styled = click.style(head, fg=_COLOURS[found.severity], bold=found.severity is Severity.ERROR)
    lines = [
        part
        for line in plain.finding(found).split("\n")
        for part in textwrap.wrap(line, width, subsequent_indent=_FINDING_INDENT, break_on_hyphens=False) or [line]
    ]
    shown = "\n".join(lines)
    return styled + shown.removeprefix(head) if shown.startswith(head) else shown


def table(header: Sequence[str], rows: Iterable[Sequence[str]], *, words: Collection[int] = ()) -> str:
    """Lay out rows under a header, each column as wide as its widest cell; `words` are the columns that hold outcomes."""
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
    """Return the line that names the next step; nothing where there is none."""
    return f"\nNext: {click.style(clean(step), bold=True)}" if step else ""
