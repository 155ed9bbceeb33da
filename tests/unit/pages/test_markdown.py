"""A whole page of Markdown: nested headings, nothing cut, and code that cannot leave its fence."""

import pytest

from mlgit.errors import Finding, Location
from mlgit.pages import markdown
from mlgit.pages.document import BulletList, CodeBlock, FindingList, Page, PageSection, Paragraph, ShellCommand, Table
from tests.unit.pages.briefs import MARKDOWN


def test_each_block_has_its_form() -> None:
    finding = Finding("a-b", "it is so", "because", "do that", Location("a.yaml", 3))
    inner = PageSection("inner", [Table(("A", "B"), [("1", "2"), ("3", "4")]), ShellCommand("mlgit status")])
    details = PageSection("details", [Paragraph("more")], collapsed=True)
    page = Page(
        "title", [Paragraph("first", strong=True), PageSection("outer", [FindingList([finding]), inner]), details]
    )
    assert markdown.write(page, level=2).split("\n") == [
        "## title",
        "",
        "**first**",
        "",
        "### outer",
        "",
        "- error&#91;a-b&#93;: it is so (a.yaml:3): because. Fix: do that",
        "",
        "#### inner",
        "",
        "| A | B |",
        "| --- | --- |",
        "| 1 | 2 |",
        "| 3 | 4 |",
        "",
        "```sh",
        "mlgit status",
        "```",
        "",
        "<details>",
        "<summary>details</summary>",
        "",
        "more",
        "",
        "</details>",
    ]


def test_a_whole_page_is_not_cut() -> None:
    page = Page("title", [BulletList([f"item {number} " + "x" * 1000 for number in range(500)])])
    written = markdown.write(page)
    assert written.count("\n- item") == 500
    assert len(written) > 500_000
    assert "more" not in written


@pytest.mark.parametrize("line", ["```", "`````", "~~~", "</details>", "a\n```\nb", "<!-- x -->"])
def test_code_stays_in_its_fence(line: str) -> None:
    written = markdown.write_blocks([CodeBlock(["before", line, "after"])])
    (token,) = MARKDOWN.parse(written)
    assert (token.type, token.info) == ("fence", "text")
    assert token.content.split("\n") == ["before", line.replace("\n", "\\u000a"), "after", ""]
