"""Reading records: every problem is refused with its place, its cause and its fix."""

import re
import time
from pathlib import Path

import msgspec
import pytest

from mlgit import explanations
from mlgit.domain import codec
from mlgit.domain.records import KINDS, Version
from mlgit.edges.formats import yamlfile
from mlgit.edges.formats.cardfile import parse as parse_card
from mlgit.edges.formats.records import read_record
from mlgit.errors import MlgitError

DIGEST = "sha256:" + "3f" * 32
ULID = "01JD8ZK3M90000000000000000"

PROBLEM = """\
kind: problem
schema: 1
name: churn
owner: "@acme/ml"
decision:
  action: call people before they leave
target: {column: left, type: binary, positive: yes}
metric: {primary: roc_auc}
"""
POLICY = """\
kind: policy
schema: 1
name: production
gates:
- id: integrity
- id: beats-champion
  margin: 0.01
- {id: slice-harm, max_drop: 0.02, x-why: agreed in May}
approvals:
  promote: {min: 2, roles: {risk: 1, ml: {min: 1, when: {risk: high}}}}
evidence: forge
"""
PROMOTION = f"""\
promotion: {ULID}
kind: promotion
schema: 1
environment: production
model: churn
change: promote
slots:
  champion: {{version: 8, digest: "{DIGEST}"}}
replaces: null
baseline: null
gates: null
policy: {{name: production, digest: "{DIGEST}"}}
"""
ENVIRONMENT = """\
kind: environment
schema: 1
name: production
policy: production
target: {type: directory, path: /srv/models}
"""
STORED = {"sha256": DIGEST, "md5": "0" * 32, "size": 5}
VERSION = {
    "kind": "version",
    "schema": 1,
    "model": "churn",
    "version": 8,
    "digest": DIGEST,
    "artifact": {"path": "model.skops", **STORED, "format": "skops"},
    "card": DIGEST,
    "profile": DIGEST,
    "inputs": {"commit": "0" * 40, "code": DIGEST, "data": {}, "params": {"depth": 3, "rate": 0.1}},
    "evaluation": {
        "predictions": {"path": "predictions.parquet", **STORED},
        "split": DIGEST,
        "rows": 500,
        "metrics": {"roc_auc": 0.71},
    },
    "trained_by": {"name": "Ada", "email": "ada@example.org"},
    "registered_at": "2030-01-31T14:00:00Z",
}
WRITTEN = codec.to_json(codec.from_mapping(Version, VERSION)).decode()

PROBLEM_FILE, POLICY_FILE = "problems/churn.yaml", "policies/production.yaml"
PROMOTION_FILE, ENVIRONMENT_FILE = "environments/production/churn.yaml", "environments/production/environment.yaml"
VERSION_FILE = "models/churn/versions/v8/version.json"


def findings_of(file: str, text: str | bytes) -> list[tuple[str, int | None, str | None]]:
    with pytest.raises(MlgitError) as caught:
        read_record(file, text if isinstance(text, bytes) else text.encode())
    findings = caught.value.findings
    assert all(finding.at is not None and finding.message and finding.why and finding.fix for finding in findings)
    return [(finding.id, finding.at.line, finding.at.path) for finding in findings if finding.at]


@pytest.mark.parametrize(
    ("file", "text"),
    [
        (PROBLEM_FILE, PROBLEM),
        (POLICY_FILE, POLICY),
        (PROMOTION_FILE, PROMOTION),
        (ENVIRONMENT_FILE, ENVIRONMENT),
        (VERSION_FILE, WRITTEN),
    ],
)
def test_read_and_with_crlf_the_same(file: str, text: str) -> None:
    record = read_record(file, text.encode())
    assert read_record(file, text.replace("\n", "\r\n").encode()) == record
    assert codec.digest(record) == codec.digest(read_record(file, text.replace("\n", "\r\n").encode()))


def test_values_that_yaml_1_1_would_change_are_kept() -> None:
    text = PROBLEM.replace("column: left", "column: 2030-01-31").replace("churn\nowner", "churn\nx-on: 012\nowner")
    record = msgspec.to_builtins(read_record(PROBLEM_FILE, text.encode()))
    assert record["target"] == {"column": "2030-01-31", "type": "binary", "positive": "yes"}


@pytest.mark.parametrize(
    ("file", "text", "expected"),
    [
        pytest.param(PROBLEM_FILE, PROBLEM + "name: churn\n", [("key-duplicate", 9, "name")], id="7-duplicate-key"),
        pytest.param(
            VERSION_FILE,
            WRITTEN.replace('"schema": 1,', '"schema": 1,\n  "schema": 1,'),
            [("key-duplicate", 4, "schema")],
            id="7-duplicate-key-json",
        ),
        pytest.param(
            PROBLEM_FILE,
            PROBLEM.replace("name: churn", "name: &n churn").replace("primary: roc_auc", "primary: *n"),
            [("yaml-feature-unsupported", 3, "name"), ("yaml-feature-unsupported", 8, "metric.primary")],
            id="8-anchor-and-alias",
        ),
        pytest.param(
            PROBLEM_FILE, PROBLEM + "<<: {risk: low}\n", [("yaml-feature-unsupported", 9, None)], id="8-merge"
        ),
        pytest.param(
            PROBLEM_FILE,
            PROBLEM.replace("action: call", "action: !!python/name:os.system call"),
            [("yaml-feature-unsupported", 6, "decision.action")],
            id="9-tag",
        ),
        pytest.param(
            PROBLEM_FILE, PROBLEM + "---\n" + PROBLEM, [("yaml-multiple-documents", 9, None)], id="10-two-documents"
        ),
        pytest.param(PROBLEM_FILE, "- problem\n", [("document-not-mapping", 1, None)], id="10-list"),
        pytest.param(VERSION_FILE, f"[{WRITTEN}]", [("document-not-mapping", 1, None)], id="10-list-json"),
        pytest.param(PROBLEM_FILE, "", [("document-empty", 1, None)], id="10-empty"),
        pytest.param(VERSION_FILE, "", [("document-empty", 1, None)], id="10-empty-json"),
        pytest.param(PROBLEM_FILE, PROBLEM.encode("utf-16"), [("encoding-not-utf8", 1, None)], id="11-utf-16"),
        pytest.param(
            PROBLEM_FILE, PROBLEM.encode() + b"x-a: \xe4\n", [("encoding-not-utf8", 9, None)], id="11-latin-1"
        ),
        pytest.param(PROBLEM_FILE, PROBLEM + "x-a: \0\n", [("encoding-not-utf8", 9, None)], id="11-nul"),
        pytest.param(VERSION_FILE, WRITTEN.encode("utf-8-sig"), [("encoding-not-utf8", 1, None)], id="11-mark-json"),
        pytest.param(
            VERSION_FILE,
            WRITTEN.replace("0.71", "NaN"),
            [("number-not-finite", 35, "evaluation.metrics.roc_auc")],
            id="13-nan",
        ),
        pytest.param(
            VERSION_FILE,
            WRITTEN.replace("0.71", "1e999"),
            [("number-not-finite", 35, "evaluation.metrics.roc_auc")],
            id="13-infinity",
        ),
        pytest.param(
            VERSION_FILE,
            WRITTEN.replace("0.71", "true"),
            [("type-mismatch", 35, "evaluation.metrics.roc_auc")],
            id="13-bool",
        ),
        pytest.param(
            VERSION_FILE,
            WRITTEN.replace("0.71", '"0.71"'),
            [("type-mismatch", 35, "evaluation.metrics.roc_auc")],
            id="13-text",
        ),
        pytest.param(
            PROBLEM_FILE,
            PROBLEM + "baseline: {method: x, column: y, threshold: .inf}\n",
            [("number-not-finite", 9, "baseline.threshold")],
            id="13-infinity-yaml",
        ),
        pytest.param(PROBLEM_FILE, PROBLEM + "rsk: low\n", [("key-unknown", 9, "rsk")], id="14-typo"),
        pytest.param(
            VERSION_FILE,
            WRITTEN.replace('"rows"', '"rowz"'),
            [("key-missing", 25, "evaluation"), ("key-unknown", 33, "evaluation.rowz")],
            id="14-typo-json",
        ),
        pytest.param(
            PROBLEM_FILE, PROBLEM.replace("schema: 1", "schema: 2"), [("schema-too-new", 2, "schema")], id="15-newer"
        ),
        pytest.param(
            VERSION_FILE,
            WRITTEN.replace('"schema": 1', '"schema": 7'),
            [("schema-too-new", 3, "schema")],
            id="15-newer-json",
        ),
        pytest.param(
            PROMOTION_FILE,
            f"<<<<<<< HEAD\npromotion: {ULID}\n=======\n{PROMOTION}",
            [("merge-conflict-unresolved", 1, None)],
            id="16-conflict",
        ),
        pytest.param(
            VERSION_FILE, WRITTEN + ">>>>>>> x\n", [("merge-conflict-unresolved", 44, None)], id="16-conflict-json"
        ),
        pytest.param(
            PROBLEM_FILE,
            PROBLEM[: PROBLEM.index("target")],
            [("key-missing", 1, None), ("key-missing", 1, None)],
            id="17-truncated",
        ),
        pytest.param(PROBLEM_FILE, PROBLEM[:-3], [("yaml-syntax-error", 8, None)], id="17-truncated-inside"),
        pytest.param(VERSION_FILE, WRITTEN[:-3], [("json-syntax-error", 42, None)], id="17-truncated-json"),
        pytest.param(
            PROBLEM_FILE,
            PROBLEM.replace("owner:", "risk: on\nowner:").replace('"@acme/ml"', "2030"),
            [("value-not-allowed", 4, "risk"), ("type-mismatch", 5, "owner")],
            id="18-no-coercion",
        ),
        pytest.param(PROBLEM_FILE, PROBLEM + "012: x\n", [("key-unknown", 9, "012")], id="18-octal-key-is-text"),
    ],
)
def test_faults_of_state_files(
    file: str, text: str | bytes, expected: list[tuple[str, int | None, str | None]]
) -> None:
    assert findings_of(file, text) == expected


@pytest.mark.parametrize(
    ("file", "text", "expected"),
    [
        pytest.param(
            POLICY_FILE,
            POLICY.replace("champion", "champoin").replace("max_drop", "max_dorp").replace("forge", "forgery"),
            [
                ("value-not-allowed", 6, "gates[1].id"),
                ("key-unknown", 8, "gates[2].max_dorp"),
                ("value-not-allowed", 11, "evidence"),
            ],
            id="all-at-once",
        ),
        pytest.param(
            POLICY_FILE,
            POLICY.replace("- id: integrity", "- integrity"),
            [("type-mismatch", 5, "gates[0]")],
            id="gate-text",
        ),
        pytest.param(
            POLICY_FILE,
            POLICY.replace("- id: integrity", "- {}"),
            [("key-missing", 5, "gates[0]")],
            id="gate-without-id",
        ),
        pytest.param(
            POLICY_FILE,
            POLICY.replace("- id: integrity", "- id: 5"),
            [("value-not-allowed", 5, "gates[0].id")],
            id="gate-5",
        ),
        pytest.param(
            POLICY_FILE,
            POLICY.replace("risk: 1", "risk: yes"),
            [("type-mismatch", 10, "approvals.promote.roles.risk")],
            id="alternatives",
        ),
        pytest.param(
            POLICY_FILE,
            POLICY.replace("{min: 1,", "{min: 0,"),
            [("value-not-allowed", 10, "approvals.promote.roles.ml.min")],
            id="alternative-that-was-meant",
        ),
        pytest.param(
            POLICY_FILE,
            POLICY.replace("{risk: 1", "{Risk Team: 1"),
            [("value-not-allowed", 10, 'approvals.promote.roles["Risk Team"]')],
            id="key-of-a-mapping",
        ),
        pytest.param(
            ENVIRONMENT_FILE,
            ENVIRONMENT.replace("directory", "folder"),
            [("value-not-allowed", 5, "target.type")],
            id="target",
        ),
        pytest.param(
            ENVIRONMENT_FILE,
            ENVIRONMENT.replace("path", "pth"),
            [("key-missing", 5, "target"), ("key-unknown", 5, "target.pth")],
            id="target-key",
        ),
        pytest.param(
            PROBLEM_FILE,
            PROBLEM.replace("kind: problem", "kind: policy"),
            [("record-kind-mismatch", 1, "kind")],
            id="other-kind",
        ),
        pytest.param(
            PROBLEM_FILE,
            PROBLEM.replace("kind: problem", "kind: 5"),
            [("record-kind-mismatch", 1, "kind")],
            id="kind-of-no-text",
        ),
        pytest.param(PROBLEM_FILE, PROBLEM.replace("kind: problem\n", ""), [("key-missing", 1, None)], id="no-kind"),
        pytest.param(
            PROBLEM_FILE,
            PROBLEM.replace("schema: 1", "schema: true"),
            [("value-not-allowed", 2, "schema")],
            id="schema-true",
        ),
        pytest.param(
            PROBLEM_FILE,
            PROBLEM.replace("schema: 1", "schema: 1.0"),
            [("record-invalid", 2, "schema")],
            id="schema-1.0",
        ),
        pytest.param(
            PROMOTION_FILE,
            PROMOTION.replace("version: 8", "version: 8.0"),
            [("type-mismatch", 8, "slots.champion.version")],
            id="8.0",
        ),
        pytest.param(
            PROMOTION_FILE,
            PROMOTION.replace("version: 8", "version: true"),
            [("type-mismatch", 8, "slots.champion.version")],
            id="bool",
        ),
        pytest.param(
            PROBLEM_FILE, PROBLEM.replace('"@acme/ml"', '""'), [("value-not-allowed", 4, "owner")], id="empty-text"
        ),
        pytest.param(
            PROBLEM_FILE, PROBLEM.replace("name: churn", "name: late"), [("path-mismatch", 3, "name")], id="path-name"
        ),
        pytest.param(
            "environments/staging/late.yaml",
            PROMOTION,
            [("path-mismatch", 4, "environment"), ("path-mismatch", 5, "model")],
            id="path-both",
        ),
        pytest.param(
            "models/churn/versions/v9/version.json", WRITTEN, [("path-mismatch", 5, "version")], id="path-version"
        ),
        pytest.param(
            "models/churn/versions/v08/version.json", WRITTEN, [("path-mismatch", 5, "version")], id="path-padded"
        ),
        pytest.param("notes.yaml", PROBLEM, [("record-path-invalid", None, None)], id="no-place"),
    ],
)
def test_refused(file: str, text: str, expected: list[tuple[str, int | None, str | None]]) -> None:
    assert findings_of(file, text) == expected


def test_a_gate_report_says_the_version_of_its_candidate() -> None:
    report = {
        "kind": "gate-report",
        "schema": 1,
        "promotion": ULID,
        "environment": "production",
        "model": "churn",
        "candidate": {"version": 8, "digest": DIGEST},
        "champion": None,
        "policy": {"name": "production", "digest": DIGEST},
        "reads": {},
        "results": [],
        "outcome": "pass",
        "at": "2030-01-31T14:00:00Z",
        "tool": "mlgit",
    }
    text = codec.to_json(codec.from_mapping(KINDS["gate-report"], report))
    assert read_record(f"models/churn/versions/v8/gates/{ULID}.json", text)
    assert findings_of(f"models/churn/versions/v9/gates/{ULID}.json", text) == [
        ("path-mismatch", 8, "candidate.version")
    ]


@pytest.mark.parametrize(
    ("file", "text", "expected"),
    [
        (PROBLEM_FILE, PROBLEM + "rsk: low\n", "did you mean risk?"),
        (POLICY_FILE, POLICY.replace("slice-harm", "slice-ham"), "did you mean slice-harm?"),
        (PROBLEM_FILE, PROBLEM.replace("churn\nowner", "Churn 1\nowner"), "lower-case letters and digits"),
        (PROBLEM_FILE, PROBLEM.replace("call people before they leave", "5"), 'put it in quotes: "5"'),
        (
            PROBLEM_FILE,
            PROBLEM.replace("action: call", "human_in_loop: yes\n  action: call"),
            "write true or false, without quotes",
        ),
        (
            "holds/a.yaml",
            "kind: hold\nschema: 1\nscope: project\nby: a\nreason: b\nuntil: 2030-01-31\n",
            "a time with its zone",
        ),
    ],
)
def test_the_finding_says_what_is_allowed(file: str, text: str, expected: str) -> None:
    with pytest.raises(MlgitError) as caught:
        read_record(file, text.encode())
    (finding,) = caught.value.findings
    assert expected in f"{finding.why}; {finding.fix}"


@pytest.mark.parametrize("kind", KINDS.values(), ids=str)
def test_every_kind_is_explained_without_its_keys(kind: type[msgspec.Struct]) -> None:
    from mlgit.edges.formats.schemacheck import explain

    missing = {finding.id for finding in explain(kind, yamlfile.parse(b"x-a: 1", "a.yaml"))}
    assert missing == {"key-missing"}


def test_a_hostile_file_gives_few_and_short_findings() -> None:
    start = time.process_time()
    with pytest.raises(MlgitError) as caught:
        read_record(PROBLEM_FILE, (PROBLEM + "".join(f"{'k' * 1000}{n}: 1\n" for n in range(1000))).encode())
    assert len(caught.value.findings) == 50
    assert all(len(f"{finding.message} {finding.why} {finding.at}") < 500 for finding in caught.value.findings)
    assert time.process_time() - start < 1


EXAMPLES = Path(__file__).with_name("record_examples.md").read_text(encoding="utf-8")
PAGES = {family: explanations.page(family) for family in explanations.index().families}
EXAMPLE = re.compile(r"^```\w+ (\S+)\n(.*?)^```\n\n```text\n((?:error|warning)\[.*?)^```$", re.DOTALL | re.MULTILINE)


def first_finding(file: str, text: str) -> str:
    with pytest.raises(MlgitError) as caught:
        parse_card(text.encode(), file) if file.endswith(".md") else read_record(file, text.encode())
    finding = caught.value.findings[0]
    return f"error[{finding.id}]: {finding.message}\n  at   {finding.at}\n  why  {finding.why}\n  fix  {finding.fix}\n"


@pytest.mark.parametrize(
    ("name", "section"), [section.split("\n", 1) for section in EXAMPLES.split("\n## ")[1:]], ids=lambda part: part[:30]
)
def test_a_document_that_cannot_be_read_gives_this_finding(name: str, section: str) -> None:
    example = EXAMPLE.search(section)
    assert example is not None
    file, text, expected = example.groups()
    assert expected == first_finding(file, text)
    assert expected.startswith(f"error[{name}]: ")


def test_examples_on_the_pages_of_explanations_are_exact() -> None:
    examples = [example for page in PAGES.values() for example in EXAMPLE.findall(page)]
    assert len(examples) >= 3
    for file, text, expected in examples:
        assert expected == first_finding(file, text)
