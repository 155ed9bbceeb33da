"""Extension keys of the user begin with `x-`, in mappings with fixed keys; among free names, `x-ray` is a name."""

import functools
from typing import Any

import msgspec
from msgspec import inspect


def without_extension_keys(kind: type[msgspec.Struct], document: Any) -> Any:
    """Return a document of `kind` without extension keys."""
    return _without(_shape(kind), document)


@functools.cache
def _shape(kind: type[msgspec.Struct]) -> inspect.Type:
    return inspect.type_info(kind)


def _without(shape: inspect.Type, value: Any) -> Any:
    match shape:
        case inspect.Metadata():
            return _without(shape.type, value)
        case inspect.UnionType():
            return _without(_matching_type(shape, value), value)
        case inspect.StructType() if isinstance(value, dict):
            fields = {field.encode_name: field.type for field in shape.fields}
            kept = (key for key in value if key in fields or not key.startswith("x-"))
            return {key: _without(fields.get(key, inspect.AnyType()), value[key]) for key in kept}
        case inspect.DictType() if isinstance(value, dict):
            return {key: _without(shape.value_type, inner) for key, inner in value.items()}
        case inspect.ListType() | inspect.VarTupleType() if isinstance(value, list):
            return [_without(shape.item_type, inner) for inner in value]
    return value


def _matching_type(union: inspect.UnionType, value: Any) -> inspect.Type:
    """Return the member of a union that a value is decoded as: by its tag, otherwise the only mapping or list."""
    for shape in union.types:
        inner = shape.type if isinstance(shape, inspect.Metadata) else shape
        match inner:
            case inspect.StructType(tag_field=str(field)) if isinstance(value, dict) and value.get(field) == inner.tag:
                return inner
            case inspect.StructType(tag_field=None) | inspect.DictType() if isinstance(value, dict):
                return inner
            case inspect.ListType() | inspect.VarTupleType() if isinstance(value, list):
                return inner
    return inspect.AnyType()
