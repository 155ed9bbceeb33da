"""Text that people review: no character in it is hidden from them."""

import pytest

from mlgit.domain.hidden import escaped, first_hidden
from mlgit.domain.rules.texts import check_visible, is_reviewed

HIDDEN = [
    ("# exclude: x\rexclude: [bots]", "U+000D CARRIAGE RETURN"),
    ("# exclude: x\x85exclude: [bots]", "U+0085 NEXT LINE"),
    ("# exclude: x\u2028exclude: [bots]", "U+2028 LINE SEPARATOR"),
    ("# exclude: x\u2029exclude: [bots]", "U+2029 PARAGRAPH SEPARATOR"),
    ("a\x0bb", "U+000B"),
    ("a\x1b[2Kb", "U+001B ESCAPE"),
    ("a\x7fb", "U+007F DELETE"),
    ("a\x9bb", "U+009B"),
    ("\u202eevil", "U+202E RIGHT-TO-LEFT OVERRIDE"),
    ("\u202aevil", "U+202A LEFT-TO-RIGHT EMBEDDING"),
    ("\u2066evil", "U+2066 LEFT-TO-RIGHT ISOLATE"),
    ("\u200fevil", "U+200F RIGHT-TO-LEFT MARK"),
    ("\u061cevil", "U+061C ARABIC LETTER MARK"),
    ("bo\u200bts", "U+200B ZERO WIDTH SPACE"),
    ("bo\u200cts", "U+200C ZERO WIDTH NON-JOINER"),
    ("bo\u200dts", "U+200D ZERO WIDTH JOINER"),
    ("\u200d", "U+200D ZERO WIDTH JOINER"),
    ("bo\u2060ts", "U+2060 WORD JOINER"),
    ("bo\xadts", "U+00AD SOFT HYPHEN"),
    ("\ufeffa", "U+FEFF ZERO WIDTH NO-BREAK SPACE"),
    ("margin: 0.1\ufe0f", "U+FE0F VARIATION SELECTOR-16"),
    ("a\U000e0041", "U+E0041 TAG LATIN CAPITAL LETTER A"),
    ("a\U000e0101", "U+E0101 VARIATION SELECTOR-18"),
    ("a\u3164", "U+3164 HANGUL FILLER"),
    ("a\u2800", "U+2800 BRAILLE PATTERN BLANK"),
]
VISIBLE = [
    *("", "plain", "täglich\n", "日本語", "a\tb", "a\r\nb\r\n", "no break\xa0space", "עברית", "e\u0301"),
    *("می\u200cشود", "क्\u200dष", "👨\u200d👩\u200d👧", "⚠\ufe0f careful", "1\ufe0f\u20e3", "❤\ufe0f\u200d🔥"),
]


@pytest.mark.parametrize(("text", "name"), HIDDEN)
def test_a_hidden_character_is_found_by_line_column_and_name(text: str, name: str) -> None:
    (finding,) = check_visible(f"# first\n{text}\n".encode(), "policies/production.yaml")
    assert (finding.id, finding.at.line if finding.at else None) == ("text-hidden-character", 2)
    assert name in finding.message
    found = first_hidden(f"# first\n{text}".encode())
    assert found is not None
    assert text[found.column - 1] == chr(int(found.name[2:].split()[0], 16))


@pytest.mark.parametrize("text", VISIBLE)
def test_what_people_write_is_visible(text: str) -> None:
    assert first_hidden(text.encode()) is None
    assert escaped(text).replace("\\u000d", "\r") == text


@pytest.mark.parametrize(("text", "name"), HIDDEN)
def test_an_escape_is_visible(text: str, name: str) -> None:
    assert first_hidden(escaped(text).encode()) is None


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        *(
            (path, True)
            for path in ("CODEOWNERS", ".github/CODEOWNERS", ".mlgit/allowed_signers", ".dvc/config", "dvc.lock")
        ),
        *((path, True) for path in ("data/x.csv.dvc", "params.yaml", "models/m/card.md", "requirements-dev.txt")),
        *(
            (path, True)
            for path in (".github/workflows/mlgit.yml", "sub/.dvc/config", "requirements/base.txt", "uv.lock")
        ),
        *((path, False) for path in ("src/train.py", "data/x.csv", "logo.png", "models/m/versions/v1/model.skops")),
    ],
)
def test_reviewed_text_is_what_a_tool_reads(path: str, expected: bool) -> None:
    assert is_reviewed(path) is expected
