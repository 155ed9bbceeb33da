"""Atomic object writes: new objects enter a repository together, once all of them are written."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from mlgit.errors import inconclusive

_PREFIX: Final = "tmp_objdir-mlgit-"
_ABANDONED: Final = 3600.0  # seconds
"""The age at which a folder is taken to be left behind: no command of mlgit writes objects for so long."""


@contextmanager
def atomic_object_write(objects: Path) -> Iterator[dict[str, str]]:
    """Yield an environment in which Git writes objects into a temporary folder; keep them if nothing is raised.

    Git itself does this with the objects of a push (`git help receive-pack`, "Quarantine Environment"). A run that is killed
    leaves its folder behind; a write after an hour removes it, and so does `git gc`, since the name begins with `tmp_objdir-`.

    Args:
        objects: the folder of the repository's objects.

    Raises:
        Inconclusive: there is no space or no permission (`git-write-failed`).
    """
    folder = objects / f"{_PREFIX}{os.urandom(8).hex()}"
    try:
        _remove_abandoned(objects)
        folder.mkdir()
        try:
            yield {"GIT_OBJECT_DIRECTORY": os.fspath(folder), "GIT_ALTERNATE_OBJECT_DIRECTORIES": _alternates(objects)}
            _move_objects(folder, objects)
        finally:
            _remove(folder)
    except OSError as error:
        raise inconclusive(
            "git-write-failed",
            "Git could not write to this repository",
            why=str(error),
            fix="check free space and permissions there, then try again",
        ) from error


def _remove_abandoned(objects: Path) -> None:
    """Remove the folders that killed runs left behind. Their age tells, since the process may be on another machine."""
    with os.scandir(objects) as entries:
        folders = [entry.name for entry in entries if entry.name.startswith(_PREFIX)]
    for name in folders:
        with suppress(OSError):  # another run removed it first
            if time.time() - (objects / name).stat().st_mtime > _ABANDONED:
                _remove(objects / name)


def _alternates(objects: Path) -> str:
    # Quoted, because an unquoted path that contains the separator would be read as two.
    quoted = os.fspath(objects).replace("\\", "\\\\").replace('"', '\\"')
    return os.pathsep.join(filter(None, [f'"{quoted}"', os.environ.get("GIT_ALTERNATE_OBJECT_DIRECTORIES")]))


def _move_objects(source: Path, destination: Path) -> None:
    for subfolder in source.iterdir():
        target = destination / subfolder.name
        if not target.exists():
            # The whole subfolder as Git made it, because in a shared repository Git set its permissions.
            # Another process may create the target in the meantime; then the files are moved one by one.
            with suppress(OSError):
                subfolder.rename(target)
                continue
        for file in subfolder.iterdir():
            if not (target / file.name).exists():
                file.rename(target / file.name)


def _remove(folder: Path) -> None:
    if not folder.exists():
        return
    import shutil  # noqa: PLC0415 - not on the start-up path

    shutil.rmtree(folder, ignore_errors=True)
