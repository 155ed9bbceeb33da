"""Explain a finding, a family of findings, a gate, or a kind of record."""

import difflib
import inspect
import json
import re
import textwrap
from collections.abc import Callable, Collection, Iterator
from typing import Any, Final, Literal

import msgspec

from mlgit.domain import layout
from mlgit.domain.gates import REGISTRY
from mlgit.domain.records import KINDS
from mlgit.domain.schema import json_schema
from mlgit.errors import usage_error
from mlgit.explanations import FindingEntry, Index
from mlgit.ops.kernel.outcome import Outcome

Topic = Literal["finding", "family", "gate", "record"]
Schema = dict[str, Any]

RECORD_PATHS: Final = {kind: layout.path_template(kind) for kind in KINDS}
"""Path of each kind of record. `RECORD_KINDS` states which kinds are on the ledger branch."""

_TYPE_NAMES: Final = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "null": "null",
    "object": "mapping",
}


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """A key of a record, or a setting of a gate. `default` is JSON; None if the key is required."""

    name: str
    type: str
    default: str | None
    description: str


class Explanation(Outcome, frozen=True, kw_only=True, tag="mlgit/explain.v1"):
    """The explanation of a topic.

    `text` is Markdown for a finding or a family, and plain text for a gate or a record, which have `fields`. A record has the
    `path` of its file.
    """

    id: str
    topic: Topic
    text: str
    family: str | None = None
    path: str | None = None
    written_by: str | None = None
    written_with: str | None = None
    fields: list[Field] = []


class Topics(Outcome, frozen=True, kw_only=True, tag="mlgit/explain-list.v1"):
    """Every topic, with one line about it."""

    families: dict[str, str]
    findings: dict[str, str]
    gates: dict[str, str]
    records: dict[str, str]


def topics(index: Index) -> Topics:
    """Return every topic.

    Args:
        index: all findings and their families.
    """
    return Topics(
        families=index.families,
        findings={id_: _first_sentence(entry.meaning) for id_, entry in index.findings.items()},
        gates={name: gate.summary() for name, gate in REGISTRY.items()},
        records={kind: inspect.getdoc(record).splitlines()[0] for kind, record in KINDS.items()},  # type: ignore[union-attr]
    )


def run(topic: str, index: Index, page_of: Callable[[str], str]) -> Explanation:
    """Explain one topic.

    Args:
        topic: id of a finding, name of a family, id of a gate, or kind of a record.
        index: all findings and their families.
        page_of: returns the page of a family.

    Raises:
        UsageError: there is no such topic (`topic-unknown`); the fix suggests similar ones.
    """
    if (entry := index.findings.get(topic)) is not None:
        return Explanation(
            id=topic,
            topic="finding",
            text=_stub(topic, entry) + nested(page_of(entry.family)).strip(),
            family=entry.family,
        )
    if topic in index.families:
        return Explanation(id=topic, topic="family", text=page_of(topic).strip(), family=topic)
    if topic in REGISTRY:
        schema = json_schema(REGISTRY[topic])  # type: ignore[arg-type]  # any tagged structure has one
        return Explanation(id=topic, topic="gate", text=_doc(schema), fields=list(_fields(schema)))
    if topic in KINDS:
        schema = json_schema(KINDS[topic])
        return Explanation(
            id=topic,
            topic="record",
            text=_doc(schema),
            path=RECORD_PATHS[topic],
            written_by=KINDS[topic].written_by,
            written_with=KINDS[topic].written_with,
            fields=list(_fields(schema)),
        )
    similar = _similar(topic, [*KINDS, *REGISTRY, *index.families, *index.findings])
    raise usage_error(
        "topic-unknown",
        f"{topic!r} is not a finding, a family of findings, a gate or a kind of record",
        fix=f"did you mean {_alternatives(similar)}?" if similar else "`mlgit explain` lists all of them",
    )


def _stub(id_: str, entry: FindingEntry) -> str:
    meaning = textwrap.fill(entry.meaning, _WIDTH, break_long_words=False, break_on_hyphens=False)
    return f"# {id_}\n\n{meaning}\n\nMore about its family, `mlgit explain {entry.family}`:\n\n"


def nested(markdown: str) -> str:
    """Return Markdown with each heading one level deeper, to put below another heading; code blocks stay as they are."""
    parts = _FENCE.split(markdown)
    return "".join(part if _FENCE.match(part) else _HEADING.sub("#", part) for part in parts)


_FENCE: Final = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)
_HEADING: Final = re.compile(r"^(?=#)", re.MULTILINE)
_MAX_SUGGESTIONS: Final = 4
_WIDTH: Final = 110


def _similar(topic: str, names: Collection[str]) -> list[str]:
    """Return the names that begin with a topic; without any, the one with the most similar spelling."""
    matches = [name for name in names if name.startswith(topic)]
    return (matches or difflib.get_close_matches(topic, names, n=1))[:_MAX_SUGGESTIONS]


def _fields(schema: Schema) -> Iterator[Field]:
    """Yield the keys of a mapping, each followed by those of the mappings in its value; a repeated mapping only once."""
    definitions: Schema = schema.get("$defs", {})
    done: set[str] = set()

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
            value = field.get("items") or field.get("additionalProperties") or field
            separator = "." if value is field else "[]." if "items" in field else ".<name>."
            for reference in _mappings_in(value, in_list="items" in field):
                if reference not in done:
                    done.add(reference)
                    tag = value.get("discriminator", {}).get("propertyName")
                    yield from walk(definitions[reference], f"{prefix}{name}{separator}", tag)

    return walk(schema, "", None)


def _mappings_in(value: Schema, *, in_list: bool) -> list[str]:
    """Return the mappings with fixed keys that a value can be; none for a list of alternatives, which have own pages."""
    if in_list and "anyOf" in value:
        return []
    return [part["$ref"].rpartition("/")[2] for part in (value, *value.get("anyOf", ())) if "$ref" in part]


def _type(field: Schema, definitions: Schema) -> str:
    """Return the type of a value in words."""
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
    return _TYPE_NAMES.get(field.get("type", ""), "anything")


def _alternatives(words: list[str]) -> str:
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _doc(schema: Schema) -> str:
    return inspect.cleandoc(schema["description"])


def _first_sentence(text: str) -> str:
    return text.partition(". ")[0].rstrip(".") + "."
