"""From what was found to one word: which findings contradict a change, and which only leave it without proof."""

from collections.abc import Collection, Iterable
from typing import Final, Literal

from mlgit.errors import Finding, Severity

AuditVerdict = Literal["PROVEN", "OVERRIDDEN", "UNPROVEN", "VIOLATION"]

VERDICTS: Final[tuple[AuditVerdict, ...]] = ("PROVEN", "OVERRIDDEN", "UNPROVEN", "VIOLATION")
"""From the best to the worst."""

GAPS: Final = frozenset(
    {
        "apply-rejected",
        "approvals-not-on-ledger",
        "approvals-unsatisfiable",
        "audit-record-unreadable",
        "gate-report-missing",
        "gates-inconclusive",
        "promotion-commit-missing",
        "reviewed-commit-missing",
        "setting-unsupported",
    }
)
"""Findings that say that evidence is missing, or cannot be judged here. Every other one contradicts the change."""


def verdict(findings: Iterable[Finding], *, waived: bool, gaps: Collection[str] = GAPS) -> AuditVerdict:
    """Return the verdict on a change. What is not known to be a mere gap is a contradiction, so that nothing new is let through.

    Args:
        findings: all that stands against it; warnings and notes weigh nothing.
        waived: whether a gate was waived by an override.
        gaps: the ids of findings that leave it without proof and contradict nothing.
    """
    against = {finding.id for finding in findings if finding.severity is Severity.ERROR}
    if against - set(gaps):
        return "VIOLATION"
    if against:
        return "UNPROVEN"
    return "OVERRIDDEN" if waived else "PROVEN"
