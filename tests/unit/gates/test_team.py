"""Gates that a team brings itself: whatever is no clear answer is an error, and never a pass."""

from collections.abc import Mapping
from typing import Any

import pytest

from mlgit.domain.gates import Exec, Python
from mlgit.domain.gates.base import GateResult, failed, passed, skipped
from mlgit.domain.gates.team import MOST_ANSWER, MOST_DEPTH
from mlgit.domain.policy import evaluate
from mlgit.errors import inconclusive
from tests.unit.gates.evidence import Known, Said

NO_PII = Exec(name="no-pii", command=("python", "checks/no_pii.py"), timeout="2m", settings={"columns": ["name"]})


def test_a_command_is_handed_its_settings_and_time() -> None:
    evidence = Known()
    assert evaluate([NO_PII], evidence)[0].gate == "exec:no-pii"
    assert evidence.asked == [(("python", "checks/no_pii.py"), {"columns": ["name"]}, 120)]


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
    ({"outcome": "pass", "message": "x" * MOST_ANSWER}, None),
    ({"outcome": "pass", "message": "\ud800"}, None),
    ({"outcome": "pass", "message": "none", "facts": nested(MOST_DEPTH)}, passed("none", **nested(MOST_DEPTH))),
    ({"outcome": "pass", "message": "none", "facts": nested(MOST_DEPTH + 1)}, None),
]


@pytest.mark.parametrize(("answer", "result"), ANSWERS)
def test_an_answer_is_taken_or_is_an_error(answer: Mapping[str, Any], result: GateResult | None) -> None:
    said = NO_PII.judge(Known(said=Said(answer)))
    if result is None:
        assert said.outcome == "error"
    else:
        assert said == result


def test_no_answer_is_an_error_that_says_why() -> None:
    said = NO_PII.judge(Known(said=Said(None, "it ended with code 3")))
    assert said == GateResult("error", "it ended with code 3")


def test_a_function_is_handed_evidence_and_a_copy_of_its_settings() -> None:
    gate = Python(name="acme-latency", settings={"p99": 20})
    handed: list[Any] = []

    def judge(evidence: Any, settings: Any) -> GateResult:
        settings["p99"] = 0
        handed.append(evidence)
        return passed("fast", metric=evidence.measured("roc_auc"))

    evidence = Known(function=judge)
    (said,) = evaluate([gate], evidence)
    assert (said.gate, said.outcome, said.facts) == ("python:acme-latency", "pass", {"metric": 0.712})
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
        (lambda evidence, settings: GateResult("waived", "trust me"), "no usable answer"),
        (lambda evidence, settings: passed("fine", table=object()), "no usable answer"),
        (lambda: passed("fine"), "TypeError"),
    ],
)
def test_a_function_that_gives_no_answer_is_an_error(function: Any, says: str) -> None:
    (said,) = evaluate([Python(name="acme")], Known(function=function))
    assert (said.outcome, says in said.message) == ("error", True), said.message
