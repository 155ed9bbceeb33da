"""Decision records of merged promotions, compared with what is computed from the files."""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from mlgit.domain.approvals import ApprovalRequirement, ApprovalResult, UncountedVote
from mlgit.domain.codec import digest
from mlgit.domain.decision import decision
from mlgit.domain.decision_checks import check_decision, check_unchanged, is_named_report, missing_approvals
from mlgit.domain.records import DecisionRecord
from mlgit.domain.records.ledger import CountedApproval
from mlgit.domain.records.promotion import ReportRef, SlotAssignments
from tests import samples
from tests.samples import NOW, sha

READS = {"manifest": sha(1), "policy": sha(2), "champion": None}
BEA = CountedApproval(person="bea", roles=["risk"], key="SHA256:b", approval=sha(5))
ADA = CountedApproval(person="ada", roles=[], key="SHA256:a", approval=sha(6))
STALE = UncountedVote("ada", "stale: what was approved has changed since", sha(6))
VERSION = samples.version()
REPORT = samples.gate_report(VERSION)
MANIFEST = samples.promotion(VERSION, gates=ReportRef(report="gates.json", digest=digest(REPORT)))


def result(*counted: CountedApproval, missing: list[str] | None = None) -> ApprovalResult:
    requirements = [ApprovalRequirement(None, 1, [approval.person for approval in counted], [])]
    return ApprovalResult([*counted], [STALE], missing or [], requirements)


def recorded(**changes: Any) -> DecisionRecord:
    fields: dict[str, Any] = {
        "schema": 1,
        "promotion": samples.ULID,
        "environment": "production",
        "model": "delay",
        "decision": decision(READS),
        "reads": READS,
        "approvals": [BEA],
        "commit": "4be1" * 10,
        "at": NOW,
    }
    return DecisionRecord(**fields | changes)


RECORDED: list[tuple[str, dict[str, Any], list[tuple[str, str]]]] = [
    ("as computed", {}, []),
    ("fewer approvals than there are", {"approvals": []}, []),
    ("another digest", {"decision": sha(9)}, [("decision-mismatch", "these differ: only the digest")]),
    (
        "another policy",
        {"reads": READS | {"policy": sha(9)}},
        [("decision-mismatch", "these differ: policy")],
    ),
    (
        "two things more, and their digest",
        {"reads": READS | {"a": sha(9), "b": sha(9)}, "decision": sha(9)},
        [("decision-mismatch", "these differ: a, b")],
    ),
    ("an approval that is stale", {"approvals": [BEA, ADA]}, [("approval-invalid", STALE.reason)]),
    (
        "a role that she does not have",
        {"approvals": [replace(BEA, roles=["risk", "legal"])]},
        [("approval-invalid", f"the ledger has no approval {sha(5)[7:19]} with these roles and this key")],
    ),
    (
        "another key",
        {"approvals": [replace(BEA, key="SHA256:c")]},
        [("approval-invalid", f"the ledger has no approval {sha(5)[7:19]} with these roles and this key")],
    ),
]


@pytest.mark.parametrize(("changes", "found"), [one[1:] for one in RECORDED], ids=[one[0] for one in RECORDED])
def test_a_decision_record_equals_the_computed_decision(changes: dict[str, Any], found: list[tuple[str, str]]) -> None:
    findings = list(check_decision(recorded(**changes), reads=READS, decision=decision(READS), approvals=result(BEA)))
    assert [(one.id, one.why) for one in findings] == found
    assert all(one.at is not None and one.at.file == f"decisions/{samples.ULID}.json" for one in findings)


UNCHANGED: list[tuple[str, Callable[[], list[Any]], list[str]]] = [
    ("as it was", lambda: [MANIFEST, VERSION, REPORT], []),
    ("no version, as one left", lambda: [MANIFEST, None, REPORT], []),
    ("a record that was edited", lambda: [MANIFEST, replace(VERSION, seed=9), REPORT], ["version-tampered"]),
    (
        "another version under its label",
        lambda: [MANIFEST, samples.version(1, seed=9), REPORT],
        ["slot-digest-mismatch"],
    ),
    (
        "what only a merge asks for",
        lambda: [replace(MANIFEST, slots=SlotAssignments(champion=None)), VERSION, REPORT],
        [],
    ),
    (
        "a report that was edited",
        lambda: [MANIFEST, VERSION, replace(REPORT, tool="mlgit 1")],
        ["gate-report-mismatch"],
    ),
    ("a report that is missing", lambda: [MANIFEST, VERSION, None], ["gate-report-mismatch"]),
    ("no report was named", lambda: [replace(MANIFEST, gates=None), VERSION, None], []),
]


@pytest.mark.parametrize(("parts", "found"), [one[1:] for one in UNCHANGED], ids=[one[0] for one in UNCHANGED])
def test_changes_since_the_merge_are_found(parts: Callable[[], list[Any]], found: list[str]) -> None:
    assert [one.id for one in check_unchanged(*parts())] == found


def test_a_missing_report_is_distinguished_from_one_that_differs() -> None:
    whys = [next(check_unchanged(MANIFEST, None, one)).why for one in (None, replace(REPORT, tool="mlgit 1"))]
    assert whys == ["the file does not exist", "its digest differs"]


def test_a_report_is_identified_by_its_digest() -> None:
    assert is_named_report(MANIFEST, REPORT)
    assert not is_named_report(MANIFEST, None)
    assert not is_named_report(MANIFEST, replace(REPORT, outcome="fail"))
    assert not is_named_report(replace(MANIFEST, gates=None), REPORT)


def test_missing_approvals_are_reported_with_who_approved() -> None:
    assert list(missing_approvals(result(BEA), "the promotion")) == []
    (finding,) = missing_approvals(
        result(BEA, ADA, missing=["1 more approval", "the approval of carl"]), "the promotion"
    )
    assert finding.id == "approvals-missing"
    assert finding.message == "the promotion lacks 1 more approval; the approval of carl"
    assert finding.why == "by the rules before the merge, it was approved by bea, ada"
    (finding,) = missing_approvals(result(missing=["1 more approval"]), "the promotion")
    assert finding.why == "by the rules before the merge, it was approved by nobody"
