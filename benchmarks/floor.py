"""The least that an audit costs: read the whole history of both branches, each blob that came in, and each record in it.

It imports what it needs and collects garbage as seldom as mlgit does, so that nothing but the work is compared.
"""

import gc
import sys
from pathlib import Path

from mlgit.domain import layout
from mlgit.edges.formats.records import read_record
from mlgit.edges.git.repository import open_repository

BRANCHES = ("refs/heads/main", layout.LEDGER)


def read_all(folder: Path) -> int:
    """Read all of a repository; return how many records there were."""
    done = 0
    with open_repository(folder) as repository:
        for branch in BRANCHES:
            commits = repository.commits(branch, first_parent=False)
            changes = {change.after: change.path for _, changes in commits for change in changes if change.after}
            for path, text in zip(changes.values(), repository.contents(changes), strict=True):
                if layout.place(path) is not None:
                    read_record(path, text)
                    done += 1
    return done


if __name__ == "__main__":
    gc.set_threshold(500_000, 20, 50)
    sys.exit(0 if read_all(Path(sys.argv[1])) else 1)
