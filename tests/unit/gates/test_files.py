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
from mlgit.errors import Finding
from tests import samples
from tests.unit.gates.evidence import Again, Column, Known, Looked

PICKLE = Finding("model-pickle", "the model file is a pickle", "it begins like one")


def test_what_the_remote_lacks_is_named() -> None:
    result = InRemote().judge(Known(absent=["models/delay/versions/v2/model.skops", "datasets/flights/flights.csv"]))
    assert (result.outcome, result.message) == (
        "fail",
        "not in the remote: models/delay/versions/v2/model.skops, and 1 more",
    )
    assert result.facts["missing"] == ["models/delay/versions/v2/model.skops", "datasets/flights/flights.csv"]
    assert "dvc push" in result.fix


@pytest.mark.parametrize(
    ("settings", "looked", "outcome", "says"),
    [
        ({}, Looked(), "pass", "skops"),
        ({}, Looked(findings=[PICKLE]), "fail", "the model file is a pickle"),
        ({}, Looked(format="onnx"), "fail", "its content is onnx, and skops is recorded"),
        ({"formats": ("onnx",)}, Looked(), "fail", "accepted are onnx"),
        ({}, Looked(types=["acme.Model"]), "fail", "other types than those recorded"),
        ({}, Looked(format=None), "fail", "None"),
    ],
)
def test_a_model_file_is_what_is_recorded_and_accepted(
    settings: dict[str, Any], looked: Looked, outcome: str, says: str
) -> None:
    result = ModelSafe(**settings).judge(Known(looked=looked))
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
    known = Known()
    evidence = Known(at=known.candidate.registered_at + ago)
    assert EvaluationFresh(max_age="7d").judge(evidence).outcome == outcome


N, C = Column("numbers"), Column("categories")


@pytest.mark.parametrize(
    ("champion", "candidate", "allow_added", "outcome", "says"),
    [
        ({"a": N, "b": C}, {"a": N, "b": C}, False, "pass", "2 columns"),
        ({"a": N, "b": C}, {"b": C, "a": N}, False, "pass", "2 columns"),
        ({"a": N, "b": C}, {"a": N}, True, "fail", "b is gone"),
        ({"a": N}, {"a": C}, True, "fail", "a was numbers and is categories"),
        ({"a": N}, {"a": Column(None)}, True, "fail", "a was numbers and is not profiled"),
        ({"a": N}, {"a": N, "b": C}, False, "fail", "b is new"),
        ({"a": N}, {"a": N, "b": C}, True, "pass", "and 1 new"),
        ({"a": Column("numbers", required=False)}, {"a": N}, True, "fail", "and now on none"),
        ({"a": N}, {"a": Column("numbers", required=False)}, False, "pass", "1 columns"),
        ({"a": N, "b": N}, {"c": N}, False, "fail", "a is gone, and 2 more"),
        ({}, {"a": N}, True, "error", "delay@1 names no input columns"),
        ({"a": N}, {}, True, "error", "delay@2 names no input columns"),
    ],
)
def test_whoever_asks_the_champion_can_ask_the_candidate(
    champion: Mapping[str, Column], candidate: Mapping[str, Column], allow_added: bool, outcome: str, says: str
) -> None:
    known = Known()
    assert known.champion is not None
    columns = {known.champion.digest: champion, known.candidate.digest: candidate}
    result = SignatureCompatible(allow_added=allow_added).judge(Known(columns=columns))
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
    version = Known().candidate
    version = msgspec.structs.replace(version, inputs=msgspec.structs.replace(version.inputs, environment=recorded))
    result = EnvironmentLocked().judge(Known(candidate=version, locked=found))
    assert (result.outcome, says in result.message) == (outcome, True)


@pytest.mark.parametrize(
    ("again", "tolerance", "outcome"),
    [
        (Again(distance=0.0), 0.0, "pass"),
        (Again(distance=1e-6), 1e-6, "pass"),
        (Again(distance=math.nextafter(1e-6, 1)), 1e-6, "fail"),
        (Again(distance=math.nan), 0.1, "fail"),
        (Again(distance=math.inf), 0.1, "fail"),
        (Again(differing=1), 0.1, "fail"),
    ],
)
def test_the_model_file_or_training_again_gives_the_stored_predictions(
    again: Again, tolerance: float, outcome: str
) -> None:
    assert Rescore(tolerance=tolerance).judge(Known(again=again)).outcome == outcome
    evidence = Known(again=again)
    assert Reproduce(tolerance=tolerance, timeout="2h").judge(evidence).outcome == outcome
    assert evidence.asked == [7200]


def test_without_features_nobody_can_ask_the_model_and_that_is_no_pass() -> None:
    result = Rescore().judge(Known(candidate=samples.version(2, seed=2)))
    assert (result.outcome, "outputs.test" in result.fix) == ("fail", True)
