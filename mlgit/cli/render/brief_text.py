"""A brief for a terminal, in the order of the body of a pull request, at most a hundred columns wide."""

import textwrap
from collections.abc import Sequence
from typing import Final

import click

from mlgit.cli.render import text
from mlgit.cli.render.brief_blocks import Block, Command, Items, Paragraph, Section, Table, Title
from mlgit.cli.render.brief_document import document
from mlgit.ops.promotion.brief import Brief

_WIDTH: Final = 100
_MOST: Final = 20  # rows and items
_CELLS: Final = range(32, 7, -1)  # characters of a cell that is not the last, the first number that leaves room enough
_LAST: Final = 15  # characters of the last cell, at the least


def render(brief: Brief) -> str:
    """Return a brief in words."""
    return "\n\n".join(_section(part) if isinstance(part, Section) else _block(part) for part in document(brief))


def _section(part: Section) -> str:
    title = click.style(_wrapped(part.title, _WIDTH), bold=True)
    return "\n".join([title, *(textwrap.indent(_block(block), "  ") for block in part.blocks)])


def _block(block: Block) -> str:
    match block:
        case Title(words):
            return click.style(_wrapped(words, _WIDTH), bold=True)
        case Paragraph(words, _):
            return _wrapped(words, _WIDTH - 2)
        case Command(line):
            return text.clean(line)
        case Items(items):
            more = [f"and {len(items) - _MOST:,} more; `--json` has all"] if len(items) > _MOST else []
            return "\n".join(_wrapped(f"- {item}", _WIDTH - 2, hanging="  ") for item in [*items[:_MOST], *more])
        case Table(header, rows):
            return _table(header, rows)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lay out rows; the last column is wrapped, and all others are cut where they are too wide."""
    more = [[f"and {len(rows) - _MOST:,} more", *[""] * (len(header) - 1)]] if len(rows) > _MOST else []
    cells = [[_line(cell) for cell in row] for row in [[_head(one) for one in header], *rows[:_MOST], *more]]
    widths = _widths([row[:-1] for row in cells])
    room = _WIDTH - 2 - sum(widths) - 2 * len(widths)
    lines = []
    for *cut, last in cells:
        first = "".join(f"{_cut(cell, width).ljust(width)}  " for cell, width in zip(cut, widths, strict=True))
        wrapped = _wrapped(last, room).split("\n")
        lines += [(first + wrapped[0]).rstrip(), *(" " * len(first) + line for line in wrapped[1:])]
    return "\n".join(lines)


def _widths(rows: Sequence[Sequence[str]]) -> list[int]:
    """Return the width of each column: that of its widest cell, or less where they would not leave room for the last one."""
    wanted = [max(map(len, column)) for column in zip(*rows, strict=True)]
    room = _WIDTH - 2 - _LAST - 2 * len(wanted)
    return next(
        widths for most in _CELLS if sum(widths := [min(width, most) for width in wanted]) <= room or most == _CELLS[-1]
    )


def _head(title: str) -> str:
    return title if "@" in title else title.upper()  # the name of a version stays as people write it


def _cut(cell: str, width: int) -> str:
    return cell if len(cell) <= width else cell[: width - 1] + "…"


def _line(words: str) -> str:
    return text.clean(" ".join(words.split()))


def _wrapped(words: str, width: int, *, hanging: str = "") -> str:
    return "\n".join(textwrap.wrap(_line(words), width, subsequent_indent=hanging, break_on_hyphens=False))
