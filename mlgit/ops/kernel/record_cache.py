"""Records that were read before, remembered from one look at the whole project to the next."""

import hashlib
from typing import Final

import msgspec

from mlgit.domain import layout
from mlgit.domain.codec import from_json
from mlgit.domain.records import KINDS, Record
from mlgit.ops.kernel.ports.workspace import Workspace

_NAME: Final = "records"
_KEY: Final = "JSON by the sha256 of path and content"


class CachedRecordReader:
    """A reader of records (see `ops.kernel.ports.RecordReader`) that parses only what it has not parsed the last time.

    A manifest in YAML takes a hundred times as long to read as the same record in JSON, and few change from one look to the
    next. What is remembered is found by the path and the content that Git gives for it, so it may be missing, but never be
    out of date; and whatever is wrong with it, the file is read again.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._read = workspace.formats.record
        self._cache = workspace.cache
        self._before = self._kept()
        self._now: dict[str, msgspec.Raw] = {}

    def __call__(self, file: str, content: bytes) -> Record:
        """Return the record that belongs at a path.

        Raises:
            MlgitError: as the workspace's own reader; what is refused is not remembered.
        """
        key = hashlib.sha256(b"%b\0%b" % (file.encode("utf-8", "surrogateescape"), content)).hexdigest()
        record = self._known(file, key)
        if record is None:
            record = self._read(file, content)
            self._now[key] = msgspec.Raw(msgspec.json.encode(record))
        return record

    def save(self) -> None:
        """Remember what was read this time, and nothing else, for the next."""
        if not self._now.keys() <= self._before.keys():
            self._cache.put(_NAME, _KEY, msgspec.json.encode(self._now))

    def _kept(self) -> dict[str, msgspec.Raw]:
        try:
            return msgspec.json.decode(self._cache.get(_NAME, _KEY) or b"{}", type=dict[str, msgspec.Raw])
        except msgspec.DecodeError:
            return {}

    def _known(self, file: str, key: str) -> Record | None:
        place, known = layout.parse_path(file), self._before.get(key)
        if place is None or known is None:
            return None
        try:
            record = from_json(KINDS[place.kind], bytes(known))
        except msgspec.DecodeError:
            return None
        self._now[key] = known
        return record
