"""Gates on files, depth and signature: each answer, at the edges most of all."""

import math
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from mlgit.domain.gates import (
    EnvironmentLocked,
    EvaluationFresh,
    InRemote,
    ModelSafe,
    Reproduce,
    Rescore,
    SignatureCompatible,
)
from mlgit.domain.results import InputColumn, ModelFileInspection, PredictionComparison
from mlgit.errors import Finding
from tests import samples
from tests.unit.gates.evidence import CATEGORIES, NUMBERS, Stub, compared, inspected

PICKLE = Finding("model-is-pickle", "the model file is a pickle", "it begins like one")


def test_what_the_remote_lacks_is_named() -> None:
    result = InRemote().judge(Stub(absent=["models/delay/versions/v2/model.skops", "datasets/flights/flights.csv"]))
    assert (result.outcome, result.message) == (
        "fail",
        "not in the remote: models/delay/versions/v2/model.skops, and 1 more",
    )
    assert result.facts["missing"] == ["models/delay/versions/v2/model.skops", "datasets/flights/flights.csv"]
    assert "mlgit upload" in result.fix


@pytest.mark.parametrize(
    ("settings", "inspection", "outcome", "says"),
    [
        ({}, inspected(), "pass", "skops"),
        ({}, inspected(findings=[PICKLE]), "fail", "the model file is a pickle"),
        ({}, inspected("onnx"), "fail", "the model file of delay@2 is onnx, and skops is recorded"),
        ({"formats": ("onnx",)}, inspected(), "fail", "accepted are onnx"),
        ({}, inspected(types=["acme.Model"]), "fail", "other types than those recorded"),
        ({}, inspected(None), "fail", "None"),
    ],
)
def test_a_model_file_is_what_is_recorded_and_accepted(
    settings: dict[str, Any], inspection: ModelFileInspection, outcome: str, says: str
) -> None:
    result = ModelSafe(**settings).judge(Stub(inspected=inspection))
    assert (result.outcome, says in result.message) == (outcome, True), result.message


@pytest.mark.parametrize(
    ("ago", "outcome"),
    [
        (timedelta(), "pass"),
        (timedelta(days=7), "pass"),
        (timedelta(days=7, seconds=1), "fail"),
        (timedelta(minutes=-4), "pass"),
        (timedelta(minutes=-6), "fail"),
    ],
)
def test_an_evaluation_grows_old(ago: timedelta, outcome: str) -> None:
    known = Stub()
    evidence = Stub(at=known.candidate.registered_at + ago)
    assert EvaluationFresh(max_age="7d").judge(evidence).outcome == outcome


N, C = NUMBERS, CATEGORIES
OPTIONAL = InputColumn("numbers", required=False)


@pytest.mark.parametrize(
    ("champion", "candidate", "allow_added", "outcome", "says"),
    [
        ({"a": N, "b": C}, {"a": N, "b": C}, False, "pass", "2 columns"),
        ({"a": N, "b": C}, {"b": C, "a": N}, False, "pass", "2 columns"),
        ({"a": N, "b": C}, {"a": N}, True, "fail", "b is removed"),
        ({"a": N}, {"a": C}, True, "fail", "a changed from numbers to categories"),
        ({"a": N}, {"a": InputColumn(None, required=True)}, True, "fail", "a changed from numbers to not profiled"),
        ({"a": N}, {"a": N, "b": C}, False, "fail", "b is added"),
        ({"a": N}, {"a": N, "b": C}, True, "pass", "and 1 added"),
        ({"a": OPTIONAL}, {"a": N}, True, "fail", "and is now required"),
        ({"a": N}, {"a": OPTIONAL}, False, "pass", "1 columns"),
        ({"a": N, "b": N}, {"c": N}, False, "fail", "a is removed, and 2 more"),
        ({}, {"a": N}, True, "error", "delay@1 names no input columns"),
        ({"a": N}, {}, True, "error", "delay@2 names no input columns"),
    ],
)
def test_whoever_asks_the_champion_can_ask_the_candidate(
    champion: Mapping[str, InputColumn],
    candidate: Mapping[str, InputColumn],
    allow_added: bool,
    outcome: str,
    says: str,
) -> None:
    known = Stub()
    assert known.champion is not None
    columns = {known.champion.digest: champion, known.candidate.digest: candidate}
    result = SignatureCompatible(allow_added=allow_added).judge(Stub(columns=columns))
    assert (result.outcome, says in result.message) == (outcome, True), result.message


@pytest.mark.parametrize(
    ("recorded", "found", "outcome", "says"),
    [
        (samples.sha(60), samples.sha(60), "pass", "pinned by a file"),
        (None, samples.sha(60), "fail", "names no file"),
        (samples.sha(60), None, "fail", "has no file"),
        (samples.sha(60), samples.sha(61), "fail", "not the one that is recorded"),
    ],
)
def test_packages_are_pinned_at_the_commit_trained_from(
    recorded: str | None, found: str | None, outcome: str, says: str
) -> None:
    version = Stub().candidate
    version = msgspec.structs.replace(version, inputs=msgspec.structs.replace(version.inputs, lock=recorded))
    result = EnvironmentLocked().judge(Stub(candidate=version, locked=found))
    assert (result.outcome, says in result.message) == (outcome, True)


@pytest.mark.parametrize(
    ("comparison", "tolerance", "outcome"),
    [
        (compared(0.0), 0.0, "pass"),
        (compared(1e-6), 1e-6, "pass"),
        (compared(math.nextafter(1e-6, 1)), 1e-6, "fail"),
        (compared(math.nan), 0.1, "fail"),
        (compared(math.inf), 0.1, "fail"),
        (compared(mismatches=1), 0.1, "fail"),
    ],
)
def test_the_model_file_or_training_again_gives_the_stored_predictions(
    comparison: PredictionComparison, tolerance: float, outcome: str
) -> None:
    assert Rescore(tolerance=tolerance).judge(Stub(compared=comparison)).outcome == outcome
    evidence = Stub(compared=comparison)
    assert Reproduce(tolerance=tolerance, timeout="2h").judge(evidence).outcome == outcome
    assert evidence.asked == [7200]


def test_without_features_nobody_can_ask_the_model_and_that_is_no_pass() -> None:
    result = Rescore().judge(Stub(candidate=samples.version(2, seed=2)))
    assert (result.outcome, "outputs.test" in result.fix) == ("fail", True)
