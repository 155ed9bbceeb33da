"""Mapping <-> record, canonical bytes, digests: the one place where content gets its identity."""

import functools
import hashlib
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar, cast

import msgspec
from msgspec import inspect

from mlgit.domain.records.base import Record
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
    return msgspec.convert(_without_own_keys(document, _type_info(kind)), type=kind)


def without_x_keys(value: Any) -> Any:
    """Return the value without any mapping key that begins with `x-`, at every depth."""
    if isinstance(value, Mapping):
        return {key: without_x_keys(inner) for key, inner in value.items() if not key.startswith("x-")}
    if isinstance(value, list):
        return [without_x_keys(inner) for inner in value]
    return value


def to_mapping(record: msgspec.Struct) -> dict[str, Any]:
    """Turn a record into a document of JSON's types, in the order of its fields, without fields that equal their default."""
    return cast("dict[str, Any]", msgspec.to_builtins(_without_defaults(record)))


def to_json(record: msgspec.Struct) -> bytes:
    """Write a record as mlgit keeps it in a file: indented by two, in the order of its fields, one newline at the end."""
    return msgspec.json.format(_PLAIN.encode(record), indent=2) + b"\n"


def sha256(content: bytes) -> str:
    """Return the digest of bytes, `sha256:<hex>`."""
    return "sha256:" + hashlib.sha256(content).hexdigest()


def canonical(value: Any) -> bytes:
    """Return the one form that is hashed: JSON in UTF-8, keys sorted, no white space, shortest round-trip numbers.

    Defaults and `x-` keys are left out, so neither a comment, an order, an ending of lines nor a new optional field changes it.
    """
    return _CANONICAL.encode(_without_defaults(value))


def digest(record: Record) -> str:
    """Return the digest of what a record means."""
    return sha256(canonical(record))


def version_digest(version: Version) -> str:
    """Return the identity of a version: the digest of its record without the label and without the digest itself."""
    meaning = {key: value for key, value in _stated(version) if key not in {"digest", "version"}}
    return sha256(_CANONICAL.encode(meaning))


def digest_of(parts: Mapping[str, str | None]) -> str:
    """Return one digest over named digests, in whatever order they are given."""
    return sha256(canonical(dict(parts)))


@functools.cache
def _type_info(kind: type[msgspec.Struct]) -> inspect.Type:
    return inspect.type_info(kind)


def _without_own_keys(value: Any, kind: inspect.Type | None) -> Any:
    """Return the value without the keys that begin with `x-` where its type has fixed keys."""
    kind = _meant(kind, value)
    if isinstance(value, Mapping) and isinstance(kind, inspect.StructType):
        types = {field.encode_name: field.type for field in kind.fields}
        own = [key for key in value if isinstance(key, str) and key.startswith("x-")]
        return {key: _without_own_keys(inner, types.get(key)) for key, inner in value.items() if key not in own}
    if isinstance(value, Mapping) and isinstance(kind, inspect.DictType):
        return {key: _without_own_keys(inner, kind.value_type) for key, inner in value.items()}
    if isinstance(value, list) and isinstance(kind, inspect.ListType | inspect.VarTupleType):
        return [_without_own_keys(inner, kind.item_type) for inner in value]
    return value


def _meant(kind: inspect.Type | None, value: Any) -> inspect.Type | None:
    """Return the type that a value is read as: of alternatives, the one with its tag, or the only one that has parts."""
    if isinstance(kind, inspect.Metadata):
        return _meant(kind.type, value)
    if not isinstance(kind, inspect.UnionType):
        return kind
    parted = [inner for inner in map(_bare, kind.types) if isinstance(inner, _PARTED)]
    tagged = (
        inner
        for inner in parted
        if isinstance(inner, inspect.StructType)
        and inner.tag_field is not None
        and isinstance(value, Mapping)
        and value.get(inner.tag_field) == inner.tag
    )
    return next(tagged, parted[0] if len(parted) == 1 else None)


_PARTED = (inspect.StructType, inspect.DictType, inspect.ListType, inspect.VarTupleType)


def _bare(kind: inspect.Type) -> inspect.Type:
    return _bare(kind.type) if isinstance(kind, inspect.Metadata) else kind


def _without_defaults(value: Any) -> Any:
    """Return the value with every structure in it as a mapping of its tag and of the fields that differ from their default.

    msgspec leaves out a field that *is* its default. One that was written out equals it without being it, mostly.
    """
    if isinstance(value, msgspec.Struct):
        return dict(_stated(value))
    if isinstance(value, Mapping):
        return {key: _without_defaults(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_without_defaults(inner) for inner in value]
    return value


def _stated(value: msgspec.Struct) -> Iterator[tuple[str, Any]]:
    config = value.__struct_config__
    if config.tag_field is not None:
        yield config.tag_field, config.tag
    for field, key, default in _fields(type(value)):
        inner = getattr(value, field)
        if inner != default:
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
