"""A brief at a terminal: within a hundred columns, in the order of the body, and deaf to what hostile text says."""

import re

import click
import pytest

from mlgit.cli.render import brief_markdown, brief_text
from tests.unit.cli.briefs import brief
from tests.unit.cli.test_text import ACTS, HOSTILE


@pytest.mark.parametrize("words", [*HOSTILE, "word " * 500, "x" * 3000, "a-b/" * 900])
def test_it_stays_within_a_hundred_columns_and_cannot_act(words: str) -> None:
    shown = click.unstyle(brief_text.render(brief(words, 30)))
    assert max(map(len, shown.split("\n"))) <= 100
    assert not ACTS.search(shown.replace("\n", "").replace("…", ""))


def test_it_has_the_sections_of_the_body_in_their_order() -> None:
    written = brief_markdown.body(brief())
    titles = re.findall(r"^(?:### |<summary>)([^<\n]+)", written, re.MULTILINE)
    assert titles.pop() == "What comes next"  # every command ends with its next step by itself
    shown = click.unstyle(brief_text.render(brief()))
    places = [shown.index(f"\n{title}\n") for title in titles]
    assert places == sorted(places)
    assert len(titles) > 8


def test_a_long_list_is_cut_and_says_where_all_of_it_is() -> None:
    shown = brief_text.render(brief("word", 25))
    assert "- and 5 more; `--json` has all" in shown
    assert "and 5 more" in shown
