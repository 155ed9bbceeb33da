"""Verdicts of an audit: which findings contradict a change and which are gaps, and the checks that only an audit has."""

from datetime import UTC, datetime
from typing import Any

import pytest

from mlgit.domain.approvals import ApprovalRequirement, ApprovalResult, UncountedVote
from mlgit.domain.audit import checks
from mlgit.domain.audit.frameworks import FRAMEWORK_POINTS
from mlgit.domain.audit.verdict import GAPS, VERDICTS, verdict
from mlgit.domain.names import new_promotion_id
from mlgit.domain.records import DecisionRecord, Promotion
from mlgit.domain.records.gatereport import GateVerdict
from mlgit.domain.records.ledger import CountedApproval
from mlgit.domain.records.promotion import PolicyRef, ReportRef, SlotAssignment, SlotAssignments
from mlgit.errors import Finding, Severity

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
ID, OTHER = new_promotion_id(AT, 1), new_promotion_id(AT, 2)
DIGEST = "sha256:" + "1" * 64
MANIFEST = "environments/production/churn.yaml"


def promotion(**fields: Any) -> Promotion:
    given: dict[str, Any] = {
        "schema": 1,
        "promotion": ID,
        "environment": "production",
        "model": "churn",
        "change": "promote",
        "slots": SlotAssignments(champion=SlotAssignment(version=1, digest=DIGEST)),
        "replaces": None,
        "baseline": None,
        "gates": ReportRef(report="models/churn/versions/v1/gates/x.json", digest=DIGEST),
        "policy": PolicyRef(name="production", digest=DIGEST),
    }
    return Promotion(**given | fields)


def ids(findings: Any) -> list[str]:
    return [finding.id for finding in findings]


VERDICT = [
    ([], False, "PROVEN"),
    ([], True, "OVERRIDDEN"),
    (["approvals-not-on-ledger"], False, "UNPROVEN"),
    (["gate-report-missing", "audit-record-unreadable"], True, "UNPROVEN"),
    (["gates-failed"], True, "VIOLATION"),
    (["approvals-not-on-ledger", "gates-failed"], False, "VIOLATION"),
    (["unknown-finding"], False, "VIOLATION"),
]


@pytest.mark.parametrize(("found", "waived", "expected"), VERDICT)
def test_the_verdict_depends_on_the_worst_finding(found: list[str], waived: bool, expected: str) -> None:
    assert verdict([Finding(one, "") for one in found], waived=waived) == expected


@pytest.mark.parametrize("gap", sorted(GAPS))
def test_a_gap_never_proves_anything(gap: str) -> None:
    assert verdict([Finding(gap, "")], waived=False) == "UNPROVEN"


def test_warnings_and_notes_are_ignored() -> None:
    found = [Finding("approvals-after-merge", "", severity=Severity.WARNING), Finding("x", "", severity=Severity.NOTE)]
    assert verdict(found, waived=False) == "PROVEN"


def test_what_needs_the_ledger_is_a_gap_without_one() -> None:
    found = [Finding("soak-too-short", "")]
    assert verdict(found, waived=False) == "VIOLATION"
    assert verdict(found, waived=False, gaps=GAPS | {"soak-too-short"}) == "UNPROVEN"


COMMITS = [
    ([(MANIFEST, "M")], [], []),
    ([(MANIFEST, "M"), ("policies/production.yaml", "M")], [], ["policy-changed-with-promotion"]),
    ([(MANIFEST, "M"), ("models/churn/versions/v1/card.md", "M")], [], ["immutable-file-changed"]),
    ([(MANIFEST, "M"), ("models/churn/versions/v1/card.md", "D")], [], ["immutable-file-deleted"]),
    ([(MANIFEST, "M")], [MANIFEST], ["merge-content-unreviewed"]),
    ([(MANIFEST, "M"), ("README.md", "M")], ["README.md"], []),
]


@pytest.mark.parametrize(("changes", "merge_changes", "expected"), COMMITS)
def test_the_form_of_a_commit(changes: list[tuple[str, str]], merge_changes: list[str], expected: list[str]) -> None:
    assert ids(checks.check_commit(changes, merge_changes)) == expected


@pytest.mark.parametrize(
    ("status", "mode", "expected"),
    [
        ("A", "100644", []),
        ("M", "100755", []),
        ("D", "100644", ["manifest-deleted"]),
        ("T", "120000", ["path-is-link"]),
        ("A", "160000", ["path-is-link"]),
    ],
)
def test_a_manifest_is_an_existing_regular_file(status: str, mode: str, expected: list[str]) -> None:
    assert ids(checks.check_manifest_file(MANIFEST, status, mode)) == expected


@pytest.mark.parametrize(
    ("before", "earlier", "expected"),
    [
        (None, [], []),
        (promotion(promotion=OTHER), [OTHER], []),
        (promotion(reason="before"), [ID], ["manifest-changed"]),
        (promotion(promotion=OTHER), [ID, OTHER], ["promotion-replayed"]),
        (None, [ID], ["promotion-replayed"]),
    ],
)
def test_a_manifest_is_a_new_promotion(before: Promotion | None, earlier: list[str], expected: list[str]) -> None:
    assert ids(checks.check_identity(promotion(), before, earlier, "a" * 40)) == expected


def approvals(*, counted: list[str], uncounted: list[UncountedVote], needed: int = 1) -> ApprovalResult:
    valid = [CountedApproval(person=person, roles=[], key="SHA256:k", approval=DIGEST) for person in counted]
    requirement = ApprovalRequirement(None, needed, counted, [])
    missing = [str(requirement)] if requirement.missing else []
    return ApprovalResult(valid, uncounted, missing, [requirement])


def test_no_vote_is_a_gap_and_a_vote_that_does_not_count_is_not() -> None:
    excluded = UncountedVote("ana", "author of the promotion", DIGEST)
    assert ids(checks.check_approvals(promotion(), approvals(counted=["ben"], uncounted=[excluded]))) == []
    assert ids(checks.check_approvals(promotion(), approvals(counted=[], uncounted=[]))) == ["approvals-not-on-ledger"]
    assert ids(checks.check_approvals(promotion(), approvals(counted=["ben"], uncounted=[], needed=2))) == [
        "approvals-not-on-ledger"
    ]
    (found,) = checks.check_approvals(promotion(), approvals(counted=[], uncounted=[excluded]))
    assert (found.id, "ana: author of the promotion" in found.why) == ("approvals-missing", True)


def decision_record(**fields: Any) -> DecisionRecord:
    given: dict[str, Any] = {
        "schema": 1,
        "promotion": ID,
        "environment": "production",
        "model": "churn",
        "decision": DIGEST,
        "reads": {"manifest": DIGEST},
        "approvals": [CountedApproval(person="ben", roles=[], key="SHA256:k", approval=DIGEST)],
        "commit": "a" * 40,
        "at": AT,
    }
    return DecisionRecord(**given | fields)


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"decision": "sha256:" + "2" * 64}, "it has the digest"),
    ({"reads": {"manifest": None}}, "these differ: manifest"),
    ({"reads": {"manifest": DIGEST, "hold": DIGEST}}, "these differ: hold"),
    ({"model": "other"}, "another environment or model"),
    (
        {"approvals": [CountedApproval(person="x", roles=[], key="k", approval="sha256:" + "3" * 64)]},
        "approvals that do not exist",
    ),
]


@pytest.mark.parametrize(("fields", "why"), WRONG)
def test_a_decision_record_that_differs(fields: dict[str, Any], why: str) -> None:
    counted = approvals(counted=["ben"], uncounted=[])
    reads = {"manifest": DIGEST}
    right = list(
        checks.check_decision_record(decision_record(), promotion(), reads=reads, decision=DIGEST, approvals=counted)
    )
    (found,) = checks.check_decision_record(
        decision_record(**fields), promotion(), reads=reads, decision=DIGEST, approvals=counted
    )
    assert (right, found.id, why in found.why) == ([], "decision-mismatch", True)


def results(*outcomes: str) -> list[GateVerdict]:
    return [
        GateVerdict(gate=f"gate-{number}", outcome=outcome, message="")  # type: ignore[arg-type]  # one of a table
        for number, outcome in enumerate(outcomes)
    ]


@pytest.mark.parametrize(
    ("then", "now", "expected"),
    [
        (("pass", "skip"), ("pass", "skip"), []),
        (("pass", "pass"), ("pass", "fail"), ["gate-report-mismatch"]),
        (("pass", "pass"), ("pass", "error"), ["gates-inconclusive"]),
        (("pass", "pass"), ("fail", "error"), ["gates-inconclusive", "gate-report-mismatch"]),
        (("error",), ("error",), []),
        (("pass",), ("pass", "pass"), ["gate-report-mismatch"]),
    ],
)
def test_gates_that_are_evaluated_again(then: tuple[str, ...], now: tuple[str, ...], expected: list[str]) -> None:
    assert ids(checks.check_gate_results(promotion(), results(*then), results(*now))) == expected


def test_a_manifest_that_names_no_report_is_not_a_gap() -> None:
    missing = Finding("gate-report-missing", "")
    assert checks.without_report_reference(missing, promotion()).id == "gate-report-missing"
    assert checks.without_report_reference(missing, promotion(gates=None)).id == "gate-report-reference-missing"
    assert (
        checks.without_report_reference(Finding("gate-report-expired", ""), promotion(gates=None)).id
        == "gate-report-expired"
    )


def test_what_prevents_verification_is_a_gap_unless_the_version_does_not_exist() -> None:
    assert checks.unreadable(Finding("schema-too-new", "")).id in GAPS
    assert checks.unreadable(Finding("version-unknown", "")).id == "version-unknown"
    assert checks.in_first_commit(MANIFEST).id in GAPS


def test_a_refusal_of_apply_is_a_gap() -> None:
    assert ids(checks.check_applied(promotion(), None)) == []
    assert ids(checks.check_applied(promotion(), "lacks 1 more approval")) == ["apply-rejected"]
    assert "apply-rejected" in GAPS


def test_the_verdicts_are_in_order_and_every_section_has_a_place() -> None:
    assert VERDICTS == ("PROVEN", "OVERRIDDEN", "UNAPPROVED", "UNPROVEN", "VIOLATION")
    assert all(all(point) for point in FRAMEWORK_POINTS)
