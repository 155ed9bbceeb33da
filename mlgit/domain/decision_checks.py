"""Check the records of a merged promotion against what is computed from the files."""

from collections.abc import Iterator

from mlgit.domain import layout
from mlgit.domain.approvals import ApprovalResult
from mlgit.domain.codec import digest
from mlgit.domain.decision import ReadSet, changed
from mlgit.domain.names import Digest
from mlgit.domain.records.gatereport import GateReport
from mlgit.domain.records.ledger import DecisionRecord
from mlgit.domain.records.promotion import Promotion
from mlgit.domain.records.version import Version
from mlgit.domain.rules.promotions import check_slots
from mlgit.domain.rules.versions import check_version
from mlgit.errors import Finding, Location


def check_decision(
    recorded: DecisionRecord, *, reads: ReadSet, decision: Digest, approvals: ApprovalResult
) -> Iterator[Finding]:
    """Check that a decision record of the ledger equals the computed decision.

    Args:
        recorded: the record of the ledger.
        reads: the computed digest of each record that the decision depends on.
        decision: the digest over them.
        approvals: the approvals, counted again.
    """
    at = Location(layout.decision(recorded.promotion))
    differing = changed(recorded.reads, reads)
    if recorded.decision != decision or differing:
        yield Finding(
            "decision-mismatch",
            f"the ledger's decision on {recorded.environment}/{recorded.model} is not the one that was merged",
            why=f"these differ: {', '.join(differing) or 'only the digest'}",
            fix="`git log mlgit-ledger` shows who wrote it, `mlgit log` what was merged",
            at=at,
        )
    for approval in recorded.approvals:
        if approval not in approvals.counted:
            reasons = [vote.reason for vote in approvals.uncounted if vote.person == approval.person]
            absent = f"the ledger has no approval {approval.approval[7:19]} with these roles and this key"
            yield Finding(
                "approval-invalid",
                f"the decision record counts an approval by {approval.person} that does not count",
                why=next(iter(reasons), absent),
                fix="`git log mlgit-ledger` shows who wrote the record; revert the promotion and propose it again",
                at=at,
            )


def check_unchanged(manifest: Promotion, version: Version | None, report: GateReport | None) -> Iterator[Finding]:
    """Check that the version record and the gate report that a manifest names were not changed since the merge."""
    if version is not None:
        findings = [*check_slots(manifest, {version.version: version.digest}), *check_version(version, {})]
        yield from (finding for finding in findings if finding.id in {"slot-digest-mismatch", "version-tampered"})
    if manifest.gates is not None and not is_named_report(manifest, report):
        yield Finding(
            "gate-report-mismatch",
            "the gate report is not the one that the manifest names",
            why="its digest differs" if report else "the file does not exist",
            fix="restore it from the commit that added it; `git log` of the file shows who changed it",
            at=Location(manifest.gates.report),
        )


def is_named_report(manifest: Promotion, report: GateReport | None) -> bool:
    """Return whether a gate report has the digest that a manifest names."""
    return manifest.gates is not None and report is not None and digest(report) == manifest.gates.digest


def missing_approvals(approvals: ApprovalResult, what: str) -> Iterator[Finding]:
    """Yield the finding of a promotion that was merged without enough approvals; `what` names it."""
    if not approvals.complete:
        people = ", ".join(approval.person for approval in approvals.counted) or "nobody"
        yield Finding(
            "approvals-missing",
            f"{what} lacks {'; '.join(approvals.missing)}",
            why=f"by the rules before the merge, it was approved by {people}",
            fix="it was merged without them: revert the merge, then promote, approve and merge again",
        )
