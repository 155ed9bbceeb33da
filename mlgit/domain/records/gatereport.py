"""`models/<model>/versions/v<N>/gates/<promotion>.json`: how a policy's gates judged a version."""

from typing import Annotated, Any, Literal

import msgspec

from mlgit.domain.names import Digest, Name, PromotionId
from mlgit.domain.records.base import Moment, Part, Record, doc
from mlgit.domain.records.promotion import PolicyRef, VersionPin

Outcome = Literal["pass", "fail", "wait", "skip", "waived", "error"]
Severity = Literal["block", "warn"]
LETS_THROUGH = frozenset({"pass", "skip", "waived"})

_WORDS = r"[a-z0-9]+([._-][a-z0-9]+)*"
GATE_ID = rf"^{_WORDS}(:{_WORDS})?$(?!\n)"
GateId = Annotated[
    str,
    msgspec.Meta(
        pattern=GATE_ID,
        max_length=80,
        description="Name of a gate; of one of the team's own `exec:<name>` or `python:<name>`",
    ),
]


class GateVerdict(Part, frozen=True, kw_only=True):
    """What one gate said."""

    gate: Annotated[GateId, doc("The gate.")]
    outcome: Annotated[Outcome, doc("Its answer; only pass, skip and waived let a version through.")]
    message: Annotated[str, doc("Why, in words.", max_length=2000)]
    facts: Annotated[dict[str, Any], doc("The numbers behind it.")] = {}
    fix: Annotated[str, doc("The way out, where it did not pass.", max_length=500)] = ""
    severity: Annotated[Severity, doc("Whether a `no` stops the version (block), or is shown only (warn).")] = "block"

    @property
    def refuses(self) -> bool:
        """Whether this answer stops the version."""
        return self.severity == "block" and self.outcome not in LETS_THROUGH


class GateReport(Record, frozen=True, kw_only=True, tag="gate-report"):
    """How the gates judged a version, with the digest of everything that they looked at."""

    written_by = "mlgit"

    promotion: Annotated[PromotionId, doc("The promotion that asked.")]
    environment: Annotated[Name, doc("The environment.")]
    model: Annotated[Name, doc("The model.")]
    candidate: Annotated[VersionPin, doc("The version that was judged.")]
    champion: Annotated[VersionPin | None, doc("The version that it was compared with.")]
    policy: Annotated[PolicyRef, doc("The policy that asked.")]
    reads: Annotated[dict[str, Digest | None], doc("Digest of each thing that was looked at.")]
    results: Annotated[list[GateVerdict], doc("What each gate said, in the order of the policy.")]
    outcome: Annotated[Literal["pass", "fail", "error", "wait"], doc("What follows from all of them.")]
    at: Annotated[Moment, doc("When they were judged.")]
    tool: Annotated[str, doc("The mlgit that judged.")]
