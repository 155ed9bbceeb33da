"""The text of a model card: its sections, and which of them are written."""

import re
from typing import Self

import msgspec

_HEADING = re.compile(r" {0,3}(#{1,6})[ \t]+(.*?)(?:[ \t]+#+)?[ \t\r]*")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})(.*)")
_COMMENT = re.compile(
    r"<!--.*?-->|^ {0,3}<!--.*\Z", re.DOTALL | re.MULTILINE
)  # an unclosed one hides the rest of the text
_PLACEHOLDER = re.compile(r"\b(TODO|TBD|FIXME)\b|more information needed|to be written", re.IGNORECASE)
_SECTION_LEVELS = (2, 3)
_MIN_WORDS = 3


class CardText(msgspec.Struct, frozen=True):
    """The sections of a card: each heading of level two or three with the text below it, including its sub-headings.

    Only ATX headings (`#`) outside of code count; underlined (setext) headings are text. Sections with the same heading are
    merged.
    """

    sections: dict[str, str]

    @classmethod
    def parse(cls, body: str) -> Self:
        """Read the Markdown below the front matter."""
        texts: dict[str, list[str]] = {}
        open_headings: list[tuple[int, str]] = []  # level and name of the headings that contain the line
        fence = ""
        for line in _COMMENT.sub("", body).split("\n"):
            heading = None if fence else _HEADING.fullmatch(line)
            fence = _fence_after(line, fence)
            if heading is not None:
                level, name = len(heading[1]), heading[2].casefold()
                open_headings = [outer for outer in open_headings if outer[0] < level]
                if level in _SECTION_LEVELS:
                    open_headings.append((level, name))
                    texts.setdefault(name, [])
            else:
                for _, name in open_headings:
                    texts[name].append(line)
        return cls({name: "\n".join(lines).strip() for name, lines in texts.items()})

    def is_written(self, heading: str) -> bool:
        """Return whether the section exists and has text that is not a placeholder."""
        text = self.sections.get(heading.casefold(), "")
        return len(re.findall(r"\w+", text)) >= _MIN_WORDS and not _PLACEHOLDER.search(text)


def _fence_after(line: str, fence: str) -> str:
    """Return the fence of the code block that contains the next line; empty outside of code."""
    mark = _FENCE.fullmatch(line.rstrip("\r"))
    if mark is None:
        return fence
    if not fence:
        return "" if mark[1][0] == "`" and "`" in mark[2] else mark[1]
    closes = mark[1].startswith(fence) and not mark[2].strip()
    return "" if closes else fence
