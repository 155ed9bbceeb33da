"""Objects that are written to be looked at, and forgotten: what a merge would give, without a trace of it."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from mlgit.errors import inconclusive

# The commits of a trial are nobody's work, and are to be made where Git knows nobody.
_NOBODY: Final = {
    f"GIT_{role}_{part}": text
    for role in ("AUTHOR", "COMMITTER")
    for part, text in (("NAME", "mlgit"), ("EMAIL", "mlgit@trial.invalid"))
}


class Trial(msgspec.Struct, frozen=True):
    """A folder for objects that sees all those of a repository, and an environment in which Git writes into it."""

    objects: Path
    environment: dict[str, str]


@contextmanager
def trial(objects: Path) -> Iterator[Trial]:
    """Give a folder for new objects over those in another folder; it is deleted afterwards.

    Raises:
        Unjudged: there is no room for it (`disk-failed`).
    """
    try:
        with tempfile.TemporaryDirectory(prefix="mlgit-", ignore_cleanup_errors=True) as folder:
            place = Path(folder, "objects")
            # Found through a file rather than the environment, so that further folders can be laid over this one.
            Path(place, "info").mkdir(parents=True)
            quoted = os.fspath(objects).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
            Path(place, "info/alternates").write_bytes(os.fsencode(f'"{quoted}"\n'))
            yield Trial(place, {"GIT_OBJECT_DIRECTORY": os.fspath(place), **_NOBODY})
    except OSError as error:
        raise inconclusive(
            "disk-failed",
            "there is no room to try what a merge would give",
            why=str(error),
            fix=f"see to space and permissions in {tempfile.gettempdir()}, then try again",
        ) from error
