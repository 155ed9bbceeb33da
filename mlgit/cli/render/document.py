"""Render a page for a terminal: titles, wrapped paragraphs and aligned tables."""

import sys
import textwrap
from collections.abc import Sequence
from typing import Final

import click

from mlgit.cli.render import text
from mlgit.pages.document import (
    Block,
    BulletList,
    CodeBlock,
    FindingList,
    Page,
    PageSection,
    Paragraph,
    ShellCommand,
    Table,
)

UNLIMITED: Final = sys.maxsize
"""A width, or a number of rows, that truncates nothing."""

_CELL_WIDTHS: Final = range(32, 7, -1)  # characters of a cell that is not the last, if there is too little room
_MIN_LAST_CELL: Final = 15  # characters
_INDENT: Final = "  "


def write(page: Page, *, width: int = 100, rows: int = 20) -> str:
    """Return a page for a terminal.

    Args:
        page: the page.
        width: number of columns. Lines are wrapped, and cells that are not the last of their row are truncated.
        rows: maximum number of list items or table rows; the number of omitted ones is stated.
    """
    title = click.style(_wrapped(page.title, width), bold=True)
    return "\n\n".join([title, *(_block(block, width, rows) for block in page.blocks)])


def table(header: Sequence[str], rows: Sequence[Sequence[str]], *, width: int) -> str:
    """Return aligned rows. The last column is wrapped, and the others are truncated if they would leave it no room."""
    cells = [[_one_line(cell) for cell in row] for row in ([_heading(cell) for cell in header], *rows)]
    widths = _widths([row[:-1] for row in cells], width)
    room = width - sum(widths) - 2 * len(widths)
    lines = []
    for *others, last in cells:
        shown = [_truncated(cell, wide) for cell, wide in zip(others, widths, strict=True)]
        first = "".join(
            f"{text.word(cell)}{' ' * (wide - len(cell))}  " for cell, wide in zip(shown, widths, strict=True)
        )
        wrapped = _wrapped(last, room).split("\n")
        margin = " " * (sum(widths) + 2 * len(widths))
        lines += [(first + text.word(wrapped[0])).rstrip(), *(margin + line for line in wrapped[1:])]
    return "\n".join(lines)


def _block(block: Block, width: int, rows: int) -> str:
    match block:
        case PageSection(title, blocks, _):
            written = "\n".join([click.style(_wrapped(title, width), bold=True), _inside(blocks, width, rows)])
        case Paragraph(words, _):
            written = _wrapped(words, width)
        case ShellCommand(line):
            written = text.clean(line)
        case CodeBlock(lines):
            written = "\n".join(map(text.clean, lines))
        case FindingList(findings):
            listed = [text.finding(finding, width) for finding in findings[:rows]]
            written = "\n".join([*listed, *_omitted(findings, rows)])
        case BulletList(items):
            shown = [*items[:rows], *_omitted(items, rows)]
            written = "\n".join(_wrapped(f"- {item}", width, hanging="  ") for item in shown)
        case Table(header, table_rows):
            omitted = [[line, *[""] * (len(header) - 1)] for line in _omitted(table_rows, rows)]
            written = table(header, [*table_rows[:rows], *omitted], width=width)
    return written


def _inside(blocks: Sequence[Block], width: int, rows: int) -> str:
    """Return the blocks below a heading, indented, with an empty line before and after a table or a section."""
    written = ""
    for before, block in zip([None, *blocks], blocks, strict=False):
        if before is not None:
            is_spaced = isinstance(before, Table | PageSection) or isinstance(block, Table | PageSection)
            written += "\n\n" if is_spaced else "\n"
        written += textwrap.indent(_block(block, width - len(_INDENT), rows), _INDENT)
    return written


def _omitted(entries: Sequence[object], limit: int) -> list[str]:
    """Return the line that counts the omitted entries, if there are any."""
    return [f"and {len(entries) - limit:,} more; `--json` has all"] if len(entries) > limit else []


def _widths(rows: Sequence[Sequence[str]], width: int) -> list[int]:
    """Return the width of each column: that of its widest cell, or less if there is not enough room for the last column."""
    widest = [max(map(len, column)) for column in zip(*rows, strict=True)]
    room = width - _MIN_LAST_CELL - 2 * len(widest)
    return next(
        widths
        for limit in (max(widest, default=0), *_CELL_WIDTHS)
        if sum(widths := [min(width, limit) for width in widest]) <= room or limit == _CELL_WIDTHS[-1]
    )


def _heading(title: str) -> str:
    return title if "@" in title else title.upper()  # the name of a version stays as it is


def _truncated(cell: str, width: int) -> str:
    return cell if len(cell) <= width else cell[: width - 1] + "…"


def _one_line(words: str) -> str:
    return text.clean(" ".join(words.split()))


def _wrapped(words: str, width: int, *, hanging: str = "") -> str:
    return "\n".join(textwrap.wrap(_one_line(words), width, subsequent_indent=hanging, break_on_hyphens=False))
