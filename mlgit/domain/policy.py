"""A policy's gates, judged on evidence, and what follows from all of their answers."""

from collections.abc import Sequence
from typing import Literal

from mlgit.domain.gates.base import Evidence, Gate, GateResult
from mlgit.domain.records.gatereport import GateVerdict
from mlgit.domain.records.policy import ApprovalRule, Approvals
from mlgit.errors import MlgitError

Overall = Literal["pass", "fail", "error", "wait"]
_LONGEST = 2000  # characters of a message, as a gate report keeps it
_LONGEST_FIX = 500


def evaluate(gates: Sequence[Gate], evidence: Evidence) -> list[GateVerdict]:
    """Judge each gate, in order. A gate whose evidence cannot be had answers `error`, which never counts as `pass`."""
    return [_verdict(gate, _judge(gate, evidence)) for gate in gates]


def overall(verdicts: Sequence[GateVerdict]) -> Overall:
    """Return what follows from all answers; an empty list is no pass, for nothing was asked."""
    outcomes = {verdict.outcome for verdict in verdicts}
    if not outcomes:
        return "error"
    for outcome in ("fail", "error", "wait"):
        if outcome in outcomes:
            return outcome
    return "pass"


def rule_for(approvals: Approvals, change: str) -> ApprovalRule:
    """Return who must agree to a kind of change; what is not stated is as for `promote`."""
    rule: ApprovalRule | None = getattr(approvals, change)
    return rule or approvals.promote


def _judge(gate: Gate, evidence: Evidence) -> GateResult:
    try:
        return gate.judge(evidence)
    except MlgitError as error:
        found = error.findings[0]
        return GateResult(
            "error", found.message + (f": {found.why}" if found.why else ""), {"finding": found.id}, found.fix
        )


def _verdict(gate: Gate, result: GateResult) -> GateVerdict:
    return GateVerdict(
        gate=gate.id,
        outcome=result.outcome,
        message=result.message[:_LONGEST],
        facts=result.facts,
        fix=result.fix[:_LONGEST_FIX],
    )
