"""Who owns which path: the file CODEOWNERS, as forges read it. Pure.

Source: GitHub's page "About code owners", and that of Gitea, which follows it: one rule a line, a pattern and its owners;
the last rule that fits a path counts, and one without owners leaves the path to nobody. Patterns are those of gitignore(5),
without `!`, `[...]` and `\\#`.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

PLACES: Final = (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS")
"""Where the file may be; the first that is there counts."""

_OWNER = re.compile(r"@[\w.-]+(/[\w.-]+)?|[^\s@]+@[^\s@]+\.[^\s@]+")
_UNREAD = re.compile(r"^!|[\[\]]|\\#")


class Rule(msgspec.Struct, frozen=True):
    """One line: the pattern, its owners as they are written, and its number counted from 1."""

    pattern: str
    owners: tuple[str, ...]
    line: int

    def fits(self, path: str) -> bool:
        """Tell whether a path is one of those that the pattern names."""
        return re.fullmatch(_expression(self.pattern), path) is not None


class Owners(msgspec.Struct, frozen=True):
    """The rules of a file in its order, and what of it forges do not read: the number of each such line, and why."""

    rules: tuple[Rule, ...]
    faults: tuple[tuple[int, str], ...]

    def of(self, path: str) -> tuple[str, ...]:
        """Return the owners of a path; none where no rule fits, or the last that fits names none."""
        fitting = [rule for rule in self.rules if rule.fits(path)]
        return fitting[-1].owners if fitting else ()


def parse(text: str) -> Owners:
    """Read the file. What cannot be read is a fault, and the rest counts without it, as with forges."""
    rules: list[Rule] = []
    faults: list[tuple[int, str]] = []
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.split("#", 1)[0].split() if r"\#" not in line else line.split()
        if not words:
            continue
        pattern, *owners = words
        wrong = list(_faults(pattern, owners))
        faults += [(number, why) for why in wrong]
        if not wrong:
            rules.append(Rule(pattern, tuple(owners), number))
    return Owners(tuple(rules), tuple(faults))


def is_team(owner: str) -> bool:
    """Tell whether an owner is a team, `@acme/risk`, whose members the forge knows."""
    return owner.startswith("@") and "/" in owner


def _faults(pattern: str, owners: Sequence[str]) -> Iterator[str]:
    if _UNREAD.search(pattern):
        yield f"the pattern {pattern} uses a form that is not read there: !, [...] or \\#"
    for owner in owners:
        if not _OWNER.fullmatch(owner):
            yield f"{owner} is no owner: write @login, @organisation/team or an e-mail address"


def _expression(pattern: str) -> str:
    """Return a pattern as a regular expression over whole paths; one that names a folder fits all that is below it."""
    anchored = "/" in pattern.rstrip("/")
    body = pattern.strip("/")
    # Over pieces, so that what `**` stands for is not read again as two single stars.
    pieces = {"**/": "(?:.*/)?", "/**": "/.*", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    words = re.split(r"(\*\*/|/\*\*$|\*\*|\*|\?)", body)
    found = "".join(pieces.get(word) or re.escape(word) for word in words)
    below = "/.*" if pattern.endswith("/") else "" if re.search(r"/\*$", pattern) else "(?:/.*)?"
    return ("" if anchored else "(?:.*/)?") + found + below
