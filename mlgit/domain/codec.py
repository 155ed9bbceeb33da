"""Mapping <-> record, canonical bytes, digests: the one place where content gets its identity."""

import functools
import hashlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar, cast, get_args

import msgspec
from msgspec import UNSET
from msgspec.structs import replace

from mlgit.domain.records.base import Record
from mlgit.domain.records.governance import Override
from mlgit.domain.records.version import Version

R = TypeVar("R", bound=msgspec.Struct)

_CANONICAL = msgspec.json.Encoder(order="sorted")
_PLAIN = msgspec.json.Encoder()


def from_mapping(kind: type[R], document: Mapping[str, Any]) -> R:
    """Turn a document into a record of `kind`.

    Where keys are fixed, those that begin with `x-` are the user's own and are left out. Where keys are names, as those of
    columns or roles, `x-rays` is a name like any other.

    Raises:
        msgspec.ValidationError: at the first thing that does not fit; `edges.schemacheck` lists all of them.
    """
    if _has_own_keys(document):
        from mlgit.domain.ownkeys import without_own_keys  # noqa: PLC0415 - rarely needed, and slow to import

        document = without_own_keys(kind, document)
    return msgspec.convert(document, type=kind)


def _has_own_keys(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(key.startswith("x-") or _has_own_keys(inner) for key, inner in value.items())
    return isinstance(value, list) and any(map(_has_own_keys, value))


def from_json(kind: type[R], text: bytes) -> R:
    """Turn JSON into a record of `kind`. Proves nothing about duplicate keys, which the reader of files does.

    Raises:
        msgspec.DecodeError: it is no JSON, or does not fit.
    """
    return cast("R", _decoder(kind).decode(text))


@functools.cache
def _decoder(kind: type[msgspec.Struct]) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind)  # made once: to look a type up for every text takes a quarter of the reading


def to_mapping(record: msgspec.Struct) -> dict[str, Any]:
    """Turn a record into a document of JSON's types, in the order of its fields, without fields that equal their default."""
    return cast("dict[str, Any]", msgspec.to_builtins(_without_defaults(record)))


def to_json(record: msgspec.Struct) -> bytes:
    """Write a record as mlgit keeps it in a file: indented by two, in the order of its fields, one newline at the end."""
    return msgspec.json.format(_PLAIN.encode(record), indent=2) + b"\n"


def sha256(content: bytes | memoryview) -> str:
    """Return the digest of bytes, `sha256:<hex>`."""
    return "sha256:" + hashlib.sha256(content).hexdigest()


def canonical(value: Any) -> bytes:
    """Return the one form that is hashed: JSON in UTF-8, keys sorted, no white space, shortest round-trip numbers.

    Defaults and `x-` keys are left out, so neither a comment, an order, an ending of lines nor a new optional field changes it.
    """
    if isinstance(value, msgspec.Struct) and _has_plain_defaults(type(value)):
        return _CANONICAL.encode(value)
    return _CANONICAL.encode(_without_defaults(value))


def digest(record: Record) -> str:
    """Return the digest of what a record means."""
    return _remembered(_DIGESTS, record, lambda: sha256(canonical(record)))


def version_digest(version: Version) -> str:
    """Return the identity of a version: the digest of its record without the label and without the digest itself."""
    # A field that is UNSET is not written.
    return _remembered(
        _VERSION_DIGESTS, version, lambda: sha256(canonical(replace(version, digest=UNSET, version=UNSET)))
    )


def override_digest(override: Override) -> str:
    """Return the digest of an override that its people sign: over all of it but its review."""
    return sha256(canonical(replace(override, reviewed=None)))


_Known = dict[int, tuple[msgspec.Struct, str]]
_DIGESTS: _Known = {}
_VERSION_DIGESTS: _Known = {}
_MOST_KNOWN = 2048


def _remembered(known: _Known, record: msgspec.Struct, compute: Callable[[], str]) -> str:
    """Return what was computed for just this object before: one policy, say, is asked for with every promotion under it.

    A record never changes, and is kept along with its digest, so that no other object takes its address.
    """
    found = known.get(id(record))
    if found is not None:
        return found[1]
    if len(known) >= _MOST_KNOWN:
        known.clear()
    computed = compute()
    known[id(record)] = (record, computed)
    return computed


def digest_of(parts: Mapping[str, str | None]) -> str:
    """Return one digest over named digests, in whatever order they are given."""
    return sha256(canonical(dict(parts)))


def _without_defaults(value: Any) -> Any:
    """Return the value with every structure in it as a mapping of its tag and of the fields that differ from their default.

    msgspec leaves out a field that *is* its default. One that was written out equals it without being it, mostly.
    """
    if isinstance(value, str | int | float | None):  # most of all there is, and quicker to tell than a Mapping
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
    """Tell whether msgspec by itself leaves out all that equals its default, in a structure and in those in it.

    It does where a default is the only one of its value (None, True, False) or an empty list or mapping. Most records that
    mlgit writes are of this kind, and 10,000 of them are walked through here in seconds, and by msgspec in a part of one.
    """
    return all(
        structure.__struct_config__.omit_defaults
        and all(
            any(field.default is one for one in (msgspec.NODEFAULT, None, True, False))
            and any(field.default_factory is one for one in (msgspec.NODEFAULT, list, dict))
            for field in msgspec.structs.fields(structure)
        )
        for structure in _structures(kind)
    )


def _structures(kind: Any) -> Iterator[type[msgspec.Struct]]:
    """Yield the structures that a type is made of."""
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
    """Return each field with its key and its default, if it has one that may be left out."""
    omitted = kind.__struct_config__.omit_defaults
    return [
        (field.name, field.encode_name, _default(field) if omitted else msgspec.NODEFAULT)
        for field in msgspec.structs.fields(kind)
    ]


def _default(field: msgspec.structs.FieldInfo) -> Any:
    return field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
