"""The verdict on a change: which findings contradict it, and which only mean that evidence is missing."""

from collections.abc import Collection, Iterable
from typing import Final, Literal

from mlgit.errors import Finding, Severity

AuditVerdict = Literal["PROVEN", "OVERRIDDEN", "UNAPPROVED", "UNPROVEN", "VIOLATION"]

AuditDepth = Literal["record", "recompute", "full"]
"""How deep an audit looks: at records, digests and approvals; evaluating the gates again that run no code; or all of them."""

VERDICTS: Final[tuple[AuditVerdict, ...]] = ("PROVEN", "OVERRIDDEN", "UNAPPROVED", "UNPROVEN", "VIOLATION")
"""From best to worst."""

GAPS: Final = frozenset(
    {
        "apply-rejected",
        "approvals-not-on-ledger",
        "approvals-unsatisfiable",
        "audit-record-unreadable",
        "gate-report-missing",
        "gates-inconclusive",
        "ledger-entry-unsigned",
        "promotion-commit-missing",
        "reviewed-commit-missing",
        "rules-unapproved",
        "setting-unsupported",
    }
)
"""Findings that mean that evidence is missing, or cannot be verified here. Every other error contradicts the change."""


def verdict(
    findings: Iterable[Finding], *, waived: bool, unapproved: bool = False, gaps: Collection[str] = GAPS
) -> AuditVerdict:
    """Return the verdict on a change.

    A finding that is not listed as a gap is a contradiction, so that a new finding is never taken for a mere gap.

    Args:
        findings: all findings of the change; warnings and notes are ignored.
        waived: whether a gate was waived by an override.
        unapproved: whether the rules asked nobody to approve the change: it may be sound, but nothing says who decided it.
        gaps: the ids of findings that mean that evidence is missing.
    """
    errors = {finding.id for finding in findings if finding.severity is Severity.ERROR}
    if errors - set(gaps):
        return "VIOLATION"
    if errors:
        return "UNPROVEN"
    if unapproved:
        return "UNAPPROVED"
    return "OVERRIDDEN" if waived else "PROVEN"
