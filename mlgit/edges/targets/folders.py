"""File operations in an open folder, by file descriptor, that never follow a symbolic link.

A check by path before an operation would not be safe: another process can replace a folder by a link in between.
"""

import contextlib
import errno
import hashlib
import os
import shutil
import stat
from collections.abc import Iterator
from io import BufferedReader, BufferedWriter
from pathlib import Path

from mlgit.errors import inconclusive

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
# NONBLOCK: opening a named pipe in place of a file must not wait for a writer.
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_BLOCK = 1 << 20


@contextlib.contextmanager
def root(path: Path) -> Iterator[int]:
    """Open a folder and yield its descriptor; its path may contain symbolic links."""
    descriptor = os.open(path, _FOLDER)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def folder(name: str, inside: int) -> Iterator[int]:
    """Open a folder inside an open one and yield its descriptor.

    Raises:
        OSError: it does not exist, or is not a folder but, for example, a symbolic link.
    """
    descriptor = os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=inside)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def make(name: str, inside: int) -> None:
    """Create a folder if it does not exist, and flush it to the disk."""
    with contextlib.suppress(FileExistsError):
        os.mkdir(name, dir_fd=inside)
    os.fsync(inside)


def is_folder(name: str, inside: int) -> bool:
    """Tell whether there is a folder with this name."""
    try:
        return stat.S_ISDIR(os.stat(name, dir_fd=inside, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return False


def remove(name: str, inside: int) -> None:
    """Remove a file, a link (not its target), or a folder with its content; nothing if the name does not exist."""
    if is_folder(name, inside):
        shutil.rmtree(name, dir_fd=inside)
    else:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=inside)


def names(inside: int) -> set[str]:
    """Return all names in a folder."""
    return set(os.listdir(inside))


def write(name: str, content: bytes, inside: int) -> None:
    """Write a new file, and flush it to the disk."""
    with _create(name, inside) as stream:
        stream.write(content)
        _flush(stream)


def copy(source: Path, name: str, inside: int) -> str:
    """Copy a file into a new one, flush it to the disk, and return the sha256 of the bytes that were copied.

    Raises:
        Inconclusive: the source cannot be read (`file-unreadable`).
    """
    try:
        reader = source.open("rb")
    except OSError as error:
        why, fix = cause(error), "check that it exists and that this user may read it"
        raise inconclusive("file-unreadable", f"{source} cannot be read", why=why, fix=fix) from error
    digest = hashlib.sha256()
    with reader, _create(name, inside) as writer:
        while block := reader.read(_BLOCK):
            digest.update(block)
            writer.write(block)
        _flush(writer)
    return f"sha256:{digest.hexdigest()}"


def read(name: str, inside: int, limit: int) -> bytes | None:
    """Return at most `limit` bytes of a regular file; None if it does not exist or is something else."""
    with contextlib.ExitStack() as stack:
        stream = _open(name, inside)
        return stack.enter_context(stream).read(limit) if stream else None


def sha256(name: str, inside: int) -> str | None:
    """Return the sha256 of a regular file; None if it does not exist or is something else."""
    with contextlib.ExitStack() as stack:
        stream = _open(name, inside)
        return f"sha256:{hashlib.file_digest(stack.enter_context(stream), 'sha256').hexdigest()}" if stream else None


def cause(error: OSError) -> str:
    """Return the message of a system error, with the file name."""
    name = f": {error.filename}" if error.filename is not None else ""
    return f"{error.strerror or error}{name}"


def _open(name: str, inside: int) -> BufferedReader | None:
    try:
        descriptor = os.open(name, _READ, dir_fd=inside)
    except OSError as error:
        if error.errno in {errno.ENOENT, errno.ELOOP, errno.ENXIO}:  # nothing, a symbolic link, a socket
            return None
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        return None
    return os.fdopen(descriptor, "rb")


def _create(name: str, inside: int) -> BufferedWriter:
    return os.fdopen(os.open(name, _CREATE, 0o644, dir_fd=inside), "wb")


def _flush(stream: BufferedWriter) -> None:
    stream.flush()
    os.fsync(stream.fileno())
