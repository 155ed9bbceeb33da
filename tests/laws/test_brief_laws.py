"""Properties of text in the body of a pull request: it is shown as text, complete, and never as markup."""

import html

from hypothesis import given
from hypothesis import strategies as st

from mlgit.pages.markdown import escape
from mlgit.pages.plain import clean
from tests.unit.pages.briefs import INVISIBLE, MARKDOWN, READ_BY_FORGES

# Pieces of what means something to Markdown, to HTML or to a forge, so that what is drawn comes close to that.
pieces = st.sampled_from(
    [
        *"\\`*_{}[]()<>#+-.!|~&$@:=^'\"/;,% \t\n\r0123456789abfghGHxyz",
        *(
            "fixes ",
            "acme/churn",
            "https:",
            "www.",
            "GH-",
            "&#64;",
            "&lt;",
            "<!--",
            "-->",
            "</summary>",
            "```",
            "---",
            "[x]: /y",
        ),
        *("\u200b", "\u202e", "\u2028", "\xa0", "\x00", "\x1b", "é", "😀", "\ud800"),
    ]
)
words = st.one_of(st.lists(pieces, max_size=30).map("".join), st.text(max_size=30))


@given(words)
def test_a_text_is_one_paragraph_with_exactly_that_text(said: str) -> None:
    written = escape(said)
    tokens = MARKDOWN.parse(written)
    expected = clean(" ".join(said.split()))
    if not expected:
        assert tokens == []
        return
    assert [token.type for token in tokens] == ["paragraph_open", "inline", "paragraph_close"]
    children = tokens[1].children or []
    assert {child.type for child in children} == {"text"}
    shown = "".join(child.content for child in children)
    assert shown.replace(INVISIBLE, "").replace("\uff04", "$") == expected.replace("\uff04", "$")
    assert not READ_BY_FORGES.search(shown)


@given(words, words)
def test_two_texts_are_two_cells_of_one_row(one: str, other: str) -> None:
    tokens = MARKDOWN.parse(f"| a | b |\n| --- | --- |\n| {escape(one)} | {escape(other)} |")
    assert [token.type for token in tokens].count("td_open") == 2
    assert [token.type for token in tokens].count("tr_open") == 2
    assert {child.type for token in tokens for child in token.children or ()} <= {"text"}


@given(words)
def test_a_text_is_the_same_inside_html_and_cannot_end_it(said: str) -> None:
    written = escape(said)
    assert not {"<", ">", "\n"} & set(written)
    shown = html.unescape(written).replace(INVISIBLE, "").replace("\uff04", "$")
    assert shown == clean(" ".join(said.split())).replace("\uff04", "$")


@given(words, st.integers(1, 40))
def test_truncated_text_is_a_prefix_within_the_limit(said: str, most: int) -> None:
    whole, cut = (html.unescape(escape(said, limit)).replace(INVISIBLE, "") for limit in (None, most))
    assert len(cut) <= most
    assert cut == whole or whole.startswith(cut.removesuffix("…"))
