"""The fields of a structure, in words, from its JSON Schema."""

import inspect
import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from mlgit.domain import names

Schema = dict[str, Any]


class Field(NamedTuple):
    """A field as a row of a table: its value in words, and what holds where it is missing."""

    name: str
    value: str
    default: str
    meaning: str


def _pattern(alias: Any) -> str:
    return str(alias.__metadata__[0].pattern)


WORDS = {
    _pattern(names.Name): ("name", "lower-case letters and digits, in words joined by one `.`, `_` or `-`; at most 64"),
    _pattern(names.Line): ("line", "one line of text, at most 500 characters"),
    _pattern(names.RelativePath): ("path", "a path inside the repository, with forward slashes, without `..`"),
    _pattern(names.Duration): ("duration", "a whole number and `m`, `h`, `d` or `w`: `72h`, `14d`"),
    _pattern(names.Digest): ("digest", "`sha256:` and 64 hexadecimal digits"),
    _pattern(names.Md5): ("md5", "32 hexadecimal digits: the hash by which DVC finds data"),
    _pattern(names.CommitId): ("commit", "a whole Git commit id"),
    _pattern(names.BlobId): ("blob", "a Git blob id"),
    _pattern(names.PromotionId): (
        "promotion id",
        "a [ULID](https://github.com/ulid/spec): 26 letters and digits, sorted by time",
    ),
}
"""Word and form of each value that has a pattern with a name, by the pattern."""

_ALIASES: tuple[Any, ...] = (
    *(names.Name, names.Line, names.Text, names.RelativePath, names.Duration),
    *(names.Digest, names.Md5, names.CommitId, names.BlobId, names.PromotionId),
)
_GENERAL = {str(alias.__metadata__[0].description) for alias in _ALIASES}  # says nothing of the field itself
_TYPES = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "object": "mapping",
    "null": "null",
}
_FORMATS = {"date-time": "moment, with its zone", "date": "date"}
_BOUNDS = {
    "minimum": "at least {}",
    "exclusiveMinimum": "above {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "below {}",
    "minItems": "at least {} of them",
}


def schema_of(kind: type[msgspec.Struct]) -> tuple[Schema, dict[str, Schema]]:
    """Return the schema of a structure, and those of its parts by their names, in the order in which they are met."""
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
    """Return what a structure says of itself."""
    return inspect.cleandoc(schema.get("description", ""))


def anchor(heading: str) -> str:
    """Return the fragment that leads to a heading, as GitHub makes it."""
    return "".join(letter for letter in heading.lower().replace(" ", "-") if letter.isalnum() or letter in "-_")


def cell(text: str) -> str:
    """Return text that stays within a cell of a table."""
    return text.replace("|", "\\|").replace("\n", " ")


def _target(schema: Schema) -> str:
    return str(schema["$ref"]).rpartition("/")[2]


def _default(field: Schema) -> str:
    default = field.get("default")
    if default in (None, [], {}):
        return "nothing" if default is None else "empty" if default == [] else "its defaults"
    return f"`{json.dumps(default, ensure_ascii=False)}`" if not isinstance(default, str) else f"`{default}`"


def _value(field: Schema, parts: dict[str, Schema]) -> str:
    """Say in words what a value is; a part is a link to its heading on the same page."""
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
    kind, held = field.get("type"), field.get("additionalProperties")
    if kind == "array":
        return f"list of {_value(field.get('items') or {}, parts)}"
    if kind == "object" and isinstance(held, dict):
        return f"mapping of {_key(field)} to {_value(held, parts)}"
    return _scalar(field)


def _key(field: Schema) -> str:
    named = field.get("propertyNames", {}).get("pattern", "")
    return WORDS[named][0] if named in WORDS else "text"


def _scalar(field: Schema) -> str:
    if field.get("pattern") in WORDS:
        return WORDS[field["pattern"]][0]
    if "format" in field:
        return _FORMATS[field["format"]]
    return _TYPES[field["type"]] if "type" in field else "anything"


def _bounded(words: str, field: Schema) -> str:
    bounds = [form.format(field[key]) for key, form in _BOUNDS.items() if key in field]
    return f"{words} ({' and '.join(bounds)})" if bounds else words


def _one_of(words: list[str]) -> str:
    words = list(dict.fromkeys(words))
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
