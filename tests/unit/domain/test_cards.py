"""Sections of a card: found as a reader of the page would find them, and written only where there are words."""

import pytest

from mlgit.domain.cards import CardText

WORDS = "For staff at the gate, to warn passengers."


def written(body: str, heading: str = "Intended use") -> bool:
    return CardText.parse(body).is_written(heading)


@pytest.mark.parametrize(
    "body",
    [
        f"## Intended use\n{WORDS}",
        f"# delay\n\n## Intended use\n\n{WORDS}\n\n## Limitations\n\nTODO",
        f"### Intended use\n{WORDS}",
        f"## INTENDED USE\n{WORDS}",
        f"## Intended use ##\n{WORDS}",
        f"   ## Intended use\t\n{WORDS}",
        f"## Intended use\r\n{WORDS}\r\n",
        f"## Intended use\n\n### By whom\n\n{WORDS}\n",
        f"## Intended use\n\n#### By whom\n\n{WORDS}\n",
        f"## Intended use\n<!-- TODO: ask ops -->\n{WORDS}",
        f"## Intended use\n```\n## Limitations\n```\n{WORDS}",
        f"## Intended use\n```\nx = 1\n~~~\n``\n```` \n{WORDS}",
        f"## Intended use\nfirst\n## Limitations\nnone known yet\n## Intended use\n{WORDS}",
        f"## Intended use\n## Limitations\nnone known yet\n## Intended use\n{WORDS}",
        f"## Intended use\nUse `<!--` in pages.\n{WORDS}",
        f"## Intended use\n#tag {WORDS}",
        "## Intended use\nPlanung für den Betrieb",
    ],
)
def test_a_section_with_words_is_written(body: str) -> None:
    assert written(body)


@pytest.mark.parametrize(
    "body",
    [
        "",
        WORDS,
        f"# Intended use\n{WORDS}",
        f"#### Intended use\n{WORDS}",
        f"##Intended use\n{WORDS}",
        f"## Intended uses\n{WORDS}",
        "## Intended use",
        "## Intended use\n\n \n",
        "## Intended use\nYes, sir",
        "## Intended use\n---\n***\n...",
        "## Intended use\nTODO",
        f"## Intended use\n{WORDS} TODO: ask the ops team",
        "## Intended use\n[More Information Needed]",
        "## Intended use\ntbd, after the next meeting",
        "## Intended use\nThis is to be written soon.",
        f"## Intended use\n## Limitations\n{WORDS}",
        f"## Intended use\n# Part two\n{WORDS}",
        "## Intended use\n### One two three four five",
        f"<!-- ## Intended use\n{WORDS} -->",
        f"<!--\n## Intended use\n{WORDS}",
        f"## Intended use\n  <!-- {WORDS}",
        f"## Intended use\n<!-- {WORDS} -->",
        f"```\n## Intended use\n{WORDS}\n```",
        f"~~~ md\n## Intended use\n{WORDS}",
        f"````\n```\n## Intended use\n{WORDS}\n```\n",
        f"Intended use\n------------\n{WORDS}",
        f"## Intended use\nTODO\n## Limitations\nnone\n## Intended use\n{WORDS}",
    ],
)
def test_a_section_without_words_of_its_own_is_not_written(body: str) -> None:
    assert not written(body)


def test_sections_keep_the_text_below_them() -> None:
    text = CardText.parse("before\n# delay\n## Use\none\n### By whom\ntwo\n## Limits\nthree\n")
    assert text.sections == {"use": "one\ntwo", "by whom": "two", "limits": "three"}


def test_code_that_begins_with_ticks_and_has_one_in_its_first_line_is_no_block() -> None:
    assert written(f"``` not ` code\n## Intended use\n{WORDS}")
