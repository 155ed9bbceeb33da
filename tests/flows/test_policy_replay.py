"""What another policy would have said of the promotions of the past, on a real history."""

from pathlib import Path
from typing import Any

import pytest

from tests.conftest import MakeScene
from tests.flows.builder import MODEL
from tests.flows.people import Desk, Team
from tests.flows.test_gates_flow import STAGING, lose, policy, record


@pytest.fixture
def lived(make_scene: MakeScene) -> Team:
    """Under an easy policy, the plain version was followed by the worse one, which was taken back, and then by the better."""

    def prepare(team: Team) -> None:
        team.ana.commit("Make it easy", {STAGING: policy()})
        for number in (1, 3, 1, 2):
            team.promote(f"{MODEL}@{number}", "staging", apply=False)

    return make_scene("lived", "registered", prepare)


def replay(desk: Desk, *gates: str, name: str = "staging", more: str = "", code: int = 0) -> Any:
    """Try a policy of these gates, which lies beside the repository."""
    file = desk.root.parent / "tried.yaml"
    file.write_text(policy(*gates))
    answer = desk(f"policy replay {name} --with {file} {more} --json")
    assert answer.code == code, answer.text
    return answer.json


def judged(document: Any) -> list[tuple[str, str, bool]]:
    return [(one["candidate"], one["outcome"], one["rolled_back"]) for one in document["promotions"]]


@pytest.mark.tier("fast")
def test_an_equal_policy_would_have_blocked_nothing(lived: Team) -> None:
    found = replay(lived.ana)
    assert found["schema"] == "mlgit/policy-replay.v1"
    assert judged(found) == [
        (f"{MODEL}@2", "pass", False),
        (f"{MODEL}@1", "pass", False),
        (f"{MODEL}@3", "pass", True),
        (f"{MODEL}@1", "pass", False),
    ]
    assert {one["original_outcome"] for one in found["promotions"]} == {"pass"}
    assert (found["blocked"], found["passed"], found["passed_but_rolled_back"]) == (0, 4, 1)


def test_a_stricter_policy_would_have_blocked_what_was_taken_back(lived: Team) -> None:
    """The third version is worse than the champion of its time; going back to the first one then was no loss."""
    found = replay(lived.ana, "{id: beats-champion, margin: -0.02}")
    assert judged(found) == [
        (f"{MODEL}@2", "pass", False),
        (f"{MODEL}@1", "pass", False),
        (f"{MODEL}@3", "fail", True),
        (f"{MODEL}@1", "pass", False),
    ]
    (refusal,) = found["promotions"][2]["blocked_by"]
    assert (refusal["gate"], refusal["outcome"]) == ("beats-champion", "fail")
    assert (found["blocked"], found["passed_but_rolled_back"]) == (1, 0)


def test_a_policy_may_be_named_by_its_file(lived: Team) -> None:
    assert replay(lived.ana, name="policies/staging.yaml") == replay(lived.ana)


def test_it_is_said_in_words(lived: Team) -> None:
    file = lived.folder / "tried.yaml"
    file.write_text(policy("{id: beats-champion, margin: -0.02}"))
    shown = lived.ana.does(f"policy replay staging --with {file}").out
    assert "It would have blocked 1 of the last 4 promotions merged under policy staging." in shown
    assert "yes" in next(line for line in shown.splitlines() if line.startswith(f"{MODEL}@3"))
    file.write_text(policy())
    assert (
        "It would have passed 1 promotion that was rolled back later."
        in lived.ana.does(f"policy replay staging --with {file}").out
    )


def test_what_cannot_be_judged_any_more_is_counted_apart(lived: Team) -> None:
    lose(lived, record(lived.ana, 3)["evaluation"]["predictions"])
    found = replay(lived.ana, "{id: threshold, metric: roc_auc, min: 0.5}", code=3)
    assert [now for _, now, _ in judged(found)] == ["pass", "pass", "error", "pass"]
    assert (found["blocked"], found["inconclusive"]) == (0, 1)
    file = lived.folder / "tried.yaml"
    assert "1 promotion is inconclusive: evidence is gone." in lived.ana(f"policy replay staging --with {file}").out


def test_only_the_last_ones_and_only_one_environment_and_nothing_is_changed(lived: Team) -> None:
    before = lived.ana.everything()
    assert judged(replay(lived.ana, "id: rescore", more="--last 2 --env staging")) == [
        (f"{MODEL}@2", "pass", False),
        (f"{MODEL}@1", "pass", False),
    ]
    assert lived.ana.everything() == before


def test_only_promotions_of_the_time_under_the_policy_count(lived: Team) -> None:
    """Production is under another policy; a policy that staging is under from today has no past."""
    ana = lived.ana
    assert ana.refused(f"policy replay production --with {_file(lived, policy())}") == ["policy-replay-empty"]
    ana.commit("Change the policy's name", {"policies/fresh.yaml": policy().replace("name: staging", "name: fresh")})
    ana.edit("environments/staging/environment.yaml", "policy: staging", "policy: fresh")
    assert ana.refused(f"policy replay fresh --with {_file(lived, policy())}") == ["policy-replay-empty"]
    assert len(replay(ana)["promotions"]) == 4


def _file(team: Team, text: str) -> Path:
    file = team.folder / "tried.yaml"
    file.write_text(text)
    return file


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("kind: policy\nschema: 1\nname: x\ngates: []\n", "value-not-allowed"),
        (policy("{id: threshold, metric: auk, min: 1}"), "metric-unknown"),
        (policy("id: stord"), "value-not-allowed"),
        ("kind: [\n", "yaml-syntax-error"),
        (policy().replace("name: staging", "name: ../x"), "value-not-allowed"),
        (policy().replace("id: integrity", "{id: integrity, severity: warn}"), "blocking-gate-missing"),
    ],
)
def test_a_file_that_is_no_sound_policy_is_refused_by_its_own_name(registered: Team, text: str, finding: str) -> None:
    file = _file(registered, text)
    answer = registered.ana(f"policy replay staging --with {file}")
    assert (answer.code, finding in answer.ids) == (1, True), answer.text
    assert str(file) in answer.err


def test_names_that_are_not_there(registered: Team) -> None:
    file = _file(registered, policy())
    ana = registered.ana
    assert ana.refused(f"policy replay stagin --with {file}") == ["policy-unknown"]
    assert ana.refused(f"policy replay staging --with {file} --env stagin") == ["environment-unknown"]
    assert ana.refused("policy replay staging --with nowhere.yaml", code=2) == ["file-unreadable"]


def test_a_manifest_that_nobody_can_read_is_said(lived: Team) -> None:
    ana = lived.ana
    path = f"environments/staging/{MODEL}.yaml"
    good = ana.read(path)
    ana.commit("Break the manifest by hand", {path: "kind: [\n"})
    ana.commit("Mend it", {path: good})
    found = replay(ana, code=3)
    assert [line.split(" at ")[0] for line in found["unreadable"]] == [path, path]
    assert [candidate for candidate, _, _ in judged(found)] == [f"{MODEL}@{number}" for number in (2, 1, 3, 1)]
    ana.edit(path, "change: promote", "change: promote  # as ever")
    assert len(replay(ana, code=3)["promotions"]) == 4
