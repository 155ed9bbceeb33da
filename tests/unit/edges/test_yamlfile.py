"""The strict reader and writer of YAML."""

import os
import subprocess
import sys
import time

import pytest
import yaml

from mlgit.edges.formats import yamlfile
from mlgit.errors import MlgitError

DEEPEST, MOST = yamlfile.MAX_DEPTH, yamlfile.MAX_VALUES


def findings_of(text: bytes) -> list[tuple[str, int | None]]:
    with pytest.raises(MlgitError) as caught:
        yamlfile.parse(text, "a.yaml")
    assert all(finding.at is not None and finding.why and finding.fix for finding in caught.value.findings)
    return [(finding.id, finding.at.line if finding.at else None) for finding in caught.value.findings]


@pytest.mark.parametrize(
    ("plain", "value"),
    [
        *((text, None) for text in ("", "~", "null", "Null", "NULL")),
        *((text, True) for text in ("true", "True", "TRUE")),
        *((text, False) for text in ("false", "False", "FALSE")),
        *((text, int(text)) for text in ("0", "7", "-7", "+7", "123456789012345678901234567890")),
        *((text, float(text)) for text in ("1.5", "-1.5", ".5", "1.", "1e3", "1E-3", "012.5", "6.02e+23", "-0.0")),
        *((text, text) for text in ("yes", "no", "on", "off", "y", "n", "Yes", "tRUE", "nULL")),
        *((text, text) for text in ("012", "0o18", "0xG", "0b1", "1_000", "-0x1", "1:30", "1:30:00", "1e", ".", "+")),
        *((text, text) for text in ("2030-01-01", "2030-01-01T00:00:00Z", "inf", "nan", "24h", "v8", "sha256:00", "=")),
    ],
)
def test_plain_scalars_have_the_types_of_yaml_1_2(plain: str, value: object) -> None:
    read = yamlfile.parse(f"a: {plain}\n".encode(), "a.yaml").value["a"]
    assert read == value
    assert type(read) is type(value)


def test_quoted_and_block_text_is_text() -> None:
    text = b"a: '1'\nb: \"true\"\nc: |\n  1\nd: >-\n  null\n\"1\": x\n'<<': y\n"
    assert yamlfile.parse(text, "a.yaml").value == {
        "a": "1",
        "b": "true",
        "c": "1\n",
        "d": "null",
        "1": "x",
        "<<": "y",
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            b"a: 1\nb:\n  c: 1\n  c: 2\na: 3\n", [("key-duplicate", 4), ("key-duplicate", 5)], id="duplicates"
        ),
        pytest.param(b"{a: 1, 'a': 2}", [("key-duplicate", 1)], id="duplicate-otherwise-quoted"),
        pytest.param(
            b"a: &x 1\nb: *x\n",
            [("yaml-feature-unsupported", 1), ("yaml-feature-unsupported", 2)],
            id="anchor-and-alias",
        ),
        pytest.param(b"a:\n  <<: {b: 1}\n", [("yaml-feature-unsupported", 2)], id="merge-key"),
        pytest.param(
            b"a: !!str 1\nb: !x {}\n", [("yaml-feature-unsupported", 1), ("yaml-feature-unsupported", 2)], id="tags"
        ),
        pytest.param(b"a: !!python/object/apply:os.system [x]\n", [("yaml-feature-unsupported", 1)], id="python-tag"),
        pytest.param(b"%YAML 1.1\n---\na: 1\n", [("yaml-feature-unsupported", 1)], id="directive"),
        pytest.param(b"a: 1\n---\nb: 1\n", [("yaml-multiple-documents", 2)], id="two-documents"),
        pytest.param(b"- a\n", [("document-not-mapping", 1)], id="list"),
        pytest.param(b"text\n", [("document-not-mapping", 1)], id="scalar"),
        pytest.param(b"", [("document-empty", 1)], id="empty"),
        pytest.param(b"# nothing\n---\n", [("document-empty", 1)], id="only-a-comment"),
        pytest.param(
            b"1: a\ntrue: b\n~: c\n", [("key-not-string", 1), ("key-not-string", 2), ("key-not-string", 3)], id="keys"
        ),
        pytest.param(b"a: 1\n? [b]\n: 1\n", [("key-not-string", 2)], id="list-as-key"),
        pytest.param(
            b"a: [.inf]\nb: -.INF\nc: .NaN\nd: 1e999\n", [("number-not-finite", n) for n in (1, 2, 3, 4)], id="infinite"
        ),
        pytest.param(b"a: " + b"9" * 5000, [("number-not-finite", 1)], id="endless-integer"),
        pytest.param(b"\xef\xbb\xbfa: 1\n", [("encoding-not-utf8", 1)], id="byte-order-mark"),
        pytest.param("a: 1\n".encode("utf-16"), [("encoding-not-utf8", 1)], id="utf-16"),
        pytest.param("a: 1\n".encode("utf-16-be"), [("encoding-not-utf8", 1)], id="utf-16-without-mark"),
        pytest.param(b"a: 1\nb: \xc3\x28\n", [("encoding-not-utf8", 2)], id="invalid-byte"),
        pytest.param(b"a: \xed\xa0\x80\n", [("encoding-not-utf8", 1)], id="surrogate"),
        pytest.param(b"a: 1\nb: \0\n", [("encoding-not-utf8", 2)], id="nul"),
        pytest.param(b"a: 1\nb: \x01\n", [("text-hidden-character", 2)], id="control-character"),
        pytest.param("a: 1 # x:\u2028b: 2\n".encode(), [("text-hidden-character", 1)], id="line-separator"),
        pytest.param("a: 1 # x:\u2029b: 2\n".encode(), [("text-hidden-character", 1)], id="paragraph-separator"),
        pytest.param("a: 1 # x:\x85b: 2\n".encode(), [("text-hidden-character", 1)], id="next-line"),
        pytest.param(b"a: 1\nmargin: 0x10\n", [("number-not-decimal", 2)], id="hexadecimal"),
        pytest.param(b"a: 1\nmin: 0o17\n", [("number-not-decimal", 2)], id="octal"),
        pytest.param("é: 1\ne\u0301: 2\n".encode(), [("key-duplicate", 2)], id="one-key-in-two-forms"),
        pytest.param("K: 1\n\u212a: 2\n".encode(), [("key-duplicate", 2)], id="kelvin"),
        pytest.param("\u212a: 1\nK: 2\n".encode(), [("key-duplicate", 2)], id="kelvin-first"),
        pytest.param(b"a: 1 # x:\rb: 2\n", [("text-hidden-character", 1)], id="carriage-return"),
        pytest.param("a: 1\nb\u200b: 2\n".encode(), [("text-hidden-character", 2)], id="zero-width-in-a-key"),
        pytest.param('a: "\u202e1"\n'.encode(), [("text-hidden-character", 1)], id="override-in-a-value"),
        pytest.param("a: 1 # \U000e0041\n".encode(), [("text-hidden-character", 1)], id="tag-in-a-comment"),
        pytest.param(
            b"a: 1\n<<<<<<< HEAD\nb: 1\n=======\nb: 2\n>>>>>>> x\n", [("merge-conflict-unresolved", 2)], id="conflict"
        ),
        pytest.param(b"a: 1\r\nb: 2\r\n>>>>>>> x\r\n", [("merge-conflict-unresolved", 3)], id="half-a-conflict"),
        pytest.param(b"owner: @acme\n", [("yaml-syntax-error", 1)], id="sign-without-quotes"),
        pytest.param(b"a: b: c\n", [("yaml-syntax-error", 1)], id="colon-without-quotes"),
        pytest.param(b"a:\n\t- 1\n", [("yaml-syntax-error", 2)], id="tab"),
        pytest.param(b'a: 1\nb: "cut', [("yaml-syntax-error", 2)], id="truncated"),
        pytest.param(
            b"a: .nan\nb: [", [("number-not-finite", 1), ("yaml-syntax-error", 2)], id="collected-before-the-end"
        ),
        pytest.param(b"a: 'x'\n" * (1 << 18), [("document-too-large", None)], id="bytes"),
        pytest.param(b"[" * DEEPEST + b"[" + b"]" * (DEEPEST + 1), [("document-too-large", None)], id="depth"),
    ],
)
def test_refused(text: bytes, expected: list[tuple[str, int | None]]) -> None:
    assert findings_of(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"a: &a [x,x]\n" + b"".join(b"b%d: &b%d [*a,*a]\n" % (n, n) for n in range(20_000)), id="laughs"),
        pytest.param(b"[" * 1_000_000, id="brackets"),
        pytest.param(b"{a: " * 250_000, id="braces"),
        pytest.param(b"- " * 500_000, id="dashes"),
        pytest.param(b"? " * 500_000, id="question-marks"),
        pytest.param(b"a: [" + b"x," * 500_000, id="items"),
        pytest.param(b"a: [" + b"[]," * 300_000, id="lists"),
        pytest.param(b"a: b\n" * 200_000, id="duplicates"),
        pytest.param(b"a: " * 300_000, id="colons"),
        pytest.param(b"a: [" + b".nan," * 200_000, id="nans"),
        pytest.param(b"&a " * 300_000, id="anchors"),
        pytest.param(b"!" * 1_000_000, id="tags"),
        pytest.param(b'"a' * 500_000, id="quotes"),
    ],
)
def test_bombs_are_refused_at_once(text: bytes) -> None:
    start = time.process_time()
    assert 1 <= len(findings_of(text)) <= 51
    assert time.process_time() - start < 1


def test_as_deep_and_as_many_as_allowed_is_read() -> None:
    deep = b"a: " + b"[" * (DEEPEST - 1) + b"]" * (DEEPEST - 1)
    many = b"a: [" + b"1," * (MOST - 3) + b"]"
    assert yamlfile.parse(deep, "a.yaml").value
    assert len(yamlfile.parse(many, "a.yaml").value["a"]) == MOST - 3


def test_duplicate_names_both_lines_and_the_path() -> None:
    with pytest.raises(MlgitError) as caught:
        yamlfile.parse(b"slots:\n  champion: 1\n\n  champion: 2\n", "a.yaml")
    (finding,) = caught.value.findings
    assert finding.message == "duplicate key champion in lines 2 and 4"
    assert str(finding.at) == "a.yaml:4 (slots.champion)"


def test_not_utf8_names_the_offset() -> None:
    with pytest.raises(MlgitError, match="at byte 3"):
        yamlfile.parse(b"a: \xff", "a.yaml")


def test_crlf_reads_the_same() -> None:
    text = b"a: 1\nb: |\n  x\n  y\nc:\n- d\n"
    read = yamlfile.parse(text.replace(b"\n", b"\r\n"), "a.yaml")
    assert read.value == yamlfile.parse(text, "a.yaml").value
    assert read.line_of(("c", 0)) == 6


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ((), 2),
        (("a",), 2),
        (("b", "c"), 4),
        (("b", "missing"), 3),
        (("d", 0), 6),
        (("d", 1), 7),
        (("d", 1, "e"), 7),
        (("d", 1, "f"), 8),
        (("d", 7), 5),
        (("g", "h", 1), 9),
        (("nowhere", 1), 2),
    ],
)
def test_lines(path: tuple[str | int, ...], line: int) -> None:
    text = b"# head\na: 1\nb:\n  c: 1\nd:\n- x\n- e: 1\n  f: 2\ng: {h: [1, 2]}\n"
    assert yamlfile.parse(text, "a.yaml").line_of(path) == line


def test_dump_is_what_people_write() -> None:
    document = {
        "kind": "problem",
        "schema": 1,
        "name": "late-arrival",
        "owner": "@acme/ops",
        "answers": ["yes", "012", "2030-01-01", "1e3", "", "24h", None, True, 0.5],
        "decision": {"what": "warn passengers\nwith a connection\n", "empty": {}, "none": []},
    }
    assert yamlfile.dump(document, "../.mlgit/schemas/problem.json").decode() == (
        "# yaml-language-server: $schema=../.mlgit/schemas/problem.json\n"
        "kind: problem\nschema: 1\nname: late-arrival\nowner: '@acme/ops'\n"
        'answers:\n- "yes"\n- "012"\n- "2030-01-01"\n- "1e3"\n- ""\n- 24h\n- null\n- true\n- 0.5\n'
        "decision:\n  what: |\n    warn passengers\n    with a connection\n  empty: {}\n  none: []\n"
    )


def test_dump_writes_shared_values_out() -> None:
    shared = {"x": [1]}
    assert yamlfile.parse(yamlfile.dump({"a": shared, "b": shared}), "a.yaml").value == {"a": shared, "b": shared}


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_dump_refuses_numbers_without_value(number: float) -> None:
    with pytest.raises(ValueError, match="not finite"):
        yamlfile.dump({"a": [number]})


@pytest.mark.parametrize(
    "text", ["yes", "Off", "~", "null", "012", "0o17", "1_000", "1:30", "2030-01-01", "<<", "=", "y", ".5"]
)
def test_dump_quotes_what_yaml_1_1_reads_otherwise(text: str) -> None:
    written = yamlfile.dump({text: text})
    assert yaml.safe_load(written) == yamlfile.parse(written, "a.yaml").value == {text: text}


def test_without_the_c_extension_nothing_is_judged() -> None:
    program = (
        "import sys; sys.modules['yaml._yaml'] = None\n"
        "from mlgit.edges.formats import yamlfile\n"
        "from mlgit.errors import Inconclusive\n"
        "for act in (lambda: yamlfile.parse(b'a: 1', 'a'), lambda: yamlfile.dump({})):\n"
        "    try: act()\n"
        "    except Inconclusive as error: print(error.findings[0].id, int(error.exit))\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert run.stdout.split("\n") == ["libyaml-missing 3", "libyaml-missing 3", ""]
