"""Hashes of files in the work tree and in DVC's cache, remembered for as long as a file does not change."""

import os
import time
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from mlgit.edges import hashing
from mlgit.edges.hashing import Hashes

if TYPE_CHECKING:
    from mlgit.ops.kernel.ports.workspace import Cache

_NAME: Final = "hashes"
_KEY: Final = "md5, sha256 and size by device, inode, size, mtime and ctime"  # change it when the format changes
_MIN_SIZE: Final = 1 << 16  # smaller files take no longer to hash than to find
_MAX_FILES: Final = 10_000
_SETTLED: Final = (
    50_000_000  # nanoseconds after which another change has another time, in file systems that count them,
)
_SETTLED_COARSE: Final = 3_000_000_000  # and in others
_SECOND: Final = 1_000_000_000


class KnownHashes:
    """Hashes by device, inode, size, modification time and change time of a file.

    A program can set the modification time, but not the change time. A file that changed just now is hashed again the next
    time, because a second change may have the same time. For what is downloaded or judged, content is always hashed.
    """

    def __init__(self, cache: "Cache | None" = None) -> None:
        """Take the cache that the hashes are kept in; None remembers nothing."""
        self._cache = cache
        self._new: dict[str, Hashes] = {}

    def of(self, path: Path) -> Hashes:
        """Return the hashes of a file.

        Raises:
            MlgitError: it cannot be read (`file-unreadable`).
        """
        identity = self._identity(path)
        known = self._find(identity)
        if identity is None or known is None:
            known = hashing.hash_file(path)
            if identity is None or self._identity(path) != identity:  # it changes all the time
                return known
        self._new[identity] = known
        return known

    def knows(self, path: Path) -> bool:
        """Return whether the hashes of a file are known without reading it."""
        return self._find(self._identity(path)) is not None

    def copy(self, source: Path, destination: Path) -> Hashes:
        """Copy a file, and return the hashes of the copy: as they are known, if the file does not change meanwhile.

        Raises:
            MlgitError: the file cannot be read (`file-unreadable`).
            OSError: the destination exists or cannot be written.
        """
        identity = self._identity(source)
        known = self._find(identity)
        if known is None:
            return hashing.copy_file(source, destination)
        hashing.copy_content(source, destination)
        return known if self._identity(source) == identity else hashing.hash_file(destination)

    def save(self) -> None:
        """Keep the hashes for the next command."""
        if self._cache is not None and not self._new.keys() <= self._known.keys():
            kept = list((self._known | self._new).items())[-_MAX_FILES:]
            self._cache.put(_NAME, _KEY, msgspec.json.encode(dict(kept)))

    def _find(self, identity: str | None) -> Hashes | None:
        return None if identity is None else self._new.get(identity) or self._known.get(identity)

    @cached_property
    def _known(self) -> dict[str, Hashes]:
        assert self._cache is not None  # noqa: S101 - without a cache no file has an identity
        try:
            return msgspec.json.decode(self._cache.get(_NAME, _KEY) or b"{}", type=dict[str, Hashes])
        except msgspec.DecodeError:
            return {}

    def _identity(self, path: Path) -> str | None:
        """Return what changes with the content of a file; None for one that is small, missing or was changed just now."""
        if self._cache is None:
            return None
        try:
            status = os.stat(path)  # noqa: PTH116 - as fast as possible
        except OSError:
            return None
        times = status.st_mtime_ns, status.st_ctime_ns
        settled = _SETTLED_COARSE if times[0] % _SECOND == 0 or times[1] % _SECOND == 0 else _SETTLED
        if status.st_size < _MIN_SIZE or time.time_ns() - max(times) < settled:
            return None
        return f"{status.st_dev}:{status.st_ino}:{status.st_size}:{times[0]}:{times[1]}"
