"""A page at a terminal: within a hundred columns, in the order of the page, and harmless whatever a text says."""

import re

import click
import pytest

from mlgit.cli.render import document
from mlgit.errors import Finding
from mlgit.pages import brief as pages
from mlgit.pages.document import CodeBlock, FindingList, Page, PageSection, Paragraph, Table
from mlgit.pages.markdown import forge_body
from tests.unit.cli.test_text import ACTS, HOSTILE
from tests.unit.pages.briefs import brief


@pytest.mark.parametrize("words", [*HOSTILE, "word " * 500, "x" * 3000, "a-b/" * 900])
def test_it_stays_within_a_hundred_columns_and_cannot_act(words: str) -> None:
    shown = click.unstyle(document.write(pages.page(brief(words, 30))))
    assert max(map(len, shown.split("\n"))) <= 100
    assert not ACTS.search(shown.replace("\n", "").replace("…", ""))


def test_it_has_the_sections_of_the_body_in_their_order() -> None:
    written = forge_body(pages.pull_request_page(brief()))
    titles = re.findall(r"^(?:### |<summary>)([^<\n]+)", written, re.MULTILINE)
    assert titles.pop() == "Next step"  # every command ends with its next step by itself
    shown = click.unstyle(document.write(pages.page(brief())))
    places = [shown.index(f"\n{title}\n") for title in titles]
    assert places == sorted(places)
    assert len(titles) > 8


def test_a_long_list_is_cut_and_says_where_all_of_it_is() -> None:
    shown = document.write(pages.page(brief("word", 25)))
    assert "- and 5 more; `--json` has all" in shown
    assert "and 5 more" in shown


def test_nothing_is_cut_where_nothing_limits_it() -> None:
    names = ["model-with-a-long-name-" * 5, "b"]
    page = Page("title", [Table(("Name", "Verdict"), [(name, "PROVEN") for name in names] * 40)])
    shown = document.write(page, width=document.UNLIMITED, rows=document.UNLIMITED)
    lines = click.unstyle(shown).split("\n")
    assert len(lines) == 83
    assert lines[2:5] == [f"NAME{' ' * 113}VERDICT", f"{names[0]}  PROVEN", f"b{' ' * 116}PROVEN"]
    assert click.style("PROVEN", fg="green") in shown


def test_a_section_is_indented_and_its_tables_stand_apart() -> None:
    finding = Finding("a-b", "it is so", fix=f"run `mlgit {'x ' * 50}`")
    inner = PageSection("inner", [CodeBlock(["  kept   as it is", "b"]), Paragraph("last")])
    page = Page("title", [PageSection("outer", [FindingList([finding]), Table(("A", "B"), [("pass", "c")]), inner])])
    assert click.unstyle(document.write(page, width=60)).split("\n") == [
        "title",
        "",
        "outer",
        "  error[a-b]: it is so",
        f"    fix  run `mlgit {'x ' * 19}x",
        f"         {'x ' * 25}x",
        f"         {'x ' * 4}`",
        "",
        "  A     B",
        "  pass  c",
        "",
        "  inner",
        "      kept   as it is",
        "    b",
        "    last",
    ]
