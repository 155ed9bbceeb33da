"""Overrides: gates that two people waive for one version until a stated time, and the review afterwards."""

import itertools
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from mlgit.domain.codec import digest, to_json
from mlgit.domain.records import GateReport, Promotion
from mlgit.domain.records.promotion import ReportRef
from mlgit.edges.clock import SystemClock
from mlgit.edges.formats.records import read_record
from mlgit.ops.exceptions import override, signed
from tests.conftest import MakeScene
from tests.flows.builder import MODEL
from tests.flows.people import Desk, Team, signer

PRODUCTION = f"production/{MODEL}"
MANIFEST = f"environments/{PRODUCTION}.yaml"
BRANCH = f"mlgit/promote/{PRODUCTION}"
NAME = f"{PRODUCTION}@3"
FILE = f"overrides/{NAME}.yaml"
ADD = f"override add production/{MODEL}@3 --incident INC-7 --approver ben --until 4h --review-by 2026-03-20"
GATES = ("beats-baseline", "beats-champion", "slice-harm")
WAIVED = " ".join(f"--waive {gate}" for gate in GATES)


@pytest.fixture
def urgent(make_scene: MakeScene) -> Team:
    """Version 3, which the gates refuse, runs in staging, where two names are enough to waive a gate."""

    def prepare(team: Team) -> None:
        team.ana.does(ADD.replace("production", "staging") + " --waive beats-champion --waive beats-baseline")
        bring(team.ana, f"mlgit/override/staging/{MODEL}@3")
        team.promote(f"{MODEL}@3", "staging")

    return make_scene("urgent", "running", prepare)


def bring(desk: Desk, branch: str) -> None:
    """Merge a branch that is no promotion, as people do."""
    desk.git("merge", "--quiet", "--no-ff", "-m", f"Merge {branch}", branch)


def decide(team: Team, *people: Desk, more: str = WAIVED) -> None:
    """Draft the override for production, let people sign it, and bring it to the base branch."""
    team.ana.does(f"{ADD} {more}")
    for person in people:
        person.does(f"override approve {NAME}")
    bring(team.ana, f"mlgit/override/{NAME}")


def outcomes(desk: Desk) -> dict[str, str]:
    """How the gates of production judge version 3 now, and what came of it as a whole."""
    told = desk(f"promote {MODEL}@3 --to production --dry-run --json").json
    return {verdict["gate"]: verdict["outcome"] for verdict in told["gates"]} | {"all": told["state"]}


def state(desk: Desk, name: str = NAME) -> Any:
    return next(one for one in desk.does("override list --json").json["exceptions"] if one["name"] == name)


@pytest.mark.tier("fast")
def test_an_override_signed_by_two_people_waives_its_gates_only(urgent: Team) -> None:
    ana, ben, cara = urgent.ana, urgent.ben, urgent.cara
    refused = outcomes(ana)
    assert (refused["beats-champion"], refused["all"]) == ("fail", "refused")
    said = ana.does(f"{ADD} {WAIVED}")
    assert f"Each of ana and ben signs it: mlgit override approve {NAME}" in said.out
    assert f"Next: mlgit override approve {NAME}, run by ana" in said.out
    assert f"Next: mlgit override approve {NAME}, run by ben" in ana.does(f"override approve {NAME}").out
    assert (
        f"Next: git switch main && git merge --no-ff mlgit/override/{NAME}" in ben.does(f"override approve {NAME}").out
    )
    assert outcomes(ana) == refused, "an override counts once it is merged"
    bring(ana, f"mlgit/override/{NAME}")
    assert state(ana)["state"] == "in-force"
    assert {gate for gate, said in refused.items() if said == "fail"} == set(GATES)
    assert outcomes(ana) == refused | dict.fromkeys(GATES, "waived") | {"all": "planned"}
    promoted = ana.does(f"promote {MODEL}@3 --to production").out
    assert "waived by ana and ben for INC-7" in promoted
    cara.does("approve")
    cara.does("merge")
    assert [one["state"] for one in ana.does("apply --json").json["results"]] == ["up-to-date", "applied"]
    assert ana.does("validate").code == 0


def test_the_decision_depends_on_the_override(urgent: Team) -> None:
    decide(urgent, urgent.ana, urgent.ben)
    urgent.promote(f"{MODEL}@3", "production", approve=[urgent.cara])
    (path,) = [
        path for path in urgent.ana.files("mlgit-ledger") if path.startswith("decisions/") and path.endswith(".json")
    ][-1:]
    text = urgent.ana.show("mlgit-ledger", path)
    assert '"override-01' in text
    others = [
        path for path in urgent.ana.files("mlgit-ledger") if path.startswith("decisions/") and path.endswith(".json")
    ][:2]
    assert all('"override-' not in urgent.ana.show("mlgit-ledger", other) for other in others)


@pytest.mark.parametrize("signed", [[], ["ana"], ["ben"]], ids=str)
def test_one_person_is_not_enough(urgent: Team, signed: list[str]) -> None:
    desks = {"ana": urgent.ana, "ben": urgent.ben}
    decide(urgent, *[desks[name] for name in signed])
    assert outcomes(urgent.ana)["beats-champion"] == "fail"
    assert state(urgent.ana)["missing"] == [name for name in desks if name not in signed]


def test_who_has_just_signed_is_not_missing(urgent: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock goes on while the signature is made."""
    urgent.ana.does(f"{ADD} {WAIVED}")
    with urgent.ana.present(), monkeypatch.context() as patch:
        seconds = itertools.count()
        patch.setattr(SystemClock, "now", lambda _: urgent.now.moment + timedelta(seconds=next(seconds)))
        approval = signed.approve(urgent.ana.session(), override.KIND, NAME)
    assert (approval.state, approval.missing) == ("added", ["ben"])


def test_one_key_is_not_two_people(urgent: Team) -> None:
    """The line of ana's key names ben's address as well, and she signs for both."""
    line = signer("ana", urgent.keys, "ana@acme.example,ben@acme.example")
    urgent.ana.commit("Lend a key", {".mlgit/allowed_signers": line})
    urgent.ana.does(f"{ADD} {WAIVED}")
    for person in (urgent.ana, urgent.ana.using(user_email="ben@acme.example")):
        assert person.refused(f"override approve {NAME}") == ["signature-key-shared"]
    bring(urgent.ana, f"mlgit/override/{NAME}")
    assert outcomes(urgent.ana)["beats-champion"] == "fail"


def test_people_who_are_not_named_cannot_sign(urgent: Team) -> None:
    urgent.ana.does(f"{ADD} {WAIVED}")
    assert urgent.cara.refused(f"override approve {NAME}") == ["override-people-invalid"]
    assert urgent.cara.refused("override approve production/none") == ["override-unknown"]


def test_an_override_changed_after_signing_waives_nothing(urgent: Team) -> None:
    """After both have signed, somebody makes it last for a year."""
    decide(urgent, urgent.ana, urgent.ben)
    text = urgent.ana.read(FILE)
    urgent.mallory.commit("Mend a typing error", {FILE: text.replace("INC-7", "INC-8")})
    assert outcomes(urgent.ana)["beats-champion"] == "fail"
    assert urgent.ana("validate --base main~1").ids == ["override-changed"]


def test_signing_twice_changes_nothing(urgent: Team) -> None:
    urgent.ana.does(f"{ADD} {WAIVED}")
    urgent.ana.does(f"override approve {NAME}")
    before = urgent.ana.everything()
    assert "already; nothing was changed" in urgent.ana.does(f"override approve {NAME}").out
    assert "dry run" in urgent.ben.does(f"override approve {NAME} --dry-run").out
    assert "dry run" in urgent.ana.does(f"{ADD} {WAIVED} --dry-run").out
    assert urgent.ana.everything() == before


# When it holds


def test_an_override_that_expires_before_the_merge_waives_nothing(urgent: Team) -> None:
    decide(urgent, urgent.ana, urgent.ben)
    urgent.ana.does(f"promote {MODEL}@3 --to production")
    urgent.cara.does("approve")
    urgent.now.wait(timedelta(hours=4))
    answer = urgent.ana("merge")
    assert (answer.code, set(answer.ids)) == (1, {"waiver-without-override"})
    assert f"{NAME} expired at" in answer.text
    assert outcomes(urgent.ana)["beats-champion"] == "fail"


def test_an_override_that_expires_after_the_merge_still_counts_for_it(urgent: Team) -> None:
    decide(urgent, urgent.ana, urgent.ben)
    urgent.promote(f"{MODEL}@3", "production", approve=[urgent.cara], apply=False)
    urgent.now.wait(timedelta(hours=5))
    results = urgent.ana.does("apply production --json").json["results"]
    assert [one["state"] for one in results] == ["applied"]


def test_a_promotion_cannot_add_its_own_override(urgent: Team) -> None:
    ana = urgent.ana
    decide(urgent, urgent.ana, urgent.ben)
    ana.does(f"promote {MODEL}@3 --to production")
    waived = ana.git("rev-parse", BRANCH)
    ana.git("update-ref", "refs/heads/main", "main~1")  # as if the override had not been brought in
    ana.git("reset", "--quiet", "--hard", "main")
    assert f"{FILE}" not in ana.files("main")
    assert waived == ana.head(BRANCH)
    assert {"waiver-without-override", "promotion-with-other-changes"} & set(ana.refused("merge"))
    ana.git("merge", "--quiet", "--no-ff", "-m", "By hand", BRANCH)
    answer = ana("apply production")
    assert answer.code == 1
    assert "waiver-without-override" in answer.ids


def test_a_gate_report_cannot_claim_a_waiver_without_an_override(proposed: Team) -> None:
    ana = proposed.ana
    manifest = read_record(MANIFEST, ana.show(BRANCH, MANIFEST).encode())
    assert isinstance(manifest, Promotion)
    assert manifest.gates is not None
    path = manifest.gates.report
    report = read_record(path, ana.show(BRANCH, path).encode())
    assert isinstance(report, GateReport)
    said = [replace(one, outcome="waived") if one.gate == "latency" else one for one in report.results]
    report = replace(report, results=said)
    ana.git("switch", "--quiet", BRANCH)
    named = replace(manifest, gates=ReportRef(report=path, digest=digest(report)))
    proposed.mallory.commit("Promote it", {path: to_json(report), MANIFEST: to_json(named)})
    ana.git("switch", "--quiet", "main")
    assert proposed.ben.refused("approve") == ["waiver-without-override"]


# What may be waived


FORBIDDEN: list[tuple[str, str, str]] = [
    ("a gate that nobody may waive", "--waive integrity", "waiver-not-allowed"),
    ("one of two", "--waive beats-champion --waive immutability", "waiver-not-allowed"),
    ("a gate that is not asked", "--waive calibration", "waiver-gate-unknown"),
    ("somebody who is not there", "--waive latency --approver dora", "override-people-invalid"),
    ("a program", "--waive latency --approver robot", "override-people-invalid"),
]


@pytest.mark.parametrize(("what", "more", "finding"), FORBIDDEN, ids=[what for what, _, _ in FORBIDDEN])
def test_an_invalid_override_is_not_drafted(running: Team, what: str, more: str, finding: str) -> None:
    assert running.ana.refused(f"{ADD} {more}") == [finding], what


def test_an_override_of_one_person_is_not_drafted(running: Team) -> None:
    line = ADD.replace("--approver ben", "--approver ana")
    assert running.ana.refused(f"{line} --waive latency") == ["override-people-invalid"]
    assert running.mallory.refused(f"{ADD} --waive latency") == ["override-people-invalid"]
    assert running.ana.refused(f"{ADD.replace('4h', '2020-01-01')} --waive latency", code=2) == ["time-in-past"]


def test_a_gate_that_became_never_waivable_is_not_waived(urgent: Team) -> None:
    decide(urgent, urgent.ana, urgent.ben)
    urgent.ana.edit(
        "policies/production.yaml", "evidence: signed", "never_waivable: [integrity, beats-champion]\nevidence: signed"
    )
    assert outcomes(urgent.ana)["beats-champion"] == "fail"
    assert urgent.ana("validate").ids == ["waiver-not-allowed"]


def test_an_override_is_for_one_version_in_one_environment(urgent: Team) -> None:
    decide(urgent, urgent.ana, urgent.ben)
    told = urgent.ana(f"gate {MODEL}@2 --env production --json").json
    assert "waived" not in {verdict["outcome"] for verdict in told["results"]}
    urgent.ana.edit(FILE, "environment: production", "environment: staging")
    assert outcomes(urgent.ana)["beats-champion"] == "fail"


# The review


def test_an_overdue_review_blocks_promotions_but_not_rollbacks(urgent: Team) -> None:
    ana = urgent.ana
    decide(urgent, urgent.ana, urgent.ben)
    urgent.promote(f"{MODEL}@3", "production", approve=[urgent.cara])
    urgent.now.wait(timedelta(days=30))
    assert state(ana)["review_due"]
    assert ana.refused(f"promote {MODEL}@2 --to staging") == ["override-unreviewed"]
    ana.does("rollback production --reason 'INC-9'")
    urgent.ben.does("approve")
    urgent.ben.does("merge")
    ana.does("apply production")
    reviewed = "reviewed: {by: cara, date: 2026-03-31, outcome: the gate was right}\n"
    for place in ("staging", "production"):
        path = f"overrides/{place}/{MODEL}@3.yaml"
        ana.commit("Review it", {path: ana.read(path) + reviewed})
        assert ana("validate --base main~1").ids == []
    assert not state(ana)["review_due"]
    assert "is proposed as" in ana.does(f"promote {MODEL}@2 --to staging").out


def test_an_overdue_review_blocks_an_open_promotion(urgent: Team) -> None:
    ana = urgent.ana
    ana.does(f"promote {MODEL}@2 --to staging")
    urgent.now.wait(timedelta(days=30))
    assert "override-unreviewed" in ana.refused("merge")


@pytest.mark.parametrize("action", ["delete", "postpone"])
def test_an_override_cannot_be_changed_or_deleted(urgent: Team, action: str) -> None:
    ana, path = urgent.ana, f"overrides/staging/{MODEL}@3.yaml"
    if action == "delete":
        ana.git("rm", "--quiet", path)
        ana.git("commit", "--quiet", "-m", "Tidy up")
    else:
        ana.edit(path, "2026-03-20", "2030-03-20")
    assert ana("validate --base main~1").ids == ["override-changed"]


def test_a_second_override_of_a_version_has_a_name_of_its_own(urgent: Team) -> None:
    told = urgent.ana.does(ADD.replace("production", "staging") + " --waive latency --json").json
    assert told["name"] == f"staging/{MODEL}@3-2"


def test_the_same_override_is_proposed_again_and_its_signatures_stay(running: Team) -> None:
    first = running.ana.does(f"{ADD} --waive latency --json").json
    running.ben.does(f"override approve {NAME}")
    running.now.wait(timedelta(minutes=1))
    again = running.ana.does(f"{ADD} --waive latency --json").json
    assert (again["name"], again["record"]) == (NAME, first["record"])
    other = running.ana.does(f"{ADD} --waive size --json").json
    assert other["name"] == f"{NAME}-2"
    bring(running.ana, f"mlgit/override/{NAME}")
    assert state(running.ana)["missing"] == ["ana"]


def test_json_has_the_record_and_the_missing_signatures(running: Team) -> None:
    draft = running.ana.does(f"{ADD} --waive latency --json").json
    record = draft["record"]
    assert (draft["schema"], draft["kind"], draft["must_sign"]) == (
        "mlgit/signed-exception-draft.v1",
        "override",
        ["ana", "ben"],
    )
    assert draft["auto_promote"] is None
    assert (record["kind"], record["waives"], record["people"]) == ("override", ["latency"], ["ana", "ben"])
    approval = running.ben.does(f"override approve {NAME} --json").json
    assert approval["schema"] == "mlgit/signed-exception-approval.v1"
    assert (approval["record"], approval["missing"], approval["until"]) == (record, ["ana"], record["until"])
    bring(running.ana, f"mlgit/override/{NAME}")
    listed = running.ana.does("override list --json").json
    assert (listed["schema"], listed["kind"]) == ("mlgit/signed-exceptions.v1", "override")
    assert listed["exceptions"] == [
        {
            "name": NAME,
            "record": record,
            "missing": ["ana"],
            "until": record["until"],
            "state": "unsigned",
            "review_due": False,
            "used": None,
            "auto_promote": None,
        }
    ]
    assert "unsigned by ana" in running.ana.does("override list").out
