"""What was written down about a promotion that was merged, held against what is computed from the files."""

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
    recorded: DecisionRecord, *, reads: ReadSet, decision: Digest, tally: ApprovalResult
) -> Iterator[Finding]:
    """Yield how a decision on the ledger differs from the one that is computed.

    Args:
        recorded: the ledger's.
        reads: digest of each thing that the decision rests on, computed.
        decision: the digest over them.
        tally: the approvals, counted again.
    """
    at = Location(layout.decision(recorded.promotion))
    differing = changed(recorded.reads, reads)
    if recorded.decision != decision or differing:
        yield Finding(
            "decision-mismatch",
            f"the ledger's decision on {recorded.environment}/{recorded.model} is not the one that its merge gives",
            why=f"what differs: {', '.join(differing) or 'the digest alone'}",
            fix="see `git log mlgit-ledger` for who wrote it, and `mlgit log` for what was merged",
            at=at,
        )
    for one in recorded.approvals:
        if one not in tally.counted:
            reasons = [other.reason for other in tally.uncounted if other.person == one.person]
            nothing = f"no approval {one.approval[7:19]} with these roles and key is on the ledger"
            yield Finding(
                "approval-invalid",
                f"the ledger counts an approval by {one.person}, which does not hold",
                why=next(iter(reasons), nothing),
                fix="see `git log mlgit-ledger` for who wrote the decision; revert the promotion, and decide it again",
                at=at,
            )


def check_unchanged(manifest: Promotion, version: Version | None, report: GateReport | None) -> Iterator[Finding]:
    """Yield what was changed since the merge: the record of the version that a manifest names, and its gate report."""
    if version is not None:
        found = [*check_slots(manifest, {version.version: version.digest}), *check_version(version, {}, {})]
        yield from (finding for finding in found if finding.id in {"slot-digest-mismatch", "version-tampered"})
    if manifest.gates is not None and not is_named_report(manifest, report):
        yield Finding(
            "gate-report-mismatch",
            "the gate report is not the one that the manifest names",
            why="its digest differs" if report else "it is gone",
            fix="restore it from the commit that brought it; `git log` of the file names who changed it",
            at=Location(manifest.gates.report),
        )


def is_named_report(manifest: Promotion, report: GateReport | None) -> bool:
    """Tell whether a gate report is the one that a manifest names, by its digest."""
    return manifest.gates is not None and report is not None and digest(report) == manifest.gates.digest


def missing_approvals(tally: ApprovalResult, what: str) -> Iterator[Finding]:
    """Yield what a promotion lacks that was merged all the same; `what` names it."""
    if not tally.complete:
        yield Finding(
            "approvals-missing",
            f"{what} lacks {'; '.join(tally.missing)}",
            why=f"approved by {', '.join(one.person for one in tally.counted) or 'nobody'}, by the rules before the merge",
            fix="it was merged without them: revert the merge, then promote, approve and merge again",
        )
