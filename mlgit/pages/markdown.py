"""Pages as Markdown for GitHub and Gitea, in which nothing that a repository or a person wrote can act.

A forge looks for mentions, issues and links in the text that Markdown gives after it was parsed. So escaping Markdown is not
enough: those are broken by a space of no width.
"""

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from mlgit.domain.brief import BEGIN, END
from mlgit.domain.forge import fits_in_body
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
from mlgit.pages.plain import clean, finding_sentence

_ZERO_WIDTH_SPACE = "&#8203;"
_ACTIVE = re.compile(
    # A mention, a commit of somebody (name@1234567), or an address; `churn@10` is none, and people copy it.
    r"(?P<mention>@)(?!(?<=[a-z0-9]@)\d{1,6}(?![\w@-]|\.\w))"
    r"|(?P<issue>[#!])"
    r"|(?P<dash>(?<=[gG][hH])-(?=\d))"
    r"|(?P<link>:(?=//)|(?<=[wW]{3})\.)"
    r"|(?P<emoji>:(?=[\w+-]+:))"
    r"|(?P<math>\$)"
    r"|(?P<list>\A\d{1,9}[.)](?=\s|\Z)|\A[-+=](?!\d))"
    r"|(?P<markup>[\\`*{}\[\]<>|~&]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9]))"
)
_SAFE_COMMAND = re.compile(r"[A-Za-z0-9 ._/@\"-]+")


class _Limits(NamedTuple):
    """How many rows and items are shown, outside and inside of a collapsed section, and how many characters of a text."""

    rows: int | None
    collapsed_rows: int | None
    characters: int | None


_UNLIMITED: Final = _Limits(None, None, None)
# With the last limits every page fits: some 150 texts of 20 characters, each written with at most twelve characters.
_FORGE_LIMITS: Final = (
    _Limits(20, 100, 600),
    _Limits(20, 50, 300),
    _Limits(10, 20, 200),
    _Limits(5, 10, 120),
    _Limits(3, 5, 60),
    _Limits(1, 1, 20),
)


def write(page: Page, *, level: int = 1) -> str:
    """Return a whole page as Markdown, with nothing cut.

    Args:
        page: what to write.
        level: the level of the heading that its title becomes.
    """
    return "\n\n".join(_page(page, level, _UNLIMITED))


def write_blocks(blocks: Sequence[Block], *, level: int = 1) -> str:
    """Return parts of a page as Markdown, with nothing cut; `level` is that of the headings in them."""
    return "\n\n".join(_block(block, level, _UNLIMITED, None) for block in blocks)


def forge_body(page: Page) -> str:
    """Return a page as the part of a pull request's body, or of a comment, that is between mlgit's marks.

    What is too long for a forge is cut, the less important first, and the number of what was cut is stated. Equal pages give
    equal bodies.

    Returns:
        Markdown of no more characters than a forge takes; its first line is `BEGIN`, its last one `END`.
    """
    for limits in _FORGE_LIMITS:
        written = "\n\n".join([BEGIN, *_page(page, 2, limits), END])
        if fits_in_body(written):
            break
    return written


def escape(text: str, longest: int | None = None) -> str:
    """Return text in which no character means anything to Markdown, to HTML or to a forge, on one line.

    It may stand in a paragraph, a cell, an item, a heading, and inside of HTML. Every character is written as itself or as a
    reference, which CommonMark 0.31 (2.5) never takes for structure.

    Args:
        text: the text, whoever wrote it.
        longest: after how many characters it is cut.
    """
    line = " ".join(text.split())
    cleaned = clean(line if longest is None else line[: longest + 1])  # which never makes it shorter
    if longest is not None and len(cleaned) > longest:
        cleaned = cleaned[: longest - 1].rstrip() + "…"
    return _ACTIVE.sub(_harmless, cleaned)


def _harmless(match: re.Match[str]) -> str:
    found = match[0]
    match match.lastgroup:
        case "mention" | "dash" | "link" | "emoji":
            return found + _ZERO_WIDTH_SPACE
        case "issue":
            return _reference(found) + _ZERO_WIDTH_SPACE
        case "math":
            return "\uff04"  # a wide dollar: GitHub looks for formulas wherever there is a usual one
        case _:
            return found[:-1] + _reference(found[-1])


def _reference(character: str) -> str:
    return f"&#{ord(character)};"


def _page(page: Page, level: int, limits: _Limits) -> list[str]:
    title = f"{'#' * level} {escape(page.title, limits.characters)}"
    return [title, *(_block(block, level + 1, limits, limits.rows) for block in page.blocks)]


def _section(section: PageSection, level: int, limits: _Limits) -> str:
    rows = limits.collapsed_rows if section.collapsed else limits.rows
    blocks = [_block(block, level + 1, limits, rows) for block in section.blocks]
    title = escape(section.title, limits.characters)
    if section.collapsed:
        return "\n\n".join([f"<details>\n<summary>{title}</summary>", *blocks, "</details>"])
    return "\n\n".join([f"{'#' * level} {title}", *blocks])


def _block(block: Block, level: int, limits: _Limits, rows: int | None) -> str:
    match block:
        case PageSection():
            written = _section(block, level, limits)
        case Paragraph(text, strong):
            mark = "**" if strong else ""
            written = f"{mark}{escape(text, limits.characters)}{mark}"
        case ShellCommand(line):
            # What has other characters is text: nobody should copy into a shell what a stranger may have put there.
            written = f"```sh\n{line}\n```" if _SAFE_COMMAND.fullmatch(line) else escape(line, limits.characters)
        case CodeBlock(lines):
            written = _fenced(lines)
        case BulletList(items):
            written = _items(items, limits, rows)
        case FindingList(findings):
            written = _items([finding_sentence(finding) for finding in findings], limits, rows)
        case Table(header, table_rows):
            written = _table(header, table_rows, limits, rows)
    return written


def _items(items: Sequence[str], limits: _Limits, most: int | None) -> str:
    shown = [*items[:most], *_rest(items, most)]
    return "\n".join(f"- {escape(item, limits.characters)}" for item in shown)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]], limits: _Limits, most: int | None) -> str:
    rest = [[text, *[""] * (len(header) - 1)] for text in _rest(rows, most)]
    lines = [[escape(cell, limits.characters) for cell in row] for row in (header, *rows[:most], *rest)]
    lines.insert(1, ["---"] * len(header))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _rest(entries: Sequence[object], most: int | None) -> list[str]:
    """Return the line that counts what was cut, if anything was."""
    return [] if most is None or len(entries) <= most else [f"and {len(entries) - most:,} more"]


def _fenced(lines: Sequence[str]) -> str:
    """Return lines within a fence that is longer than any in them, so that none of them can end it."""
    body = "\n".join(clean(line) for line in lines)
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", body)), default=0))
    return f"{fence}text\n{body}\n{fence}"
