"""Properties of documents: reading returns what was written, no input breaks the readers, and schema and reader agree."""

import contextlib
import copy
import functools
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from mlgit.domain import codec
from mlgit.domain.hidden import first_hidden
from mlgit.domain.records import KINDS
from mlgit.domain.schema import json_schema
from mlgit.edges.formats import cardfile, jsonfile, yamlfile
from mlgit.edges.formats.records import read_record
from mlgit.errors import MlgitError

TRICKY = [
    *("", " ", "\n", "a\n", "\na", "a\n\n", " a\nb", "a \nb", "a\n b\n", "a\tb\nc", "a\r\nb", "a\x85b", "a\u2028b\n"),
    *("\ufeffa", "\0", "\x7f", "\ufffe", "😀", "yes", "NO", "on", "y", "~", "null", "=", "012", "0o7", "0x1f", "1e3"),
    *(
        "1_0",
        "1:30",
        ".inf",
        "+.5",
        "2030-01-31",
        "-",
        "?",
        ":",
        "a: b",
        "a #b",
        "#a",
        "'",
        '"',
        "@a",
        "`a",
        "%a",
        "&a",
    ),
    *("*a", "!a", "|", ">", "[", "{", "<<", "<<<<<<< a", ">>>>>>> a", "=======", "---", "...", "a:", "- a"),
    *("a" * 200, "a b " * 100, "a\nb " * 100),
]
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30) | st.sampled_from(TRICKY)
numbers = st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)
mappings = st.dictionaries(texts, values, max_size=5)
fragments = st.lists(
    st.sampled_from(
        [
            *TRICKY,
            *(
                "a",
                "b",
                ": ",
                "- ",
                "\n",
                "\n  ",
                ",",
                "]",
                "}",
                "&a ",
                "*a",
                "!!x ",
                "\t",
                "1",
                "NaN",
                "---\n",
                '"a":',
                '"',
            ),
        ]
    ),
    max_size=30,
).map(lambda parts: "".join(parts).encode())


@given(mappings)
def test_yaml_round_trip(mapping: dict[str, Any]) -> None:
    written = yamlfile.dump(mapping)
    assert repr(yamlfile.parse(written, "a.yaml").value) == repr(
        mapping
    )  # repr tells 1 from 1.0 and True, and keeps the order
    assert written.endswith(b"\n")
    assert not written.endswith(b"\n\n")


@given(mappings)
def test_a_reader_of_yaml_1_1_reads_the_same(mapping: dict[str, Any]) -> None:
    assert repr(yaml.safe_load(yamlfile.dump(mapping))) == repr(mapping)


@given(mappings, st.booleans())
def test_json_round_trip(mapping: dict[str, Any], ascii_only: bool) -> None:
    text = json.dumps(mapping, ensure_ascii=ascii_only, indent=1).encode()
    if first_hidden(text) is not None:
        with pytest.raises(MlgitError, match="is not seen"):
            jsonfile.parse(text, "a.json")
    elif not any(line.startswith((b"<<<<<<<", b">>>>>>>")) for line in text.split(b"\n")):
        assert repr(jsonfile.parse(text, "a.json").value) == repr(mapping)


@given(mappings)
def test_both_formats_have_the_line_of_every_value(mapping: dict[str, Any]) -> None:
    text = json.dumps(mapping, indent=0).encode()
    document = jsonfile.parse(text, "a.json")
    lines = [document.line_of(path) for path in paths_of(mapping)]
    assert lines == sorted(set(lines))
    written = yamlfile.dump(mapping)
    found = [yamlfile.parse(written, "a.yaml").line_of(path) for path in paths_of(mapping)]
    assert found == sorted(found)
    assert not found or 1 <= found[0] <= found[-1] <= written.count(b"\n")


@pytest.mark.parametrize("parse", [yamlfile.parse, jsonfile.parse, cardfile.parse])
@given(text=st.binary() | fragments | fragments.map(lambda text: b"---\n" + text + b"\n---\n" + text))
def test_any_bytes_are_read_or_refused(parse: Callable[[bytes, str], Any], text: bytes) -> None:
    with contextlib.suppress(MlgitError):
        assert parse(text, "a")


@given(st.sampled_from(["problems/a.yaml", "models/a/versions/v1/version.json", "holds/a.yaml"]), fragments)
@settings(deadline=None)  # the first example imports jsonschema
def test_any_content_is_a_record_or_refused(file: str, text: bytes) -> None:
    with contextlib.suppress(MlgitError):
        assert read_record(file, b"kind: problem\nschema: 1\n" + text)


NAMES = st.sampled_from(["a", "churn", "late-arrival", "v1.2_x"])
WORDS = st.sampled_from(["some words", "@acme/ml", "x", "täglich"])
DIGESTS = st.just("sha256:" + "0f" * 32)
ULIDS = st.just("01JD8ZK3M90000000000000000")
RISKS = st.sampled_from(["low", "medium", "high"])
PINS = st.fixed_dictionaries({"version": st.integers(1, 99), "digest": DIGESTS})

PROBLEMS = st.fixed_dictionaries(
    {
        "kind": st.just("problem"),
        "schema": st.just(1),
        "name": NAMES,
        "owner": WORDS,
        "decision": st.fixed_dictionaries(
            {"action": WORDS}, optional={"human_in_loop": st.booleans(), "why_ml": WORDS}
        ),
        "target": st.fixed_dictionaries(
            {"column": WORDS, "type": st.sampled_from(["binary", "regression"])},
            optional={"positive": st.booleans() | WORDS | st.integers()},
        ),
        "metric": st.fixed_dictionaries({"primary": NAMES}, optional={"slices": st.lists(WORDS, max_size=2)}),
    },
    optional={
        "risk": RISKS,
        "baseline": st.fixed_dictionaries({"method": WORDS, "column": WORDS | st.none()}) | st.none(),
    },
)
GATES = st.one_of(
    st.fixed_dictionaries({"id": st.sampled_from(["integrity", "immutability", "data-contract", "card-complete"])}),
    st.fixed_dictionaries({"id": st.just("threshold"), "metric": NAMES}, optional={"min": st.floats(0.1, 0.9)}),
    st.fixed_dictionaries(
        {"id": st.just("beats-champion")}, optional={"margin": st.floats(0.1, 0.9), "resamples": st.just(500)}
    ),
    st.fixed_dictionaries(
        {"id": st.just("slice-harm")}, optional={"min_rows": st.integers(2, 9), "strict": st.booleans()}
    ),
)
RULES = st.fixed_dictionaries(
    {},
    optional={
        "min": st.integers(0, 3),
        "roles": st.dictionaries(
            NAMES,
            st.integers(1, 3)
            | st.fixed_dictionaries(
                {}, optional={"min": st.integers(1, 3), "when": st.fixed_dictionaries({"risk": RISKS}) | st.none()}
            ),
            max_size=2,
        ),
    },
)
POLICIES = st.fixed_dictionaries(
    {"kind": st.just("policy"), "schema": st.just(1), "name": NAMES, "gates": st.lists(GATES, min_size=1, max_size=3)},
    optional={
        "approvals": st.fixed_dictionaries({}, optional={"promote": RULES, "rollback": RULES | st.none()}),
        "exclude": st.lists(st.sampled_from(["author", "bots"]), max_size=2),
        "evidence": st.sampled_from(["none", "forge", "signed"]),
        "max_gate_age": st.sampled_from(["14d", "1h"]),
    },
)
SLOTS = st.fixed_dictionaries(
    {"version": st.integers(1, 99), "digest": DIGESTS}, optional={"traffic": st.integers(0, 100)}
)
PROMOTIONS = st.fixed_dictionaries(
    {
        "promotion": ULIDS,
        "kind": st.just("promotion"),
        "schema": st.just(1),
        "environment": NAMES,
        "model": NAMES,
        "change": st.sampled_from(["promote", "rollback", "ramp", "retire"]),
        "slots": st.fixed_dictionaries({"champion": SLOTS | st.none()}, optional={"shadow": SLOTS | st.none()}),
        "replaces": st.fixed_dictionaries({"promotion": ULIDS, "digest": DIGESTS}) | st.none(),
        "baseline": PINS | st.none(),
        "gates": st.fixed_dictionaries({"report": st.just("a/b.json"), "digest": DIGESTS}) | st.none(),
        "policy": st.fixed_dictionaries({"name": NAMES, "digest": DIGESTS}),
    },
    optional={
        "reason": WORDS | st.none(),
        "ticket": WORDS,
        "ramp": st.fixed_dictionaries(
            {"steps": st.lists(st.integers(1, 100), min_size=1, max_size=3), "interval": st.just("24h")}
        ),
    },
)
# No whole number with a point: JSON Schema counts 1.0 as an integer, the reader does not.
OTHERS = st.sampled_from(
    [
        *(None, True, False, 0, 1, 2, -1, 101, 10**20, 0.5, -0.5),
        *("", "x", "X y", "a\n", "a\tb", "yes", "14d", "a" * 501, "../a", "high", "binary", "policy"),
        *([], {}, ["x"], ["x", 1], {"x": 1}, {"id": "size"}, {"min": 1}, [{"id": "latency", "max_ms": 5}]),
    ]
)


def paths_of(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the path of every key and item, in the order of the text."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        yield (*path, key)
        yield from paths_of(item, (*path, key))


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """A problem, policy or promotion with up to three changes that may or may not matter."""
    document: dict[str, Any] = copy.deepcopy(draw(PROBLEMS | POLICIES | PROMOTIONS))
    for _ in range(draw(st.integers(0, 3))):
        if not (paths := list(paths_of(document))):
            break
        *parents, last = draw(st.sampled_from(paths))
        holder: Any = document
        for key in parents:
            holder = holder[key]
        match draw(st.sampled_from(["replace", "remove", "add", "own"])):
            case "replace":
                holder[last] = copy.deepcopy(draw(OTHERS))
            case "remove":
                del holder[last]
            case "add" if isinstance(holder, dict):
                holder[draw(st.sampled_from(["margn", "Bad Name", "min", "when", "positive"]))] = copy.deepcopy(
                    draw(OTHERS)
                )
            case "own" if isinstance(holder, dict):  # the keys of roles are names
                holder["x-own"] = copy.deepcopy(draw(OTHERS))
    return document


FILES = {"problem": "problems/a.yaml", "policy": "policies/a.yaml", "promotion": "environments/a/a.yaml"}


def is_read(kind: str, document: dict[str, Any]) -> bool:
    """Return whether the reader accepts a document, whatever its path."""
    try:
        read_record(FILES[kind], yamlfile.dump(document))
    except MlgitError as error:
        return {finding.id for finding in error.findings} == {"path-mismatch"}
    return True


@functools.cache
def schema_of(kind: str) -> Draft202012Validator:
    return Draft202012Validator(json_schema(KINDS[kind]))


@given(documents(), st.sampled_from(sorted(FILES)))
@settings(max_examples=300, deadline=None)  # the first example imports jsonschema
def test_a_document_is_a_record_exactly_when_its_schema_accepts_it(document: dict[str, Any], other: str) -> None:
    own = document.get("kind")
    for kind in {other, own if isinstance(own, str) and own in FILES else other}:
        assert is_read(kind, document) == schema_of(kind).is_valid(document)


@given(PROBLEMS | POLICIES | PROMOTIONS)
def test_a_record_is_the_same_after_either_format(document: dict[str, Any]) -> None:
    kind = KINDS[document["kind"]]
    record = codec.from_mapping(kind, document)
    written = yamlfile.dump(codec.to_mapping(record))
    assert codec.from_mapping(kind, yamlfile.parse(written, "a.yaml").value) == record
    assert jsonfile.read_written(codec.to_json(record), kind) == record
