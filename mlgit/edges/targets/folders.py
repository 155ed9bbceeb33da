"""Work in an open folder, by file descriptor, without ever following a symbolic link in it."""

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
_READ = (
    os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
)  # NONBLOCK: a pipe in a file's place must not stop us
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_BLOCK = 1 << 20


@contextlib.contextmanager
def root(path: Path) -> Iterator[int]:
    """Give a folder, opened; the path may lead over symbolic links."""
    descriptor = os.open(path, _FOLDER)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def folder(name: str, inside: int) -> Iterator[int]:
    """Give a folder inside an open one, opened itself.

    Raises:
        OSError: it is not there, or is not a folder; a symbolic link is none.
    """
    descriptor = os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=inside)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def make(name: str, inside: int) -> None:
    """Make a folder if it is not there, and see it on the disk."""
    with contextlib.suppress(FileExistsError):
        os.mkdir(name, dir_fd=inside)
    os.fsync(inside)


def is_folder(name: str, inside: int) -> bool:
    """Tell whether a name is that of a folder."""
    try:
        return stat.S_ISDIR(os.stat(name, dir_fd=inside, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return False


def remove(name: str, inside: int) -> None:
    """Remove whatever has a name: nothing, a file, a link (not what it points to), or a folder with all in it."""
    if is_folder(name, inside):
        shutil.rmtree(name, dir_fd=inside)
    else:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=inside)


def names(inside: int) -> set[str]:
    """Return all names in a folder."""
    return set(os.listdir(inside))


def write(name: str, content: bytes, inside: int) -> None:
    """Write a new file, and see it on the disk."""
    with _create(name, inside) as stream:
        stream.write(content)
        _flush(stream)


def copy(source: Path, name: str, inside: int) -> str:
    """Copy a file into a new one, see it on the disk, and return the sha256 of what was copied.

    Raises:
        Inconclusive: the source cannot be read (`file-unreadable`).
    """
    try:
        reader = source.open("rb")
    except OSError as error:
        why, fix = cause(error), "check that it is there, and who may read it"
        raise inconclusive("file-unreadable", f"{source} cannot be read", why=why, fix=fix) from error
    digest = hashlib.sha256()
    with reader, _create(name, inside) as writer:
        while block := reader.read(_BLOCK):
            digest.update(block)
            writer.write(block)
        _flush(writer)
    return f"sha256:{digest.hexdigest()}"


def read(name: str, inside: int, limit: int) -> bytes | None:
    """Return at most `limit` bytes of a regular file; None where there is none, or something else has its name."""
    with contextlib.ExitStack() as stack:
        stream = _open(name, inside)
        return stack.enter_context(stream).read(limit) if stream else None


def sha256(name: str, inside: int) -> str | None:
    """Return the sha256 of a regular file; None where there is none, or something else has its name."""
    with contextlib.ExitStack() as stack:
        stream = _open(name, inside)
        return f"sha256:{hashlib.file_digest(stack.enter_context(stream), 'sha256').hexdigest()}" if stream else None


def cause(error: OSError) -> str:
    """Say why the system refused, and on what."""
    where = f": {error.filename}" if error.filename is not None else ""
    return f"{error.strerror or error}{where}"


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
