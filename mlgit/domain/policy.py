"""Evaluate the gates of a policy on evidence, and combine and compare their results."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, Literal

import msgspec

from mlgit.domain.gates.base import Evidence, Gate, GateResult, skipped
from mlgit.domain.records.gatereport import GateVerdict
from mlgit.domain.records.policy import ApprovalRule, ApprovalRules
from mlgit.errors import MlgitError

OverallOutcome = Literal["pass", "fail", "error", "wait"]
NO_WAIVERS: Final[Mapping[str, str]] = MappingProxyType({})

_MAX_MESSAGE = 2000  # characters, as in a gate report
_MAX_FIX = 500
_MAX_FACT = 60
_MAX_WAIVER = 1000  # so that the message of the gate itself remains visible
_TOLERANCE = 1e-9


def evaluate(
    gates: Sequence[Gate],
    evidence: Evidence,
    waivers: Mapping[str, str] = NO_WAIVERS,
    *,
    never_waivable: Collection[str] = (),
) -> list[GateVerdict]:
    """Evaluate each gate, in order. If evidence is unavailable, the outcome is `error`, which never counts as `pass`.

    Args:
        gates: the gates of a policy.
        evidence: the facts that they are evaluated on.
        waivers: who waived a gate and why, by the gate's id; applies to every gate with that id whose outcome is `fail`
            or `error`.
        never_waivable: gates that cannot be waived, by id or by kind (`exec` for every gate of that kind).
    """
    never = frozenset(never_waivable)
    return [
        _verdict(gate, _judge(gate, evidence), waivers.get(gate.id) if never.isdisjoint({gate.id, gate.kind}) else None)
        for gate in gates
    ]


def overall_outcome(verdicts: Sequence[GateVerdict]) -> OverallOutcome:
    """Return the overall outcome of the gates that block; `error` for an empty list, because nothing was evaluated."""
    outcomes = {verdict.outcome for verdict in verdicts if verdict.blocks}
    if not verdicts:
        return "error"
    for outcome in ("fail", "error", "wait"):
        if outcome in outcomes:
            return outcome
    return "pass"


def matches_gates(gates: Sequence[Gate], verdicts: Sequence[GateVerdict]) -> bool:
    """Return whether the verdicts are for exactly these gates, in their order and with their severity.

    A report with `warn` for a gate that blocks would allow what that gate refuses.
    """
    return [(gate.id, gate.severity) for gate in gates] == [(verdict.gate, verdict.severity) for verdict in verdicts]


def outcome_differences(then: Sequence[GateVerdict], now: Sequence[GateVerdict]) -> list[str]:
    """Describe the outcomes that differ between two evaluations by the same gates; empty if none do.

    Messages, facts and fixes are not compared.
    """
    if [(old.gate, old.severity) for old in then] != [(new.gate, new.severity) for new in now]:
        return [f"gates evaluated then: {_listed(then)}; now: {_listed(now)}"]
    return [
        f"{old.gate}: {old.outcome} then, {new.outcome} now ({new.message})"
        for old, new in zip(then, now, strict=True)
        if old.outcome != new.outcome
    ]


def verdict_differences(then: GateVerdict, now: GateVerdict) -> list[str]:
    """Describe how two results of one gate differ: in the outcome, otherwise in the facts.

    Numbers are equal within a tolerance of 1e-9, relative above 1: they are sums of floats, whose last digits depend on
    the machine.
    """
    if then.outcome != now.outcome:
        return [f"{then.gate}: {then.outcome} then, {now.outcome} now ({now.message})"]
    facts = msgspec.json.decode(msgspec.json.encode(now.facts))  # as they would be read from a file
    return [f"{then.gate}: {difference}" for difference in _fact_differences(then.facts, facts, "")]


def approval_rule(approvals: ApprovalRules, change: str) -> ApprovalRule:
    """Return the approvals that a kind of change requires; the default is the rule for `promote`."""
    rule: ApprovalRule | None = getattr(approvals, change)
    return rule or approvals.promote


def _judge(gate: Gate, evidence: Evidence) -> GateResult:
    try:
        if gate.when is not None and evidence.problem.risk != gate.when.risk:
            return skipped(f"evaluated only for risk {gate.when.risk}; the problem has risk {evidence.problem.risk}")
        return gate.judge(evidence)
    except MlgitError as error:
        finding = error.findings[0]
        message = finding.message + (f": {finding.why}" if finding.why else "")
        return GateResult("error", message, {"finding": finding.id}, finding.fix)


def _verdict(gate: Gate, result: GateResult, waiver: str | None) -> GateVerdict:
    if waiver is not None and result.outcome in {"fail", "error"}:
        message = f"{waiver[:_MAX_WAIVER]}; without that {result.outcome}: {result.message}"
        result = GateResult("waived", message, {**result.facts, "would_be": result.outcome}, result.fix)
    return GateVerdict(
        gate=gate.id,
        outcome=result.outcome,
        message=result.message[:_MAX_MESSAGE],
        facts=result.facts,
        fix=result.fix[:_MAX_FIX],
        severity=gate.severity,
    )


def _fact_differences(then: Any, now: Any, where: str) -> Iterator[str]:
    if isinstance(then, dict) and isinstance(now, dict):
        for key in sorted(then.keys() | now.keys()):
            yield from _fact_differences(then.get(key), now.get(key), f"{where}.{key}" if where else key)
    elif isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        for index, (old, new) in enumerate(zip(then, now, strict=True)):
            yield from _fact_differences(old, new, f"{where}[{index}]")
    elif _is_number(then) and _is_number(now):
        if abs(then - now) > _TOLERANCE * max(1.0, abs(then)):
            yield f"{where} {then:g} then, {now:g} now"
    elif type(then) is not type(now) or then != now:
        yield f"{where} {_shown(then)} then, {_shown(now)} now"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _shown(value: Any) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= _MAX_FACT else f"{text[:_MAX_FACT]}..."


def _listed(verdicts: Sequence[GateVerdict]) -> str:
    return ", ".join(verdict.gate if verdict.severity == "block" else f"{verdict.gate} (warn)" for verdict in verdicts)
