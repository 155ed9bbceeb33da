"""The text of a model card: front matter, sections, and which of them have been written."""

import re
from typing import Self

import msgspec

_HEADING = re.compile(r"^#{2,3} +(.+?) *#*$", re.MULTILINE)
_PLACEHOLDER = re.compile(r"\b(TODO|TBD|FIXME)\b|more information needed|to be written", re.IGNORECASE)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)


class CardText(msgspec.Struct, frozen=True):
    """The prose of a card: each heading of level two or three with the text below it."""

    sections: dict[str, str]

    @classmethod
    def parse(cls, body: str) -> Self:
        """Read the Markdown below the front matter."""
        parts = _HEADING.split(_COMMENT.sub("", body))
        return cls({heading.casefold(): text.strip() for heading, text in zip(parts[1::2], parts[2::2], strict=True)})

    def is_written(self, heading: str) -> bool:
        """Tell whether the section is there, with text of its own that is not a placeholder."""
        text = self.sections.get(heading.casefold(), "")
        return len(re.findall(r"\w+", text)) >= _FEWEST_WORDS and not _PLACEHOLDER.search(text)


_FEWEST_WORDS = 3
