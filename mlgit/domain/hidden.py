"""Characters that are not seen, or that change how text around them is shown: a reviewer and a parser read other text.

Which these are: the control characters but tab and line feed, the line and paragraph separators, every character with the
property Default_Ignorable_Code_Point, which has the bidirectional controls, joiners, tags and variation selectors among it
(https://www.unicode.org/Public/15.1.0/ucd/DerivedCoreProperties.txt), and a few more that show nothing. YAML 1.1 breaks lines
at U+0085, U+2028 and U+2029 (https://yaml.org/spec/1.1/#id871856), where a diff shows one line.
"""

import re
import unicodedata
from typing import Final, NamedTuple

PATTERN: Final = (
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    r"\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    r"\U000e0000-\U000e0fff]"
)
"""A class of `re` with every character that is not seen. Surrogates are not among them: UTF-8 has none."""

_HIDDEN: Final = re.compile(PATTERN)
_ASCII: Final = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]")
_NON_JOINER, _JOINER = "\u200c", "\u200d"
_PRESENTATIONS: Final = "\ufe0e\ufe0f"
_KEYCAP: Final = "\u20e3"
# Scripts whose spelling needs a joiner or non-joiner (Unicode 15.1, 9.2 and 12.1); `unicodedata` knows scripts by name only.
_JOINED: Final = frozenset(
    {
        *("ARABIC", "SYRIAC", "MONGOLIAN", "DEVANAGARI", "BENGALI", "GURMUKHI", "GUJARATI"),
        *("ORIYA", "TAMIL", "TELUGU", "KANNADA", "MALAYALAM", "SINHALA", "KHMER"),
    }
)
# Control characters have no name in Unicode; these are the aliases of NameAliases.txt that people may know.
_ALIASES: Final = {"\r": "CARRIAGE RETURN", "\x00": "NULL", "\x1b": "ESCAPE", "\x7f": "DELETE", "\x85": "NEXT LINE"}


class HiddenCharacter(NamedTuple):
    """A character that is not seen: where it stands, counted from 1 as a diff counts, and what it is."""

    line: int
    column: int
    name: str


def first_hidden(content: bytes) -> HiddenCharacter | None:
    """Return the first character of a text that is not seen; None if there is none.

    A carriage return is allowed right before a line feed. Joiners are allowed between letters of a script that is spelt with
    them and between pictographs, a presentation selector behind a pictograph. What is not UTF-8 counts as a visible character.
    """
    if content.isascii() and not _ASCII.search(content):  # nearly always
        return None
    text = content.decode("utf-8", "replace").replace("\r\n", "\n")
    for match in _HIDDEN.finditer(text):
        if not _is_spelling(text, match.start()):
            return _at(text, match.start())
    return None


def has_hidden(text: str) -> bool:
    """Tell whether a text has a character that is not seen."""
    return any(not _is_spelling(text, match.start()) for match in _HIDDEN.finditer(text))


def escaped(text: str, *, pairs: bool = False) -> str:
    r"""Return text with every character that is not seen as an escape: `\u202e`, above U+FFFF `\U000e0001`.

    Args:
        text: a line for people, or a document whose quoted text may have such characters.
        pairs: whether to write a character above U+FFFF as a surrogate pair, the only form that JSON has (RFC 8259, 7).
    """

    def escape(match: re.Match[str]) -> str:
        character = match[0]
        if _is_spelling(text, match.start()):
            return character
        if character <= "\uffff":
            return f"\\u{ord(character):04x}"
        if not pairs:
            return f"\\U{ord(character):08x}"
        high, low = divmod(ord(character) - 0x10000, 0x400)
        return f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}"

    return _HIDDEN.sub(escape, text)


def _is_spelling(text: str, index: int) -> bool:
    """Tell whether the character at an index is how people write: a joiner in a word or a pictograph, or its presentation."""
    character, before, after = text[index], text[index - 1 : index], text[index + 1 : index + 2]
    if character in _PRESENTATIONS:
        return before != "" and (unicodedata.category(before) == "So" or after == _KEYCAP)
    if character not in {_NON_JOINER, _JOINER} or not before or not after:
        return False
    if _is_of_joined_script(before) and _is_of_joined_script(after):
        return True
    return character == _JOINER and _is_pictograph(before) and _is_pictograph(after)


def _is_of_joined_script(character: str) -> bool:
    return character.isprintable() and unicodedata.name(character, "").partition(" ")[0] in _JOINED


def _is_pictograph(character: str) -> bool:
    # `Sk` has the five skin tones; a presentation selector may stand between a pictograph and a joiner.
    return unicodedata.category(character) in {"So", "Sk"} or character in _PRESENTATIONS or character in "♀♂"


def _at(text: str, index: int) -> HiddenCharacter:
    character, start = text[index], text.rfind("\n", 0, index) + 1
    name = unicodedata.name(character, "") or _ALIASES.get(character) or "control or unassigned character"
    return HiddenCharacter(text.count("\n", 0, index) + 1, index - start + 1, f"U+{ord(character):04X} {name}")
