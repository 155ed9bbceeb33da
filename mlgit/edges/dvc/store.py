"""Content in DVC's cache and remote: find, fetch and upload it, always verified.

DVC addresses content by its md5 and does not verify it afterwards: if a byte in some remotes was changed, `dvc pull`
succeeds with the wrong file. So all content is hashed here and compared with the recorded size and sha256.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from mlgit.domain.records.version import StoredFile
from mlgit.edges import hashing
from mlgit.edges.dvc import probe, workspace
from mlgit.edges.dvc.copies import copied, scratch, without_temporary_files
from mlgit.edges.dvc.storage_errors import as_findings, cause, check, corrupt, disk_failed, means_missing
from mlgit.edges.known_hashes import KnownHashes
from mlgit.errors import Location, MlgitError, refused

_READ_ONLY = 0o444
_OBJECTS = ("files", "md5")
"""Where DVC 3 stores objects in a cache or remote: `files/md5/9b/1c04ee…`."""

_WHERE = ("where the version was registered, run `mlgit upload`", "where the data was made, run `dvc push`")
"""How to bring back content of a version, and content of DVC."""


class DvcStore:
    """The cache of a checkout and one of its remotes; DVC is imported and its configuration read when first needed."""

    def __init__(
        self,
        root: Path | None,
        remote: str,
        hashes: KnownHashes | None = None,
        *,
        objects: tuple[str, str] = _OBJECTS,
    ) -> None:
        """Take the folder with `.dvc` (None for a bare repository), the remote's name, known hashes, and the objects' folder.

        Known hashes serve an upload only: what is fetched or verified is always hashed.
        """
        self._root = root
        self._folder = objects
        self._name = remote
        self._hashes = hashes or KnownHashes()
        self._verified: list[StoredFile] = []

    def cached(self, file: StoredFile) -> Path | None:
        """Return the path of a file's object in the cache, whose content was not verified; None if it is not there."""
        path = self._cached(file)
        return path if path.is_file() else None

    def missing(self, files: Sequence[StoredFile]) -> Sequence[StoredFile]:
        """Return the files that the remote does not have, by one request for all. Content is not read.

        Raises:
            MlgitError: the remote has one of them with another size (`data-corrupt`), is not configured
                (`dvc-remote-unknown`), or is not supported (`dvc-remote-unsupported`).
            Inconclusive: the remote did not answer (`dvc-remote-unreachable`, `dvc-remote-access-denied`).
        """
        return [file for file, exists in zip(files, self._exist(files), strict=True) if not exists]

    @contextmanager
    def fetch(self, file: StoredFile) -> Iterator[Path]:
        """Yield a private, verified copy of a file under its own name, from the cache or else the remote.

        Raises:
            MlgitError: it is in neither (`data-missing`), or its content differs from the record (`data-corrupt`).
            Inconclusive: the remote did not answer (`dvc-remote-unreachable`, `dvc-remote-access-denied`), or the disk is
                full or broken (`disk-io-failed`).
        """
        with scratch(file) as copy:
            cached = self._cached(file)
            # The copy is verified, not the original, which another process could change after the check.
            if cached.is_file():
                check(file, copied(cached, copy, KnownHashes()), f"in the cache, {cached},")
            else:
                self._download(file, copy)
                check(file, hashing.hash_file(copy), f'in remote "{self._name}"')
            yield copy

    def verify(self, file: StoredFile) -> None:
        """Check that the cache, or else the remote, has a file as it is recorded; each file once.

        Raises:
            MlgitError: as `fetch`.
            Inconclusive: as `fetch`.
        """
        if file in self._verified:
            return
        cached = self._cached(file)
        if cached.is_file():
            check(file, hashing.hash_file(cached), f"in the cache, {cached},")
        else:
            with self.fetch(file):
                pass
        self._verified.append(file)

    def upload(self, files: Sequence[tuple[Path, StoredFile]]) -> None:
        """Store files in cache and remote if they are missing there, then check that the remote has them.

        Raises:
            MlgitError: a file differs from its record (`data-corrupt`), or is not in the remote afterwards
                (`dvc-upload-failed`); the remote is a folder that does not exist (`dvc-remote-folder-missing`).
            Inconclusive: the remote did not answer (`dvc-remote-unreachable`, `dvc-remote-access-denied`), or the disk is
                full or broken (`disk-io-failed`).
        """
        self.keep(files)
        self.send(files)

    def keep(self, files: Sequence[tuple[Path, StoredFile]]) -> None:
        """Store files in the cache if they are missing there; the first step of `upload`, which raises the same."""
        self.require_folder()
        for path, file in files:
            self._store_in_cache(path, file)

    def send(self, files: Sequence[tuple[Path, StoredFile]]) -> None:
        """Copy files that were kept to the remote; the second step of `upload`, which raises the same."""
        absent = list({file.md5: file for file in self.missing([file for _, file in files])}.values())
        if not absent:
            return
        with as_findings(self._name), without_temporary_files(self._remote_paths(absent)):
            self._add_to_remote(absent, {file.md5: path for path, file in files})
        if still_missing := self.missing(absent):
            raise refused(
                "dvc-upload-failed",
                f'{still_missing[0].path} is not in remote "{self._name}" after the upload',
                why=f"the remote reported no error, yet does not have md5 {still_missing[0].md5}",
                fix="run this again; if that does not help, check the storage",
            )

    def probe(self) -> None:
        """Write a small test object into the remote, read it back, and remove it (see `probe.run`).

        Raises:
            MlgitError: one of these steps failed; or as `missing`.
            Inconclusive: the remote did not answer (`dvc-remote-unreachable`, `dvc-remote-access-denied`).
        """
        self.require_folder()
        probe.run(self._name, self._remote, lambda: as_findings(self._name), lambda error: means_missing(cause(error)))

    def require_folder(self) -> None:
        """Refuse a remote that is a folder of this machine and does not exist.

        DVC would create it. A relative address points to another place from a second worktree, and the folder of a disk that
        is not mounted is empty: files stored there are not where everybody else looks for them.

        Raises:
            MlgitError: there is no such folder (`dvc-remote-folder-missing`).
        """
        folder = self._local_folder
        if folder is None or os.path.lexists(folder):
            return
        raise refused(
            "dvc-remote-folder-missing",
            f'the folder of remote "{self._name}" does not exist here',
            why=f"{folder}; a relative address in .dvc/config is read from this checkout, which may be a second worktree",
            fix=f"mount or create the folder, or give its absolute path: `dvc remote modify --local {self._name} url PATH`",
            at=Location(".dvc/config"),
        )

    def _store_in_cache(self, path: Path, file: StoredFile) -> None:
        """Store a file in the cache if it is missing there, after verifying that it is the recorded one."""
        cached = self._cached(file)
        if cached.is_file():
            check(file, self._hashes.of(path), f"at {path}")
            return
        with scratch(file) as copy:
            check(file, copied(path, copy, self._hashes), f"at {path}")
            try:
                with without_temporary_files([cached]):
                    self._cache.add(str(copy), self._cache.fs, file.md5, hardlink=True)
            except OSError as error:
                raise disk_failed(error) from error

    def _add_to_remote(self, files: Sequence[StoredFile], originals: Mapping[str, Path]) -> None:
        """Copy files to the remote from their originals, by MD5; what is copied is verified, since the cache may be damaged.

        A remote that is a folder gets a copy of the original, if its hashes are known, or else of the cache, hashed while it is
        copied. For others, DVC copies, after the cache was hashed: `verify` would download each object again. Its size is
        compared afterwards, and a fetch verifies it.
        """
        paths = self._remote_paths(files)
        for place, file in zip(paths, files, strict=False):
            cached, original = self._cached(file), originals[file.md5]
            source, where = (
                (original, f"at {original}") if self._hashes.knows(original) else (cached, f"in the cache, {cached},")
            )
            place.parent.mkdir(parents=True, exist_ok=True)
            partial = place.with_name(f".{os.urandom(8).hex()}.tmp")
            check(file, self._hashes.copy(source, partial), where)
            partial.chmod(_READ_ONLY)  # as DVC leaves its objects
            partial.replace(place)
        if not paths:
            for file in files:
                cached = self._cached(file)
                check(file, self._hashes.of(cached), f"in the cache, {cached},")
            sources, hashes = [str(self._cached(file)) for file in files], [file.md5 for file in files]
            self._remote.add(sources, self._cache.fs, hashes, check_exists=False, verify=False)

    def _exist(self, files: Sequence[StoredFile]) -> list[bool]:
        if not files:
            return []
        with as_findings(self._name):
            # `info` distinguishes a missing file from a remote that does not answer. DVC's own `exists` does not, and deletes
            # damaged objects of a remote that is a folder.
            answers = self._remote.fs.info(
                [self._remote.oid_to_path(file.md5) for file in files], return_exceptions=True
            )
            return [self._exists(file, answer) for file, answer in zip(files, answers, strict=True)]

    def _exists(self, file: StoredFile, answer: Any) -> bool:
        if isinstance(answer, Exception):
            if means_missing(cause(answer)):
                return False
            raise answer
        size = answer.get("size")  # some HTTP servers do not report it
        if size not in {None, file.size}:
            raise corrupt(file, f'in remote "{self._name}"', f"it has {size} bytes, {file.size} are recorded")
        return True

    def _download(self, file: StoredFile, copy: Path) -> None:
        if self.missing([file]):
            raise refused(
                "data-missing",
                f"{file.path} cannot be fetched",
                why=f'md5 {file.md5} is neither in the cache nor in remote "{self._name}"',
                fix=_WHERE[self._folder == _OBJECTS],
            )
        with as_findings(self._name):
            self._remote.fs.get_file(self._remote.oid_to_path(file.md5), str(copy))

    def _remote_paths(self, files: Sequence[StoredFile]) -> list[Path]:
        """Return the paths of files in a remote that is a folder; nothing for other remotes."""
        if self._local_folder is None:
            return []
        return [Path(self._remote.oid_to_path(file.md5)) for file in files]

    @property
    def _local_folder(self) -> Path | None:
        """The folder of the remote on this machine; None for other kinds of remotes."""
        remote = self._remote  # first, as `_config` says
        from dvc.fs import LocalFileSystem  # noqa: PLC0415 - takes 0.1 s

        if not isinstance(remote.fs, LocalFileSystem):
            return None
        return Path(remote.path).parents[len(self._folder) - 1]

    def place(self, file: StoredFile) -> Path:
        """Return the path of a file in the cache, whether or not it is there."""
        return self._cached(file)

    def _cached(self, file: StoredFile) -> Path:
        return Path(self._cache.oid_to_path(file.md5))

    @cached_property
    def _config(self) -> dict[str, Any]:
        """DVC's configuration. It is read before DVC is imported, since reading it checks that DVC is installed."""
        return workspace.configuration(self._root)

    @cached_property
    def _cache(self) -> Any:
        """DVC's cache, at its configured place."""
        cache = self._config["cache"]
        from dvc.fs import localfs  # noqa: PLC0415 - takes 0.1 s

        folder = Path(cache.get("dir") or f"{self._root}/.dvc/cache", *self._folder)
        return _objects(localfs, str(folder), {"shared": cache.get("shared")})

    @cached_property
    def _remote(self) -> Any:
        """The remote's objects.

        Raises:
            MlgitError: it is not configured (`dvc-remote-unknown`), or is not supported (`dvc-remote-unsupported`).
        """
        settings = self._config
        from dvc.config import ConfigError, RemoteNotFoundError  # noqa: PLC0415
        from dvc.fs import RemoteMissingDepsError, get_cloud_fs  # noqa: PLC0415

        try:
            kind, config, folder = get_cloud_fs(settings, name=self._name)
            files = kind(**config)
        except RemoteNotFoundError as error:
            raise workspace.remote_missing(self._name, settings["remote"]) from error
        except (ImportError, RemoteMissingDepsError) as error:
            raise self._unsupported("the package for its kind of storage is not installed") from error
        except ConfigError as error:
            raise workspace.broken_configuration() from error
        if config.get("worktree") or config.get("version_aware"):
            raise self._unsupported("it is cloud-versioned, so it does not store objects by their hash")
        return _objects(files, files.join(folder, *self._folder), config)

    def _unsupported(self, why: str) -> MlgitError:
        fix = "see `mlgit explain dvc-remote-unsupported`, or use another remote"
        return refused("dvc-remote-unsupported", f'remote "{self._name}" is not supported', why=why, fix=fix)


def _objects(files: Any, folder: str, config: dict[str, Any]) -> Any:
    """Return DVC's object database in a folder of a file system."""
    from dvc_data.hashfile.db import get_odb  # noqa: PLC0415

    return cast("Any", get_odb)(files, folder, hash_name="md5", **config)
