"""What can be found out again, kept below the Git folder: throw-away, and asked by a key of all that it rests on."""

import hashlib
import os
from contextlib import suppress
from pathlib import Path

from mlgit import __version__


class FileCache:
    """One file a name, with the key of its content in front (see `ops.ports.Cache`)."""

    def __init__(self, git_dir: Path) -> None:
        self._folder = git_dir / "mlgit" / "cache"

    def get(self, name: str, key: str) -> bytes | None:
        """Return what was put under a name with the same key, by the same mlgit."""
        try:
            found = (self._folder / name).read_bytes()
        except OSError:
            return None
        stamp = _stamp(key)
        return found[len(stamp) :] if found.startswith(stamp) else None

    def put(self, name: str, key: str, content: bytes) -> None:
        """Keep the newest content of a name; nothing is kept where there is no room or no right to write."""
        partial = self._folder / f"{name}.{os.getpid()}"
        with suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            partial.write_bytes(_stamp(key) + content)
            partial.replace(self._folder / name)


def _stamp(key: str) -> bytes:
    return hashlib.sha256(f"{__version__}\n{key}".encode()).digest()
