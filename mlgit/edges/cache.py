"""A cache inside the Git folder, for what can be computed again. Keys include everything that an entry depends on.

An entry begins with a code (HMAC, RFC 2104) that needs a secret of this user, which is in their home folder and not in the
repository. So an entry that came with a copied folder, or that somebody else wrote, is not there.
"""

import hmac
import os
import secrets
from contextlib import suppress
from functools import cached_property
from pathlib import Path

from mlgit import __version__

_CODE_BYTES = 32
_SECRET_BYTES = 32


class FileCache:
    """A file for each name, which begins with a code over key and content (see `ops.kernel.ports.Cache`)."""

    def __init__(self, git_dir: Path, program: str = __version__, secret_file: Path | None = None) -> None:
        """Set where the cache is.

        Args:
            git_dir: the Git folder.
            program: what identifies the program: entries of another one are not found.
            secret_file: the file of the secret; by default the one in the user's home folder.
        """
        self._folder = git_dir / "mlgit" / "cache"
        self._program = program
        self._secret_file = secret_file

    def get(self, name: str, key: str) -> bytes | None:
        """Return the content of a name if key and program are the same; None also if the file is not this user's."""
        if self._secret is None:
            return None
        try:
            with (self._folder / name).open("rb") as file:
                code, content = file.read(_CODE_BYTES), file.read()
        except OSError:
            return None
        return content if hmac.compare_digest(code, self._code(self._secret, key, content)) else None

    def put(self, name: str, key: str, content: bytes) -> None:
        """Store the content of a name; nothing is stored if the disk is full or not writable."""
        if self._secret is None:
            return
        partial = self._folder / f"{name}.{os.getpid()}"
        with suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            try:
                with partial.open("wb") as file:
                    file.write(self._code(self._secret, key, content))
                    file.write(content)
                partial.replace(self._folder / name)
            finally:
                partial.unlink(missing_ok=True)

    @cached_property
    def _secret(self) -> bytes | None:
        """The secret of this user, made when it is first needed; None if there is nowhere to keep it."""
        try:
            file = self._secret_file or _default_file()
            return _read(file) or _create(file)
        except (OSError, RuntimeError):  # no home folder, or one that cannot be written
            return None

    def _code(self, secret: bytes, key: str, content: bytes) -> bytes:
        """Return the code over program, key and content."""
        own_key = hmac.digest(secret, f"{self._program}\n{key}".encode(), "sha256")
        return hmac.digest(own_key, content, "sha256")  # not joined with the key, since it may be large


class NoCache:
    """A cache in which nothing is ever found, for commands that compute everything again."""

    def get(self, name: str, key: str) -> None:
        """Return None."""

    def put(self, name: str, key: str, content: bytes) -> None:
        """Do nothing."""


def _default_file() -> Path:
    """Return the file of the secret, by the XDG Base Directory Specification.

    Raises:
        RuntimeError: the user has no home folder.
    """
    state = os.environ.get("XDG_STATE_HOME", "")
    folder = Path(state) if Path(state).is_absolute() else Path.home() / ".local/state"
    return folder / "mlgit/cache.key"


def _read(file: Path) -> bytes | None:
    try:
        secret = file.read_bytes()
    except FileNotFoundError:
        return None
    return secret if len(secret) == _SECRET_BYTES else None


def _create(file: Path) -> bytes | None:
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    partial = file.with_name(f"{file.name}.{os.getpid()}")
    try:
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(secrets.token_bytes(_SECRET_BYTES))
        with suppress(FileExistsError):  # another process was first
            os.link(partial, file)
    finally:
        partial.unlink(missing_ok=True)
    return _read(file)
