"""A policy's gates judged together, and the rule for each kind of change."""

from typing import Any, ClassVar

import msgspec
import pytest

from mlgit.domain.gates.base import Evidence, Gate, GateResult, failed, passed, skipped
from mlgit.domain.policy import evaluate, overall, rule_for
from mlgit.domain.records.gatereport import GateVerdict
from mlgit.domain.records.policy import ApprovalRule, Approvals
from mlgit.errors import refused

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
        raise refused("data-missing", "the predictions cannot be fetched", why=self.why, fix="run `dvc push`")


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
    assert overall([verdict(outcome) for outcome in outcomes]) == all_together
    assert overall([verdict(outcome) for outcome in reversed(outcomes)]) == all_together


@pytest.mark.parametrize("change", ["promote", "rollback", "ramp", "retire"])
def test_a_change_has_its_own_rule_or_that_of_a_promotion(change: str) -> None:
    promote, own = ApprovalRule(min=3), ApprovalRule(min=0)
    assert rule_for(Approvals(promote=promote), change) == promote
    assert rule_for(Approvals(**{"promote": promote, change: own}), change) == own
