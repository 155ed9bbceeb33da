"""The minimum cost of an audit: read the whole history of both branches, and parse each blob that was added.

Records, cards, pointers, profiles and signatures are parsed by mlgit's own readers; with `--records`, only records are. It
imports as little and collects garbage as seldom as mlgit does, so that only the work is compared.
"""

import gc
import sys
from collections.abc import Callable
from pathlib import Path

from mlgit.domain import layout
from mlgit.edges.dvc import pointers
from mlgit.edges.formats import cardfile, jsonfile
from mlgit.edges.formats.records import read_record
from mlgit.edges.git.repository import open_repository
from mlgit.edges.ssh.sshsig import SshSignature

BRANCHES = ("refs/heads/main", layout.LEDGER)

Parser = Callable[[str, bytes], object]
_OTHERS: dict[str, Parser] = {
    "/card.md": lambda path, text: cardfile.parse(text, path),
    "/profile.json": lambda path, text: jsonfile.parse(text, path),
    ".dvc": lambda path, text: pointers.parse(text, path),
    ".sig": lambda _, text: SshSignature.parse(text),
}
"""Parsers for files that are not records, by the end of their path."""


def read_all(folder: Path, *, records_only: bool = False) -> int:
    """Read a whole repository, and return the number of parsed blobs."""
    parsed = 0
    with open_repository(folder) as repository:
        for branch in BRANCHES:
            commits = repository.commits(branch, first_parent=False)
            changes = {change.after: change.path for _, changes in commits for change in changes if change.after}
            for path, text in zip(changes.values(), repository.contents(changes), strict=True):
                if (parse := _parser(path, records_only=records_only)) is not None:
                    parse(path, text)
                    parsed += 1
    return parsed


def _parser(path: str, *, records_only: bool) -> Parser | None:
    if layout.parse_path(path) is not None:
        return read_record
    if records_only:
        return None
    if path.endswith(".md") and not layout.is_immutable(path):  # only cards of versions have front matter
        return None
    return next((parse for end, parse in _OTHERS.items() if path.endswith(end)), None)


if __name__ == "__main__":
    gc.set_threshold(500_000, 20, 50)
    sys.exit(0 if read_all(Path(sys.argv[1]), records_only="--records" in sys.argv) else 1)
