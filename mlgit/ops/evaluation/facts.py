"""Facts that were computed before from the same content, so that each step of a promotion need not compute them again."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any, Final, TypeVar

import msgspec

from mlgit.domain.codec import canonical, sha256
from mlgit.ops.kernel.ports.workspace import Cache

T = TypeVar("T")

_NAME: Final = "evidence"
_KEY: Final = "results in JSON, by the sha256 of all that they depend on"  # change it when the format changes
_MAX_FACTS: Final = 2000
_MAX_SIZE: Final = 1 << 20  # of one fact in bytes


class Facts:
    """Results by the digest of everything that they were computed from: records, content, arguments.

    A result is never out of date, because another input is another key; it can only be missing. The cache keeps the newest
    facts; a damaged one is empty.
    """

    def __init__(self, cache: Cache) -> None:
        """Take the cache that the facts are in."""
        self._cache = cache
        self._new: dict[str, msgspec.Raw] = {}

    def find(self, kind: type[T], key: str) -> T | None:
        """Return the result of a key (see `fact_key`); None if it is not known."""
        encoded = self._new.get(key) or self._known.pop(key, None)
        if encoded is None:
            return None
        try:
            result = msgspec.json.decode(encoded, type=kind)
        except msgspec.DecodeError:
            return None
        self._new[key] = encoded  # used facts are kept longest
        return result

    def add(self, key: str, result: object) -> None:
        """Keep a result under its key."""
        encoded = msgspec.json.encode(result)
        if len(encoded) <= _MAX_SIZE:
            self._new[key] = msgspec.Raw(encoded)

    def save(self) -> None:
        """Write the newest facts back; nothing if none was used."""
        if self._new:
            kept = list((self._known | self._new).items())[-_MAX_FACTS:]
            self._cache.put(_NAME, _KEY, msgspec.json.encode(dict(kept)))

    @cached_property
    def _known(self) -> dict[str, msgspec.Raw]:
        try:
            return msgspec.json.decode(self._cache.get(_NAME, _KEY) or b"{}", type=dict[str, msgspec.Raw])
        except msgspec.DecodeError:
            return {}


def fact_key(name: str, inputs: Sequence[str | None], arguments: Sequence[Any]) -> str:
    """Return the key of a fact.

    Args:
        name: what is computed.
        inputs: digests of the records and contents that it is computed from, in an order of their own.
        arguments: settings of the computation.
    """
    return sha256(canonical([name, list(inputs), list(arguments)]))
