"""A page of HTML is whole, loads nothing, and shows every text as text."""

from html.parser import HTMLParser

import pytest

from mlgit.errors import Finding, Location
from mlgit.pages import html
from mlgit.pages.document import (
    BulletList,
    CodeBlock,
    FindingList,
    Page,
    PageSection,
    Paragraph,
    ShellCommand,
    Table,
)
from mlgit.pages.plain import clean

HOSTILE = [
    "<script>alert(1)</script>",
    "</td></table><img src=x onerror=y>",
    '"><style>*{display:none}</style>',
    "<!-- x -->",
    "&lt;b&gt;",
    "a\u202eb\x1b[0m",
    "'\"&",
]


def page(words: str) -> Page:
    finding = Finding("a-b", words, words, words, Location(words, 3))
    inner = PageSection(words, [Table((words, "B"), [(words, "VIOLATION"), (words, words)]), CodeBlock([words])])
    folded = PageSection(words, [ShellCommand(words)], collapsed=True)
    return Page(
        words,
        [
            Paragraph(words, strong=True),
            PageSection(words, [FindingList([finding]), BulletList([words]), inner]),
            folded,
        ],
    )


class Read(HTMLParser):
    """The tags of a page with their attributes, and its text."""

    def __init__(self, written: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, tuple[tuple[str, str | None], ...]]] = []
        self.open: list[str] = []
        self.text: list[str] = []
        self.feed(written)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(attrs)))
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.text.append(data)


@pytest.mark.parametrize("words", HOSTILE)
def test_whatever_a_text_says_the_page_has_the_same_tags(words: str) -> None:
    read, expected = Read(html.write(page(words))), Read(html.write(page("word")))
    assert read.tags == expected.tags
    assert read.open == []
    assert [text for text in read.text if text.strip()] == [
        text.replace("word", clean(words)) for text in expected.text if text.strip()
    ]


def test_nothing_is_loaded_and_headings_are_nested() -> None:
    written = html.write(page("word"))
    read = Read(written)
    names = [name for name, _ in read.tags]
    assert not {"script", "img", "link", "iframe", "object", "form", "base", "a"} & {*names}
    assert not [name for _, attributes in read.tags for name, _ in attributes if name in {"src", "href", "style"}]
    assert "default-src &#x27;none&#x27;" in written
    assert [name for name in names if name in {"h1", "h2", "h3", "details"}] == ["h1", "h2", "h3", "details"]
    assert ("td", (("class", "VIOLATION"),)) in read.tags
