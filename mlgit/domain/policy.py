"""A policy's gates, judged on evidence, and what follows from all of their answers."""

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

_LONGEST = 2000  # characters of a message, as a gate report keeps it
_LONGEST_FIX = 500
_LONGEST_FACT = 60
_CLOSE = 1e-9
_LONGEST_WAIVER = 1000  # so that what the gate said itself stays in sight


def evaluate(
    gates: Sequence[Gate],
    evidence: Evidence,
    waivers: Mapping[str, str] = NO_WAIVERS,
    *,
    never_waivable: Collection[str] = (),
) -> list[GateVerdict]:
    """Judge each gate, in order. A gate whose evidence cannot be had answers `error`, which never counts as `pass`.

    Args:
        gates: the gates of a policy.
        evidence: what they are judged on.
        waivers: who waived a gate and why, in words, by the gate's id; it holds for every gate of that id that answers
            `fail` or `error`.
        never_waivable: gates that no waiver holds for, by id or by kind (`exec` for every gate of that kind).
    """
    never = frozenset(never_waivable)
    return [
        _verdict(gate, _judge(gate, evidence), waivers.get(gate.id) if never.isdisjoint({gate.id, gate.kind}) else None)
        for gate in gates
    ]


def overall_outcome(verdicts: Sequence[GateVerdict]) -> OverallOutcome:
    """Return what follows from all answers but those that only warn; an empty list is no pass, for nothing was asked."""
    outcomes = {verdict.outcome for verdict in verdicts if verdict.blocks}
    if not verdicts:
        return "error"
    for outcome in ("fail", "error", "wait"):
        if outcome in outcomes:
            return outcome
    return "pass"


def matches_gates(gates: Sequence[Gate], verdicts: Sequence[GateVerdict]) -> bool:
    """Tell whether the verdicts are on just these gates, in their order and with the weight that the policy gives each.

    A report that says `warn` of a gate that blocks would let through what that gate refuses.
    """
    return [(gate.id, gate.severity) for gate in gates] == [(said.gate, said.severity) for said in verdicts]


def outcome_differences(then: Sequence[GateVerdict], now: Sequence[GateVerdict]) -> list[str]:
    """Return in words where two judgements by the same gates give other answers; nothing where they agree.

    Messages, numbers behind the answers, and ways out are not compared.
    """
    if [(one.gate, one.severity) for one in then] != [(one.gate, one.severity) for one in now]:
        return [f"answered then {_listed(then)}; asked now {_listed(now)}"]
    return [
        f"{one.gate}: {one.outcome} then, {other.outcome} now ({other.message})"
        for one, other in zip(then, now, strict=True)
        if one.outcome != other.outcome
    ]


def verdict_differences(then: GateVerdict, now: GateVerdict) -> list[str]:
    """Return in words where two answers of one gate differ: in the outcome, else in the facts.

    Numbers agree within 1e-9 times the larger of 1 and the number: they are sums of floats, whose last digits depend on the
    machine.
    """
    if then.outcome != now.outcome:
        return [f"{then.gate}: {then.outcome} then, {now.outcome} now ({now.message})"]
    facts = msgspec.json.decode(msgspec.json.encode(now.facts))  # as they would come back from a file
    return [f"{then.gate}: {what}" for what in _unlike(then.facts, facts, "")]


def approval_rule(approvals: ApprovalRules, change: str) -> ApprovalRule:
    """Return who must agree to a kind of change; what is not stated is as for `promote`."""
    rule: ApprovalRule | None = getattr(approvals, change)
    return rule or approvals.promote


def _judge(gate: Gate, evidence: Evidence) -> GateResult:
    try:
        if gate.when is not None and evidence.problem.risk != gate.when.risk:
            return skipped(f"asked only where the risk is {gate.when.risk}; here it is {evidence.problem.risk}")
        return gate.judge(evidence)
    except MlgitError as error:
        found = error.findings[0]
        return GateResult(
            "error", found.message + (f": {found.why}" if found.why else ""), {"finding": found.id}, found.fix
        )


def _verdict(gate: Gate, result: GateResult, waiver: str | None) -> GateVerdict:
    if waiver is not None and result.outcome in {"fail", "error"}:
        message = f"{waiver[:_LONGEST_WAIVER]}; without that {result.outcome}: {result.message}"
        result = GateResult("waived", message, {**result.facts, "would_be": result.outcome}, result.fix)
    return GateVerdict(
        gate=gate.id,
        outcome=result.outcome,
        message=result.message[:_LONGEST],
        facts=result.facts,
        fix=result.fix[:_LONGEST_FIX],
        severity=gate.severity,
    )


def _unlike(then: Any, now: Any, where: str) -> Iterator[str]:
    if isinstance(then, dict) and isinstance(now, dict):
        for key in sorted(then.keys() | now.keys()):
            yield from _unlike(then.get(key), now.get(key), f"{where}.{key}" if where else key)
    elif isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        for index, (one, other) in enumerate(zip(then, now, strict=True)):
            yield from _unlike(one, other, f"{where}[{index}]")
    elif _is_number(then) and _is_number(now):
        if abs(then - now) > _CLOSE * max(1.0, abs(then)):
            yield f"{where} {then:g} then, {now:g} now"
    elif type(then) is not type(now) or then != now:
        yield f"{where} {_shown(then)} then, {_shown(now)} now"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _shown(value: Any) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= _LONGEST_FACT else f"{text[:_LONGEST_FACT]}..."


def _listed(verdicts: Sequence[GateVerdict]) -> str:
    return ", ".join(one.gate if one.severity == "block" else f"{one.gate} (warn)" for one in verdicts)
