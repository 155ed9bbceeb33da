"""Each gate's answers, at the edges most of all. Whatever is no number never passes."""

import math
from itertools import pairwise
from typing import Any

import msgspec
import pytest

from mlgit.domain.cards import CardText
from mlgit.domain.gates import (
    BeatsBaseline,
    BeatsChampion,
    CardComplete,
    DataContract,
    Immutability,
    Integrity,
    Latency,
    Size,
    SliceHarm,
    Threshold,
)
from mlgit.domain.gates.base import Gate
from mlgit.domain.records import Version
from mlgit.domain.records.model import Budgets
from mlgit.domain.records.policy import Policy
from mlgit.domain.records.problem import Baseline
from mlgit.domain.results import DatasetCheck, Gain
from mlgit.errors import Finding
from tests import samples
from tests.unit.gates.evidence import WRITTEN, Stub, gain, slice_gain

NAN, INF = math.nan, math.inf
ABOVE = math.nextafter


def outcome(gate: Gate, evidence: Stub) -> str:
    return gate.judge(evidence).outcome


@pytest.mark.parametrize(
    ("limits", "value", "expected"),
    [
        ({"min": 0.7}, 0.7, "pass"),
        ({"min": 0.7}, ABOVE(0.7, 0), "fail"),
        ({"max": 0.7}, 0.7, "pass"),
        ({"max": 0.7}, ABOVE(0.7, 1), "fail"),
        ({"min": 0.0}, 0.0, "pass"),
        ({"min": 0.0}, -0.1, "fail"),
        ({"max": 0.0}, 0.1, "fail"),
        ({"min": 0.6, "max": 0.8}, 0.7, "pass"),
        ({"min": 0.6, "max": 0.8}, 0.9, "fail"),
        ({"min": 0.8, "max": 0.6}, 0.7, "fail"),
        ({"min": -INF, "max": INF}, 0.7, "pass"),
        ({"min": 0.7}, NAN, "fail"),
        ({"max": 0.7}, NAN, "fail"),
        ({"min": -INF, "max": INF}, NAN, "fail"),
        ({"min": NAN}, 0.7, "fail"),
        ({"max": NAN}, 0.7, "fail"),
        ({"max": 0.7}, INF, "fail"),
        ({"min": 0.7}, -INF, "fail"),
        ({}, 0.7, "fail"),
        ({}, NAN, "fail"),
    ],
)
def test_threshold(limits: dict[str, float], value: float, expected: str) -> None:
    assert outcome(Threshold(metric="f1", **limits), Stub(metrics={"f1": value})) == expected


@pytest.mark.parametrize(
    ("low", "margin", "expected"),
    [
        (0.01, 0.0, "pass"),
        (0.0, 0.0, "fail"),
        (-0.01, 0.0, "fail"),
        (0.25, 0.25, "fail"),
        (ABOVE(0.25, 1), 0.25, "pass"),
        (NAN, 0.0, "fail"),
        (NAN, -INF, "fail"),
        (0.5, NAN, "fail"),
    ],
)
def test_beats_baseline(low: float, margin: float, expected: str) -> None:
    assert outcome(BeatsBaseline(margin=margin), Stub(gained=gain(value=0.5, low=low, high=0.6))) == expected


def test_beats_baseline_says_against_what_and_how_sure_it_is() -> None:
    result = BeatsBaseline(margin=0.006).judge(Stub())
    assert result.message == (
        "roc_auc 0.8100 against 0.8000 of last_week: +0.0100 (95%: +0.0050 to +0.0150); lower bound above +0.006 required"
    )
    assert (result.facts["baseline"], result.facts["method"]) == (0.8, "same hour last week")
    constant = samples.problem(baseline=Baseline(method="guess"))
    assert "against 0.8000 of the best constant" in BeatsBaseline().judge(Stub(problem=constant)).message


@pytest.mark.parametrize(
    ("low", "margin", "expected"),
    [
        (0.0, 0.0, "pass"),
        (ABOVE(0.0, -1), 0.0, "fail"),
        (0.01, 0.01, "pass"),
        (ABOVE(0.01, 0), 0.01, "fail"),
        (-0.02, -0.02, "pass"),
        (-0.021, -0.02, "fail"),
        (NAN, 0.0, "fail"),
        (NAN, -INF, "fail"),
        (0.5, NAN, "fail"),
    ],
)
def test_beats_champion(low: float, margin: float, expected: str) -> None:
    assert outcome(BeatsChampion(margin=margin), Stub(gained=gain(value=0.5, low=low, high=0.6))) == expected


def test_beats_champion_goes_by_the_lower_bound_alone() -> None:
    assert outcome(BeatsChampion(), Stub(gained=gain(value=0.5, low=-0.1, high=0.9))) == "fail"


def test_beats_champion_asks_as_it_is_set() -> None:
    evidence = Stub()
    BeatsChampion().judge(evidence)
    BeatsChampion(metric="f1", resamples=500, level=0.9).judge(evidence)
    BeatsChampion(metric="accuracy", test="mcnemar").judge(evidence)
    assert evidence.asked == [
        ("roc_auc", 1000, 0.95, "bootstrap"),
        ("f1", 500, 0.9, "bootstrap"),
        ("accuracy", 1000, 0.95, "mcnemar"),
    ]


def test_beats_champion_says_by_how_much() -> None:
    answer = BeatsChampion(margin=0.02).judge(Stub())
    assert answer.message == (
        "roc_auc 0.8100 against 0.8000: +0.0100 (95%: +0.0050 to +0.0150), "
        "by paired bootstrap; lower bound of at least +0.02 required"
    )
    assert (answer.facts["test"], answer.facts["resamples"], answer.facts["level"], answer.facts["seed"]) == (
        "paired bootstrap, percentile",
        1000,
        0.95,
        7,
    )
    assert answer.facts["low"] == 0.005


def sliced(*gains: Gain | None) -> Stub:
    return Stub(slices=[slice_gain(on_slice, value=f"s{index}") for index, on_slice in enumerate(gains)])


FINE = gain(value=0.0, low=-0.01, high=0.01)


@pytest.mark.parametrize(
    ("harm", "settings", "expected"),
    [
        (gain(value=-0.05, low=-0.1, high=-0.02), {}, "pass"),
        (gain(value=-0.05, low=-0.1, high=ABOVE(-0.02, -1)), {}, "fail"),
        (gain(value=-0.05, low=-0.1, high=0.0), {}, "pass"),
        (gain(value=-0.05, low=-0.1, high=0.0), {"strict": True}, "fail"),
        (gain(value=-0.02, low=-0.1, high=0.0), {"strict": True}, "pass"),
        (gain(value=0.0, low=-0.1, high=0.0), {"max_drop": 0.0}, "pass"),
        (gain(value=-0.2, low=-0.3, high=-0.1), {"max_drop": 0.1}, "pass"),
        (gain(value=NAN, low=NAN, high=NAN), {}, "fail"),
        (gain(value=NAN, low=NAN, high=NAN), {"strict": True}, "fail"),
        (gain(value=0.0, low=-0.1, high=NAN), {}, "fail"),
        (FINE, {"max_drop": NAN}, "fail"),
    ],
)
def test_slice_harm(harm: Gain, settings: dict[str, Any], expected: str) -> None:
    assert outcome(SliceHarm(**settings), sliced(FINE, harm, FINE, None)) == expected


def test_slice_harm_names_the_worst_and_counts_the_rest() -> None:
    harmed = gain(value=-0.2, low=-0.3, high=-0.1)
    answer = SliceHarm().judge(sliced(FINE, harmed, gain(value=-0.01, low=-0.1, high=0.1), None))
    assert answer.message == (
        "1 of 3 slices worse; worst of 3 (correction none): carrier=s1 -0.2000 (95%: -0.3000 to -0.1000), -0.02 allowed"
    )
    assert (answer.facts["comparisons"], answer.facts["correction"]) == (3, "none")
    assert (answer.facts["harmed"], answer.facts["judged"], answer.facts["too_small"]) == (["carrier=s1"], 3, 1)
    assert answer.facts["worst"]["slice"] == "carrier=s1"


def test_a_gain_that_is_no_number_is_the_worst() -> None:
    answer = SliceHarm().judge(sliced(gain(value=-0.2, low=-0.3, high=0.1), gain(value=NAN, low=NAN, high=NAN), FINE))
    assert answer.facts["worst"]["slice"] == "carrier=s1"


def test_slice_harm_asks_as_it_is_set() -> None:
    evidence = Stub()
    SliceHarm(metric="recall", min_rows=50, resamples=500, level=0.9).judge(evidence)
    assert evidence.asked == [("recall", 50, 500, 0.9, 0.02, "none")]


@pytest.mark.parametrize(
    ("size", "max_mb", "budget", "expected"),
    [
        (50_000_000, 50, None, "pass"),
        (50_000_001, 50, None, "fail"),
        (50_000_000, None, 50, "pass"),
        (50_000_001, None, 50, "fail"),
        (30_000_000, 40, 20, "pass"),
        (30_000_000, 20, 40, "fail"),
        (1, None, None, "skip"),
    ],
)
def test_size(size: int, max_mb: float | None, budget: float | None, expected: str) -> None:
    artifact = msgspec.structs.replace(samples.version().artifact, size=size)
    evidence = Stub(candidate=samples.version(artifact=artifact), model=samples.model(budgets=Budgets(size_mb=budget)))
    assert outcome(Size(max_mb=max_mb), evidence) == expected


@pytest.mark.parametrize(
    ("p95", "limit", "budget", "expected"),
    [
        (20.0, 20, None, "pass"),
        (ABOVE(20.0, 21), 20, None, "fail"),
        (20.0, None, 20, "pass"),
        (21.0, None, 20, "fail"),
        (21.0, 22, 20, "pass"),
        (None, 20, None, "fail"),
        (NAN, 20, None, "fail"),
        (NAN, None, INF, "fail"),
        (None, None, None, "skip"),
    ],
)
def test_latency(p95: float | None, limit: float | None, budget: float | None, expected: str) -> None:
    evaluation = msgspec.structs.replace(samples.version().evaluation, p95_ms=p95)
    evidence = Stub(
        candidate=samples.version(evaluation=evaluation), model=samples.model(budgets=Budgets(p95_ms=budget))
    )
    assert outcome(Latency(max_p95_ms=limit), evidence) == expected


@pytest.mark.parametrize(
    ("machine", "remark"),
    [
        ("Fast, 8 cores", " (champion 1.5 ms, same processor)"),
        ("Slow, 2 cores", " (the champion was measured on another processor: not comparable)"),
        (None, " (the champion was measured on another processor: not comparable)"),
    ],
)
def test_latency_is_comparable_on_the_same_processor_only(machine: str | None, remark: str) -> None:
    evaluation = samples.version().evaluation

    def measured(p95: float, on: str | None) -> Version:
        return samples.version(evaluation=msgspec.structs.replace(evaluation, p95_ms=p95, machine=on))

    evidence = Stub(candidate=measured(2.0, "Fast, 8 cores"), champion=measured(1.5, machine))
    result = Latency(max_p95_ms=10.0).judge(evidence)
    assert result.message == f"p95 2.0 ms of 10 ms{remark}"
    assert result.facts["machine"] == "Fast, 8 cores"


@pytest.mark.parametrize(
    ("sections", "wanted", "missing"),
    [
        (WRITTEN.sections, CardComplete().sections, []),
        (WRITTEN.sections | {"limitations": "TODO"}, CardComplete().sections, ["Limitations"]),
        ({"intended use": "For the ops team."}, ("Intended use", "Ethical considerations"), ["Ethical considerations"]),
        ({}, ("Intended use", "Limitations"), ["Intended use", "Limitations"]),
        ({"intended use": "For the ops team."}, ("INTENDED USE",), []),
    ],
)
def test_card_complete(sections: dict[str, str], wanted: tuple[str, ...], missing: list[str]) -> None:
    answer = CardComplete(sections=wanted).judge(Stub(card=CardText(sections)))
    assert answer.outcome == ("fail" if missing else "pass")
    assert answer.facts.get("empty", []) == missing
    assert all(heading in answer.message for heading in missing)


def test_a_policy_cannot_ask_for_a_card_without_sections() -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(
            {"kind": "policy", "schema": 1, "name": "a", "gates": [{"id": "card-complete", "sections": []}]},
            type=Policy,
        )


def test_data_contract() -> None:
    assert outcome(DataContract(), Stub(checks={"a": DatasetCheck(10), "b": DatasetCheck(0)})) == "pass"
    broken = {
        "a": DatasetCheck(10),
        "b": DatasetCheck(5, ["late: 2 are missing", "carrier: 1 is not allowed"]),
        "c": DatasetCheck(1, ["no rows"]),
    }
    answer = DataContract().judge(Stub(checks=broken))
    assert (answer.outcome, answer.message) == ("fail", "b: late: 2 are missing, and 2 more")
    assert answer.facts["rows"] == {"a": 10, "b": 5, "c": 1}


def test_data_of_which_nothing_is_recorded_keeps_no_contract() -> None:
    assert outcome(DataContract(), Stub(checks={})) == "fail"


@pytest.mark.parametrize("gate", [Integrity(), Immutability()])
def test_integrity_and_immutability_fail_on_the_first_finding(gate: Gate) -> None:
    wrong = [
        Finding("version-tampered", "the record is not what was registered"),
        Finding("version-file-mismatch", "the profile differs"),
    ]
    one = gate.judge(Stub(findings=wrong[:1], history=wrong[:1]))
    assert (one.outcome, one.message) == ("fail", "the record is not what was registered")
    both = gate.judge(Stub(findings=wrong, history=wrong))
    assert both.message == "the record is not what was registered, and 1 more"
    assert both.facts["findings"][1] == "version-file-mismatch: the profile differs"


def test_a_long_list_of_findings_is_cut_in_the_facts_and_counted_in_the_message() -> None:
    many = [Finding("immutable-file-changed", f"file {number} was changed") for number in range(100)]
    answer = Immutability().judge(Stub(history=many))
    assert answer.message.endswith("and 99 more")
    assert len(answer.facts["findings"]) == 20
    assert all(one != other for one, other in pairwise(answer.facts["findings"]))
