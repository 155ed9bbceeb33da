"""Try a remote: write a small object of no meaning, read it back, and remove it."""

import secrets
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from mlgit.errors import Inconclusive, MlgitError, refused

Answers = Callable[[], AbstractContextManager[None]]
"""Gives a context in which what a remote raises is said in mlgit's words."""


def run(name: str, objects: Any, answers: Answers, is_absence: Callable[[Exception], bool]) -> None:
    """Try a remote; the names of real objects are never used.

    Args:
        name: of the remote.
        objects: DVC's view of the objects in it.
        answers: says in mlgit's words why it did not answer.
        is_absence: tells whether an error says that something is not there.

    Raises:
        MlgitError: the remote lacks its base folder, which nothing here makes (`dvc-remote-folder-missing`), takes nothing
            (`dvc-remote-read-only`), gives back something else (`data-corrupt`), or does not let it be removed
            (`dvc-remote-delete-denied`).
        Inconclusive: it did not answer (`dvc-remote-unreachable`, `dvc-remote-access-denied`).
    """
    files = objects.fs
    base = files.parent(files.parent(objects.path))  # objects are in files/md5
    content, file = secrets.token_bytes(32), f"mlgit-probe-{secrets.token_hex(8)}"
    path = files.join(base, file)
    over_webdav = str(files.protocol).startswith("webdav")
    with answers():
        if over_webdav and not _is_there(files, base, is_absence):
            raise _no_folder(name)
    with _writing(name, answers):
        if not over_webdav:
            files.makedirs(base, exist_ok=True)
        files.pipe_file(path, content)
    with answers():
        found = files.cat_file(path)
    try:
        files.remove(path)
    except Exception as error:
        raise refused(
            "dvc-remote-delete-denied",
            f'remote "{name}" does not let anything be removed',
            why=f"{file}, of {len(content)} bytes, stays in it; for a storage that only grows, that is as it should be",
            fix="remove it by hand if it is in the way",
        ) from error
    if found != content:
        raise refused(
            "data-corrupt",
            f'remote "{name}" does not give back what it was given',
            why=f"{len(content)} bytes were written, and {len(found)} others read",
            fix="see to the storage: whatever it keeps may be damaged",
        )


def _is_there(files: Any, folder: str, is_absence: Callable[[Exception], bool]) -> bool:
    try:
        files.info(folder)
    except Exception as error:
        if is_absence(error):
            return False
        raise
    return True


@contextmanager
def _writing(name: str, answers: Answers) -> Iterator[None]:
    """Tell a remote that only may not be written to from one that does not answer."""
    try:
        with answers():
            yield
    except Inconclusive as error:
        if error.findings[0].id != "dvc-remote-access-denied":
            raise
        raise refused(
            "dvc-remote-read-only",
            f'remote "{name}" takes nothing from this account',
            why="it refused to be written to",
            fix="for who only reads, all is well; `mlgit register` and `dvc push` need an account that may write",
        ) from error


def _no_folder(name: str) -> MlgitError:
    return refused(
        "dvc-remote-folder-missing",
        f'remote "{name}" has no folder to keep data in',
        why="over WebDAV the folder that the address names has to be there before anything is put into it",
        fix="make it on the server, or let whoever runs it do so; `mlgit doctor` asks again",
    )
