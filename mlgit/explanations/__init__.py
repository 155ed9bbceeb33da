"""What findings mean and how to fix them: one Markdown page for each family of findings, and an index of all ids.

`make docs` writes `index.json` from the pages, so that one small file answers which ids there are.
"""

from functools import cache
from importlib.resources import files
from typing import Final

import msgspec

INDEX: Final = "index.json"


class FindingEntry(msgspec.Struct, frozen=True):
    """What is specific to one finding: the family that it belongs to, and what it means, in Markdown without line breaks."""

    family: str
    meaning: str


class Index(msgspec.Struct, frozen=True):
    """All families by name, with their titles, and all findings by id."""

    families: dict[str, str]
    findings: dict[str, FindingEntry]


@cache
def index() -> Index:
    """Return the index of all families and findings."""
    return msgspec.json.decode((files(__name__) / INDEX).read_bytes(), type=Index)


def page(family: str) -> str:
    """Return the page of a family."""
    return (files(__name__) / f"{family}.md").read_text(encoding="utf-8")
