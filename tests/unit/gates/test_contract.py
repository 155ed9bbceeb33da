"""What every gate keeps to, whatever it asks."""

from typing import Any

import msgspec
import pytest

from mlgit.domain import codec
from mlgit.domain.gates import REGISTRY, AnyGate
from mlgit.domain.gates.base import Gate
from mlgit.domain.names import is_name
from mlgit.domain.policy import evaluate, overall_outcome
from mlgit.domain.records import Policy
from mlgit.domain.records.model import ModelSignature
from mlgit.domain.records.problem import PredictionTarget, ProblemMetric
from mlgit.domain.results import GroupMeasure, SliceValue
from tests import samples
from tests.unit.gates.evidence import FACTS, Stub, Unavailable, slice_gain

SETTINGS: dict[str, list[dict[str, Any]]] = {
    "integrity": [{}],
    "immutability": [{}],
    "data-contract": [{}],
    "threshold": [{"metric": "roc_auc", "min": 0.5}, {"metric": "roc_auc", "min": 0.5, "max": 0.9}],
    "beats-baseline": [{}, {"margin": 0.004, "level": 0.9, "resamples": 500}],
    "beats-champion": [
        {},
        {"metric": "roc_auc", "margin": -0.02, "test": "delong", "level": 0.9, "resamples": 500},
        {"metric": "accuracy", "test": "mcnemar"},
    ],
    "slice-harm": [
        {},
        {"metric": "roc_auc", "max_drop": 0.0, "min_rows": 2, "strict": True, "level": 0.9, "resamples": 500},
        {"correction": "holm"},
        {"correction": "bonferroni"},
    ],
    "slice-minimum": [
        {"min": 0.7},
        {"metric": "log_loss", "max": 0.8, "columns": ["carrier"], "min_rows": 2, "interval": True, "level": 0.9},
    ],
    "fairness": [
        {"columns": ["carrier"], "max_difference": 0.1},
        {"columns": ["carrier"], "measure": "selection_rate", "min_ratio": 0.8, "min_rows": 2},
        {"columns": ["carrier"], "metric": "f1", "max_difference": 0.05},
    ],
    "calibration": [{"max_ece": 0.05}, {"max_ece": 0.05, "max_brier": 0.2, "bins": 20}],
    "leakage": [
        {},
        {"max_overlap": 0.01, "max_single_feature": 0.9, "training": ["flights"], "allowed": ["dep_hour"]},
    ],
    "data-drift": [{}, {"max_psi": 0.1, "max_columns": 2, "columns": ["dep_hour"]}],
    "card-complete": [{}, {"sections": ["Intended use"]}],
    "size": [{"max_mb": 50.0}],
    "latency": [{"max_p95_ms": 20.0}],
    "stored": [{}],
    "model-safe": [{}, {"formats": ["skops", "onnx"]}],
    "evaluation-fresh": [{"max_age": "30d"}],
    "signature-compatible": [{}, {"allow_added": True}],
    "environment-locked": [{}],
    "rescore": [{}, {"tolerance": 0.001}],
    "reproduce": [{}, {"tolerance": 0.001, "timeout": "4h"}],
    "exec": [
        {"name": "no-pii", "command": ["python", ".mlgit/checks/no_pii.py"], "timeout": "1m", "settings": {"a": [1]}}
    ],
    "python": [{"name": "acme-latency", "settings": {"p99": 20}}],
}
"""Settings of each gate with which it passes on sound evidence; those that say nothing come first."""

DOES_NOT_ARISE: dict[str, list[Stub]] = {
    "beats-baseline": [Stub(problem=samples.problem(baseline=None))],
    "beats-champion": [
        Stub(champion=None),
        Stub(champion=msgspec.structs.replace(Stub().candidate, version=3)),
    ],
    "slice-harm": [
        Stub(champion=None),
        Stub(problem=samples.problem(metric=ProblemMetric(primary="roc_auc"))),
        Stub(slices=[slice_gain(None, rows=3, reason="3 rows")]),
        Stub(slices=[]),
    ],
    "slice-minimum": [
        Stub(problem=samples.problem(metric=ProblemMetric(primary="roc_auc"))),
        Stub(values=[SliceValue(column="carrier", value="AA", rows=3, reason="3 rows")]),
        Stub(values=[]),
    ],
    "fairness": [
        Stub(problem=samples.problem(target=PredictionTarget(column="late", type="multiclass"))),
        Stub(grouped=Stub().grouped[:1]),
        Stub(grouped=[GroupMeasure(column="carrier", value="AA", rows=3, reason="3 rows")]),
        Stub(grouped=[]),
    ],
    "calibration": [
        Stub(problem=samples.problem(target=PredictionTarget(column="late", type="regression"))),
        Stub(problem=samples.problem(target=PredictionTarget(column="late", type="multiclass"))),
        Stub(model=samples.model(signature=ModelSignature(inputs={"carrier": "string"}, output="label"))),
    ],
    "data-drift": [
        Stub(champion=None),
        Stub(champion=msgspec.structs.replace(Stub().candidate, version=3)),
    ],
    "signature-compatible": [
        Stub(champion=None),
        Stub(champion=msgspec.structs.replace(Stub().candidate, version=3)),
    ],
    "size": [Stub()],
    "latency": [Stub()],
}
"""Evidence on which the question of a gate does not arise, for a gate with no more settings than it needs."""

NEEDED: dict[str, dict[str, Any]] = {gate: SETTINGS[gate][0] for gate in ("slice-minimum", "fairness")}
"""Settings of gates that have to be told what to look at."""


def made(gate: str, settings: dict[str, Any]) -> Gate:
    return msgspec.convert({"id": gate} | settings, type=AnyGate)


every_gate = pytest.mark.parametrize("gate", REGISTRY)
every_setting = pytest.mark.parametrize(
    ("gate", "settings"), [(gate, one) for gate, all_ in SETTINGS.items() for one in all_]
)


def test_every_gate_is_tested_here() -> None:
    assert SETTINGS.keys() == REGISTRY.keys()


@every_gate
def test_has_a_name_and_asks_a_question_in_one_sentence(gate: str) -> None:
    kind = REGISTRY[gate]
    assert is_name(gate)
    assert kind.__struct_config__.tag == gate
    assert kind.summary().endswith(".")
    assert kind.summary() != Gate.summary()
    assert kind.judge.__doc__


@every_setting
def test_passes_on_sound_evidence_and_says_why(gate: str, settings: dict[str, Any]) -> None:
    (verdict,) = evaluate([made(gate, settings)], Stub())
    assert (verdict.gate, verdict.outcome) == (made(gate, settings).id, "pass")
    assert verdict.message.strip() == verdict.message != ""


@every_setting
def test_never_passes_without_evidence(gate: str, settings: dict[str, Any]) -> None:
    nothing: Any = Unavailable(*FACTS)
    (verdict,) = evaluate([made(gate, settings)], nothing)
    assert verdict.outcome == "error"
    assert overall_outcome([verdict]) == "error"
    assert "the remote does not answer" in verdict.message
    assert (verdict.facts, verdict.fix) == ({"finding": "data-missing"}, "try again")


@every_setting
@pytest.mark.parametrize("fact", FACTS)
def test_does_not_make_up_a_fact_that_cannot_be_had(gate: str, settings: dict[str, Any], fact: str) -> None:
    evidence: Any = Unavailable(fact)
    (verdict,) = evaluate([made(gate, settings)], evidence)
    (sound,) = evaluate([made(gate, settings)], Stub())
    assert verdict.outcome == "error" or verdict == sound


@pytest.mark.parametrize(("gate", "evidence"), [(gate, one) for gate, all_ in DOES_NOT_ARISE.items() for one in all_])
def test_skips_with_a_reason_where_the_question_does_not_arise(gate: str, evidence: Stub) -> None:
    (verdict,) = evaluate([made(gate, NEEDED.get(gate, {}))], evidence)
    assert verdict.outcome == "skip"
    assert verdict.message


@every_setting
def test_settings_come_back_from_a_policy(gate: str, settings: dict[str, Any]) -> None:
    policy = samples.policy(gates=[made(gate, settings)])
    document = codec.to_mapping(policy)
    assert codec.from_mapping(Policy, document) == policy
    assert codec.from_mapping(Policy, msgspec.json.decode(codec.to_json(policy))) == policy
    assert document["gates"][0]["id"] == gate


@every_gate
def test_a_setting_that_is_not_known_is_refused(gate: str) -> None:
    with pytest.raises(msgspec.ValidationError, match="unknown"):
        made(gate, SETTINGS[gate][0] | {"mni": 1})


@every_setting
def test_an_answer_fits_a_report(gate: str, settings: dict[str, Any]) -> None:
    report = samples.gate_report(results=evaluate([made(gate, settings)], Stub()))
    assert codec.from_mapping(type(report), codec.to_mapping(report)) == report


@every_setting
def test_the_same_evidence_gives_the_same_answer(gate: str, settings: dict[str, Any]) -> None:
    assert evaluate([made(gate, settings)] * 2, Stub())[0] == evaluate([made(gate, settings)], Stub())[0]
