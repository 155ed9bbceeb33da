"""A contract is drafted from a table, and a table is held against a contract."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from tempfile import TemporaryFile
from typing import Any

import msgspec
import pyarrow as pa
import pytest

from mlgit.domain.records.dataset import ColumnRule, CsvFormat
from mlgit.domain.results import ContractViolation
from mlgit.ml import contract
from mlgit.ml.draft import draft
from mlgit.ml.source import MemorySource

NOW = datetime(2026, 6, 30, 12, tzinfo=UTC)


def in_batches(columns: dict[str, Any], csv: CsvFormat | None = None) -> MemorySource:
    """A table that is read two rows at a time."""
    arrays = {name: pa.array(values, None if csv is None else pa.string()) for name, values in columns.items()}
    return MemorySource(pa.table(arrays), csv=csv, batch_rows=2)


def draft_rules(columns: dict[str, Any], csv: CsvFormat | None = None) -> dict[str, ColumnRule]:
    return draft(in_batches(columns, csv), TemporaryFile).rules


def check_table(columns: dict[str, Any], rules: dict[str, ColumnRule], **settings: Any) -> list[ContractViolation]:
    source = in_batches(columns, settings.pop("csv", None))
    return contract.check_table(source, rules, spill=TemporaryFile, **settings).violations


@pytest.mark.parametrize(
    ("values", "facts"),
    [
        ([3, 1, 2], ColumnRule(type="integer", min=1, max=3, nullable=False, unique=True)),
        ([3, 3, 2], ColumnRule(type="integer", min=2, max=3, nullable=False, unique=False)),
        ([3.0, None, 2.0], ColumnRule(type="number", min=2, max=3, nullable=True, unique=False)),
        ([3, None, 2], ColumnRule(type="integer", min=2, max=3, nullable=True, unique=True)),
        ([3.0, 1.0], ColumnRule(type="number", min=1, max=3, nullable=False, unique=False)),
        ([0.5, None], ColumnRule(type="number", min=0.5, max=0.5, nullable=True, unique=False)),
        ([Decimal("0.5")], ColumnRule(type="number", min=0.5, max=0.5, nullable=False, unique=False)),
        ([True, False], ColumnRule(type="boolean", nullable=False, unique=False)),
        ([True, None], ColumnRule(type="boolean", nullable=True, unique=False)),
        (["AA", "UA"] * 5, ColumnRule(type="string", in_=["AA", "UA"], nullable=False, unique=False)),
        (["AA", "UA"] * 4, ColumnRule(type="string", nullable=False, unique=False)),
        (["a1", "a2"], ColumnRule(type="string", nullable=False, unique=True)),
        (["2026-01-31", "2026-02-28"], ColumnRule(type="date", nullable=False, unique=False)),
        (["2026-01-31", "2026-02-30"], ColumnRule(type="string", nullable=False, unique=True)),
        ([date(2026, 1, 31), None], ColumnRule(type="date", nullable=True, unique=False)),
        (["2026-01-31T10:00:00Z"], ColumnRule(type="datetime", nullable=False, unique=False)),
        ([datetime(2026, 1, 31, 10, tzinfo=UTC)], ColumnRule(type="datetime", nullable=False, unique=False)),
        ([datetime(2026, 1, 31, tzinfo=UTC)], ColumnRule(type="datetime", nullable=False, unique=False)),
        ([None, None], ColumnRule(type="unknown")),
        (pa.nulls(2, pa.float64()), ColumnRule(type="number")),
        (pa.nulls(0, pa.int32()), ColumnRule(type="integer")),
        (
            pa.array(["x", "y"] * 5).dictionary_encode(),
            ColumnRule(type="string", in_=["x", "y"], nullable=False, unique=False),
        ),
    ],
)
def test_a_column_is_described(values: Any, facts: ColumnRule) -> None:
    assert draft_rules({"column": values}) == {"column": facts}


@pytest.mark.parametrize("values", [[[1], [2]], [b"a", b"b"], [1.5, float("inf")]])
def test_a_column_without_a_type_cannot_be_described(values: list[Any]) -> None:
    with pytest.raises(ValueError, match=r"column 'column' has .* which contracts do not have"):
        draft_rules({"column": values})


def test_facts_are_written_in_the_words_of_a_contract() -> None:
    (facts,) = draft_rules({"hour": [0, 23]}).values()
    assert msgspec.json.encode(facts) == b'{"type":"integer","nullable":false,"unique":true,"min":0,"max":23}'


def violation(
    rule: Any, count: int, rows: int, examples: list[str], message: str, column: str | None = "x"
) -> ContractViolation:
    return ContractViolation(rule=rule, column=column, count=count, rows=rows, examples=examples, message=message)


TYPES = {
    "integer": ([1, -2], [1.0, 2.0]),
    "number": ([1, 2], [0.5, None]),
    "string": (["a", "2026-01-01"], ["b", None]),
    "boolean": ([True, False], [True, None]),
    "date": (["2026-01-31", None], [date(2026, 1, 31)], [datetime(2026, 1, 31)]),  # noqa: DTZ001
    "datetime": (["2026-01-31 10:00", "2026-01-31T10:00:00+02:00"], [datetime(2026, 1, 31, 10)]),  # noqa: DTZ001
}


@pytest.mark.parametrize(("kind", "values"), [(kind, values) for kind, lists in TYPES.items() for values in lists])
def test_values_of_the_type_are_accepted(kind: Any, values: list[Any]) -> None:
    assert check_table({"x": values}, {"x": ColumnRule(type=kind)}, now=NOW) == []


@pytest.mark.parametrize(
    ("kind", "values", "examples"),
    [
        ("integer", [1.5, 2, 2.5, 1.5], ["1.5", "2.5"]),
        ("integer", [True, False], ["True", "False"]),
        ("integer", ["1", "2"], ["1", "2"]),
        ("number", [1.0, float("inf")], ["inf"]),
        ("number", ["a", "b", "c", "d"], ["a", "b", "c"]),
        ("string", [1, 2], ["1", "2"]),
        ("boolean", [0, 1], ["0", "1"]),
        ("boolean", ["true"], ["true"]),
        ("date", ["2026-02-30", "2026-01-01"], ["2026-02-30"]),
        ("date", ["01.02.2026", "2026-01-01T10:00"], ["01.02.2026", "2026-01-01T10:00"]),
        ("date", [datetime(2026, 1, 31, 10)], ["2026-01-31 10:00:00"]),  # noqa: DTZ001
        ("date", [20260131], ["20260131"]),
        ("datetime", ["2026-01-01", "2026-01-01T25:00"], ["2026-01-01", "2026-01-01T25:00"]),
        ("datetime", [1.5], ["1.5"]),
    ],
)
def test_values_of_another_type_are_found(kind: Any, values: list[Any], examples: list[str]) -> None:
    (found,) = check_table({"x": values}, {"x": ColumnRule(type=kind)}, now=NOW)
    assert (found.rule, found.column, found.rows, found.examples) == ("type", "x", len(values), examples)
    assert found.message == f"x: {found.count} of {len(values)} values are not of type {kind}"


@pytest.mark.parametrize(
    ("values", "rule", "expected"),
    [
        (
            [1, 2, 30, 31, 30, 32, 33],
            ColumnRule(type="integer", max=23),
            [violation("range", 5, 7, ["30", "31", "32"], "x: 5 of 7 values are above 23")],
        ),
        (
            [-0.5, 0, 1.5],
            ColumnRule(type="number", min=0, max=1),
            [
                violation("range", 1, 3, ["-0.5"], "x: 1 of 3 values are below 0"),
                violation("range", 1, 3, ["1.5"], "x: 1 of 3 values are above 1"),
            ],
        ),
        (["a", "b"], ColumnRule(type="integer", min=0, in_=[1]), ["type"]),
        (
            ["AA", "ZZ", None],
            ColumnRule(type="string", in_=["AA", "UA"], nullable=False),
            [
                violation("null", 1, 3, [], "x: 1 of 3 values are missing"),
                violation("not-allowed", 1, 3, ["ZZ"], "x: 1 of 3 values are not among the 2 allowed"),
            ],
        ),
        ([1.0, None, 3.0], ColumnRule(type="integer", in_=[1, 2]), ["not-allowed"]),
        ([True, False], ColumnRule(type="boolean", in_=[True]), ["not-allowed"]),
        ([date(2026, 1, 1), date(2026, 1, 2)], ColumnRule(type="date", in_=["2026-01-01"]), ["not-allowed"]),
        (["2026-01-01"], ColumnRule(type="date", in_=["2026-01-01"]), []),
        (
            ["AB12", "AB1", "xAB12", "AB12\n"],
            ColumnRule(type="string", pattern="AB[0-9]{2}"),
            [violation("pattern", 3, 4, ["AB1", "xAB12", "AB12\n"], "x: 3 of 4 values do not match AB[0-9]{2}")],
        ),
        (
            [7, 8, 7, 7, None, None],
            ColumnRule(type="integer", unique=True),
            [violation("duplicate", 2, 6, ["7"], "2 of 6 rows repeat the x of an earlier one")],
        ),
        ([], ColumnRule(type="integer", nullable=False, min=0, unique=True, in_=[1]), []),
    ],
)
def test_values_are_held_against_their_rule(values: list[Any], rule: ColumnRule, expected: list[Any]) -> None:
    found = check_table({"x": values}, {"x": rule}, now=NOW)
    assert [
        one.rule if isinstance(wanted, str) else one for one, wanted in zip(found, expected, strict=True)
    ] == expected


def test_columns_must_be_those_of_the_contract() -> None:
    rules = {"x": ColumnRule(type="integer"), "y": ColumnRule(type="integer")}
    assert check_table({"x": [1, 2], "z": [1, 2]}, rules, keys=["id", "x"], freshness_column="at", now=NOW) == [
        violation("column-missing", 2, 2, [], "there is no column 'y'", "y"),
        violation("column-missing", 2, 2, [], "there is no column 'id'", "id"),
        violation("column-missing", 2, 2, [], "there is no column 'at'", "at"),
        violation("column-extra", 2, 2, [], "the contract has no column 'z'", "z"),
    ]


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({"rows_min": 3, "rows_max": 3}, []),
        ({"rows_min": 1000}, [violation("too-few-rows", 3, 3, [], "3 rows, at least 1,000 required", None)]),
        ({"rows_max": 2}, [violation("too-many-rows", 3, 3, [], "3 rows, at most 2 allowed", None)]),
    ],
)
def test_rows_are_counted(limits: dict[str, int], expected: list[ContractViolation]) -> None:
    assert check_table({"x": [1, 2, 3]}, {"x": ColumnRule(type="integer")}, now=NOW, **limits) == expected  # type: ignore[arg-type]


FLIGHTS = {"day": ColumnRule(type="string"), "no": ColumnRule(type="integer", unique=False)}


def test_keys_name_each_row_once() -> None:
    frame = {"day": ["mo", "mo", "tu", "mo", "mo"], "no": [1, 2, 1, 1, 1]}
    assert check_table(frame, FLIGHTS, keys=["day", "no"], now=NOW) == [
        violation("duplicate", 2, 5, ["mo/1"], "2 of 5 rows repeat the day, no of an earlier one", None)
    ]


def test_keys_are_never_missing() -> None:
    frame = {"day": ["mo", None, None], "no": [1, 2, 2]}
    assert check_table(frame, FLIGHTS, keys=["day", "no"], now=NOW) == [
        violation("null", 2, 3, [], "day: 2 of 3 values are missing", "day")
    ]


def test_a_unique_key_is_reported_once() -> None:
    rules = {"x": ColumnRule(type="integer", unique=True)}
    assert [found.rule for found in check_table({"x": [1, 1]}, rules, keys=["x"], now=NOW)] == ["duplicate"]


def ago(**age: float) -> datetime:
    return NOW - timedelta(**age)


@pytest.mark.parametrize(
    ("times", "message"),
    [
        ([ago(days=30), ago(days=6)], None),
        ([ago(days=7)], None),
        ([ago(days=30), ago(days=9)], "the newest 'at' is 9.0 days old, 7.0 allowed"),
        ([ago(days=9), ago(days=-3650)], "the newest 'at' is 9.0 days old, 7.0 allowed"),
        ([ago(days=-1)], "'at' has no time up to 2026-06-30T12:00:00+00:00"),
        ([None, None], "'at' has no time up to 2026-06-30T12:00:00+00:00"),
        (["2026-06-29", "2026-01-01"], None),
        ([date(2026, 6, 21)], "the newest 'at' is 9.5 days old, 7.0 allowed"),
        (["2026-06-23T14:00:00+02:00"], None),
        (["2026-06-23T13:59:00+02:00"], "the newest 'at' is 7.0 days old, 7.0 allowed"),
        ([1e18], "'at' has no time up to 2026-06-30T12:00:00+00:00"),
    ],
)
def test_data_is_fresh(times: list[Any], message: str | None) -> None:
    found = check_table(
        {"at": times},
        {"at": ColumnRule(type="datetime")},
        freshness_column="at",
        max_age_seconds=7 * 86_400,
        now=NOW,
    )
    stale = [one for one in found if one.rule == "stale"]
    assert [one.message for one in stale] == ([] if message is None else [message])


def test_long_values_are_cut() -> None:
    (found,) = check_table({"x": ["a" * 500]}, {"x": ColumnRule(type="integer")}, now=NOW)
    assert found.examples == ["a" * 80]


def test_a_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        check_table({}, {}, now=datetime(2026, 1, 1))  # noqa: DTZ001


def test_a_bad_pattern_is_refused() -> None:
    with pytest.raises(ValueError, match="the pattern of column 'x' is not a regular expression"):
        check_table({"x": ["a"]}, {"x": ColumnRule(type="string", pattern="(")}, now=NOW)


CSV = CsvFormat()
COMMA = CsvFormat(delimiter=";", decimal=",")


@pytest.mark.parametrize(
    ("texts", "facts"),
    [
        (["1", "-20", "3", None], ColumnRule(type="integer", min=-20, max=3, unique=True)),
        (["1", "2", "0.5"], ColumnRule(type="number", min=0.5, max=2, nullable=False)),
        ([" 1", "2 "], ColumnRule(type="integer", min=1, max=2, nullable=False, unique=True)),
        (["01001", "10115"], ColumnRule(type="string", nullable=False, unique=True)),
        (["12", "13", "14", "A12"], ColumnRule(type="string", nullable=False, unique=True)),
        (["+4930", "+4940"], ColumnRule(type="string", nullable=False, unique=True)),
        (
            ["1234567890123456789", "7"],
            ColumnRule(type="integer", min=7, max=1234567890123456789, nullable=False, unique=True),
        ),
        (["0x1A", "0x1B"], ColumnRule(type="string", nullable=False, unique=True)),
        (["12345678901234567890123", "1"], ColumnRule(type="string", nullable=False, unique=True)),
        (["1", "NA", "3"], ColumnRule(type="integer", min=1, max=3, null_words=["NA"])),
        (["DE", "NA", "FR"], ColumnRule(type="string", nullable=False, unique=True)),
        (["true", "False"], ColumnRule(type="boolean", nullable=False)),
        (["2026-01-31", "2026-02-28"], ColumnRule(type="date", nullable=False)),
        (["2026-01-31", "2026-02-30"], ColumnRule(type="string", nullable=False, unique=True)),
        (["2026-01-31T10:00Z", "2026-01-31 10:00"], ColumnRule(type="datetime", nullable=False)),
        ([None, None], ColumnRule(type="unknown")),
        (["NA", None], ColumnRule(type="unknown", null_words=["NA"])),
    ],
)
def test_the_type_of_texts_is_what_all_of_them_have_in_common(texts: list[str | None], facts: ColumnRule) -> None:
    found = draft_rules({"column": texts}, CSV)
    assert found == {"column": facts}
    assert check_table({"column": texts}, found, csv=CSV, now=NOW) == []


def test_a_decimal_comma_is_found_where_the_comma_does_not_separate_fields() -> None:
    texts = {"price": ["1,5", "2", "3,25"], "count": ["1", "2", "3"]}
    found = draft(in_batches(texts, CsvFormat(delimiter=";")), TemporaryFile)
    assert (found.decimal, found.rules["price"].type, found.rules["price"].max) == (",", "number", 3.25)
    assert found.rules["count"].type == "integer"
    assert draft(in_batches(texts, CSV), TemporaryFile).rules["price"].type == "string"
    assert check_table(texts, found.rules, csv=COMMA, now=NOW) == []


def test_what_a_draft_is_not_sure_of_is_noted() -> None:
    texts = {"land": ["DE", "NA"], "age": ["?", "7"], "none": [None, None], "a": ["1,5", "2,5"], "b": ["1.5", "2.5"]}
    assert draft(in_batches(texts, CsvFormat(delimiter=";")), TemporaryFile).notes == {
        "land": "'NA' (1 row) is counted as text; `null_words` would make it missing",
        "age": "'?' (1 row) is counted as missing",
        "none": "it has no value, so its type is not known",
        "b": "its numbers have a decimal point, other columns do not, so they are texts",
    }


@pytest.mark.parametrize(
    ("texts", "rule", "expected"),
    [
        (
            ["1", "one", "-1", "0x1A", "1.0"],
            ColumnRule(type="integer", min=0),
            [
                violation("type", 3, 5, ["one", "0x1A", "1.0"], "x: 3 of 5 values are not of type integer"),
                violation("range", 1, 5, ["-1"], "x: 1 of 5 values are below 0"),
            ],
        ),
        (["inf", "nan", "1e3", "0x1"], ColumnRule(type="number", max=10), ["type", "range"]),
        (["01001", "10115"], ColumnRule(type="string", pattern=r"\d{5}", in_=["01001", "10115"]), []),
        (["01001", "1001"], ColumnRule(type="integer", unique=True), ["duplicate"]),
        (["NA", "1"], ColumnRule(type="integer", nullable=False), ["type"]),
        (["NA", "1"], ColumnRule(type="integer", nullable=False, null_words=["NA"]), ["null"]),
        (["NA", None], ColumnRule(type="string", in_=["NA"]), []),
        (["true", "yes"], ColumnRule(type="boolean"), ["type"]),
        (["2026-02-30"], ColumnRule(type="date"), ["type"]),
        (["7"], ColumnRule(type="unknown"), ["type"]),
        ([None], ColumnRule(type="unknown"), []),
    ],
)
def test_texts_are_held_against_their_rule(texts: list[str | None], rule: ColumnRule, expected: list[Any]) -> None:
    found = check_table({"x": texts}, {"x": rule}, csv=CSV, now=NOW)
    assert [
        one.rule if isinstance(wanted, str) else one for one, wanted in zip(found, expected, strict=True)
    ] == expected


def test_integers_beyond_floats_stay_different() -> None:
    numbers = [None, *(2**60 + number for number in range(39))]
    rule = {"x": ColumnRule(type="integer", unique=True)}
    assert draft_rules({"x": numbers})["x"].unique
    assert check_table({"x": numbers}, rule, now=NOW) == []
    (found,) = check_table({"x": [*numbers, 2**60 + 7]}, rule, now=NOW)
    assert (found.count, found.examples) == (1, [str(2**60 + 7)])
