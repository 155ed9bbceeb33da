"""What an audit concludes: which findings contradict, which are gaps, and what the shape of a change tells."""

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
    (["what-nobody-has-heard-of"], False, "VIOLATION"),
]


@pytest.mark.parametrize(("found", "waived", "expected"), VERDICT)
def test_the_verdict_goes_by_the_worst_that_was_found(found: list[str], waived: bool, expected: str) -> None:
    assert verdict([Finding(one, "") for one in found], waived=waived) == expected


@pytest.mark.parametrize("gap", sorted(GAPS))
def test_a_gap_never_proves_anything(gap: str) -> None:
    assert verdict([Finding(gap, "")], waived=False) == "UNPROVEN"


def test_warnings_and_notes_weigh_nothing() -> None:
    found = [Finding("approvals-after-merge", "", severity=Severity.WARNING), Finding("x", "", severity=Severity.NOTE)]
    assert verdict(found, waived=False) == "PROVEN"


def test_what_only_the_ledger_can_tell_is_a_gap_where_there_is_none() -> None:
    found = [Finding("soak-too-short", "")]
    assert verdict(found, waived=False) == "VIOLATION"
    assert verdict(found, waived=False, gaps=GAPS | {"soak-too-short"}) == "UNPROVEN"


SHAPES = [
    ([(MANIFEST, "M")], [], []),
    ([(MANIFEST, "M"), ("policies/production.yaml", "M")], [], ["policy-changed-with-promotion"]),
    ([(MANIFEST, "M"), ("models/churn/versions/v1/card.md", "M")], [], ["immutable-file-changed"]),
    ([(MANIFEST, "M"), ("models/churn/versions/v1/card.md", "D")], [], ["immutable-file-deleted"]),
    ([(MANIFEST, "M")], [MANIFEST], ["merge-content-unreviewed"]),
    ([(MANIFEST, "M"), ("README.md", "M")], ["README.md"], []),
]


@pytest.mark.parametrize(("changes", "own", "expected"), SHAPES)
def test_the_shape_of_a_commit(changes: list[tuple[str, str]], own: list[str], expected: list[str]) -> None:
    assert ids(checks.check_commit(changes, own)) == expected


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
def test_a_manifest_is_a_file_that_is_there(status: str, mode: str, expected: list[str]) -> None:
    assert ids(checks.check_manifest_file(MANIFEST, status, mode)) == expected


@pytest.mark.parametrize(
    ("before", "seen", "expected"),
    [
        (None, [], []),
        (promotion(promotion=OTHER), [OTHER], []),
        (promotion(reason="before"), [ID], ["manifest-changed"]),
        (promotion(promotion=OTHER), [ID, OTHER], ["promotion-replayed"]),
        (None, [ID], ["promotion-replayed"]),
    ],
)
def test_a_manifest_is_a_promotion_of_its_own(before: Promotion | None, seen: list[str], expected: list[str]) -> None:
    assert ids(checks.check_identity(promotion(), before, seen, "a" * 40)) == expected


def tally(*, counted: list[str], uncounted: list[UncountedVote], needed: int = 1) -> ApprovalResult:
    approvals = [CountedApproval(person=one, roles=[], key="SHA256:k", approval=DIGEST) for one in counted]
    need = ApprovalRequirement(None, needed, counted, [])
    return ApprovalResult(approvals, uncounted, [str(need)] if need.missing else [], [need])


def test_no_word_is_a_gap_and_a_word_that_does_not_count_is_none() -> None:
    excluded = UncountedVote("ana", "author of the promotion", DIGEST)
    assert ids(checks.check_approvals(promotion(), tally(counted=["ben"], uncounted=[excluded]))) == []
    assert ids(checks.check_approvals(promotion(), tally(counted=[], uncounted=[]))) == ["approvals-not-on-ledger"]
    assert ids(checks.check_approvals(promotion(), tally(counted=["ben"], uncounted=[], needed=2))) == [
        "approvals-not-on-ledger"
    ]
    (found,) = checks.check_approvals(promotion(), tally(counted=[], uncounted=[excluded]))
    assert (found.id, "ana: author of the promotion" in found.why) == ("approvals-missing", True)


def decided(**fields: Any) -> DecisionRecord:
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
    ({"decision": "sha256:" + "2" * 64}, "it says"),
    ({"reads": {"manifest": None}}, "another manifest"),
    ({"reads": {"manifest": DIGEST, "hold": DIGEST}}, "another hold"),
    ({"model": "other"}, "something else"),
    (
        {"approvals": [CountedApproval(person="x", roles=[], key="k", approval="sha256:" + "3" * 64)]},
        "approvals that are not there",
    ),
]


@pytest.mark.parametrize(("fields", "why"), WRONG)
def test_a_decision_that_says_something_else(fields: dict[str, Any], why: str) -> None:
    counted = tally(counted=["ben"], uncounted=[])
    reads = {"manifest": DIGEST}
    right = list(checks.check_decision_record(decided(), promotion(), reads=reads, decision=DIGEST, tally=counted))
    (found,) = checks.check_decision_record(decided(**fields), promotion(), reads=reads, decision=DIGEST, tally=counted)
    assert (right, found.id, why in found.why) == ([], "decision-mismatch", True)


def answers(*outcomes: str) -> list[GateVerdict]:
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
def test_gates_that_are_judged_again(then: tuple[str, ...], now: tuple[str, ...], expected: list[str]) -> None:
    assert ids(checks.check_gate_results(promotion(), answers(*then), answers(*now))) == expected


def test_a_manifest_that_names_no_report_is_no_gap() -> None:
    missing = Finding("gate-report-missing", "")
    assert checks.without_report_reference(missing, promotion()).id == "gate-report-missing"
    assert checks.without_report_reference(missing, promotion(gates=None)).id == "gate-report-reference-missing"
    assert (
        checks.without_report_reference(Finding("gate-report-expired", ""), promotion(gates=None)).id
        == "gate-report-expired"
    )


def test_what_stops_the_judging_is_a_gap_unless_the_version_never_was() -> None:
    assert checks.unreadable(Finding("schema-too-new", "")).id in GAPS
    assert checks.unreadable(Finding("version-unknown", "")).id == "version-unknown"
    assert checks.in_first_commit(MANIFEST).id in GAPS


def test_a_refusal_of_apply_stands_against_it() -> None:
    assert ids(checks.check_applied(promotion(), None)) == []
    assert ids(checks.check_applied(promotion(), "lacks 1 more approval")) == ["apply-rejected"]
    assert "apply-rejected" in GAPS


def test_the_verdicts_are_in_order_and_every_section_has_a_place() -> None:
    assert VERDICTS == ("PROVEN", "OVERRIDDEN", "UNPROVEN", "VIOLATION")
    assert all(all(point) for point in FRAMEWORK_POINTS)
