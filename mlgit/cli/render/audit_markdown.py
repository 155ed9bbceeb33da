"""The evidence report of an audit as Markdown, in which nothing that a repository says can act."""

import re

from mlgit.cli.render import text
from mlgit.cli.render.audit_document import Block, Heading, Items, Paragraph, Table, document, sealed
from mlgit.ops.audit import Audit

_ACTS = re.compile(r"([\\`*_{}\[\]()#+!|<>~@&:-])")


def render(audit: Audit) -> str:
    """Return the report; the last line is the sha256 of all lines before it."""
    return sealed("\n\n".join(_block(block) for block in document(audit)) + "\n")


def _block(block: Block) -> str:
    match block:
        case Heading(level, words):
            return f"{'#' * level} {_plain(words)}"
        case Paragraph(words, tone):
            return f"**{_plain(words)}**" if tone else _plain(words)
        case Items(items):
            return "\n".join(f"- {_plain(item)}" for item in items)
        case Table(header, rows):
            lines = [header, ["---"] * len(header)]
            body = [[_plain(cell) for cell in row] for row in rows]
            return "\n".join(f"| {' | '.join(line)} |" for line in (*lines, *body))


def _plain(words: str) -> str:
    """Return text in which no character means anything to Markdown: no link, no HTML, no mention."""
    return _ACTS.sub(r"\\\1", text.clean(words))
