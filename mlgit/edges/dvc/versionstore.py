"""The content of registered versions, in a folder of its own beside DVC's objects, in the cache and in the remote.

`dvc gc` removes what no `.dvc` file and no `dvc.lock` of the chosen revisions names. It looks at the objects in `files/md5`, and
for releases before 3.0 in folders of two characters at the top. So it never reaches `mlgit/md5`, whichever options it is given.
"""

import contextlib
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from mlgit.domain.records.version import StoredFile
from mlgit.edges.dvc.store import DvcStore
from mlgit.edges.known_hashes import KnownHashes

OBJECTS: Final = ("mlgit", "md5")
"""The folder of the objects of versions, in a cache or remote."""


class VersionStore:
    """The content of versions in the cache of a checkout and in one remote (see `ops.kernel.ports.data.VersionStore`)."""

    def __init__(self, root: Path | None, remote: str, hashes: KnownHashes | None = None) -> None:
        """Take the folder with `.dvc` (None for a bare repository), the name of the remote, and known hashes."""
        self._own = DvcStore(root, remote, hashes, objects=OBJECTS)
        self._dvc = DvcStore(root, remote, hashes)

    def missing(self, files: Sequence[StoredFile]) -> Sequence[StoredFile]:
        """Return the files that the remote does not have among those of versions (see `DvcStore.missing`)."""
        return self._own.missing(files)

    def verify(self, file: StoredFile) -> None:
        """Check that a file is there as it is recorded (see `DvcStore.verify`)."""
        self._nearest(file).verify(file)

    @contextmanager
    def fetch(self, file: StoredFile) -> Iterator[Path]:
        """Yield a private, verified copy of a file (see `DvcStore.fetch`)."""
        with self._nearest(file).fetch(file) as copy:
            yield copy

    def upload(self, files: Sequence[tuple[Path, StoredFile]], data: Sequence[tuple[Path, StoredFile]]) -> None:
        """Keep the files of a version and the data that it was made from; DVC gets the data too, for `dvc pull`.

        Content that is in DVC's cache already takes no more space on this disk: both names are of the same file. Everything is
        verified before the first file is copied to the remote.
        """
        self._dvc.keep(data)
        for _, file in (*files, *data):
            self._link(file)
        self._own.keep([*files, *data])
        self._dvc.send(data)
        self._own.send([*files, *data])

    def cached(self, file: StoredFile) -> Path | None:
        """Return the path of a file in a cache, whose content was not verified; None if none has it."""
        return self._nearest(file).cached(file)

    def restore(self, files: Sequence[StoredFile]) -> None:
        """Upload files that a cache has (see `DvcStore.upload`)."""
        self._own.upload([(path, file) for file in files if (path := self.cached(file)) is not None])

    def download(self, file: StoredFile, destination: Path) -> None:
        """Write a verified copy of a file to a path, atomically; folders on the way are created."""
        destination.parent.mkdir(parents=True, exist_ok=True)
        partial = destination.with_name(f".{destination.name}.partial")
        try:
            with self.fetch(file) as copy:
                shutil.copyfile(copy, partial)
            partial.replace(destination)
        finally:
            partial.unlink(missing_ok=True)

    def _nearest(self, file: StoredFile) -> DvcStore:
        """Return where to read a file: DVC's cache has what was trained here, and what was pulled."""
        is_in_dvc_only = self._own.cached(file) is None and self._dvc.cached(file) is not None
        return self._dvc if is_in_dvc_only else self._own

    def _link(self, file: StoredFile) -> None:
        source, target = self._dvc.cached(file), self._own.place(file)
        if source is not None and not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(OSError):  # another file system, or one without links: the upload copies
                os.link(source, target)
