"""Plain text in which nothing acts: no control character, and nothing that cannot be seen or that changes direction."""

import re

from mlgit.domain.hidden import escaped
from mlgit.errors import Finding

_BREAKS_AND_HALVES = re.compile(r"[\n\ud800-\udfff]")  # a line break, and surrogates, which cannot be printed at all


def clean(text: str) -> str:
    """Return text as one line, with every control, direction and invisible character written as an escape."""
    return escaped(_BREAKS_AND_HALVES.sub(lambda match: f"\\u{ord(match[0]):04x}", text))


def finding(found: Finding) -> str:
    """Return a finding on several lines: what is wrong, then where, why, and how to fix it."""
    lines = [f"{finding_head(found)}: {_indented(found.message)}"]
    if found.at is not None:
        lines.append(f"  at   {clean(str(found.at))}")
    for label, value in (("why", found.why), ("fix", found.fix)):
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
