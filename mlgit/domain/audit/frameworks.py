"""Which section of an audit report has evidence for which requirements of regulatory frameworks.

Sources: Regulation (EU) 2024/1689 (AI Act), articles 9 to 15 and the nine points of Annex IV; SR 11-7, Supervisory Guidance on
Model Risk Management (Federal Reserve, 2011); ISO/IEC 42001:2023; NIST AI 100-1, AI Risk Management Framework 1.0.
The table shows where to find evidence. Whether a requirement is met is for the people responsible to decide.
"""

from typing import Final, NamedTuple


class FrameworkPoint(NamedTuple):
    """A section of the report, and the points that it has evidence for."""

    section: str
    ai_act: str
    sr_11_7: str
    iso_42001: str
    nist: str


FRAMEWORK_POINTS: Final = (
    FrameworkPoint(
        "Inventory", "Annex IV 1: general description", "model inventory", "A.4, A.6: resources, life cycle", "MAP"
    ),
    FrameworkPoint(
        "Changes", "Annex IV 6: changes through the life cycle; art. 12", "change control", "A.6: life cycle", "MANAGE"
    ),
    FrameworkPoint(
        "Gates",
        "Annex IV 2(g), 4: testing, metrics; art. 15",
        "development evidence, validation",
        "A.6: verification",
        "MEASURE",
    ),
    FrameworkPoint(
        "Approvals",
        "Annex IV 2(e), 3: human oversight; art. 14",
        "independent validation, effective challenge",
        "A.3: roles",
        "GOVERN",
    ),
    FrameworkPoint(
        "Decision inputs", "Annex IV 2: data, process of development; art. 10, 11", "documentation", "A.7: data", "MAP"
    ),
    FrameworkPoint(
        "Rule changes", "Annex IV 5: risk management system; art. 9", "policies, governance", "A.2: policies", "GOVERN"
    ),
    FrameworkPoint(
        "Deployments",
        "Annex IV 3, 9: operation, monitoring; art. 12",
        "ongoing monitoring",
        "A.6, A.9: operation, use",
        "MANAGE",
    ),
    FrameworkPoint(
        "Holds, overrides, standing approvals, retirements",
        "Annex IV 3, 5: limits, risks; art. 9",
        "limits, exceptions",
        "A.5: impact",
        "MANAGE",
    ),
    FrameworkPoint(
        "Repository history", "art. 12: record-keeping", "documentation, internal audit", "A.6: event logs", "GOVERN"
    ),
)
"""In the order of the sections of a report."""
