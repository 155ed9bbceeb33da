"""A cache of parsed records between commands that read the whole project."""

import hashlib
from typing import Final

import msgspec

from mlgit.domain import layout
from mlgit.domain.codec import from_json
from mlgit.domain.records import KINDS, Record
from mlgit.ops.kernel.ports.workspace import Workspace

_NAME: Final = "records"
_KEY: Final = "JSON by the sha256 of path and content"  # names the format; change it when the format changes


class CachedRecordReader:
    """A `RecordReader` that parses only what the last command did not.

    To parse a manifest in YAML takes a hundred times as long as the same record in JSON, and few files change between two
    commands. A record is found by the digest of its path and content, so a cached one may be missing, but never out of date.
    If the cache is damaged, files are parsed again.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._parse = workspace.formats.record
        self._cache = workspace.cache
        self._cached = self._load()
        self._used: dict[str, msgspec.Raw] = {}

    def __call__(self, file: str, content: bytes) -> Record:
        """Return the record of a file.

        Raises:
            MlgitError: as the workspace's own reader. Errors are not cached.
        """
        key = hashlib.sha256(b"%b\0%b" % (file.encode("utf-8", "surrogateescape"), content)).hexdigest()
        record = self._find(file, key)
        if record is None:
            record = self._parse(file, content)
            self._used[key] = msgspec.Raw(msgspec.json.encode(record))
        return record

    def save(self) -> None:
        """Replace the cache by the records that were used since it was opened."""
        if not self._used.keys() <= self._cached.keys():
            self._cache.put(_NAME, _KEY, msgspec.json.encode(self._used))

    def _load(self) -> dict[str, msgspec.Raw]:
        try:
            return msgspec.json.decode(self._cache.get(_NAME, _KEY) or b"{}", type=dict[str, msgspec.Raw])
        except msgspec.DecodeError:
            return {}

    def _find(self, file: str, key: str) -> Record | None:
        place, encoded = layout.parse_path(file), self._cached.get(key)
        if place is None or encoded is None:
            return None
        try:
            record = from_json(KINDS[place.kind], bytes(encoded))
        except msgspec.DecodeError:
            return None
        self._used[key] = encoded
        return record
