"""What gives content its identity, in examples; `tests/laws/test_codec_laws.py` has what holds for all."""

import hashlib
import json
import math
from typing import Any

import msgspec
import pytest

from mlgit.domain import codec
from mlgit.domain.records import Dataset, Environment, Policy, Roles, Version
from mlgit.domain.records.base import Record
from tests import samples

POLICY = {"kind": "policy", "schema": 1, "name": "production", "gates": [{"id": "beats-champion"}]}
FULL_POLICY = {
    "schema": 1,
    "never_waivable": ["integrity", "immutability"],
    "max_gate_age": "".join(["1", "4d"]),
    "evidence": "sign" + "ed",
    "exclude": ["author", "committers", "trainer", "bots"],
    "approvals": {"promote": {"min": 1, "roles": {}}, "rollback": None},
    "gates": [{"id": "beats-champion", "metric": None, "margin": 0.0, "level": 0.95, "resamples": 1000}],
    "name": "production",
    "kind": "policy",
}
DATASET: dict[str, Any] = {
    "kind": "dataset",
    "schema": 1,
    "name": "scans",
    "owner": "@acme/data",
    "path": "scans.csv",
    "columns": {"x-ray": {"type": "string", "x-unit": "none"}, "y": {"type": "number"}},
}


def test_defaults_that_are_written_out_mean_nothing() -> None:
    assert codec.digest(codec.from_mapping(Policy, FULL_POLICY)) == codec.digest(codec.from_mapping(Policy, POLICY))
    assert codec.to_mapping(codec.from_mapping(Policy, FULL_POLICY)) == POLICY


def test_a_record_from_text_has_the_digest_of_one_from_code() -> None:
    head = b'{"kind":"policy","schema":1,"name":"production","gates":[{"id":"integrity"}]'
    text = head + b',"evidence":"signed","max_gate_age":"14d"}'
    assert codec.digest(msgspec.json.decode(text, type=Policy)) == codec.digest(samples.policy())


@pytest.mark.parametrize(
    ("kind", "document", "plain"),
    [
        (Policy, POLICY | {"x-why": "agreed in May"}, POLICY),
        (Policy, POLICY | {"gates": [{"id": "beats-champion", "x-why": {"id": "size"}}]}, POLICY),
        (Policy, POLICY | {"approvals": {"promote": {"x-why": 1}, "x-a": 2}}, POLICY),
        (
            Policy,
            POLICY
            | {
                "approvals": {
                    "promote": {"roles": {"risk": {"min": 2, "x-why": 1, "when": {"risk": "high", "x-a": 1}}}}
                }
            },
            POLICY | {"approvals": {"promote": {"roles": {"risk": {"min": 2, "when": {"risk": "high"}}}}}},
        ),
        (
            Environment,
            {
                "kind": "environment",
                "schema": 1,
                "name": "a",
                "policy": "b",
                "target": {"type": "directory", "path": "c", "x-a": 1},
            },
            {
                "kind": "environment",
                "schema": 1,
                "name": "a",
                "policy": "b",
                "target": {"type": "directory", "path": "c"},
            },
        ),
    ],
)
def test_own_keys_are_left_out_where_keys_are_fixed(
    kind: type[Record], document: dict[str, Any], plain: dict[str, Any]
) -> None:
    assert codec.to_mapping(codec.from_mapping(kind, document)) == codec.to_mapping(codec.from_mapping(kind, plain))


def test_names_that_begin_with_x_are_names() -> None:
    assert list(codec.from_mapping(Dataset, DATASET).columns) == ["x-ray", "y"]
    people = {"x-team": {"emails": ["x@acme.example"]}}
    assert list(codec.from_mapping(Roles, {"kind": "roles", "schema": 1, "people": people}).people) == ["x-team"]
    roles = {"promote": {"roles": {"x-risk": 1, "risk": 1}}}
    assert codec.from_mapping(Policy, POLICY | {"approvals": roles}).approvals.promote.roles == {"x-risk": 1, "risk": 1}


def test_parameters_are_kept_whatever_they_are_called() -> None:
    version = samples.version(
        inputs=msgspec.structs.replace(samples.version().inputs, params={"x-depth": 5, "inner": [{"x-a": 1}]})
    )
    read = codec.from_mapping(Version, codec.to_mapping(version))
    assert read == version
    assert read.inputs.params == {"x-depth": 5, "inner": [{"x-a": 1}]}
    assert codec.version_digest(read) == version.digest != samples.version().digest


def test_an_unknown_key_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match="margn"):
        codec.from_mapping(Policy, POLICY | {"gates": [{"id": "beats-champion", "margn": 1}]})


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"b": 1, "a": [2, {"d": None, "c": True}]}, b'{"a":[2,{"c":true,"d":null}],"b":1}'),
        ({"ä": "é\n"}, '{"ä":"é\\n"}'.encode()),
        (0.1, b"0.1"),
        (1e22, b"1e22"),
        (2**70, b"1180591620717411303424"),
        ((1, 2), b"[1,2]"),
    ],
)
def test_the_canonical_form_is_known_to_the_byte(value: Any, text: bytes) -> None:
    assert codec.canonical(value) == text


class Inner(msgspec.Struct, omit_defaults=True):
    """Has a default that a value can equal without being it."""

    name: str = "as stated"


class Whole(msgspec.Struct):
    """Leaves nothing out."""

    name: str = "as stated"
    flag: bool = False


class Holder(msgspec.Struct, omit_defaults=True):
    """Has only defaults that there is one of, and parts in many ways."""

    one: Inner | None = None
    many: list[Inner] = []
    named: dict[str, Inner] = {}
    whole: Whole | None = None


class Nested(msgspec.Struct, omit_defaults=True):
    holder: Holder


class Plain(msgspec.Struct, omit_defaults=True):
    """Has only defaults that there is one of."""

    words: list[str] = []
    more: dict[str, str] = {}
    flag: bool = True
    other: bool = False
    none: None = None


class Made(msgspec.Struct, omit_defaults=True):
    """Its default is made anew each time."""

    part: Plain = msgspec.field(default_factory=Plain)
    words: list[str] = msgspec.field(default_factory=lambda: ["a"])


EQUAL = Inner(name="".join(["as ", "stated"]))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (EQUAL, b"{}"),
        (Inner(name="other"), b'{"name":"other"}'),
        ({"a": EQUAL}, b'{"a":{}}'),
        ([EQUAL], b"[{}]"),
        (Holder(one=EQUAL), b'{"one":{}}'),
        (Holder(many=[EQUAL]), b'{"many":[{}]}'),
        (Holder(named={"a": EQUAL}), b'{"named":{"a":{}}}'),
        (Holder(many=[], named={}), b"{}"),
        (Holder(whole=Whole()), b'{"whole":{"flag":false,"name":"as stated"}}'),
        (Nested(holder=Holder(one=EQUAL)), b'{"holder":{"one":{}}}'),
        (Made(part=Plain(), words=["a"]), b"{}"),
        (Made(part=Plain(flag=False), words=[]), b'{"part":{"flag":false},"words":[]}'),
        (Whole(), b'{"flag":false,"name":"as stated"}'),
        (Plain(words=[], more={}, flag=True, other=False, none=None), b"{}"),
        (
            Plain(words=["a"], more={"a": "b"}, flag=False, other=True),
            b'{"flag":false,"more":{"a":"b"},"other":true,"words":["a"]}',
        ),
    ],
)
def test_what_equals_its_default_is_left_out_wherever_it_stands(value: Any, text: bytes) -> None:
    assert codec.canonical(value) == text


@pytest.mark.parametrize(
    ("one", "other"), [(1, 1.0), (1, True), (0, False), ("1", 1), (None, ""), ([], {}), ([1, 2], [2, 1])]
)
def test_what_is_of_another_type_or_order_is_another_content(one: Any, other: Any) -> None:
    assert codec.canonical({"params": one}) != codec.canonical({"params": other})


def test_whole_numbers_where_numbers_are_asked_for_are_numbers() -> None:
    baseline = {"method": "guess", "column": "hour", "threshold": 1}
    document = codec.to_mapping(samples.problem()) | {"baseline": baseline}
    as_float = document | {"baseline": baseline | {"threshold": 1.0}}
    kind = type(samples.problem())
    assert codec.digest(codec.from_mapping(kind, document)) == codec.digest(codec.from_mapping(kind, as_float))


def test_a_digest_is_that_of_bytes_that_anybody_can_make() -> None:
    """Digests are for ever: were the form to change, every version ever registered would look tampered with."""
    text = b'{"gates":[{"id":"beats-champion"}],"kind":"policy","name":"production","schema":1}'
    assert codec.digest(codec.from_mapping(Policy, FULL_POLICY)) == "sha256:" + hashlib.sha256(text).hexdigest()
    version = samples.version()
    document = {key: value for key, value in codec.to_mapping(version).items() if key not in {"digest", "version"}}
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    assert version.digest == "sha256:" + hashlib.sha256(text).hexdigest()


def test_a_digest_is_of_the_record_and_not_of_one_that_was_there_before() -> None:
    """Far more records than are remembered, each dropped at once, so that addresses come again."""
    for number in range(5000):
        text = f'{{"gates":[{{"id":"integrity"}}],"kind":"policy","name":"p{number}","schema":1}}'
        expected = "sha256:" + hashlib.sha256(text.encode()).hexdigest()
        assert codec.digest(samples.policy(name=f"p{number}")) == expected
    first, second = samples.version(1), samples.version(2)
    assert codec.digest(first) != codec.version_digest(first) != codec.version_digest(second)
    assert [codec.version_digest(one) for one in (first, second)] == [first.digest, second.digest]


def test_digests_of_parts_go_by_name() -> None:
    parts = {"b": None, "a": samples.sha(1)}
    assert codec.digest_of(parts) == codec.digest_of(dict(reversed(parts.items())))
    assert codec.digest_of(parts) != codec.digest_of({"a": None, "b": samples.sha(1)})


def test_a_label_is_no_part_of_the_identity_but_all_else_is() -> None:
    version = samples.version()
    assert codec.version_digest(msgspec.structs.replace(version, version=9, digest=samples.sha(9))) == version.digest
    assert codec.version_digest(msgspec.structs.replace(version, seed=8)) != version.digest


def test_what_mlgit_writes_is_indented_and_ends_in_one_newline() -> None:
    written = codec.to_json(samples.approval())
    assert written.startswith(b'{\n  "kind": "approval",\n  "schema": 1,\n  "promotion"')
    assert written.endswith(b"\n}\n")
    assert codec.sha256(b"") == "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_a_number_that_is_none_is_hashed_as_missing() -> None:
    assert codec.canonical({"value": math.nan}) == codec.canonical({"value": None})
