"""Record class -> JSON Schema (2020-12), through msgspec."""

from typing import Any

import msgspec

from mlgit.domain.records.base import Record


def json_schema(kind: type[Record]) -> dict[str, Any]:
    """Return the JSON Schema of a kind of record, as editors and `mlgit schema` use it.

    Keys that begin with `x-` are allowed in every mapping that has fixed keys: they are the user's own.
    """
    (root,), components = msgspec.json.schema_components([kind], ref_template="#/$defs/{name}")
    definitions = {name: _open_to_x_keys(schema) for name, schema in components.items()}
    name = root["$ref"].removeprefix("#/$defs/")
    body = definitions.pop(name)
    tag = str(kind.__struct_config__.tag)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:mlgit:schema:{tag}:1",
        **body,
        **({"$defs": definitions} if definitions else {}),
    }


def _open_to_x_keys(schema: dict[str, Any]) -> dict[str, Any]:
    if schema.get("additionalProperties") is False:
        return schema | {"patternProperties": {"^x-": {}}}
    return schema
