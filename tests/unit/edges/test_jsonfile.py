"""The strict reader of JSON and the fast way for what mlgit wrote itself."""

import time

import pytest

from mlgit.domain import codec
from mlgit.domain.records import DecisionRecord
from mlgit.edges.formats import jsonfile
from mlgit.errors import MlgitError

DEEPEST = jsonfile.MAX_DEPTH
DIGEST = "sha256:" + "0" * 64
RECORD = codec.from_mapping(
    DecisionRecord,
    {
        "kind": "decision",
        "schema": 1,
        "promotion": "01JD8ZK3M90000000000000000",
        "environment": "production",
        "model": "churn",
        "decision": DIGEST,
        "reads": {"policy": DIGEST, "champion": None},
        "approvals": [],
        "commit": "0" * 40,
        "at": "2030-01-31T14:00:00Z",
    },
)
WRITTEN = codec.to_json(RECORD)


def findings_of(text: bytes) -> list[tuple[str, int | None]]:
    with pytest.raises(MlgitError) as caught:
        jsonfile.parse(text, "a.json")
    assert all(finding.at is not None and finding.why and finding.fix for finding in caught.value.findings)
    return [(finding.id, finding.at.line if finding.at else None) for finding in caught.value.findings]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            b'{"a": 1,\n"b": [{"c": 1,\n"c": 2}],\n"a": 3}',
            [("key-duplicate", 3), ("key-duplicate", 4)],
            id="duplicates",
        ),
        pytest.param(b'{"a": 1,\n"\\u0061": 2}', [("key-duplicate", 2)], id="duplicate-otherwise-written"),
        pytest.param(
            b'{"a": NaN,\n"b": [-Infinity,\n1e999]}', [("number-not-finite", n) for n in (1, 2, 3)], id="infinite"
        ),
        pytest.param(b'{"a": ' + b"9" * 5000 + b"}", [("number-not-finite", 1)], id="endless-integer"),
        pytest.param(b'{"a": 1,\n"b": {"c"', [("json-syntax-error", 2)], id="truncated"),
        pytest.param(b'{"a": 1,\n}', [("json-syntax-error", 2)], id="comma-too-many"),
        pytest.param(b'{"a": 1}\n{}', [("json-syntax-error", 2)], id="two-documents"),
        pytest.param(b'{"a": "\\ud800"}', [("json-syntax-error", 1)], id="half-a-character"),
        pytest.param(b"{'a': 1}", [("json-syntax-error", 1)], id="single-quotes"),
        pytest.param(b"}{", [("json-syntax-error", 1)], id="brackets-reversed"),
        pytest.param(b'{"a": 1, // x\n}', [("json-syntax-error", 1)], id="comment"),
        pytest.param(b" \r\n", [("document-empty", 1)], id="empty"),
        pytest.param(b"[1]", [("document-not-mapping", 1)], id="list"),
        pytest.param(b"null", [("document-not-mapping", 1)], id="null"),
        pytest.param(b'\xef\xbb\xbf{"a": 1}', [("encoding-not-utf8", 1)], id="byte-order-mark"),
        pytest.param('{"a": 1}'.encode("utf-16"), [("encoding-not-utf8", 1)], id="utf-16"),
        pytest.param(b'{"a":\n"\xff"}', [("encoding-not-utf8", 2)], id="invalid-byte"),
        pytest.param(b'{"a": "\0"}', [("encoding-not-utf8", 1)], id="nul"),
        pytest.param(
            b'{\n<<<<<<< a\n"a": 1\n=======\n"a": 2\n>>>>>>> b\n}', [("merge-conflict-unresolved", 2)], id="conflict"
        ),
        pytest.param(b'{"a": ' + b"[" * DEEPEST + b"]" * DEEPEST + b"}", [("document-too-large", None)], id="depth"),
        pytest.param(b"[" * 1_000_000, [("document-too-large", None)], id="brackets"),
        pytest.param(b" " * (jsonfile.MAX_BYTES + 1), [("document-too-large", None)], id="bytes"),
    ],
)
def test_refused(text: bytes, expected: list[tuple[str, int | None]]) -> None:
    assert findings_of(text) == expected


@pytest.mark.parametrize(
    "text", [b'"' + b'\\"' * 1_000_000, b'{"a": 1' + b', "a": 1' * 200_000 + b"}", b'{"a":' * 200_000]
)
def test_bombs_are_refused_at_once(text: bytes) -> None:
    start = time.process_time()
    assert 1 <= len(findings_of(text)) <= 50
    assert time.process_time() - start < 1


def test_as_deep_as_allowed_is_read() -> None:
    assert jsonfile.parse(b'{"a": ' + b"[" * (DEEPEST - 1) + b"]" * (DEEPEST - 1) + b"}", "a.json").value


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ((), 1),
        (("a",), 2),
        (("b",), 3),
        (("b", 0), 4),
        (("b", 1, "c d"), 5),
        (("b", 1, "x"), 5),
        (("e", "f"), 7),
        (("z",), 1),
    ],
)
def test_lines(path: tuple[str | int, ...], line: int) -> None:
    text = b'{\n"a": ",{[\\"",\n"b": [\n1,\n{"c d": 2}],\n\n"e": {"f": 1}}'
    assert jsonfile.parse(text, "a.json").line_of(path) == line


def test_duplicate_names_both_lines_and_the_path() -> None:
    with pytest.raises(MlgitError) as caught:
        jsonfile.parse(b'{"a b": [\n{"c": 1},\n{"c": 1,\n"c": 2}]}', "a.json")
    (finding,) = caught.value.findings
    assert finding.message == "duplicate key c in lines 3 and 4"
    assert str(finding.at) == 'a.json:4 (["a b"][1].c)'


def test_what_mlgit_wrote_is_read_the_fast_way() -> None:
    assert jsonfile.read_written(WRITTEN, DecisionRecord) == RECORD


@pytest.mark.parametrize(
    "text",
    [
        WRITTEN.replace(b"\n", b"\r\n"),
        WRITTEN.rstrip(),
        WRITTEN.replace(b'"schema": 1,', b'"schema": 1,\n  "schema": 1,'),
        WRITTEN.replace(b"churn", b"\\u0063hurn"),
        WRITTEN.replace(b"churn", b"Churn"),
        WRITTEN.replace(b'"approvals"', b'"x-mine": 1,\n  "approvals"'),
        WRITTEN[:-20],
        b"[" * 100_000,
        b"\xff" + WRITTEN,
    ],
)
def test_anything_else_is_left_to_the_strict_way(text: bytes) -> None:
    assert jsonfile.read_written(text, DecisionRecord) is None
