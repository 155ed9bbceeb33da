"""The JSON Schemas: good schemas, in line with the records, open to keys of the user's own."""

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from mlgit.domain import codec
from mlgit.domain.records import KINDS
from mlgit.domain.records.base import Record
from mlgit.domain.schema import json_schema
from tests import samples

RECORDS = [
    samples.project(),
    samples.problem(),
    samples.dataset(),
    samples.model(),
    samples.version(),
    samples.policy(),
    samples.environment(),
    samples.promotion(),
    samples.gate_report(),
    samples.approval(),
    samples.roles(),
]


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
def test_is_a_schema_that_describes_every_field(kind: type[Record]) -> None:
    schema = json_schema(kind)
    Draft202012Validator.check_schema(schema)
    tag = kind.__struct_config__.tag
    assert schema["$id"] == f"urn:mlgit:schema:{tag}:1"
    assert schema["properties"]["kind"] == {"enum": [tag]}
    assert {"kind", "schema"} <= set(schema["required"])
    assert schema["description"]
    undescribed = [
        name
        for name, field in schema["properties"].items()
        if name not in {"kind", "schema"} and "description" not in field
    ]
    assert undescribed == []


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
def test_a_mapping_with_fixed_keys_is_open_to_own_keys_only(kind: type[Record]) -> None:
    schema = json_schema(kind)
    fixed = [part for part in (schema, *schema.get("$defs", {}).values()) if "properties" in part]
    assert fixed
    assert all(part["additionalProperties"] is False and part["patternProperties"] == {"^x-": {}} for part in fixed)


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: str(record.__struct_config__.tag))
def test_accepts_what_is_written_and_refuses_an_unknown_key(record: Record) -> None:
    validator: Any = Draft202012Validator(json_schema(type(record)))
    document = codec.to_mapping(record)
    assert list(validator.iter_errors(document)) == []
    assert validator.is_valid(document | {"x-own": {"any": "thing"}})
    assert not validator.is_valid(document | {"unknown": 1})
    assert not validator.is_valid(document | {"schema": 2})
    assert not validator.is_valid({key: value for key, value in document.items() if key != "kind"})
