"""Plain text in which nothing acts: no control character, and nothing that cannot be seen or that changes direction."""

import re

from mlgit.errors import Finding

# Control characters but the tab; what changes direction or cannot be seen; and surrogates, which cannot be printed at all.
_UNSAFE = re.compile(
    r"[\x00-\x08\x0a-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    r"\u2060-\u206f\u2800\u3164\ud800-\udfff\ufeff\uffa0\ufff0-\ufffb\U000e0000-\U000e0fff]"
)


def clean(text: str) -> str:
    """Return text as one line, with every control, direction and invisible character written as an escape."""
    return _UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def finding(found: Finding) -> str:
    """Return a finding on several lines: what is wrong, then where, why, and how to fix it."""
    lines = [f"{finding_head(found)}: {_indented(found.message)}"]
    for label, value in (("at", str(found.at or "")), ("why", found.why), ("fix", found.fix)):
        if value:
            lines.append(f"  {label:<4} {_indented(value)}")
    return "\n".join(lines)


def finding_head(found: Finding) -> str:
    """Return `error[some-id]`."""
    return f"{found.severity}[{clean(found.id)}]"


def finding_sentence(found: Finding) -> str:
    """Return a finding as one line of text, which is not yet made harmless."""
    where = f" ({found.at})" if found.at else ""
    why = f": {found.why}" if found.why else ""
    fix = f". Fix: {found.fix}" if found.fix else ""
    return f"{found.severity}[{found.id}]: {found.message}{where}{why}{fix}"


def _indented(text: str) -> str:
    return "\n       ".join(clean(line) for line in text.split("\n"))
