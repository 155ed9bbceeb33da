"""`models/<model>/versions/v<N>/gates/<promotion>.json`: how a policy's gates evaluated a version."""

from typing import Annotated, Any, Literal

import msgspec

from mlgit.domain.names import Digest, Name, PromotionId
from mlgit.domain.records.base import Record, RecordPart, Timestamp, describe
from mlgit.domain.records.promotion import PolicyRef, VersionPin

GateOutcome = Literal["pass", "fail", "wait", "skip", "waived", "error"]
GateSeverity = Literal["block", "warn"]
PASSING_OUTCOMES = frozenset({"pass", "skip", "waived"})

_WORDS = r"[a-z0-9]+([._-][a-z0-9]+)*"
GATE_ID = rf"^{_WORDS}(:{_WORDS})?$(?!\n)"
GateId = Annotated[
    str,
    msgspec.Meta(
        pattern=GATE_ID,
        max_length=80,
        description="Id of a gate; `exec:<name>` or `python:<name>` for a team's own",
    ),
]


class GateVerdict(RecordPart, frozen=True, kw_only=True):
    """The result of one gate."""

    gate: Annotated[GateId, describe("Id of the gate.")]
    outcome: Annotated[GateOutcome, describe("Its outcome; pass, skip and waived allow a promotion.")]
    message: Annotated[str, describe("Reason for the outcome.", max_length=2000)]
    facts: Annotated[dict[str, Any], describe("Numbers that the outcome is based on.")] = {}
    fix: Annotated[str, describe("How to fix a failure.", max_length=500)] = ""
    severity: Annotated[
        GateSeverity, describe("Whether a failure stops the version (block) or is only shown (warn).")
    ] = "block"

    @property
    def blocks(self) -> bool:
        """Whether this result stops the version."""
        return self.severity == "block" and self.outcome not in PASSING_OUTCOMES


class GateReport(Record, frozen=True, kw_only=True, tag="gate-report"):
    """How the gates evaluated a version, with the digest of everything that they read."""

    written_by = "mlgit"

    promotion: Annotated[PromotionId, describe("Id of the promotion.")]
    environment: Annotated[Name, describe("Name of the environment.")]
    model: Annotated[Name, describe("Name of the model.")]
    candidate: Annotated[VersionPin, describe("The version that was evaluated.")]
    champion: Annotated[VersionPin | None, describe("The version that it was compared with.")]
    policy: Annotated[PolicyRef, describe("The policy whose gates were evaluated.")]
    reads: Annotated[dict[str, Digest | None], describe("Digest of everything that the gates read.")]
    results: Annotated[list[GateVerdict], describe("Result of each gate, in the order of the policy.")]
    outcome: Annotated[Literal["pass", "fail", "error", "wait"], describe("Overall outcome.")]
    at: Annotated[Timestamp, describe("When the gates were evaluated.")]
    tool: Annotated[str, describe("Version of mlgit that evaluated them.")]
