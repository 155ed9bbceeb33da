"""Explain a word of mlgit's: the id of a finding, a gate, or a kind of record."""

import difflib
import inspect
import json
from collections.abc import Callable, Collection, Iterator
from typing import Any, Final, Literal

import msgspec

from mlgit.domain import layout
from mlgit.domain.gates import REGISTRY
from mlgit.domain.records import KINDS
from mlgit.domain.schema import json_schema
from mlgit.errors import usage_error
from mlgit.ops.kernel.outcome import Outcome

Topic = Literal["finding", "gate", "record"]
Schema = dict[str, Any]

PLACES: Final = {kind: layout.path_template(kind) for kind in KINDS}
"""Where each kind of record lives; those on the ledger branch say so in `RECORD_KINDS`."""

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
        return Explanation(id=word, topic="gate", text=_doc(schema), fields=list(_fields(schema)))
    if word in KINDS:
        schema = json_schema(KINDS[word])
        return Explanation(
            id=word,
            topic="record",
            text=_doc(schema),
            place=PLACES[word],
            written_by=KINDS[word].written_by,
            fields=list(_fields(schema)),
        )
    near = difflib.get_close_matches(word, [*findings, *REGISTRY, *KINDS], n=1)
    raise usage_error(
        "topic-unknown",
        f"{word!r} is no finding, gate or kind of record",
        fix=f"did you mean {near[0]}?" if near else "`mlgit explain` lists all of them",
    )


def _fields(schema: Schema) -> Iterator[Field]:
    """Yield the keys of a mapping, each followed by those of the mappings that it holds; what occurs twice is told once."""
    definitions: Schema = schema.get("$defs", {})
    told: set[str] = set()

    def walk(mapping: Schema, prefix: str, without: str | None) -> Iterator[Field]:
        for name, field in mapping.get("properties", {}).items():
            if name == without:
                continue
            yield Field(
                name=f"{prefix}{name}",
                type=_type(field, definitions),
                default=None if name in mapping["required"] else json.dumps(field.get("default"), ensure_ascii=False),
                description=field.get("description", ""),
            )
            held = field.get("items") or field.get("additionalProperties") or field
            between = "." if held is field else "[]." if "items" in field else ".<name>."
            for reference in _held(held, in_list="items" in field):
                if reference not in told:
                    told.add(reference)
                    tag = held.get("discriminator", {}).get("propertyName")
                    yield from walk(definitions[reference], f"{prefix}{name}{between}", tag)

    return walk(schema, "", None)


def _held(held: Schema, *, in_list: bool) -> list[str]:
    """Return the mappings with fixed keys that a value can be; none for a list of alternatives, whose pages tell them."""
    if in_list and "anyOf" in held:
        return []
    return [part["$ref"].rpartition("/")[2] for part in (held, *held.get("anyOf", ())) if "$ref" in part]


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
