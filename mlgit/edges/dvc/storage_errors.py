"""Errors of DVC's cache and remotes as findings, without their text, which may contain credentials."""

import errno
import os
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from mlgit.domain.records.version import StoredFile
from mlgit.edges.hashing import Hashes
from mlgit.errors import Inconclusive, MlgitError, inconclusive, refused

_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO}
_FORBIDDEN = {401, 403, 407}
_NOT_FOUND = 404
_NO_SUCH_FILE = {"SFTPNoSuchFile", "SFTPNoSuchPath", "ResourceNotFound"}
"""Exceptions of asyncssh and webdav4 for a missing file; by name, since these packages are optional."""

_MISTAKES = (TypeError, AttributeError, NameError, AssertionError, LookupError)


@contextmanager
def as_findings(remote: str) -> Iterator[None]:
    """Turn exceptions of a remote into findings. What mlgit's own code raises is a bug, and stays as it is.

    Raises:
        Inconclusive: the remote did not answer (`dvc-remote-unreachable`, `dvc-remote-access-denied`), or the disk is full or
            broken (`disk-io-failed`).
    """
    try:
        yield
    except MlgitError:
        raise
    except Exception as error:
        if _is_own(error):
            raise
        raise _unreachable(remote, cause(error)) from error


def _is_own(error: Exception) -> bool:
    """Return whether an exception that stands for a mistake in a program was raised in a module of mlgit."""
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    return isinstance(error, _MISTAKES) and str(frame.f_globals.get("__name__", "")).partition(".")[0] == "mlgit"


def check(file: StoredFile, actual: Hashes, where: str) -> None:
    """Refuse content that is not the recorded one.

    Raises:
        MlgitError: it differs (`data-corrupt`).
    """
    if actual != (file.md5, file.sha256, file.size):
        why = f"recorded {file.sha256} of {file.size} bytes, found {actual.sha256} of {actual.size} bytes"
        raise corrupt(file, where, why)


def corrupt(file: StoredFile, where: str, why: str) -> MlgitError:
    """Return the error for content that differs from its record."""
    fix = "remove the damaged copy; where it was made, run `mlgit upload` (or `dvc push` for data); then run this again"
    return refused("data-corrupt", f"{file.path} {where} differs from its record", why=why, fix=fix)


def cause(error: Exception) -> BaseException:
    """Return the cause of an error: over HTTP, a failed connection is raised as `FileNotFoundError` with the cause."""
    return error.__cause__ or error if isinstance(error, FileNotFoundError) else error


def means_missing(cause: BaseException) -> bool:
    """Tell whether an error means that the file does not exist; SSH and WebDAV clients have exceptions of their own."""
    return isinstance(cause, FileNotFoundError) or _status(cause) == _NOT_FOUND or type(cause).__name__ in _NO_SUCH_FILE


def _status(error: BaseException) -> int | None:
    """Return the HTTP status of an error, from the attributes of aiohttp or webdav4; None without one."""
    status = getattr(error, "status", None) or getattr(getattr(error, "response", None), "status_code", None)
    return status if isinstance(status, int) else None


def _unreachable(remote: str, error: BaseException) -> Inconclusive:
    from dvc.fs import AuthError, ConfigError  # noqa: PLC0415 - takes 0.1 s

    code = error.errno if isinstance(error, OSError) else None
    if isinstance(error, OSError) and code in _DISK:
        return disk_failed(error)
    why = os.strerror(code) if code is not None and code in errno.errorcode else ""
    fix = f"run `dvc status --cloud -r {remote}` for details; check the network and the credentials"
    if isinstance(error, PermissionError | AuthError | ConfigError) or _status(error) in _FORBIDDEN:
        return inconclusive(
            "dvc-remote-access-denied", f'remote "{remote}" denies access to this account', why=why, fix=fix
        )
    return inconclusive("dvc-remote-unreachable", f'remote "{remote}" does not answer', why=why, fix=fix)


def disk_failed(error: OSError) -> Inconclusive:
    """Return the error for a file that cannot be written."""
    return inconclusive(
        "disk-io-failed",
        "a file cannot be written",
        why=error.strerror or "",
        fix="free some space, and check permissions",
    )
