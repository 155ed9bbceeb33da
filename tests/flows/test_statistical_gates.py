"""The statistical gates on real versions: asked from what Git and DVC keep, and answered the same by anybody."""

import json
from typing import Any

import pytest

from tests.flows.builder import MODEL
from tests.flows.people import Desk, Team

POLICY = "policies/production.yaml"
PROFILE = f"models/{MODEL}/versions/v2/profile.json"


def ask(team: Team, *gates: str) -> list[dict[str, Any]]:
    """Ask these gates about version 2 against version 1; return their answers, without the gate that every policy has."""
    lines = "".join(f"  - {gate}\n" for gate in gates)
    head, _, rest = team.ana.read(POLICY).partition("gates:\n")
    team.ana.commit("Ask", {POLICY: f"{head}gates:\n{lines}{rest[rest.index('approvals:') :]}"})
    results = answers(team.ana)
    assert len(results) == len(gates)
    return results


def answers(desk: Desk) -> list[dict[str, Any]]:
    safe, *results = desk(f"gate {MODEL}@2 --env production --json").json["results"]
    assert (safe["gate"], safe["outcome"]) == ("model-safe", "pass")
    return results


@pytest.mark.tier("fast")
def test_every_statistical_gate_can_be_answered_from_what_is_stored(running: Team) -> None:
    results = ask(
        running,
        "{id: beats-champion, test: delong, margin: -1}",
        "{id: beats-champion, metric: accuracy, test: mcnemar, margin: -1}",
        "{id: beats-champion, margin: -1}",
        "{id: slice-harm, correction: holm, min_rows: 30, max_drop: 1}",
        "{id: slice-minimum, min: 0.5, min_rows: 30, interval: true}",
        "{id: fairness, columns: [outline], measure: selection_rate, max_difference: 1, min_rows: 30}",
        "{id: calibration, max_ece: 1, max_brier: 1}",
        "{id: leakage, max_single_feature: 1}",
        "{id: data-drift, max_psi: 100}",
    )
    assert [(one["gate"], one["outcome"], one["message"]) for one in results if one["outcome"] != "pass"] == []
    facts = [one["facts"] for one in results]
    assert [one["test"] for one in facts[:3]] == [
        "DeLong",
        "McNemar, chi-squared with continuity correction",
        "paired bootstrap, percentile",
    ]
    assert facts[2]["seed"] is not None
    assert facts[3]["comparisons"] == facts[4]["comparisons"] == 2
    assert facts[5]["comparisons"] == 1
    assert sum(part["rows"] for part in facts[6]["bins"]) == facts[6]["rows"]
    assert (facts[7]["overlap"], facts[7]["not_checked"][0][:47]) == (
        None,
        "only counts are kept of the rows trained on: bi",
    )
    assert facts[7]["strongest"][0]["strength"] > 0.9
    assert facts[8]["compared"] == 10


def test_the_same_question_has_the_same_answer_for_everybody(running: Team) -> None:
    gates = ("{id: beats-champion, margin: -1}", "{id: slice-harm, min_rows: 30}", "{id: data-drift, max_psi: 100}")
    mine = ask(running, *gates)
    there = running.ana.clone("elsewhere")
    assert answers(running.ben.at(there.root)) == mine


def test_a_test_that_does_not_fit_is_an_error_with_a_way_out(running: Team) -> None:
    (result,) = ask(running, "{id: beats-champion, metric: recall, test: delong}")
    assert (result["outcome"], result["facts"]) == ("error", {"finding": "significance-test-mismatch"})
    assert "leave `test` at bootstrap" in result["fix"]


@pytest.mark.parametrize(
    ("gate", "finding"),
    [
        ("{id: fairness, columns: [sex], max_difference: 1}", "metric-not-computable"),
        ("{id: slice-minimum, columns: [sex], min: 0}", "metric-not-computable"),
        ("{id: leakage, training: [elsewhere]}", "dataset-unknown"),
    ],
)
def test_what_is_not_there_is_an_error(running: Team, gate: str, finding: str) -> None:
    (result,) = ask(running, gate)
    assert (result["outcome"], result["facts"]) == ("error", {"finding": finding})


def test_rows_of_a_dataset_that_is_all_training_are_found_in_the_test(running: Team) -> None:
    """Of this project the one dataset has both sides of the split: said to be for training alone, all test rows are in it."""
    (result,) = ask(running, "{id: leakage, training: [biopsies], max_single_feature: 1}")
    facts = result["facts"]
    assert (result["outcome"], facts["overlap"], facts["overlap_exact"]) == ("fail", facts["rows"], True)


@pytest.mark.parametrize("change", ["altered", "gone"])
def test_a_profile_that_is_not_what_was_registered_is_not_compared(running: Team, change: str) -> None:
    if change == "gone":
        running.ana.git("rm", "--quiet", PROFILE)
        running.ana.git("commit", "--quiet", "--message", "Delete")
    else:
        document = json.loads(running.ana.read(PROFILE))
        running.ana.commit("Alter", {PROFILE: json.dumps(document | {"rows": document["rows"] - 1})})
    for result in ask(running, "id: data-drift", "id: leakage"):
        expected = "version-file-missing" if change == "gone" else "version-file-mismatch"
        assert (result["outcome"], result["facts"]) == ("error", {"finding": expected})
