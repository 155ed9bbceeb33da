"""Scratch repositories: they see the objects of a real one, and the objects written to them are deleted afterwards."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from mlgit.errors import inconclusive

# Commits in a scratch repository have no real author, and must work where Git knows no identity.
_IDENTITY: Final = {
    f"GIT_{role}_{field}": value
    for role in ("AUTHOR", "COMMITTER")
    for field, value in (("NAME", "mlgit"), ("EMAIL", "mlgit@scratch.invalid"))
}


class ScratchObjects(msgspec.Struct, frozen=True):
    """A temporary folder for objects, and the environment in which Git writes into it."""

    objects: Path
    environment: dict[str, str]


@contextmanager
def scratch_objects(objects: Path) -> Iterator[ScratchObjects]:
    """Yield a temporary folder for new objects on top of those in another folder.

    Args:
        objects: the folder of the objects of the real repository; nothing is written there.

    Raises:
        Inconclusive: there is no space for it (`disk-io-failed`).
    """
    import tempfile  # noqa: PLC0415 - few commands need it, and it imports every kind of archive

    try:
        with tempfile.TemporaryDirectory(prefix="mlgit-", ignore_cleanup_errors=True) as folder:
            scratch = Path(folder, "objects")
            # Through a file and not through GIT_ALTERNATE_OBJECT_DIRECTORIES, because `atomic_object_write` sets that
            # variable for its own folder on top of this one.
            Path(scratch, "info").mkdir(parents=True)
            quoted = os.fspath(objects).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
            Path(scratch, "info/alternates").write_bytes(os.fsencode(f'"{quoted}"\n'))
            yield ScratchObjects(scratch, {"GIT_OBJECT_DIRECTORY": os.fspath(scratch), **_IDENTITY})
    except OSError as error:
        raise inconclusive(
            "disk-io-failed",
            "no scratch repository can be created",
            why=str(error),
            fix=f"check free space and permissions in {tempfile.gettempdir()}, then try again",
        ) from error
