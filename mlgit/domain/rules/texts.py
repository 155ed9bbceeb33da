"""Rules for text that people review: what they see is what is read."""

import re
from collections.abc import Iterator
from typing import Final

from mlgit.domain import codeowners, layout
from mlgit.domain.hidden import first_hidden
from mlgit.errors import Finding, Location

_NAMES: Final = frozenset(
    {
        *(layout.PROJECT, layout.ROLES, layout.SIGNERS, layout.TRUSTED_TYPES, *codeowners.PATHS),
        *("dvc.yaml", "dvc.lock", ".dvcignore", ".gitattributes", ".gitignore", ".gitmodules"),
        *("Pipfile", "pyproject.toml", "setup.cfg", "Dockerfile", "Makefile"),
    }
)
_ENDINGS: Final = (".dvc", ".yaml", ".yml", ".json", ".toml", ".md", ".lock")
_CONFIGURATION: Final = re.compile(
    r"(^|/)(\.dvc/config|requirements([^/]*|/.*)\.(txt|in)|constraints[^/]*\.txt)$|^\.(mlgit|github)/"
)


def is_reviewed(path: str) -> bool:
    """Tell whether a file is text that people review and mlgit, DVC, a package manager or a forge then reads."""
    name = path.rpartition("/")[2]
    return path in _NAMES or name in _NAMES or name.endswith(_ENDINGS) or _CONFIGURATION.search(path) is not None


def check_visible(content: bytes, file: str) -> Iterator[Finding]:
    """Check that a text has no character that is not seen, in comments, keys, values or prose (see `domain.hidden`)."""
    if hidden := first_hidden(content):
        yield Finding(
            "text-hidden-character",
            f"{file} has a character that is not seen: {hidden.name} in column {hidden.column}",
            why="what people review would differ from what is read: such characters break, reverse or hide text",
            fix='delete it; where data really has it, write it as an escape in double quotes, such as "\\u200b"',
            at=Location(file, hidden.line),
        )
