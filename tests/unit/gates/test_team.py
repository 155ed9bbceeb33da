"""Gates that a team brings itself: whatever is no clear answer is an error, and never a pass."""

from collections.abc import Mapping
from typing import Any

import pytest

from mlgit.domain.gates import Exec, Python
from mlgit.domain.gates.base import GateResult, failed, passed, skipped
from mlgit.domain.gates.team import MAX_ANSWER_BYTES, MAX_FACTS_DEPTH
from mlgit.domain.policy import evaluate
from mlgit.domain.results import CommandAnswer
from mlgit.errors import inconclusive
from tests.unit.gates.evidence import Stub

NO_PII = Exec(
    name="no-pii", command=("python", ".mlgit/checks/no_pii.py"), timeout="2m", settings={"columns": ["name"]}
)


def test_a_command_is_handed_its_settings_and_time() -> None:
    evidence = Stub()
    assert evaluate([NO_PII], evidence)[0].gate == "exec:no-pii"
    assert evidence.asked == [(("python", ".mlgit/checks/no_pii.py"), {"columns": ["name"]}, 120)]


def nested(depth: int) -> dict[str, Any]:
    """Return a mapping in a mapping in a mapping."""
    return {"in": nested(depth - 1)} if depth > 1 else {}


ANSWERS: list[tuple[Mapping[str, Any], GateResult | None]] = [
    ({"outcome": "pass", "message": "none found"}, passed("none found")),
    ({"outcome": "fail", "message": "2 rows", "facts": {"rows": 2}}, failed("2 rows", rows=2)),
    ({"outcome": "skip", "message": "no text"}, skipped("no text")),
    (
        {"outcome": "fail", "message": "no", "fix": "drop the column"},
        GateResult("fail", "no", fix="drop the column"),
    ),
    ({"outcome": "waived", "message": "trust me"}, None),
    ({"outcome": "wait", "message": "later"}, None),
    ({"outcome": "PASS", "message": "none"}, None),
    ({"outcome": "pass"}, None),
    ({"outcome": "pass", "message": " "}, None),
    ({"outcome": "pass", "message": 3}, None),
    ({"outcome": "pass", "message": "none", "facts": [1]}, None),
    ({"outcome": "pass", "message": "none", "severity": "warn"}, None),
    ({"message": "none"}, None),
    ({}, None),
    ({"outcome": "pass", "message": "x" * MAX_ANSWER_BYTES}, None),
    ({"outcome": "pass", "message": "\ud800"}, None),
    (
        {"outcome": "pass", "message": "none", "facts": nested(MAX_FACTS_DEPTH)},
        passed("none", **nested(MAX_FACTS_DEPTH)),
    ),
    ({"outcome": "pass", "message": "none", "facts": nested(MAX_FACTS_DEPTH + 1)}, None),
]


@pytest.mark.parametrize(("answer", "expected"), ANSWERS)
def test_an_answer_is_taken_or_is_an_error(answer: Mapping[str, Any], expected: GateResult | None) -> None:
    result = NO_PII.judge(Stub(answer=CommandAnswer(answer)))
    if expected is None:
        assert result.outcome == "error"
    else:
        assert result == expected


def test_no_answer_is_an_error_that_says_why() -> None:
    result = NO_PII.judge(Stub(answer=CommandAnswer(None, "it ended with code 3")))
    assert result == GateResult("error", "it ended with code 3")


def test_a_function_is_handed_evidence_and_a_copy_of_its_settings() -> None:
    gate = Python(name="acme-latency", settings={"p99": 20})
    handed: list[Any] = []

    def judge(evidence: Any, settings: Any) -> GateResult:
        settings["p99"] = 0
        handed.append(evidence)
        return passed("fast", metric=evidence.metric_value("roc_auc"))

    evidence = Stub(function=judge)
    (verdict,) = evaluate([gate], evidence)
    assert (verdict.gate, verdict.outcome, verdict.facts) == ("python:acme-latency", "pass", {"metric": 0.712})
    assert (handed, gate.settings) == ([evidence], {"p99": 20})


def _raises(evidence: Any, settings: Any) -> GateResult:
    raise RuntimeError("no such table")


def _cannot(evidence: Any, settings: Any) -> GateResult:
    raise inconclusive("data-missing", "the table cannot be fetched")


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (_raises, "RuntimeError: no such table"),
        (_cannot, "the table cannot be fetched"),
        (lambda evidence, settings: True, "returned bool"),
        (lambda evidence, settings: None, "returned NoneType"),
        (lambda evidence, settings: GateResult("waived", "trust me"), "no valid answer"),
        (lambda evidence, settings: passed("fine", table=object()), "no valid answer"),
        (lambda: passed("fine"), "TypeError"),
    ],
)
def test_a_function_that_gives_no_answer_is_an_error(function: Any, says: str) -> None:
    (verdict,) = evaluate([Python(name="acme")], Stub(function=function))
    assert (verdict.outcome, says in verdict.message) == ("error", True), verdict.message
