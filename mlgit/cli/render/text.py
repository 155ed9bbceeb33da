"""Plain text for people: words before symbols, colour only repeats the words, hostile text made harmless."""

import re
from collections.abc import Collection, Iterable, Sequence

import click

from mlgit.errors import Finding, Severity

# Control characters but the tab; what changes direction or cannot be seen; and surrogates, which cannot be printed at all.
_UNSAFE = re.compile(
    r"[\x00-\x08\x0a-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    r"\u2060-\u206f\u2800\u3164\ud800-\udfff\ufeff\uffa0\ufff0-\ufffb\U000e0000-\U000e0fff]"
)
_COLOURS = {
    "pass": "green",
    "fail": "red",
    "error": "red",
    "wait": "yellow",
    "waived": "yellow",
    "skip": "bright_black",
    "warning": "yellow",
    "note": "cyan",
}


def clean(text: str) -> str:
    """Return text as one line, with every control, direction and invisible character written out, so that none can act."""
    return _UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def word(outcome: str, width: int = 0) -> str:
    """Return the word of an outcome or severity, padded and in its colour."""
    return click.style(outcome.ljust(width), fg=_COLOURS.get(outcome))


def finding(found: Finding) -> str:
    """Show a finding: what, where, why, and the way out."""
    head = click.style(
        f"{found.severity}[{found.id}]", fg=_COLOURS[found.severity], bold=found.severity is Severity.ERROR
    )
    lines = [f"{head}: {_indented(found.message)}"]
    for label, value in (("at", str(found.at or "")), ("why", found.why), ("fix", found.fix)):
        if value:
            lines.append(f"  {label:<4} {_indented(value)}")
    return "\n".join(lines)


def table(header: Sequence[str], rows: Iterable[Sequence[str]], *, words: Collection[int] = ()) -> str:
    """Lay out rows under a header, each column as wide as its widest cell; `words` are the columns that hold outcomes."""
    cells = [tuple(header), *(tuple(clean(cell) for cell in row) for row in rows)]
    widths = [max(len(row[index]) for row in cells) for index in range(len(header))]

    def line(row: Sequence[str]) -> str:
        padded = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        return "  ".join(
            cell.replace(row[index], word(row[index])) if index in words and row[index] else cell
            for index, cell in enumerate(padded)
        ).rstrip()

    return "\n".join(line(row) for row in cells)


def plural(count: int, one: str, many: str | None = None) -> str:
    """Return `1 error`, `2 errors`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def size(count: int) -> str:
    """Return a number of bytes in the unit that fits: `512 bytes`, `210.5 kB`, `1.2 MB`, `3.0 GB`."""
    for unit, length in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= length:
            return f"{count / length:.1f} {unit}"
    return f"{count} bytes"


def following(step: str | None) -> str:
    """Return the line that names the next step; nothing where there is none."""
    return f"\nNext: {click.style(clean(step), bold=True)}" if step else ""


def _indented(text: str) -> str:
    return "\n       ".join(clean(line) for line in text.split("\n"))
