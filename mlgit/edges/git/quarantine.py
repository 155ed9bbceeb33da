"""New objects enter a repository together, once all of them are written: what fails half-way leaves nothing behind."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mlgit.errors import inconclusive


@contextmanager
def quarantine(objects: Path) -> Iterator[dict[str, str]]:
    """Give an environment in which Git writes objects into a folder of their own; admit them if nothing is raised.

    Git does the same with what it is pushed. A run that is killed leaves the folder, which `git gc` knows by its name.

    Raises:
        Unjudged: there is no room or no permission (`git-write-failed`).
    """
    folder = objects / f"tmp_objdir-mlgit-{secrets.token_hex(8)}"
    try:
        folder.mkdir()
        try:
            yield {"GIT_OBJECT_DIRECTORY": os.fspath(folder), "GIT_ALTERNATE_OBJECT_DIRECTORIES": _alternates(objects)}
            _admit(folder, objects)
        finally:
            _remove(folder)
    except OSError as error:
        raise inconclusive(
            "git-write-failed",
            "Git could not write to this repository",
            why=str(error),
            fix="see to space and permissions there, then try again",
        ) from error


def _alternates(objects: Path) -> str:
    quoted = os.fspath(objects).replace("\\", "\\\\").replace('"', '\\"')
    return os.pathsep.join(filter(None, [f'"{quoted}"', os.environ.get("GIT_ALTERNATE_OBJECT_DIRECTORIES")]))


def _admit(folder: Path, objects: Path) -> None:
    for part in folder.iterdir():
        home = objects / part.name
        if not home.exists():
            # The folder as Git made it, with the permissions that a shared repository has.
            with suppress(OSError):
                part.rename(home)
                continue
        for file in part.iterdir():
            if not (home / file.name).exists():
                file.rename(home / file.name)


def _remove(folder: Path) -> None:
    if not folder.exists():
        return
    import shutil  # noqa: PLC0415 - not on the start-up path

    shutil.rmtree(folder, ignore_errors=True)
