"""The statistical gates' answers, at the edges most of all. Whatever is no number never passes."""

import math
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from mlgit.domain.gates.base import Gate
from mlgit.domain.gates.calibration import Calibration
from mlgit.domain.gates.drift import DataDrift
from mlgit.domain.gates.fairness import Fairness
from mlgit.domain.gates.leakage import Leakage
from mlgit.domain.gates.metrics import BeatsChampion, check_test
from mlgit.domain.gates.slices import SliceHarm, SliceMinimum
from mlgit.domain.policy import evaluate
from mlgit.domain.records.model import ModelSignature
from mlgit.domain.records.problem import PredictionTarget
from mlgit.domain.results import (
    CalibrationBin,
    CalibrationErrors,
    ColumnDrift,
    Drift,
    FeatureStrength,
    GroupMeasure,
    Overlap,
    SliceValue,
)
from tests import samples
from tests.unit.gates.evidence import Stub, gain, slice_gain

NAN = math.nan
ABOVE = math.nextafter


def outcome(gate: Gate, evidence: Stub) -> str:
    return evaluate([gate], evidence)[0].outcome


# beats-champion by a test, slice-harm with a correction


@pytest.mark.parametrize(
    ("test", "metric", "fits"),
    [
        ("bootstrap", "f1", True),
        ("delong", "roc_auc", True),
        ("mcnemar", "accuracy", True),
        ("delong", "accuracy", False),
        ("mcnemar", "roc_auc", False),
        ("mcnemar", "balanced_accuracy", False),
    ],
)
def test_a_test_is_for_one_metric(test: Any, metric: str, fits: bool) -> None:
    found = check_test(test, metric)
    assert (found is None) == fits
    (verdict,) = evaluate([BeatsChampion(metric=metric, test=test)], Stub())
    assert verdict.outcome == ("pass" if fits else "error")
    if found is not None:
        assert (found.id, verdict.facts) == ("significance-test-mismatch", {"finding": "significance-test-mismatch"})
        assert verdict.fix == found.fix


def test_a_test_has_to_fit_the_primary_metric_where_none_is_named() -> None:
    assert outcome(BeatsChampion(test="delong"), Stub()) == "pass"
    assert outcome(BeatsChampion(test="mcnemar"), Stub()) == "error"


def test_a_test_without_resamples_names_none() -> None:
    gained = gain(method="DeLong", resamples=None, seed=None, p=0.01234)
    answer = BeatsChampion(test="delong").judge(Stub(gained=gained))
    assert answer.message.endswith("+0.0150), by DeLong, p 0.01234")
    assert (answer.facts["p"], answer.facts["resamples"]) == (0.01234, None)


@pytest.mark.parametrize(
    ("correction", "p", "high", "expected"),
    [
        ("holm", 0.025, 0.0, "fail"),
        ("holm", 0.0251, -0.1, "pass"),
        ("holm", 0.0, 0.0, "fail"),
        ("holm", NAN, 0.0, "fail"),
        ("holm", None, 0.0, "fail"),
        ("bonferroni", 1.0, -0.1, "fail"),
        ("bonferroni", 0.0, -0.02, "pass"),
        ("none", 1.0, -0.1, "fail"),
        ("none", 0.0, -0.02, "pass"),
    ],
)
def test_holm_goes_by_p_and_the_others_by_the_interval(
    correction: Any, p: float | None, high: float, expected: str
) -> None:
    harm = slice_gain(gain(value=-0.05, low=-0.2, high=high), p=p)
    answer = SliceHarm(correction=correction, level=0.95).judge(Stub(slices=[harm, slice_gain(gain())]))
    assert answer.outcome == expected
    assert (answer.facts["comparisons"], answer.facts["correction"]) == (2, correction)


def test_a_corrected_level_is_shown_in_full() -> None:
    answer = SliceHarm(correction="bonferroni").judge(Stub(slices=[slice_gain(gain(level=0.9975))]))
    assert "(99.75%: " in answer.message


# slice-minimum


def valued(*metrics: float | None, low: float = 0.0, high: float = 0.0) -> Stub:
    return Stub(
        values=[
            SliceValue(
                column="carrier",
                value=f"s{index}",
                rows=300,
                metric=metric,
                low=None if metric is None else metric + low,
                high=None if metric is None else metric + high,
                reason=None if metric is not None else "3 rows, 200 needed",
            )
            for index, metric in enumerate(metrics)
        ]
    )


@pytest.mark.parametrize(
    ("limits", "metrics", "expected"),
    [
        ({"min": 0.7}, (0.7, 0.9), "pass"),
        ({"min": 0.7}, (ABOVE(0.7, 0), 0.9), "fail"),
        ({"min": 0.7}, (0.9, NAN), "fail"),
        ({"max": 0.7}, (0.7, 0.1), "pass"),
        ({"max": 0.7}, (ABOVE(0.7, 1), 0.1), "fail"),
        ({"max": 0.7}, (NAN,), "fail"),
        ({"min": 0.2, "max": 0.7}, (0.3, 0.8), "fail"),
        ({"min": NAN}, (0.7,), "fail"),
        ({"min": 0.0}, (-0.1,), "fail"),
        ({}, (0.7,), "fail"),
        ({"min": 0.7}, (None, 0.8), "pass"),
    ],
)
def test_slice_minimum(limits: dict[str, Any], metrics: Sequence[float | None], expected: str) -> None:
    assert outcome(SliceMinimum(**limits), valued(*metrics)) == expected


@pytest.mark.parametrize(
    ("limits", "expected"),
    [({"min": 0.74}, "pass"), ({"min": 0.76}, "fail"), ({"max": 0.86}, "pass"), ({"max": 0.84}, "fail")],
)
def test_slice_minimum_judges_the_end_of_the_interval_that_is_nearer_to_the_limit(
    limits: dict[str, Any], expected: str
) -> None:
    assert outcome(SliceMinimum(interval=True, **limits), valued(0.8, low=-0.05, high=0.05)) == expected


def test_slice_minimum_names_what_is_beyond_and_what_was_not_judged() -> None:
    answer = SliceMinimum(min=0.7).judge(valued(0.9, 0.6, 0.65, None))
    assert answer.message == (
        "2 of 3 slices outside the limits; worst of 3: carrier=s1 roc_auc 0.6000, at least 0.7 required; 1 not evaluated"
    )
    assert answer.facts["outside_limits"] == ["carrier=s1", "carrier=s2"]
    assert answer.facts["not_judged"] == ["carrier=s3 (3 rows, 200 needed)"]
    assert answer.facts["comparisons"] == 3


def test_a_metric_that_is_no_number_is_the_worst_slice() -> None:
    assert SliceMinimum(min=0.7).judge(valued(0.1, NAN)).facts["worst"]["slice"] == "carrier=s1"


def test_slice_minimum_asks_as_it_is_set() -> None:
    evidence = Stub()
    SliceMinimum(min=0.1).judge(evidence)
    SliceMinimum(metric="f1", min=0.1, columns=("origin",), min_rows=50, interval=True, level=0.9, resamples=500).judge(
        evidence
    )
    assert evidence.asked == [("roc_auc", ("carrier",), 200, 1000, None), ("f1", ("origin",), 50, 500, 0.9)]


# fairness


def grouped(*rates: float | None, measures: Sequence[str] = ("selection_rate",)) -> Stub:
    return Stub(
        grouped=[
            GroupMeasure(column="sex", value=f"g{index}", rows=300, measures=dict.fromkeys(measures, rate))
            if rate is not None
            else GroupMeasure(column="sex", value=f"g{index}", rows=3, reason="3 rows, 200 needed")
            for index, rate in enumerate(rates)
        ]
    )


@pytest.mark.parametrize(
    ("limits", "rates", "expected"),
    [
        ({"max_difference": 0.25}, (0.5, 0.75), "pass"),
        ({"max_difference": 0.25}, (0.5, ABOVE(0.75, 1)), "fail"),
        ({"max_difference": 0.25}, (0.5, 0.6, 0.9), "fail"),
        ({"max_difference": 0.0}, (0.5, 0.5), "pass"),
        ({"min_ratio": 0.8}, (0.4, 0.5), "pass"),
        ({"min_ratio": 0.8}, (0.39, 0.5), "fail"),
        ({"min_ratio": 0.8}, (0.0, 0.5), "fail"),
        ({"min_ratio": 0.8}, (0.0, 0.0), "pass"),
        ({"min_ratio": 0.8}, (-0.2, 0.0), "fail"),
        ({"min_ratio": 0.8}, (-0.2, 0.5), "fail"),
        ({"min_ratio": 0.5, "max_difference": 0.1}, (0.4, 0.6), "fail"),
        ({"max_difference": 0.2}, (0.5, NAN), "fail"),
        ({"max_difference": 0.2}, (NAN, 0.5), "fail"),
        ({"min_ratio": 0.8}, (0.5, NAN, 0.5), "fail"),
        ({"max_difference": NAN}, (0.5, 0.5), "fail"),
        ({}, (0.5, 0.5), "fail"),
        ({"max_difference": 0.2}, (0.5, None), "skip"),
        ({"max_difference": 0.2}, (0.5, None, 0.5), "pass"),
    ],
)
def test_fairness(limits: dict[str, Any], rates: Sequence[float | None], expected: str) -> None:
    gate = Fairness(columns=("sex",), measure="selection_rate", **limits)
    assert outcome(gate, grouped(*rates)) == expected


def test_equalized_odds_go_by_the_rate_that_differs_more() -> None:
    groups = [
        GroupMeasure(
            column="sex", value=value, rows=300, measures={"true_positive_rate": tpr, "false_positive_rate": fpr}
        )
        for value, tpr, fpr in (("f", 0.8, 0.1), ("m", 0.75, 0.3))
    ]
    evidence = Stub(grouped=groups)
    answer = Fairness(columns=("sex",), max_difference=0.1).judge(evidence)
    assert answer.message == ("false_positive_rate 0.1000 for sex=f, 0.3000 for m: difference 0.2000, 0.1 allowed")
    assert [spread["measure"] for spread in answer.facts["spreads"]] == ["true_positive_rate", "false_positive_rate"]
    assert evidence.asked == [(("true_positive_rate", "false_positive_rate"), ("sex",), 200)]


def test_fairness_names_groups_and_columns_that_were_not_judged() -> None:
    evidence = grouped(0.5, None, 0.55)
    answer = Fairness(columns=("sex", "region"), measure="selection_rate", max_difference=0.1).judge(evidence)
    assert answer.outcome == "pass"
    assert answer.facts["not_judged"] == ["sex=g1 (3 rows, 200 needed)"]
    assert answer.facts["columns_not_judged"] == ["region"]
    assert answer.message.endswith("; 1 groups not evaluated")
    skip = Fairness(columns=("sex",), measure="selection_rate", max_difference=0.1).judge(grouped(0.5, None))
    assert "not evaluated sex=g1 (3 rows, 200 needed)" in skip.message


def test_a_metric_of_any_target_can_be_compared() -> None:
    problem = samples.problem(target=PredictionTarget(column="delay", type="regression"))
    known = Stub(problem=problem, grouped=grouped(2.0, 2.5, measures=("mae",)).grouped)
    assert outcome(Fairness(columns=("sex",), metric="mae", max_difference=1.0), known) == "pass"
    assert outcome(Fairness(columns=("sex",), metric="mae", max_difference=0.4), known) == "fail"
    assert known.asked == [(("mae",), ("sex",), 200)] * 2


# calibration


def calibrated(ece: float, brier: float) -> Stub:
    return Stub(
        calibrated=CalibrationErrors(
            ece=ece, brier=brier, rows=1000, bins=[CalibrationBin(rows=1000, score=0.4, rate=0.42)]
        )
    )


@pytest.mark.parametrize(
    ("limits", "ece", "brier", "expected"),
    [
        ({"max_ece": 0.05}, 0.05, 0.9, "pass"),
        ({"max_ece": 0.05}, ABOVE(0.05, 1), 0.0, "fail"),
        ({"max_brier": 0.2}, 0.9, 0.2, "pass"),
        ({"max_brier": 0.2}, 0.0, ABOVE(0.2, 1), "fail"),
        ({"max_ece": 0.05, "max_brier": 0.2}, 0.04, 0.3, "fail"),
        ({"max_ece": 0.05, "max_brier": 0.2}, 0.06, 0.1, "fail"),
        ({"max_ece": 0.05, "max_brier": 0.2}, 0.04, 0.1, "pass"),
        ({"max_ece": 0.05}, NAN, 0.1, "fail"),
        ({"max_brier": 0.2}, 0.0, NAN, "fail"),
        ({"max_ece": NAN}, 0.0, 0.0, "fail"),
        ({}, 0.0, 0.0, "fail"),
    ],
)
def test_calibration(limits: dict[str, Any], ece: float, brier: float, expected: str) -> None:
    assert outcome(Calibration(**limits), calibrated(ece, brier)) == expected


def test_calibration_says_both_errors_and_which_has_a_limit() -> None:
    answer = Calibration(max_ece=0.05, bins=15).judge(calibrated(0.0712, 0.18))
    assert answer.message == ("calibration error 0.0712, at most 0.05 allowed; Brier score 0.1800 (1,000 rows, 1 bins)")
    assert answer.facts["bins"] == [{"rows": 1000, "score": 0.4, "rate": 0.42}]


def test_calibration_says_why_it_does_not_arise() -> None:
    model = samples.model(signature=ModelSignature(inputs={"carrier": "string"}, output="label"))
    assert Calibration(max_ece=0.1).judge(Stub(model=model)).message == (
        "calibration needs probabilities of a binary target; this model predicts a label of a binary target"
    )


# leakage


def leaking(
    *strengths: float, shared: int | None = 0, rows: int = 1000, exact: bool = True, features: bool = True
) -> Stub:
    candidate = samples.version(2, seed=2)
    if features:
        evaluation = msgspec.structs.replace(candidate.evaluation, features=samples.stored("test.parquet", 99))
        candidate = msgspec.structs.replace(candidate, evaluation=evaluation)
    reason = "no dataset has all of the test rows, by flight_id" if shared is None else ""
    return Stub(
        candidate=candidate,
        overlapped=Overlap(rows=rows, shared=shared, exact=exact, reason=reason),
        strengths=[
            FeatureStrength(feature=f"f{index}", strength=strength, measure="roc_auc")
            for index, strength in enumerate(strengths)
        ],
    )


@pytest.mark.parametrize(
    ("settings", "evidence", "expected"),
    [
        ({}, leaking(0.98), "pass"),
        ({}, leaking(ABOVE(0.98, 1)), "fail"),
        ({}, leaking(0.6, NAN), "fail"),
        ({"allowed": ["f0"]}, leaking(1.0), "pass"),
        ({"allowed": ["f0"]}, leaking(1.0, 0.99), "fail"),
        ({"max_single_feature": 0.5}, leaking(0.6), "fail"),
        ({}, leaking(0.6, shared=1), "fail"),
        ({"max_overlap": 0.001}, leaking(0.6, shared=1), "pass"),
        ({"max_overlap": 0.001}, leaking(0.6, shared=2), "fail"),
        ({}, leaking(0.6, shared=1, exact=False), "fail"),
        ({}, leaking(0.6, shared=None), "pass"),
        ({}, leaking(0.99, shared=None), "fail"),
        ({}, leaking(0.99, features=False), "pass"),
        ({}, leaking(shared=0, features=False), "pass"),
        ({}, leaking(0.6, shared=None, features=False), "error"),
        ({}, leaking(shared=None), "error"),
    ],
)
def test_leakage(settings: dict[str, Any], evidence: Stub, expected: str) -> None:
    assert outcome(msgspec.convert(settings, Leakage), evidence) == expected


@pytest.mark.parametrize("by_record", [True, False])
def test_the_label_among_the_inputs_is_a_leak_whatever_else_is_known(by_record: bool) -> None:
    candidate = samples.version(2, seed=2)
    inputs = msgspec.structs.replace(candidate.inputs, columns=["carrier", "late"] if by_record else [])
    signature = ModelSignature(
        inputs={"carrier": "string", **({} if by_record else {"late": "boolean"})}, output="probability"
    )
    known = Stub(candidate=msgspec.structs.replace(candidate, inputs=inputs), model=samples.model(signature=signature))
    answer = Leakage().judge(known)
    assert (answer.outcome, answer.message) == ("fail", "the label late is an input of the model")
    assert answer.fix


def test_leakage_says_what_leaks_and_what_cannot_be_told() -> None:
    answer = Leakage().judge(leaking(0.995, 0.6, shared=12, exact=False))
    assert answer.message == (
        "at least 12 of 1,000 test rows (1.20%) were used for training; "
        "predicts the label alone: f0 (roc_auc 0.9950), 0.98 allowed"
    )
    assert (answer.facts["overlap_exact"], answer.facts["strong_features"]) == (False, ["f0"])
    unknown = Leakage().judge(leaking(0.6, shared=None))
    assert unknown.message.startswith("which rows were used for training is unknown; strongest single feature: f0")
    assert unknown.facts["not_checked"] == ["no dataset has all of the test rows, by flight_id"]
    (error,) = evaluate([Leakage()], leaking(shared=None, features=False))
    assert error.facts == {"finding": "leakage-inconclusive"}
    assert "the features of the test rows were not kept" in error.message
    assert "outputs.test" in error.fix


# data-drift


def drifted(*psis: float, **changes: list[str]) -> Stub:
    columns = [
        ColumnDrift(column=f"c{index}", psi=psi, js=0.1, ks=None, bins=10, noise=0.01) for index, psi in enumerate(psis)
    ]
    return Stub(drifted=Drift(columns=columns, **({"added": [], "removed": [], "retyped": []} | changes)))


@pytest.mark.parametrize(
    ("settings", "evidence", "expected"),
    [
        ({}, drifted(0.25, 0.1), "pass"),
        ({}, drifted(ABOVE(0.25, 1)), "fail"),
        ({}, drifted(0.1, NAN), "fail"),
        ({"max_psi": 0.1}, drifted(0.2), "fail"),
        ({"max_columns": 1}, drifted(0.3, 0.1), "pass"),
        ({"max_columns": 1}, drifted(0.3, 0.4), "fail"),
        ({}, drifted(0.1, retyped=["c9"]), "fail"),
        ({"max_columns": 1}, drifted(0.1, retyped=["c9"]), "pass"),
        ({}, drifted(0.1, added=["new"], removed=["old"]), "pass"),
        ({"columns": ["c1"]}, drifted(0.9, 0.1), "pass"),
        ({"columns": ["c0"]}, drifted(0.9, 0.1), "fail"),
        ({"columns": ["c0"]}, drifted(0.1, retyped=["c9"]), "pass"),
        ({"columns": ["c9"]}, drifted(0.1), "fail"),
        ({"columns": ["new"]}, drifted(0.1, added=["new"]), "fail"),
        ({}, drifted(), "fail"),
        ({}, drifted(added=["new"], removed=["old"]), "fail"),
    ],
)
def test_data_drift(settings: dict[str, Any], evidence: Stub, expected: str) -> None:
    assert outcome(msgspec.convert(settings, DataDrift), evidence) == expected


def test_data_drift_names_the_worst_and_what_changed() -> None:
    answer = DataDrift().judge(drifted(0.1, 0.4, added=["new"], removed=["old"], retyped=["c9"]))
    assert answer.message == (
        "2 of 3 columns drifted, 0 allowed; worst psi 0.400 in c1, 0.25 allowed; type changed: c9; added: new; removed: old"
    )
    assert answer.facts["drifted"] == ["c9", "c1"]
    assert [column["column"] for column in answer.facts["columns"]] == ["c1", "c0"]
    assert answer.facts["columns"][0]["noise"] == 0.01
