"""Content in DVC's cache and remote: asked for, fetched, uploaded, and always verified.

DVC names content by its md5 and trusts that name afterwards: with one byte changed in some remotes, `dvc pull` succeeds
with the wrong file. So whatever passes through here is hashed again, and held against the size and sha256 recorded.
"""

import errno
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any, cast

from mlgit.domain.records.version import StoredFile
from mlgit.edges import hashing
from mlgit.edges.dvc import probe, workspace
from mlgit.errors import Inconclusive, MlgitError, inconclusive, refused

_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO}
_FORBIDDEN = {401, 403, 407}
_NOT_FOUND = 404
_NO_SUCH_FILE = {"SFTPNoSuchFile", "SFTPNoSuchPath", "ResourceNotFound"}
"""What asyncssh and webdav4 raise; by name, for those packages are there only where such a remote is used."""
_LEFT_OVERS = ".*.tmp"
_OBJECTS = ("files", "md5")
"""Where DVC 3 keeps objects, below a cache or remote: `files/md5/9b/1c04ee…`."""


class DvcStore:
    """The cache of a checkout and one of its remotes; DVC is imported and its configuration read when first needed."""

    def __init__(self, root: Path | None, remote: str) -> None:
        """Take the folder that holds `.dvc` (None in a bare repository, which has none) and the name of the remote."""
        self._root = root
        self._name = remote

    def missing(self, files: Sequence[StoredFile]) -> Sequence[StoredFile]:
        """Return those that the remote does not have, asking for all at once. Their content is not read.

        Raises:
            MlgitError: the remote has one of them in another size (`data-corrupt`), is not configured
                (`dvc-remote-unknown`), or cannot be used from here (`dvc-remote-unsupported`).
            Inconclusive: the remote did not answer (`dvc-remote-unreachable`, `dvc-remote-access-denied`).
        """
        return [file for file, there in zip(files, self._are_there(files), strict=True) if not there]

    @contextmanager
    def fetch(self, file: StoredFile) -> Iterator[Path]:
        """Give a private, verified copy of a file under its own name, from the cache or else the remote, for a while.

        Raises:
            MlgitError: it is in neither (`data-missing`), or is not what was recorded (`data-corrupt`).
            Inconclusive: the remote did not answer (`dvc-remote-unreachable`, `dvc-remote-access-denied`), or the disk is
                full or broken (`disk-io-failed`).
        """
        with _scratch(file) as copy:
            cached = self._cached(file)
            if cached.is_file():
                _check(file, _copied(cached, copy), f"in the cache, {cached},")
            else:
                self._download(file, copy)
                _check(file, hashing.hash_file(copy), f'in remote "{self._name}"')
            yield copy

    def upload(self, files: Sequence[tuple[Path, StoredFile]]) -> None:
        """Put files into cache and remote, where they are not yet, and ask the remote afterwards whether it has them.

        Raises:
            MlgitError: a file is not what was recorded (`data-corrupt`), or did not arrive (`dvc-upload-failed`).
            Inconclusive: the remote did not answer (`dvc-remote-unreachable`, `dvc-remote-access-denied`), or the disk is
                full or broken (`disk-io-failed`).
        """
        for path, file in files:
            self._keep(path, file)
        absent = list({file.md5: file for file in self.missing([file for _, file in files])}.values())
        if not absent:
            return
        with self._answers(), _tidy(self._remote_paths(absent)):
            sources, hashes = [str(self._cached(file)) for file in absent], [file.md5 for file in absent]
            # `verify` would download each object again; its size is asked for below, and a fetch checks its digest.
            self._remote.add(sources, self._cache.fs, hashes, check_exists=False, verify=False)
        if lost := self.missing(absent):
            raise refused(
                "dvc-upload-failed",
                f'{lost[0].path} is not in remote "{self._name}" after the upload',
                why=f"the remote reported no error, yet does not have md5 {lost[0].md5}",
                fix=f"try `dvc push -r {self._name}`, then run this again",
            )

    def probe(self) -> None:
        """Write a small object of no meaning into the remote, read it back, and remove it (see `probe.run`).

        Raises:
            MlgitError: what of that it did not do; or as `missing`.
            Inconclusive: the remote did not answer (`dvc-remote-unreachable`, `dvc-remote-access-denied`).
        """
        probe.run(self._name, self._remote, self._answers, lambda error: _says_not_there(_cause(error)))

    def _keep(self, path: Path, file: StoredFile) -> None:
        """Put a file into the cache if it is not there; what is in the cache afterwards is what was recorded."""
        cached = self._cached(file)
        if cached.is_file():
            _check(file, hashing.hash_file(cached), f"in the cache, {cached},")
            if not path.is_file() or not path.samefile(cached):  # it may have changed since, and been read as it is now
                _check(file, hashing.hash_file(path), f"at {path}")
            return
        with _scratch(file) as copy:
            _check(file, _copied(path, copy), f"at {path}")
            try:
                with _tidy([cached]):
                    self._cache.add(str(copy), self._cache.fs, file.md5, hardlink=True)
            except OSError as error:
                raise _disk_failed(error) from error

    def _are_there(self, files: Sequence[StoredFile]) -> list[bool]:
        if not files:
            return []
        with self._answers():
            # Asked for their sizes, remotes tell "not there" from "no answer"; DVC's own question takes both for the
            # former, and removes what it finds damaged in a folder.
            answers = self._remote.fs.info(
                [self._remote.oid_to_path(file.md5) for file in files], return_exceptions=True
            )
            return [self._is_there(file, answer) for file, answer in zip(files, answers, strict=True)]

    def _is_there(self, file: StoredFile, answer: Any) -> bool:
        if isinstance(answer, Exception):
            if _says_not_there(_cause(answer)):
                return False
            raise answer
        size = answer.get("size")  # some HTTP servers do not say
        if size not in {None, file.size}:
            raise _corrupt(file, f'in remote "{self._name}"', f"it has {size} bytes, {file.size} were recorded")
        return True

    def _download(self, file: StoredFile, copy: Path) -> None:
        if self.missing([file]):
            raise refused(
                "data-missing",
                f"{file.path} cannot be fetched",
                why=f'md5 {file.md5} is neither in the cache nor in remote "{self._name}"',
                fix="where the data was made, run `dvc push`",
            )
        with self._answers():
            self._remote.fs.get_file(self._remote.oid_to_path(file.md5), str(copy))

    def _remote_paths(self, files: Sequence[StoredFile]) -> list[Path]:
        """Return where files lie in a remote that is a folder; nothing for any other remote."""
        from dvc.fs import LocalFileSystem  # noqa: PLC0415 - takes 0.1 s

        if not isinstance(self._remote.fs, LocalFileSystem):
            return []
        return [Path(self._remote.oid_to_path(file.md5)) for file in files]

    def _cached(self, file: StoredFile) -> Path:
        return Path(self._cache.oid_to_path(file.md5))

    @cached_property
    def _config(self) -> dict[str, Any]:
        """DVC's configuration; asked for before anything of DVC is imported, since it tells whether there is a DVC."""
        return workspace.configuration(self._root)

    @cached_property
    def _cache(self) -> Any:
        """DVC's cache, wherever it is configured to be."""
        cache = self._config["cache"]
        from dvc.fs import localfs  # noqa: PLC0415 - takes 0.1 s

        folder = Path(cache.get("dir") or f"{self._root}/.dvc/cache", *_OBJECTS)
        return _objects(localfs, str(folder), {"shared": cache.get("shared")})

    @cached_property
    def _remote(self) -> Any:
        """The remote's objects.

        Raises:
            MlgitError: it is not configured (`dvc-remote-unknown`), or cannot be used from here (`dvc-remote-unsupported`).
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
            raise self._unsupported("a package that its kind of storage needs is not installed") from error
        except ConfigError as error:
            raise workspace.broken_configuration() from error
        if config.get("worktree") or config.get("version_aware"):
            raise self._unsupported("it is cloud-versioned, and so does not keep objects by their hash")
        return _objects(files, files.join(folder, *_OBJECTS), config)

    def _unsupported(self, why: str) -> MlgitError:
        fix = "see `mlgit explain dvc-remote-unsupported`, or use another remote"
        return refused("dvc-remote-unsupported", f'remote "{self._name}" cannot be used from here', why=why, fix=fix)

    @contextmanager
    def _answers(self) -> Iterator[None]:
        """Say in mlgit's words why the remote did not answer; without quotes, which may hold credentials."""
        try:
            yield
        except MlgitError:
            raise
        except Exception as error:
            raise _no_answer(self._name, _cause(error)) from error


def _objects(files: Any, folder: str, config: dict[str, Any]) -> Any:
    """Return DVC's view of the objects in a folder of a file system."""
    from dvc_data.hashfile.db import get_odb  # noqa: PLC0415

    return cast("Any", get_odb)(files, folder, hash_name="md5", **config)


@contextmanager
def _tidy(objects: Sequence[Path]) -> Iterator[None]:
    """Remove what DVC leaves beside its objects where it cannot write them, which takes room on a disk that has none."""
    folders = {path.parent for path in objects}
    known = {path for folder in folders for path in folder.glob(_LEFT_OVERS)}
    try:
        yield
    except BaseException:
        for path in {path for folder in folders for path in folder.glob(_LEFT_OVERS)} - known:
            path.unlink(missing_ok=True)
        raise


@contextmanager
def _scratch(file: StoredFile) -> Iterator[Path]:
    """Give a path for a private copy of a file, in a folder that only this user may enter and that is removed after."""
    try:
        folder = tempfile.TemporaryDirectory(prefix="mlgit-")
    except OSError as error:
        raise _disk_failed(error) from error
    with folder as path:
        yield Path(path, PurePosixPath(file.path).name)


def _copied(source: Path, copy: Path) -> hashing.Hashes:
    try:
        return hashing.copy_file(source, copy)
    except OSError as error:
        raise _disk_failed(error) from error


def _check(file: StoredFile, found: hashing.Hashes, where: str) -> None:
    if found != (file.md5, file.sha256, file.size):
        why = f"recorded {file.sha256} of {file.size} bytes, found {found.sha256} of {found.size} bytes"
        raise _corrupt(file, where, why)


def _corrupt(file: StoredFile, where: str, why: str) -> MlgitError:
    fix = "remove the damaged copy; where the data was made, run `dvc push`; then run this again"
    return refused("data-corrupt", f"{file.path} {where} is not what was recorded", why=why, fix=fix)


def _cause(error: Exception) -> BaseException:
    """Return what lies behind an error: over HTTP, a failed connection is reported as a file that is not there."""
    return error.__cause__ or error if isinstance(error, FileNotFoundError) else error


def _says_not_there(cause: BaseException) -> bool:
    """Tell whether an answer says that there is no such file; over SSH and WebDAV, with an exception of the client's own."""
    return isinstance(cause, FileNotFoundError) or _status(cause) == _NOT_FOUND or type(cause).__name__ in _NO_SUCH_FILE


def _status(error: BaseException) -> int | None:
    """Return the status of an answer over HTTP, which aiohttp and webdav4 put into different places; None without one."""
    found = getattr(error, "status", None) or getattr(getattr(error, "response", None), "status_code", None)
    return found if isinstance(found, int) else None


def _no_answer(remote: str, error: BaseException) -> Inconclusive:
    from dvc.fs import AuthError, ConfigError  # noqa: PLC0415 - takes 0.1 s

    code = error.errno if isinstance(error, OSError) else None
    if isinstance(error, OSError) and code in _DISK:
        return _disk_failed(error)
    why = os.strerror(code) if code is not None and code in errno.errorcode else ""
    fix = f"see what `dvc status --cloud -r {remote}` says; check the network and the credentials"
    if isinstance(error, PermissionError | AuthError | ConfigError) or _status(error) in _FORBIDDEN:
        return inconclusive(
            "dvc-remote-access-denied", f'remote "{remote}" does not let this account in', why=why, fix=fix
        )
    return inconclusive("dvc-remote-unreachable", f'remote "{remote}" does not answer', why=why, fix=fix)


def _disk_failed(error: OSError) -> Inconclusive:
    return inconclusive(
        "disk-io-failed",
        "a file cannot be written",
        why=error.strerror or "",
        fix="make room on the disk, and check who may write there",
    )
