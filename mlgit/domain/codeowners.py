"""CODEOWNERS: which people and teams own a path, as forges read the file. Pure.

Source: GitHub's page "About code owners", and that of Gitea, which follows it: one rule a line, a pattern and its owners;
the last rule that matches a path counts, and one without owners leaves the path without any. Patterns are those of gitignore(5),
without `!`, `[...]` and `\\#`.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

PATHS: Final = (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS")
"""Where the file may be; the first that exists counts."""

_OWNER = re.compile(r"@[\w.-]+(/[\w.-]+)?|[^\s@]+@[^\s@]+\.[^\s@]+")
_UNSUPPORTED = re.compile(r"^!|[\[\]]|\\#")


class OwnerRule(msgspec.Struct, frozen=True):
    """One line: the pattern, its owners as they are written, and its number counted from 1."""

    pattern: str
    owners: tuple[str, ...]
    line: int

    def matches(self, path: str) -> bool:
        """Tell whether the pattern matches a path."""
        return re.fullmatch(_pattern_to_regex(self.pattern), path) is not None


class CodeOwners(msgspec.Struct, frozen=True):
    """The rules of a file in order, and the lines that forges ignore: the number of each, and why."""

    rules: tuple[OwnerRule, ...]
    errors: tuple[tuple[int, str], ...]

    def owners_of(self, path: str) -> tuple[str, ...]:
        """Return the owners of a path; none where no rule matches, or the last that matches has none."""
        matching = [rule for rule in self.rules if rule.matches(path)]
        return matching[-1].owners if matching else ()


def parse(text: str) -> CodeOwners:
    """Parse the file. A line that cannot be parsed is an error, and is left out, as forges do."""
    rules: list[OwnerRule] = []
    errors: list[tuple[int, str]] = []
    for number, line in enumerate(text.split("\n"), start=1):
        words = line.split("#", 1)[0].split() if r"\#" not in line else line.split()
        if not words:
            continue
        pattern, *owners = words
        line_errors = list(_errors(pattern, owners))
        errors += [(number, why) for why in line_errors]
        if not line_errors:
            rules.append(OwnerRule(pattern, tuple(owners), number))
    return CodeOwners(tuple(rules), tuple(errors))


def is_team(owner: str) -> bool:
    """Tell whether an owner is a team, `@acme/risk`, whose members the forge knows."""
    return owner.startswith("@") and "/" in owner


def _errors(pattern: str, owners: Sequence[str]) -> Iterator[str]:
    if _UNSUPPORTED.search(pattern):
        yield f"the pattern {pattern} uses syntax that forges do not support there: !, [...] or \\#"
    for owner in owners:
        if not _OWNER.fullmatch(owner):
            yield f"{owner} is not a valid owner: write @login, @organisation/team or an e-mail address"


def _pattern_to_regex(pattern: str) -> str:
    """Return a pattern as a regular expression for whole paths; one that names a folder matches everything below it."""
    is_anchored = "/" in pattern.rstrip("/")
    body = pattern.strip("/")
    # Split first, so that the replacement of `**` is not read again as two single stars.
    wildcards = {"**/": "(?:.*/)?", "/**": "/.*", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    parts = re.split(r"(\*\*/|/\*\*$|\*\*|\*|\?)", body)
    regex = "".join(wildcards.get(part) or re.escape(part) for part in parts)
    below = "/.*" if pattern.endswith("/") else "" if re.search(r"/\*$", pattern) else "(?:/.*)?"
    return ("" if is_anchored else "(?:.*/)?") + regex + below
