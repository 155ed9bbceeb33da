"""Private copies of files, and what DVC leaves behind where a write fails."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Final

from mlgit.domain.records.version import StoredFile
from mlgit.edges.dvc.storage_errors import disk_failed
from mlgit.edges.hashing import Hashes
from mlgit.edges.known_hashes import KnownHashes

_TEMPORARY: Final = ".*.tmp"


@contextmanager
def without_temporary_files(objects: Sequence[Path]) -> Iterator[None]:
    """Remove the temporary files that DVC leaves beside objects if a write fails: the disk may be full."""
    folders = {path.parent for path in objects}
    existing = {path for folder in folders for path in folder.glob(_TEMPORARY)}
    try:
        yield
    except BaseException:
        for path in {path for folder in folders for path in folder.glob(_TEMPORARY)} - existing:
            path.unlink(missing_ok=True)
        raise


@contextmanager
def scratch(file: StoredFile) -> Iterator[Path]:
    """Yield a path for a private copy of a file, in a folder that only this user may enter; it is removed afterwards."""
    try:
        folder = tempfile.TemporaryDirectory(prefix="mlgit-")
    except OSError as error:
        raise disk_failed(error) from error
    with folder as path:
        yield Path(path, PurePosixPath(file.path).name)


def copied(source: Path, copy: Path, hashes: KnownHashes) -> Hashes:
    """Copy a file, and return the hashes of the copy (see `KnownHashes.copy`).

    Raises:
        MlgitError: the file cannot be read (`file-unreadable`).
        Inconclusive: the disk is full or broken (`disk-io-failed`).
    """
    try:
        return hashes.copy(source, copy)
    except OSError as error:
        raise disk_failed(error) from error
