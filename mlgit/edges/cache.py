"""What can be found out again, kept below the Git folder: throw-away, and asked by a key of all that it rests on."""

import hashlib
import os
from contextlib import suppress
from pathlib import Path

from mlgit import __version__

_STAMP = 32  # bytes of a sha256


class FileCache:
    """One file a name, with a digest of its key and content in front (see `ops.kernel.ports.Cache`)."""

    def __init__(self, git_dir: Path) -> None:
        self._folder = git_dir / "mlgit" / "cache"

    def get(self, name: str, key: str) -> bytes | None:
        """Return what was put under a name with the same key, by the same mlgit; None also where the file is damaged."""
        try:
            with (self._folder / name).open("rb") as file:
                stamp, content = file.read(_STAMP), file.read()
        except OSError:
            return None
        return content if stamp == _stamp(key, content) else None

    def put(self, name: str, key: str, content: bytes) -> None:
        """Keep the newest content of a name; nothing is kept where there is no room or no right to write."""
        partial = self._folder / f"{name}.{os.getpid()}"
        with suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            try:
                with partial.open("wb") as file:
                    file.write(_stamp(key, content))
                    file.write(content)
                partial.replace(self._folder / name)
            finally:
                partial.unlink(missing_ok=True)


def _stamp(key: str, content: bytes) -> bytes:
    """Return what proves that content was put whole, and with a key."""
    stamp = hashlib.sha256(hashlib.sha256(f"{__version__}\n{key}".encode()).digest())
    stamp.update(content)  # which may be large, and is not copied
    return stamp.digest()
