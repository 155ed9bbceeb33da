"""Hashes of content: md5, by which DVC finds a file, and sha256, which identifies it, in one pass."""

import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread
from typing import BinaryIO, NamedTuple

from mlgit.domain.names import Digest, Md5
from mlgit.domain.records.version import StoredFile
from mlgit.errors import MlgitError, refused

_BLOCK = 1 << 20
_AT_ONCE = 1 << 30


class Hashes(NamedTuple):
    """What identifies content: DVC's hash, the digest, and the size in bytes."""

    md5: Md5
    sha256: Digest
    size: int


def hash_file(path: Path) -> Hashes:
    """Hash a file in one pass, with 1 MiB of it in memory. A link is followed, since DVC may link to its cache.

    Raises:
        MlgitError: the file cannot be read (`file-unreadable`).
    """
    try:
        with path.open("rb") as source:
            return _hashes(_blocks(source))
    except OSError as error:
        raise _unreadable(path, error) from error


def copy_file(source: Path, destination: Path) -> Hashes:
    """Copy a file and hash the bytes that were written, in the same pass: the source may change meanwhile.

    Raises:
        MlgitError: the source cannot be opened (`file-unreadable`).
        OSError: the destination exists or cannot be written.
    """
    with _copying(source, destination) as (content, copy):
        return _hashes(_written(_blocks(content), copy))


def copy_content(source: Path, destination: Path) -> None:
    """Copy a file, in the kernel where it can, which shares the blocks of the two files where the file system can.

    Raises:
        MlgitError: the source cannot be opened (`file-unreadable`).
        OSError: the destination exists or cannot be written.
    """
    with _copying(source, destination) as (content, copy):
        with suppress(AttributeError, OSError):  # another system, or two file systems
            while os.copy_file_range(content.fileno(), copy.fileno(), _AT_ONCE):
                pass
        shutil.copyfileobj(content, copy, _BLOCK)  # what is left


@contextmanager
def _copying(source: Path, destination: Path) -> Iterator[tuple[BinaryIO, BinaryIO]]:
    """Yield a file, read without a buffer, and its new copy."""
    try:
        content: BinaryIO = source.open("rb", buffering=0)
    except OSError as error:
        raise _unreadable(source, error) from error
    with content, destination.open("xb") as copy:
        yield content, copy


def stored(path: Path, name: str, hashes: Hashes | None = None) -> StoredFile:
    """Return the record of a file in DVC, with its path inside the version's folder.

    Args:
        path: the file.
        name: its path in the record.
        hashes: its hashes, if they are known.

    Raises:
        MlgitError: the file cannot be read (`file-unreadable`), or has no content (`file-empty`).
    """
    hashes = hashes or hash_file(path)
    if not hashes.size:
        raise refused("file-empty", f"{path} is empty", fix="run the stage that writes it again")
    return StoredFile(path=name, sha256=hashes.sha256, md5=hashes.md5, size=hashes.size)


def _blocks(source: BinaryIO) -> Iterator[bytes]:
    while block := source.read(_BLOCK):
        yield block


def _written(blocks: Iterable[bytes], copy: BinaryIO) -> Iterator[bytes]:
    for block in blocks:
        copy.write(block)
        yield block


def _hashes(blocks: Iterable[bytes]) -> Hashes:
    """Hash blocks: from the second one on, sha256 in a thread beside md5, for Python is free while it hashes."""
    md5, sha256, size = hashlib.md5(usedforsecurity=False), hashlib.sha256(), 0
    for block in blocks:
        beside = Thread(target=sha256.update, args=(block,))
        (beside.start if size else beside.run)()
        md5.update(block)
        if size:
            beside.join()
        size += len(block)
    return Hashes(md5.hexdigest(), f"sha256:{sha256.hexdigest()}", size)


def _unreadable(path: Path, error: OSError) -> MlgitError:
    return refused(
        "file-unreadable",
        f"{path} cannot be read",
        why=error.strerror or "",
        fix="check that it exists and that this user may read it",
    )
