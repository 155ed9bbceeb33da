"""Test a remote: write a small object, read it back, and remove it."""

import secrets
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from mlgit.errors import Inconclusive, MlgitError, refused

Answers = Callable[[], AbstractContextManager[None]]
"""Returns a context that turns exceptions of a remote into findings."""


def run(name: str, objects: Any, answers: Answers, is_absence: Callable[[Exception], bool]) -> None:
    """Test a remote. The test object has a name that no data can have.

    Args:
        name: name of the remote.
        objects: DVC's object database in it.
        answers: turns exceptions of the remote into findings.
        is_absence: tells whether an error means that a file does not exist.

    Raises:
        MlgitError: the remote does not have its base folder and cannot create it (`dvc-remote-folder-missing`), cannot be
            written (`dvc-remote-read-only`), returns other content (`data-corrupt`), or does not allow to remove the object
            (`dvc-remote-delete-denied`).
        Inconclusive: it did not answer (`dvc-remote-unreachable`, `dvc-remote-access-denied`).
    """
    files = objects.fs
    base = files.parent(files.parent(objects.path))  # objects are in files/md5
    content, file = secrets.token_bytes(32), f"mlgit-probe-{secrets.token_hex(8)}"
    path = files.join(base, file)
    over_webdav = str(files.protocol).startswith("webdav")
    with answers():
        if over_webdav and not _exists(files, base, is_absence):
            raise _no_folder(name)
    with _writing(name, answers):
        if not over_webdav:
            files.makedirs(base, exist_ok=True)
        files.pipe_file(path, content)
    with answers():
        read_back = files.cat_file(path)
    try:
        files.remove(path)
    except Exception as error:
        raise refused(
            "dvc-remote-delete-denied",
            f'remote "{name}" does not allow to remove files',
            why=f"{file} of {len(content)} bytes stays there; an append-only storage is meant to refuse this",
            fix="remove it by hand if you want to",
        ) from error
    if read_back != content:
        raise refused(
            "data-corrupt",
            f'remote "{name}" does not return what was written to it',
            why=f"{len(content)} bytes were written, and {len(read_back)} different bytes were read",
            fix="check the storage: all that it has may be damaged",
        )


def _exists(files: Any, folder: str, is_absence: Callable[[Exception], bool]) -> bool:
    try:
        files.info(folder)
    except Exception as error:
        if is_absence(error):
            return False
        raise
    return True


@contextmanager
def _writing(name: str, answers: Answers) -> Iterator[None]:
    """Turn a refused write into `dvc-remote-read-only`: here a denied access concerns writing only."""
    try:
        with answers():
            yield
    except Inconclusive as error:
        if error.findings[0].id != "dvc-remote-access-denied":
            raise
        raise refused(
            "dvc-remote-read-only",
            f'remote "{name}" cannot be written with this account',
            why="it denied the write",
            fix="to read, this is enough; `mlgit register` and `dvc push` need an account with write access",
        ) from error


def _no_folder(name: str) -> MlgitError:
    return refused(
        "dvc-remote-folder-missing",
        f'remote "{name}" does not have its base folder',
        why="over WebDAV, the folder in the address has to exist before files are written",
        fix="create it on the server, then run `mlgit doctor` again",
    )
