"""A policy's gates judged together, and the rule for each kind of change."""

from typing import Any, ClassVar

import msgspec
import pytest

from mlgit.domain import codec
from mlgit.domain.gates import Integrity, ModelSafe
from mlgit.domain.gates.base import Evidence, Gate, GateResult, RiskCondition, failed, passed, skipped
from mlgit.domain.policy import (
    approval_rule,
    evaluate,
    matches_gates,
    outcome_differences,
    overall_outcome,
    verdict_differences,
)
from mlgit.domain.records import GateReport, Policy
from mlgit.domain.records.gatereport import GateVerdict
from mlgit.domain.records.policy import ApprovalRule, ApprovalRules
from mlgit.errors import Finding, MlgitError
from tests import samples
from tests.unit.gates.evidence import Stub

NO_EVIDENCE: Any = None


class Says(Gate, frozen=True, kw_only=True, tag="says"):
    """Gives the answer that it is made with."""

    result: GateResult

    def judge(self, evidence: Evidence) -> GateResult:
        return self.result


class Cannot(Gate, frozen=True, kw_only=True, tag="cannot"):
    """Has no evidence."""

    why: ClassVar[str] = "md5 0f is not in remote storage"

    def judge(self, evidence: Evidence) -> GateResult:
        missing = Finding("data-missing", "the predictions cannot be fetched", why=self.why, fix="run `dvc push`")
        raise MlgitError(missing, Finding("data-corrupt", "the labels are not what was recorded"))


class Curt(Cannot, frozen=True, kw_only=True, tag="curt"):
    """Has no evidence, and does not say why."""

    why: ClassVar[str] = ""


class Named(Says, frozen=True, kw_only=True, tag="named"):
    """Goes by a name of its own, as a team's gates do."""

    @property
    def id(self) -> str:
        return "named:one"


def verdict(outcome: Any) -> GateVerdict:
    return GateVerdict(gate="says", outcome=outcome, message="so")


def test_gates_are_judged_in_order_each_by_itself() -> None:
    verdicts = evaluate(
        [Cannot(), Says(result=failed("no", value=1.5)), Says(result=passed("yes")), Says(result=skipped("not asked"))],
        NO_EVIDENCE,
    )
    assert [(one.gate, one.outcome) for one in verdicts] == [
        ("cannot", "error"),
        ("says", "fail"),
        ("says", "pass"),
        ("says", "skip"),
    ]
    assert verdicts[1].facts == {"value": 1.5}


def test_a_gate_without_evidence_says_what_is_missing_and_how_to_get_it() -> None:
    (said,) = evaluate([Cannot()], NO_EVIDENCE)
    assert said.message == "the predictions cannot be fetched: md5 0f is not in remote storage"
    assert (said.facts, said.fix) == ({"finding": "data-missing"}, "run `dvc push`")
    (said,) = evaluate([Curt()], NO_EVIDENCE)
    assert (said.message, said.facts) == ("the predictions cannot be fetched", {"finding": "data-missing"})


def test_a_message_is_cut_to_what_a_report_can_keep() -> None:
    long = GateResult("fail", "x" * 5000, fix="y" * 5000)
    (said,) = evaluate([Says(result=long)], NO_EVIDENCE)
    assert msgspec.convert(msgspec.to_builtins(said), type=GateVerdict) == said
    assert (said.message, said.fix) == ("x" * 2000, "y" * 500)


@pytest.mark.parametrize(
    ("outcomes", "all_together"),
    [
        ([], "error"),
        (["pass"], "pass"),
        (["pass", "skip", "waived"], "pass"),
        (["skip"], "pass"),
        (["pass", "wait"], "wait"),
        (["wait", "error"], "error"),
        (["error", "pass"], "error"),
        (["error", "fail", "wait"], "fail"),
        (["pass", "fail"], "fail"),
    ],
)
def test_all_answers_together(outcomes: list[str], all_together: str) -> None:
    assert overall_outcome([verdict(outcome) for outcome in outcomes]) == all_together
    assert overall_outcome([verdict(outcome) for outcome in reversed(outcomes)]) == all_together


# Weight, conditions, waivers


WAIVED = {"says": "waived by ana and ben for INC-7, until 2026-04-01"}


@pytest.mark.parametrize(
    ("verdicts", "all_together"),
    [
        ([("fail", "warn")], "pass"),
        ([("error", "warn"), ("pass", "block")], "pass"),
        ([("wait", "warn"), ("skip", "block")], "pass"),
        ([("fail", "warn"), ("error", "block")], "error"),
        ([("fail", "warn"), ("fail", "block")], "fail"),
    ],
)
def test_what_only_warns_stops_nobody(verdicts: list[tuple[Any, Any]], all_together: str) -> None:
    said = [GateVerdict(gate="says", outcome=outcome, message="so", severity=weight) for outcome, weight in verdicts]
    assert overall_outcome(said) == all_together


def test_a_verdict_carries_the_weight_that_the_policy_gives_its_gate() -> None:
    verdicts = evaluate([Says(result=failed("no"), severity="warn"), Says(result=failed("no"))], NO_EVIDENCE)
    assert [one.severity for one in verdicts] == ["warn", "block"]
    assert [one.blocks for one in verdicts] == [False, True]


@pytest.mark.parametrize(
    ("tier", "risk", "outcome"), [("high", "high", "fail"), ("high", "low", "skip"), ("low", "high", "skip")]
)
def test_a_gate_for_one_tier_is_listed_and_skipped_for_another(tier: Any, risk: str, outcome: str) -> None:
    evidence: Any = Stub(problem=samples.problem(risk=risk))
    (said,) = evaluate([Says(result=failed("no"), when=RiskCondition(risk=tier))], evidence)
    assert (said.gate, said.outcome) == ("says", outcome)
    assert said.message == (
        "no" if outcome == "fail" else f"evaluated only for risk {tier}; the problem has risk {risk}"
    )


@pytest.mark.parametrize(
    ("result", "outcome"),
    [
        (failed("0.1 too low", value=1.5), "waived"),
        (GateResult("error", "cannot tell"), "waived"),
        (passed("fine"), "pass"),
        (skipped("not asked"), "skip"),
        (GateResult("wait", "later"), "wait"),
    ],
)
def test_a_waiver_holds_for_a_no_and_for_no_answer(result: GateResult, outcome: str) -> None:
    (said,) = evaluate([Says(result=result)], NO_EVIDENCE, WAIVED)
    assert said.outcome == outcome
    if outcome == "waived":
        assert said.message == f"{WAIVED['says']}; without that {result.outcome}: {result.message}"
        assert said.facts == {**result.facts, "would_be": result.outcome}


def test_a_waiver_holds_for_a_gate_whose_evidence_is_gone() -> None:
    (said,) = evaluate([Cannot()], NO_EVIDENCE, {"cannot": "waived by ana"})
    assert (said.outcome, said.facts) == ("waived", {"finding": "data-missing", "would_be": "error"})
    assert said.fix == "run `dvc push`", "the way out is still the way out"


def test_a_waiver_of_another_gate_or_of_one_that_nobody_may_waive_does_not_hold() -> None:
    gate = Says(result=failed("no"))
    assert evaluate([gate], NO_EVIDENCE, {"other": "waived by ana"})[0].outcome == "fail"
    assert evaluate([gate], NO_EVIDENCE, WAIVED, never_waivable=["other"])[0].outcome == "waived"
    assert evaluate([gate], NO_EVIDENCE, WAIVED, never_waivable=["says"])[0].outcome == "fail"
    named = Named(result=failed("no"))
    for never, outcome in (("named", "fail"), ("named:one", "fail"), ("named:two", "waived")):
        assert evaluate([named], NO_EVIDENCE, {"named:one": "by ana"}, never_waivable=[never])[0].outcome == outcome


def test_a_long_waiver_leaves_the_gates_own_words_in_sight() -> None:
    (said,) = evaluate([Says(result=failed("0.1 too low"))], NO_EVIDENCE, {"says": "x" * 5000})
    assert said.message.endswith("; without that fail: 0.1 too low")


def test_what_is_not_said_changes_no_digest() -> None:
    """Digests of records that were written before gates had a weight, a condition, and names of their own."""
    policy = {
        "kind": "policy",
        "schema": 1,
        "name": "production",
        "gates": [{"id": "integrity"}, {"id": "threshold", "metric": "recall", "min": 0.85}],
    }
    report = {
        "kind": "gate-report",
        "schema": 1,
        "promotion": "01KJW6PM40V7Q2Z8B4N0C5T3XA",
        "environment": "production",
        "model": "delay",
        "candidate": {"version": 2, "digest": "sha256:" + "1" * 64},
        "champion": None,
        "policy": {"name": "production", "digest": "sha256:" + "2" * 64},
        "reads": {},
        "results": [{"gate": "integrity", "outcome": "pass", "message": "as recorded"}],
        "outcome": "pass",
        "at": "2026-03-04T12:30:00Z",
        "tool": "mlgit 0",
    }
    assert [
        codec.digest(codec.from_mapping(Policy, policy)),
        codec.digest(codec.from_mapping(GateReport, report)),
    ] == [
        "sha256:09e7f1712a69d25f071e73284593a73b90fcc740611d172139ea0bc875907b06",
        "sha256:ad89e530b995d0481d6aae311af1a6817831ea1e825f60844c09132eb1b8bbb2",
    ]
    assert "severity" not in codec.to_json(codec.from_mapping(GateReport, report)).decode()


# Then and now


@pytest.mark.parametrize(
    ("said", "are"),
    [
        ([("says", "block"), ("cannot", "block")], True),
        ([("cannot", "block"), ("says", "block")], False),
        ([("says", "block")], False),
        ([("says", "warn"), ("cannot", "block")], False),
        ([("says", "block"), ("cannot", "block"), ("says", "block")], False),
        ([], False),
    ],
)
def test_verdicts_are_on_the_gates_of_the_policy_with_their_weight(said: list[tuple[str, Any]], are: bool) -> None:
    verdicts = [GateVerdict(gate=gate, outcome="pass", message="so", severity=weight) for gate, weight in said]
    assert matches_gates([Says(result=passed("yes")), Cannot()], verdicts) is are


def test_a_report_that_makes_light_of_a_gate_differs() -> None:
    then = [GateVerdict(gate="says", outcome="fail", message="so", severity="warn")]
    assert outcome_differences(then, [verdict("fail")]) == ["gates evaluated then: says (warn); now: says"]
    assert outcome_differences([*then, *then], []) == ["gates evaluated then: says (warn), says (warn); now: "]
    assert outcome_differences([verdict("pass")], [verdict("fail")]) == ["says: pass then, fail now (so)"]
    assert outcome_differences([verdict("pass")], [verdict("pass")]) == []


@pytest.mark.parametrize(
    ("then", "now", "found"),
    [
        ({"value": 0.5}, {"value": 0.5 + 4e-10}, []),
        ({"value": 0.5}, {"value": 0.5 + 1.5e-9}, ["says: value 0.5 then, 0.5 now"]),
        ({"value": 0.0}, {"value": 1e-9}, []),
        ({"value": 1e9}, {"value": 1e9 + 0.5}, []),
        ({"value": 1e9}, {"value": 1e9 + 2}, ["says: value 1e+09 then, 1e+09 now"]),
        ({"value": 1}, {"value": 1.0}, []),
        ({"value": 1}, {"value": True}, ["says: value 1 then, true now"]),
        ({"value": None}, {"value": float("nan")}, []),
        ({"value": 0.5}, {"value": float("nan")}, ["says: value 0.5 then, null now"]),
        ({"value": 0.5}, {}, ["says: value 0.5 then, null now"]),
        ({"slices": ["a", "b"]}, {"slices": ("a", "b")}, []),
        ({"slices": ["a"]}, {"slices": ["a", "b"]}, ['says: slices ["a"] then, ["a","b"] now']),
        ({"worst": {"rows": [1, 2]}}, {"worst": {"rows": [1, 3]}}, ["says: worst.rows[1] 2 then, 3 now"]),
        ({"worst": {"rows": 1}}, {"worst": 1}, ['says: worst {"rows":1} then, 1 now']),
        ({"worst": 1}, {"worst": {"rows": 1}}, ['says: worst 1 then, {"rows":1} now']),
        ({"slices": "ab"}, {"slices": ["a", "b"]}, ['says: slices "ab" then, ["a","b"] now']),
        ({"slices": ["a", "b"]}, {"slices": "ab"}, ['says: slices ["a","b"] then, "ab" now']),
        (dict.fromkeys("edcba", 1), dict.fromkeys("cdeab", 2), [f"says: {name} 1 then, 2 now" for name in "abcde"]),
        ({"why": "a"}, {"why": "b" * 58}, [f'says: why "a" then, "{"b" * 58}" now']),
        ({"why": "a"}, {"why": "b" * 59}, [f'says: why "a" then, "{"b" * 59}... now']),
    ],
)
def test_facts_agree_but_for_the_last_digits(then: dict[str, Any], now: dict[str, Any], found: list[str]) -> None:
    one, other = (GateVerdict(gate="says", outcome="pass", message="so", facts=facts) for facts in (then, now))
    assert verdict_differences(one, other) == found


def test_another_outcome_is_told_before_facts() -> None:
    then = GateVerdict(gate="says", outcome="pass", message="so", facts={"value": 1})
    assert verdict_differences(then, verdict("fail")) == ["says: pass then, fail now (so)"]


@pytest.mark.parametrize("change", ["promote", "rollback", "ramp", "retire"])
def test_a_change_has_its_own_rule_or_that_of_a_promotion(change: str) -> None:
    promote, own = ApprovalRule(min=3), ApprovalRule(min=0)
    assert approval_rule(ApprovalRules(promote=promote), change) == promote
    assert approval_rule(ApprovalRules(**{"promote": promote, change: own}), change) == own


@pytest.mark.parametrize(
    ("gates", "required"),
    [
        ([Integrity()], ["model-safe", "integrity"]),
        ([Integrity(), ModelSafe(formats=("onnx",))], ["integrity", "model-safe"]),
        ([ModelSafe(severity="warn")], ["model-safe", "model-safe"]),
        ([ModelSafe(when=RiskCondition(risk="high"))], ["model-safe", "model-safe"]),
    ],
)
def test_model_safe_belongs_to_every_policy(gates: list[Any], required: list[str]) -> None:
    policy = samples.policy(gates=gates, never_waivable=())
    assert [gate.id for gate in policy.required_gates] == required
    assert any(gate.id == "model-safe" and gate.severity == "block" and not gate.when for gate in policy.required_gates)
    assert not policy.is_waivable("model-safe")
    assert policy.is_waivable("integrity")
