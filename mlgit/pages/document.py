"""A page as data: a title, and sections of paragraphs, lists, tables, findings and code.

All text in a page is plain text, whoever wrote it: each writer makes it harmless in its own format. There are three writers:
`pages.markdown`, `pages.html` and, for a terminal, `cli.render.document`. Lists and tables begin with what matters most, so
that a writer can cut them at the end.
"""

from collections.abc import Sequence

import msgspec

from mlgit.errors import Finding


class Paragraph(msgspec.Struct, frozen=True):
    """A paragraph; a strong one is to be read first."""

    text: str
    strong: bool = False


class BulletList(msgspec.Struct, frozen=True):
    """A list of sentences."""

    items: Sequence[str]


class FindingList(msgspec.Struct, frozen=True):
    """A list of findings."""

    findings: Sequence[Finding]


class Table(msgspec.Struct, frozen=True):
    """A table: a header, and rows of as many cells."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]


class ShellCommand(msgspec.Struct, frozen=True):
    """A command for the reader to run."""

    line: str


class CodeBlock(msgspec.Struct, frozen=True):
    """Lines that keep their breaks and spaces, such as the output of a command."""

    lines: Sequence[str]


class PageSection(msgspec.Struct, frozen=True):
    """A heading with what is below it. A collapsed one is detail that a reader opens."""

    title: str
    blocks: Sequence["Block"]
    collapsed: bool = False


class Page(msgspec.Struct, frozen=True):
    """A whole page."""

    title: str
    blocks: Sequence["Block"]


Block = Paragraph | BulletList | FindingList | Table | ShellCommand | CodeBlock | PageSection
