"""Explain a word of mlgit's: the id of a finding, a gate, or a kind of record."""

import difflib
import inspect
import json
from collections.abc import Callable, Collection, Iterator
from typing import Any, Final, Literal

import msgspec

from mlgit.domain.gates import REGISTRY
from mlgit.domain.records import KINDS
from mlgit.domain.schema import json_schema
from mlgit.errors import misuse
from mlgit.ops.outcome import Outcome

Topic = Literal["finding", "gate", "record"]
Schema = dict[str, Any]

PLACES: Final = {
    "project": "mlgit.yaml",
    "problem": "problems/<problem>.yaml",
    "dataset": "datasets/<dataset>/dataset.yaml",
    "model": "models/<model>/model.yaml",
    "version": "models/<model>/versions/v<N>/version.json",
    "gate-report": "models/<model>/versions/v<N>/gates/<promotion>.json",
    "policy": "policies/<policy>.yaml",
    "environment": "environments/<environment>/environment.yaml",
    "promotion": "environments/<environment>/<model>.yaml",
    "roles": ".mlgit/roles.yaml",
    "hold": "holds/<name>.yaml",
    "override": "overrides/<name>.yaml",
    "retirement": "retirements/<model>/v<N>.yaml",
    "approval": "approvals/<promotion>/<name>.json",
    "decision": "decisions/<promotion>.json",
    "deployment": "deployments/<environment>/<model>/<N>.json",
}
"""Where each kind of record lives; the last three on the branch `mlgit-ledger`."""

_WORDS: Final = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "null": "null",
    "object": "mapping",
}


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """A key of a record, or a setting of a gate. `default` is JSON; None where the key has to be there."""

    name: str
    type: str
    default: str | None
    description: str


class Explanation(Outcome, frozen=True, kw_only=True, tag="mlgit/explain.v1"):
    """What a word means: Markdown for a finding, else text and fields, and for a record the place of the file."""

    id: str
    topic: Topic
    text: str
    place: str | None = None
    written_by: str | None = None
    fields: list[Field] = []


class Topics(Outcome, frozen=True, kw_only=True, tag="mlgit/explain-list.v1"):
    """All that can be explained, with a line for each."""

    findings: dict[str, str]
    gates: dict[str, str]
    records: dict[str, str]


def topics(findings: Collection[str], text_of: Callable[[str], str]) -> Topics:
    """List everything that can be explained.

    Args:
        findings: ids of findings.
        text_of: gives the explanation of one.
    """
    return Topics(
        findings={found: _first_sentence(text_of(found)) for found in findings},
        gates={name: gate.summary() for name, gate in REGISTRY.items()},
        records={kind: inspect.getdoc(record).splitlines()[0] for kind, record in KINDS.items()},  # type: ignore[union-attr]
    )


def run(word: str, findings: Collection[str], text_of: Callable[[str], str]) -> Explanation:
    """Explain one word.

    Raises:
        Misuse: it is none of mlgit's; names the nearest one.
    """
    if word in findings:
        return Explanation(id=word, topic="finding", text=text_of(word).strip())
    if word in REGISTRY:
        schema = json_schema(REGISTRY[word])  # type: ignore[arg-type]  # any tagged structure has one
        return Explanation(
            id=word, topic="gate", text=_doc(schema), fields=list(_fields(schema, schema.get("$defs", {})))
        )
    if word in KINDS:
        schema = json_schema(KINDS[word])
        return Explanation(
            id=word,
            topic="record",
            text=_doc(schema),
            place=PLACES[word],
            written_by=KINDS[word].written_by,
            fields=list(_fields(schema, schema.get("$defs", {}))),
        )
    near = difflib.get_close_matches(word, [*findings, *REGISTRY, *KINDS], n=1)
    raise misuse(
        "word-unknown",
        f"{word!r} is no finding, gate or kind of record",
        fix=f"did you mean {near[0]}?" if near else "`mlgit explain` lists all of them",
    )


def _fields(schema: Schema, definitions: Schema, prefix: str = "") -> Iterator[Field]:
    """Yield the keys of a mapping, each followed by those of the mapping that it holds."""
    for name, field in schema.get("properties", {}).items():
        path = f"{prefix}{name}"
        required = name in schema.get("required", ())
        yield Field(
            name=path,
            type=_type(field, definitions),
            default=None if required else json.dumps(field.get("default"), ensure_ascii=False),
            description=field.get("description", ""),
        )
        for inner in _inner(field, definitions):
            suffix = "[]." if field.get("type") == "array" else ".<name>." if "additionalProperties" in field else "."
            yield from _fields(inner, definitions, path + suffix)


def _inner(field: Schema, definitions: Schema) -> list[Schema]:
    """Return the mappings with fixed keys that a field holds; of a list of alternatives none, each has a page of its own."""
    held = field.get("items") or field.get("additionalProperties") or field
    if not isinstance(held, dict) or (held is not field and "anyOf" in held):
        return []
    references = [part["$ref"] for part in (held, *held.get("anyOf", ())) if "$ref" in part]
    return [definitions[reference.rpartition("/")[2]] for reference in references]


def _type(field: Schema, definitions: Schema) -> str:
    """Say in words what a value is."""
    if "$ref" in field:
        return _type(definitions[field["$ref"].rpartition("/")[2]], definitions)
    if "discriminator" in field:
        tag = field["discriminator"]
        return f"mapping whose {tag['propertyName']} is {_alternatives(list(tag['mapping']))}"
    if "anyOf" in field:
        return _alternatives(list(dict.fromkeys(_type(part, definitions) for part in field["anyOf"])))
    if "enum" in field:
        return _alternatives([value if isinstance(value, str) else json.dumps(value) for value in field["enum"]])
    if field.get("type") == "array":
        return f"list of {_type(field.get('items') or {}, definitions)}"
    return _WORDS.get(field.get("type", ""), "anything")


def _alternatives(words: list[str]) -> str:
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _doc(schema: Schema) -> str:
    return inspect.cleandoc(schema["description"])


def _first_sentence(markdown: str) -> str:
    """Return the first sentence below the title."""
    paragraph = markdown.split("\n\n")[1].replace("\n", " ")
    return paragraph.partition(". ")[0].rstrip(".") + "."
