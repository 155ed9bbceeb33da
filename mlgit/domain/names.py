"""Types of names, digests, commits, durations and ids; validated where records are read, trusted inside."""

import re
from datetime import UTC, datetime, timedelta
from os import urandom
from typing import Annotated, Self

import msgspec
from msgspec import Meta

from mlgit.errors import usage_error

# `$(?!\n)` is the end of the text for Python and ECMAScript; a bare `$` also matches before a final newline in Python.
_END = r"$(?!\n)"

NAME = rf"^(?!(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$))(?!.*\.lock$)[a-z0-9]+([._-][a-z0-9]+)*{_END}"
"""Lower-case ASCII words joined by one `.`, `_` or `-`: safe in paths (no Windows device), Git refs and HTML."""

NAME_RULES = (
    "names are lower-case letters and digits, joined by one . _ or -, at most 64; no Windows device such as con, nul or com1, "
    "and no name that ends in .lock"
)
"""What `NAME` requires, for messages."""

Name = Annotated[
    str, Meta(pattern=NAME, max_length=64, description="Lower-case letters and digits, joined by . _ or -")
]
Digest = Annotated[str, Meta(pattern=rf"^sha256:[0-9a-f]{{64}}{_END}", description="sha256 of content, in hexadecimal")]
Md5 = Annotated[str, Meta(pattern=rf"^[0-9a-f]{{32}}(\.dir)?{_END}", description="The hash by which DVC finds data")]
CommitId = Annotated[str, Meta(pattern=rf"^[0-9a-f]{{40}}([0-9a-f]{{24}})?{_END}", description="A full Git commit id")]
BlobId = Annotated[
    str,
    Meta(pattern=rf"^(?:[0-9a-f]{{40}}|[0-9a-f]{{64}}){_END}", description="A Git blob id"),
]
_PROMOTION_ID = rf"^[0-7][0-9A-HJKMNP-TV-Z]{{25}}{_END}"
PromotionId = Annotated[
    str,
    Meta(pattern=_PROMOTION_ID, description="A ULID: sorts by creation time"),
]
# No part is empty, or ends in a dot or space (which Windows drops), so none is `.` or `..`; none is a folder of a tool. Nor is
# one by another name: macOS passes over characters that are not seen, and Windows reads `git~1` as `.git`. What a shell would
# expand, `~` in front and `$`, is no name of a file either. Characters above U+FFFF cannot be written for all readers of schemas.
_TOOLS = r"\.(?:[gG][iI][tT](?:[hH][uU][bB])?|[dD][vV][cC]|[mM][lL][gG][iI][tT])(?:/|$)"
_HIDDEN = (
    r"\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u2800\u3164"
    r"\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
)
_NOT_IN_PATH = rf"/\\:$\x00-\x1f{_HIDDEN}"
_PART = rf"(?!{_TOOLS})[^{_NOT_IN_PATH}]*[^{_NOT_IN_PATH}. ]"
_PATH = rf"^(?![-~])(?!.*~[0-9]){_PART}(?:/{_PART})*"
RelativePath = Annotated[
    str,
    Meta(
        pattern=rf"{_PATH}/?{_END}",
        max_length=255,
        description="A path inside the repository, with forward slashes",
    ),
]
FilePath = Annotated[
    str,
    Meta(
        pattern=rf"{_PATH}{_END}",
        max_length=255,
        description="A path of a file inside the repository, with forward slashes and none at the end",
    ),
]
SettingsPath = Annotated[
    str,
    Meta(
        pattern=rf"^\.mlgit/{_PART}(?:/{_PART})*{_END}",
        max_length=255,
        description="A path of a file in .mlgit, whose files are rules",
    ),
]
_DURATION = rf"^[1-9][0-9]{{0,5}}[mhdw]{_END}"
Duration = Annotated[str, Meta(pattern=_DURATION, description="An integer and m, h, d or w")]
Line = Annotated[
    str, Meta(min_length=1, max_length=500, pattern=rf"^[^\x00-\x1f\x7f]+{_END}", description="One line of text")
]
Text = Annotated[str, Meta(max_length=10_000, description="Free text")]

_SECONDS = {"m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_LATEST = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MILLISECOND
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_VERSION_REF = re.compile(r"(?P<model>[^@]+)@v?(?P<number>[1-9][0-9]{0,8})")


def is_name(text: str) -> bool:
    """Return whether a text is a valid name of a problem, dataset, model, environment or policy."""
    return len(text) <= 64 and re.search(NAME, text) is not None  # noqa: PLR2004 - the limit in Name


def is_promotion_id(text: str) -> bool:
    """Return whether a text is a valid `PromotionId`."""
    return re.search(_PROMOTION_ID, text) is not None


def is_duration(text: str) -> bool:
    """Return whether a text is a valid `Duration`."""
    return re.search(_DURATION, text) is not None


def seconds(duration: str) -> int:
    """Return the length of a `Duration` (`72h`) in seconds."""
    return int(duration[:-1]) * _SECONDS[duration[-1]]


def new_promotion_id(now: datetime, entropy: int | None = None) -> str:
    """Return a new ULID: 48 bits of milliseconds and 80 random bits in Crockford's base 32 (https://github.com/ulid/spec)."""
    # `secrets` uses the same source, but its import slows the start of every command.
    random_bits = int.from_bytes(urandom(10)) if entropy is None else entropy
    number = (now - _EPOCH) // _MILLISECOND << 80 | random_bits
    return "".join(_CROCKFORD[number >> shift & 31] for shift in range(125, -1, -5))


def proposed_at(promotion: str) -> datetime:
    """Return the time in a promotion id, in UTC; the maximum datetime if it is later than that."""
    number = 0
    for character in promotion[:10]:
        number = number << 5 | _CROCKFORD.index(character)
    return _EPOCH + min(number, _LATEST) * _MILLISECOND


class VersionRef(msgspec.Struct, frozen=True, order=True):
    """A version by its number, written `churn@10`."""

    model: str
    number: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `churn@10` (or `churn@v10`).

        Raises:
            UsageError: the text is not of that form.
        """
        match = _VERSION_REF.fullmatch(text)
        if match is None or not is_name(match["model"]):
            raise usage_error(
                "version-reference-invalid",
                f"{text!r} does not name a version",
                fix="write it as MODEL@NUMBER, for example churn@10",
            )
        return cls(match["model"], int(match["number"]))

    def __str__(self) -> str:
        return f"{self.model}@{self.number}"
