"""Plain scalars of YAML: the value of text without quotes, and which text needs quotes.

Reading follows the core schema of YAML 1.2 (https://yaml.org/spec/1.2.2/#103-core-schema), with two exceptions:
integers that begin with a zero stay text, because YAML 1.1 reads them as octal, and infinities are refused. Numbers in another
base than ten (`0x10`, `0o17`) are refused as well: a reviewer of `min: 0x10` does not read 16.
"""

import math
import re
from typing import Any, Final

from mlgit.domain.hidden import has_hidden

_CONSTANTS: Final[dict[str, Any]] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_MAY_BE_NUMBER: Final = frozenset("-+.0123456789")
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_OTHER_BASE = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_MAX_INTEGER_DIGITS = (
    300  # digits; a number above 10^308 is no finite double, and Python refuses to parse very long ones
)


class NotFinite(Exception):
    """A number without a finite value."""


class NotDecimal(Exception):
    """A number in base eight or sixteen."""


def resolve(text: str) -> Any:
    """Return the value of a scalar without quotes.

    Raises:
        NotFinite: infinity, not a number, or too large for a double.
        NotDecimal: in base eight or sixteen.
    """
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if text[0] not in _MAY_BE_NUMBER:
        return text
    if _INTEGER.fullmatch(text):
        if len(text) > _MAX_INTEGER_DIGITS:
            raise NotFinite
        return int(text)
    if _FLOAT.fullmatch(text):
        number = float(text)
        if math.isinf(number):  # too large for a double
            raise NotFinite
        return number
    if _NOT_FINITE.fullmatch(text):
        raise NotFinite
    if _OTHER_BASE.fullmatch(text):
        raise NotDecimal
    return text


_AMBIGUOUS = re.compile(
    r"""
    |y|n|yes|no|on|off|true|false|null|~|=|                            # words of YAML 1.1, in any case
    <<.*|                                                              # the merge key, and what looks like a conflict
    [-+]?(0b[01_]+|0o?[0-7_]+|0x[0-9a-f_]+|[0-9][0-9_,]*)|             # integers of either version
    [-+]?(\.[0-9_]+|[0-9][0-9_]*\.?[0-9_]*)(e[-+]?[0-9]+)?|            # floats of either version
    [-+]?\.(inf|nan)|
    [-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?|                      # sexagesimal numbers
    [0-9]{4}-[0-9]{1,2}-[0-9]{1,2}.*                                   # dates and times
    """,
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)
_BLOCK = re.compile(r"\S[^\x00-\x09\x0b-\x1f\x7f-\x9f\ufffe\uffff]*")


def style(text: str) -> str | None:
    """Return how to write text: in double quotes, as a block, or plainly where that is possible (None)."""
    if _AMBIGUOUS.fullmatch(text) or has_hidden(text):
        return '"'
    if "\n" not in text:
        return None
    return "|" if _BLOCK.fullmatch(text) and not text.endswith("\n\n") else '"'
