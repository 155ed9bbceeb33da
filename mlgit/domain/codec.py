"""Conversion between mappings, JSON and records; canonical form and digests of records."""

import functools
import hashlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar, cast, get_args

import msgspec
from msgspec import UNSET
from msgspec.structs import replace

from mlgit.domain.hidden import escaped, first_hidden
from mlgit.domain.records.base import Record
from mlgit.domain.records.governance import Override
from mlgit.domain.records.version import Version

R = TypeVar("R", bound=msgspec.Struct)

_CANONICAL = msgspec.json.Encoder(order="sorted")
_PLAIN = msgspec.json.Encoder()


def from_mapping(kind: type[R], document: Mapping[str, Any]) -> R:
    """Convert a document to a record of `kind`.

    Extension keys, which begin with `x-`, are removed from mappings with fixed keys. In mappings whose keys are names, such
    as columns or roles, `x-rays` is an ordinary name.

    Raises:
        msgspec.ValidationError: the first error; `edges.schemacheck` lists all of them.
    """
    if _has_extension_keys(document):
        from mlgit.domain.ownkeys import without_extension_keys  # noqa: PLC0415 - rarely needed, and slow to import

        document = without_extension_keys(kind, document)
    return msgspec.convert(document, type=kind)


def _has_extension_keys(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(key.startswith("x-") or _has_extension_keys(inner) for key, inner in value.items())
    return isinstance(value, list) and any(map(_has_extension_keys, value))


def from_json(kind: type[R], text: bytes) -> R:
    """Convert JSON to a record of `kind`. Does not detect duplicate keys, which the reader of files does.

    Raises:
        msgspec.DecodeError: invalid JSON, or not such a record.
    """
    return cast("R", _decoder(kind).decode(text))


@functools.cache
def _decoder(kind: type[msgspec.Struct]) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind)  # cached: looking up the type for each text takes a quarter of the time


def to_mapping(record: msgspec.Struct) -> dict[str, Any]:
    """Convert a record to a document of JSON types, in the order of its fields, without fields that equal their default."""
    return cast("dict[str, Any]", msgspec.to_builtins(_without_defaults(record)))


def to_json(record: msgspec.Struct) -> bytes:
    """Write a record as mlgit stores it in a file: indented by two, in the order of its fields, with a final newline.

    Characters that nobody sees, as in a category of somebody's data, are written as escapes.
    """
    text = msgspec.json.format(_PLAIN.encode(record), indent=2) + b"\n"
    return text if first_hidden(text) is None else escaped(text.decode(), pairs=True).encode()


def sha256(content: bytes | memoryview) -> str:
    """Return the digest of bytes, `sha256:<hex>`."""
    return "sha256:" + hashlib.sha256(content).hexdigest()


def canonical(value: Any) -> bytes:
    """Return the canonical form, which is hashed: JSON in UTF-8, sorted keys, no white space, shortest round-trip numbers.

    Without defaults and extension keys, so that comments, order, line endings and new optional fields do not change it.
    """
    if isinstance(value, msgspec.Struct) and _has_plain_defaults(type(value)):
        return _CANONICAL.encode(value)
    return _CANONICAL.encode(_without_defaults(value))


def digest(record: Record) -> str:
    """Return the digest of the canonical form of a record."""
    return _cached(_DIGESTS, record, lambda: sha256(canonical(record)))


def version_digest(version: Version) -> str:
    """Return the identity of a version: the digest of its record without the number and the digest itself."""
    # A field that is UNSET is not written.
    return _cached(_VERSION_DIGESTS, version, lambda: sha256(canonical(replace(version, digest=UNSET, version=UNSET))))


def override_digest(override: Override) -> str:
    """Return the digest of an override that its people sign: over everything except its post-incident review."""
    return sha256(canonical(replace(override, reviewed=None)))


_DigestCache = dict[int, tuple[msgspec.Struct, str]]
_DIGESTS: _DigestCache = {}
_VERSION_DIGESTS: _DigestCache = {}
_MAX_CACHED = 2048


def _cached(cache: _DigestCache, record: msgspec.Struct, compute: Callable[[], str]) -> str:
    """Return the digest that was computed for this object before: the same policy, say, is used by many promotions.

    Records are immutable, and kept with their digest, so that no other object gets the same id.
    """
    entry = cache.get(id(record))
    if entry is not None:
        return entry[1]
    if len(cache) >= _MAX_CACHED:
        cache.clear()
    computed = compute()
    cache[id(record)] = (record, computed)
    return computed


def digest_of(parts: Mapping[str, str | None]) -> str:
    """Return one digest of named digests, independent of their order."""
    return sha256(canonical(dict(parts)))


def _without_defaults(value: Any) -> Any:
    """Return the value with every struct in it as a mapping of its tag and the fields that differ from their default.

    msgspec omits a field that *is* its default; a value that was read from a file usually equals it without being it.
    """
    if isinstance(value, str | int | float | None):  # the most frequent case, and faster than a check for Mapping
        return value
    if isinstance(value, msgspec.Struct):
        return msgspec.to_builtins(value) if _has_plain_defaults(type(value)) else dict(_stated(value))
    if isinstance(value, Mapping):
        return {key: _without_defaults(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_without_defaults(inner) for inner in value]
    return value


@functools.cache
def _has_plain_defaults(kind: type[msgspec.Struct]) -> bool:
    """Return whether msgspec itself omits everything that equals its default, in a struct and in those inside it.

    It does if a default is a singleton (None, True, False) or an empty list or mapping. Most records that mlgit writes are
    like this, and msgspec encodes 10,000 of them in a fraction of a second, where the code here takes seconds.
    """
    return all(
        structure.__struct_config__.omit_defaults
        and all(
            any(field.default is default for default in (msgspec.NODEFAULT, None, True, False))
            and any(field.default_factory is factory for factory in (msgspec.NODEFAULT, list, dict))
            for field in msgspec.structs.fields(structure)
        )
        for structure in _structures(kind)
    )


def _structures(kind: Any) -> Iterator[type[msgspec.Struct]]:
    """Yield the structs that a type contains."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        yield kind
        for field in msgspec.structs.fields(kind):
            yield from _structures(field.type)
    for part in get_args(kind):
        yield from _structures(part)


def _stated(value: msgspec.Struct) -> Iterator[tuple[str, Any]]:
    config = value.__struct_config__
    if config.tag_field is not None:
        yield config.tag_field, config.tag
    for field, key, default in _fields(type(value)):
        inner = getattr(value, field)
        if inner is not UNSET and inner != default:
            yield key, _without_defaults(inner)


@functools.cache
def _fields(kind: type[msgspec.Struct]) -> list[tuple[str, str, Any]]:
    """Return each field with its key, and its default if that may be omitted."""
    omitted = kind.__struct_config__.omit_defaults
    return [
        (field.name, field.encode_name, _default(field) if omitted else msgspec.NODEFAULT)
        for field in msgspec.structs.fields(kind)
    ]


def _default(field: msgspec.structs.FieldInfo) -> Any:
    return field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
