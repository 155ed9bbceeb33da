"""The fields of a struct as text for the reference pages, from its JSON Schema."""

import inspect
import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from mlgit.domain import names

Schema = dict[str, Any]


class Field(NamedTuple):
    """A field as a row of a table: its type as text, and its default."""

    name: str
    value: str
    default: str
    meaning: str


def _pattern(alias: Any) -> str:
    return str(alias.__metadata__[0].pattern)


VALUE_FORMS = {
    _pattern(names.Name): (
        "name",
        "lower-case letters and digits, with single `.`, `_` or `-` between them; at most 64",
    ),
    _pattern(names.Line): ("line", "one line of text, at most 500 characters"),
    _pattern(names.RelativePath): ("path", "a path inside the repository, with forward slashes, without `..`"),
    _pattern(names.Duration): ("duration", "a whole number with `m`, `h`, `d` or `w`: `72h`, `14d`"),
    _pattern(names.Digest): ("digest", "`sha256:` and 64 hexadecimal digits"),
    _pattern(names.Md5): ("md5", "32 hexadecimal digits: the hash by which DVC finds data"),
    _pattern(names.CommitId): ("commit", "a whole Git commit id"),
    _pattern(names.BlobId): ("blob", "a Git blob id"),
    _pattern(names.PromotionId): (
        "promotion id",
        "a [ULID](https://github.com/ulid/spec): 26 letters and digits, sorted by time",
    ),
}
"""Name and form of each value with a named pattern, by the pattern."""

_ALIASES: tuple[Any, ...] = (
    *(names.Name, names.Line, names.Text, names.RelativePath, names.Duration),
    *(names.Digest, names.Md5, names.CommitId, names.BlobId, names.PromotionId),
)
_GENERAL = {str(alias.__metadata__[0].description) for alias in _ALIASES}  # descriptions of the type, not of the field
_TYPES = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "object": "mapping",
    "null": "null",
}
_FORMATS = {"date-time": "time with its zone", "date": "date"}
_BOUNDS = {
    "minimum": "at least {}",
    "exclusiveMinimum": "above {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "below {}",
    "minItems": "length at least {}",
}


def schema_of(kind: type[msgspec.Struct]) -> tuple[Schema, dict[str, Schema]]:
    """Return the schema of a struct, and those of its parts by name, in the order of their first use."""
    (root,), parts = msgspec.json.schema_components([kind], ref_template="#/$defs/{name}")
    return parts.pop(_target(root)), parts


def fields(schema: Schema, parts: dict[str, Schema]) -> Iterator[Field]:
    """Yield the fields of a mapping with fixed keys."""
    required = set(schema.get("required", ()))
    for name, field in schema.get("properties", {}).items():
        meaning = field.get("description", "")
        default = "required" if name in required else _default(field)
        yield Field(name, _value(field, parts), default, "" if meaning in _GENERAL else meaning)


def described(schema: Schema) -> str:
    """Return the description of a struct."""
    return inspect.cleandoc(schema.get("description", ""))


def anchor(heading: str) -> str:
    """Return the anchor of a heading, as GitHub computes it."""
    return "".join(letter for letter in heading.lower().replace(" ", "-") if letter.isalnum() or letter in "-_")


def cell(text: str) -> str:
    """Return text escaped for a cell of a Markdown table."""
    return text.replace("|", "\\|").replace("\n", " ")


def _target(schema: Schema) -> str:
    return str(schema["$ref"]).rpartition("/")[2]


def _default(field: Schema) -> str:
    default = field.get("default")
    if default in (None, [], {}):
        return "nothing" if default is None else "empty" if default == [] else "its defaults"
    return f"`{json.dumps(default, ensure_ascii=False)}`" if not isinstance(default, str) else f"`{default}`"


def _value(field: Schema, parts: dict[str, Schema]) -> str:
    """Return the type of a value as text; a part is a link to its heading on the same page."""
    if "$ref" in field:
        name = _target(field)
        if "enum" in parts.get(name, ()):
            return _value(parts[name], parts)
        return f"[{name}](#{anchor(name)})" if name in parts else name
    if field.get("discriminator", {}).get("propertyName") == "id":
        return "[gate](../gates.md)"
    if "anyOf" in field:
        return _one_of([_value(part, parts) for part in field["anyOf"]])
    if "enum" in field:
        return _one_of([f"`{value}`" for value in field["enum"]])
    return _bounded(_plain(field, parts), field)


def _plain(field: Schema, parts: dict[str, Schema]) -> str:
    kind, values = field.get("type"), field.get("additionalProperties")
    if kind == "array":
        return f"list of {_value(field.get('items') or {}, parts)}"
    if kind == "object" and isinstance(values, dict):
        return f"mapping of {_key(field)} to {_value(values, parts)}"
    return _scalar(field)


def _key(field: Schema) -> str:
    pattern = field.get("propertyNames", {}).get("pattern", "")
    return VALUE_FORMS[pattern][0] if pattern in VALUE_FORMS else "text"


def _scalar(field: Schema) -> str:
    if field.get("pattern") in VALUE_FORMS:
        return VALUE_FORMS[field["pattern"]][0]
    if "format" in field:
        return _FORMATS[field["format"]]
    return _TYPES[field["type"]] if "type" in field else "anything"


def _bounded(text: str, field: Schema) -> str:
    bounds = [form.format(field[key]) for key, form in _BOUNDS.items() if key in field]
    return f"{text} ({' and '.join(bounds)})" if bounds else text


def _one_of(options: list[str]) -> str:
    options = list(dict.fromkeys(options))
    return " or ".join([", ".join(options[:-1]), options[-1]] if len(options) > 1 else options)
