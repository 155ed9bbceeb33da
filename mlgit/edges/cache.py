"""A cache inside the Git folder, for what can be computed again. Keys include everything that an entry depends on."""

import hashlib
import os
from contextlib import suppress
from pathlib import Path

from mlgit import __version__

_DIGEST_BYTES = 32


class FileCache:
    """A file for each name, which begins with a digest of key and content (see `ops.kernel.ports.Cache`)."""

    def __init__(self, git_dir: Path, program: str = __version__) -> None:
        """Take the Git folder, and what identifies the program: entries of another one are not found."""
        self._folder = git_dir / "mlgit" / "cache"
        self._program = program

    def get(self, name: str, key: str) -> bytes | None:
        """Return the content of a name if key and program are the same; None also if the file is damaged."""
        try:
            with (self._folder / name).open("rb") as file:
                digest, content = file.read(_DIGEST_BYTES), file.read()
        except OSError:
            return None
        return content if digest == self._digest(key, content) else None

    def put(self, name: str, key: str, content: bytes) -> None:
        """Store the content of a name; nothing is stored if the disk is full or not writable."""
        partial = self._folder / f"{name}.{os.getpid()}"
        with suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            try:
                with partial.open("wb") as file:
                    file.write(self._digest(key, content))
                    file.write(content)
                partial.replace(self._folder / name)
            finally:
                partial.unlink(missing_ok=True)

    def _digest(self, key: str, content: bytes) -> bytes:
        """Return the digest of program, key and content."""
        digest = hashlib.sha256(hashlib.sha256(f"{self._program}\n{key}".encode()).digest())
        digest.update(content)  # not joined with the key, since it may be large
        return digest.digest()


class NoCache:
    """A cache in which nothing is ever found, for commands that compute everything again."""

    def get(self, name: str, key: str) -> None:
        """Return None."""

    def put(self, name: str, key: str, content: bytes) -> None:
        """Do nothing."""
