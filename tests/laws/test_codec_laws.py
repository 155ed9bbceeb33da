"""Properties of the codec: reading returns what was written, and a digest changes exactly when the content does."""

import copy
import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import inspect

from mlgit.domain import codec, names
from mlgit.domain.names import VersionRef, new_promotion_id, proposed_at
from mlgit.domain.records import KINDS, Version
from mlgit.domain.records.base import Record
from mlgit.domain.records.gatereport import GATE_ID
from mlgit.edges.formats import jsonfile, yamlfile

KIND_NAMES = sorted(KINDS)
PATTERNS: dict[str, st.SearchStrategy[str]] = {
    names.NAME: st.sampled_from(["a", "churn", "late-arrival", "v1.2_x", "x-rays", "0"]),
    "Line": st.sampled_from(["x", "@acme/ml", "täglich", "a: b # c", "yes", "1.0", "x-pos", "it's", "~"]),
    "Digest": st.integers(0, 2**256 - 1).map(lambda number: f"sha256:{number:064x}"),
    "Md5": st.integers(0, 2**128 - 1).map(lambda number: f"{number:032x}"),
    "CommitId": st.integers(0, 2**160 - 1).map(lambda number: f"{number:040x}"),
    "BlobId": st.integers(0, 2**160 - 1).map(lambda number: f"{number:040x}"),
    "PromotionId": st.integers(0, 2**80 - 1).map(
        lambda chance: new_promotion_id(datetime(2026, 3, 4, tzinfo=UTC), chance)
    ),
    "RelativePath": st.sampled_from(["a", "src/", "out/model.skops", "a b/ü.csv"]),
    "FilePath": st.sampled_from(["a", "out/model.skops", "a b/ü.csv"]),
    "SettingsPath": st.sampled_from([".mlgit/authority.pem", ".mlgit/a/b"]),
    "Duration": st.sampled_from(["1m", "72h", "14d"]),
    "ClockTime": st.sampled_from(["00:00", "23:59"]),
}
FORMS: dict[str, st.SearchStrategy[str]] = {
    pattern: PATTERNS[name]
    for name in PATTERNS.keys() - {names.NAME, "ClockTime"}
    for meta in getattr(names, name).__metadata__
    if (pattern := meta.pattern) is not None
} | {
    names.NAME: PATTERNS[names.NAME],
    GATE_ID: st.sampled_from(["integrity", "exec:no-pii"]),
    r"^([01][0-9]|2[0-3]):[0-5][0-9]$(?!\n)": PATTERNS["ClockTime"],
}
TEXTS = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufeff\ufffe\uffff\u2028\u2029"), max_size=12
)
NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
ANYTHING = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "x-a", "depth"]) | TEXTS, inner, max_size=3)
    ),
    max_leaves=6,
)
MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis wants them bare


def values(kind: inspect.Type) -> st.SearchStrategy[Any]:  # noqa: C901, PLR0911, PLR0912 - one line a type
    """Return documents that a type accepts, in JSON's types."""
    match kind:
        case inspect.Metadata():
            return values(kind.type)
        case inspect.StructType():
            return structures(kind)
        case inspect.UnionType():
            return st.one_of([values(inner) for inner in kind.types])
        case inspect.ListType() | inspect.VarTupleType():
            return st.lists(values(kind.item_type), min_size=kind.min_length or 0, max_size=(kind.min_length or 0) + 2)
        case inspect.DictType():
            return st.dictionaries(
                values(kind.key_type), values(kind.value_type), min_size=kind.min_length or 0, max_size=3
            )
        case inspect.LiteralType():
            return st.sampled_from(kind.values)
        case inspect.StrType():
            least = kind.min_length or 0
            return FORMS[kind.pattern] if kind.pattern is not None else TEXTS.filter(lambda text: len(text) >= least)
        case inspect.IntType():
            return st.integers(0 if kind.ge is None else kind.ge, 100 if kind.le is None else min(kind.le, 10**6))
        case inspect.FloatType():
            low = next((bound for bound in (kind.gt, kind.ge) if bound is not None), -1e9)
            high = next((bound for bound in (kind.lt, kind.le) if bound is not None), 1e9)
            return st.floats(low, high, exclude_min=kind.gt is not None, exclude_max=kind.lt is not None)
        case inspect.BoolType():
            return st.booleans()
        case inspect.NoneType():
            return st.none()
        case inspect.DateType():
            return st.dates(date(2000, 1, 1), date(2100, 1, 1)).map(date.isoformat)
        case inspect.DateTimeType():
            return MOMENTS.map(lambda moment: moment.isoformat().replace("+00:00", "Z"))
        case inspect.AnyType():
            return ANYTHING
    raise AssertionError(kind)


def structures(kind: inspect.StructType) -> st.SearchStrategy[dict[str, Any]]:
    required = {field.encode_name: values(field.type) for field in kind.fields if field.required}
    if kind.tag_field is not None:
        required = {kind.tag_field: st.just(kind.tag)} | required
    optional = {field.encode_name: values(field.type) for field in kind.fields if not field.required}
    return st.fixed_dictionaries(required, optional=optional)


DOCUMENTS = {name: values(inspect.type_info(kind)) for name, kind in KINDS.items()}
every_kind = pytest.mark.parametrize("name", KIND_NAMES)


def record_of(name: str, document: dict[str, Any]) -> Record:
    return codec.from_mapping(KINDS[name], document)


def mixed(value: Any, chance: random.Random) -> Any:
    """Return the value with the keys of every mapping in some other order."""
    if isinstance(value, dict):
        items = [(key, mixed(inner, chance)) for key, inner in value.items()]
        chance.shuffle(items)
        return dict(items)
    return [mixed(inner, chance) for inner in value] if isinstance(value, list) else value


def places(value: Any, kind: inspect.Type) -> Iterator[tuple[dict[str, Any], inspect.StructType]]:
    """Yield every mapping with fixed keys in a document, with its type."""
    match kind:
        case inspect.Metadata():
            yield from places(value, kind.type)
        case inspect.StructType() if isinstance(value, dict):
            yield value, kind
            for field in kind.fields:
                if field.encode_name in value:
                    yield from places(value[field.encode_name], field.type)
        case inspect.DictType() if isinstance(value, dict):
            for inner in value.values():
                yield from places(inner, kind.value_type)
        case inspect.ListType() | inspect.VarTupleType() if isinstance(value, list):
            for inner in value:
                yield from places(inner, kind.item_type)
        case inspect.UnionType():
            for one in kind.types:
                bare = one.type if isinstance(one, inspect.Metadata) else one
                is_other = isinstance(bare, inspect.StructType) and bare.tag_field and value and isinstance(value, dict)
                if not is_other or value.get(bare.tag_field) == bare.tag:
                    yield from places(value, one)


def default_of(field: inspect.Field) -> Any:
    made = field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
    return copy.deepcopy(codec.to_mapping(made) if isinstance(made, msgspec.Struct) else msgspec.to_builtins(made))


def written(record: Record) -> str:
    return repr(in_order(codec.to_mapping(record)))


def in_order(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: in_order(value[key]) for key in sorted(value)}
    return [in_order(inner) for inner in value] if isinstance(value, list) else value


@every_kind
@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_round_trip(name: str, data: st.DataObject) -> None:
    record = record_of(name, data.draw(DOCUMENTS[name]))
    written = codec.to_json(record)
    assert jsonfile.read_written(written, KINDS[name]) == record
    assert record_of(name, jsonfile.parse(written, "a.json").value) == record
    assert record_of(name, codec.to_mapping(record)) == record
    assert record_of(name, yamlfile.parse(yamlfile.dump(codec.to_mapping(record)), "a.yaml").value) == record
    assert codec.to_json(msgspec.json.decode(written, type=KINDS[name])) == written


@every_kind
@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_the_digest_does_not_depend_on_the_written_form(name: str, data: st.DataObject) -> None:
    record = record_of(name, data.draw(DOCUMENTS[name]))
    digest = codec.digest(record)
    for again in (
        jsonfile.read_written(codec.to_json(record), KINDS[name]),
        record_of(name, codec.to_mapping(record)),
        record_of(name, yamlfile.parse(yamlfile.dump(codec.to_mapping(record)), "a.yaml").value),
        record_of(name, mixed(codec.to_mapping(record), random.Random(data.draw(st.integers(0, 9))))),
    ):
        assert again is not None
        assert codec.digest(again) == digest
    if isinstance(record, Version):
        assert codec.version_digest(record_of("version", codec.to_mapping(record))) == codec.version_digest(record)  # type: ignore[arg-type]


@every_kind
@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_the_digest_ignores_defaults_that_are_written_out(name: str, data: st.DataObject) -> None:
    document = data.draw(DOCUMENTS[name])
    full = copy.deepcopy(document)
    for mapping, kind in list(places(full, inspect.type_info(KINDS[name]))):
        for field in kind.fields:
            if not field.required:
                mapping.setdefault(field.encode_name, default_of(field))
    assert codec.digest(record_of(name, full)) == codec.digest(record_of(name, document))
    assert codec.to_mapping(record_of(name, full)) == codec.to_mapping(record_of(name, document))


@every_kind
@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_the_digest_ignores_extension_keys(name: str, data: st.DataObject) -> None:
    document = data.draw(DOCUMENTS[name])
    own = copy.deepcopy(document)
    for mapping, _ in list(places(own, inspect.type_info(KINDS[name]))):
        mapping[data.draw(st.sampled_from(["x-", "x-a", "x-name", "x-id"]))] = data.draw(ANYTHING)
    assert record_of(name, own) == record_of(name, document)


@every_kind
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_two_digests_are_the_same_exactly_for_the_same_content(name: str, data: st.DataObject) -> None:
    """One field is drawn again; equal records share a digest, and others do not."""
    document = data.draw(DOCUMENTS[name])
    changed = copy.deepcopy(document)
    filled = [place for place in places(changed, inspect.type_info(KINDS[name])) if place[1].fields]
    mapping, kind = data.draw(st.sampled_from(filled))
    field = data.draw(st.sampled_from(kind.fields))
    mapping[field.encode_name] = data.draw(values(field.type))
    one, other = record_of(name, document), record_of(name, changed)
    # The bytes tell 1 from 1.0 and -0.0 from 0.0, which Python's == does not.
    assert (codec.digest(one) == codec.digest(other)) == (written(one) == written(other))


VERSION_FIELDS = [field.name for field in msgspec.structs.fields(Version)]


@given(DOCUMENTS["version"], DOCUMENTS["version"])
@settings(max_examples=60, deadline=None)
def test_the_digest_of_a_version_ignores_only_number_and_digest(one: dict[str, Any], other: dict[str, Any]) -> None:
    version, another = codec.from_mapping(Version, one), codec.from_mapping(Version, other)
    identity = codec.version_digest(version)
    for field in VERSION_FIELDS:
        replaced = msgspec.structs.replace(version, **{field: getattr(another, field)})
        is_same = field in {"version", "digest"} or written(replaced) == written(version)
        assert (codec.version_digest(replaced) == identity) == is_same, field


@given(st.dictionaries(TEXTS, ANYTHING, max_size=4), st.integers(0, 9))
def test_the_canonical_form_does_not_depend_on_order(mapping: dict[str, Any], seed: int) -> None:
    assert codec.canonical(mixed(mapping, random.Random(seed))) == codec.canonical(mapping)


@given(ANYTHING, ANYTHING)
def test_different_content_has_different_canonical_forms(one: Any, other: Any) -> None:
    same = repr(in_order(one)) == repr(in_order(other))
    assert (codec.canonical(one) == codec.canonical(other)) == same


@given(MOMENTS, MOMENTS)
def test_promotion_ids_sort_by_their_time_and_carry_it(one: datetime, other: datetime) -> None:
    earlier, later = sorted([one, other])
    first, second = new_promotion_id(earlier), new_promotion_id(later)
    assert msgspec.convert(first, type=names.PromotionId) == first
    assert proposed_at(first) <= earlier < proposed_at(first) + timedelta(milliseconds=1)
    assert proposed_at(first) == earlier.replace(microsecond=earlier.microsecond // 1000 * 1000)
    if proposed_at(first) < proposed_at(second):
        assert first < second


@given(st.from_regex(r"[0-7][0-9A-HJKMNP-TV-Z]{25}", fullmatch=True))
def test_every_promotion_id_has_a_time(promotion: str) -> None:
    assert proposed_at(promotion).tzinfo is UTC


@given(st.sampled_from(["a", "late-arrival"]), st.integers(1, 999_999_999))
def test_version_reference_round_trip(model: str, number: int) -> None:
    ref = VersionRef(model, number)
    assert VersionRef.parse(str(ref)) == VersionRef.parse(f"{model}@v{number}") == ref
