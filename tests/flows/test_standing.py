"""Standing approvals: people approve promotions in advance, and what passes every gate is promoted automatically."""

from datetime import timedelta
from typing import Any

import pytest

from tests.conftest import MakeScene
from tests.flows.builder import MODEL
from tests.flows.people import Desk, Team

PRODUCTION = f"production/{MODEL}"
MANIFEST = f"environments/{PRODUCTION}.yaml"
FILE = f"standing-approvals/{PRODUCTION}.yaml"
BRANCH = f"mlgit/promote/{PRODUCTION}"
NEW = f"standing-approval add production/{MODEL} --approver ben --until 90d --reason 'weekly retrain'"


def bring(desk: Desk, branch: str) -> None:
    """Merge a branch that is no promotion, as people do."""
    desk.git("merge", "--quiet", "--no-ff", "-m", f"Merge {branch}", branch)


def approve_in_advance(team: Team, *people: Desk, line: str = NEW) -> None:
    """Draft a standing approval for production, let people sign it, and bring it to the base branch."""
    name = team.ana.does(f"{line} --json").json["name"]
    for person in people:
        person.does(f"standing-approval approve {name}")
    bring(team.ana, f"mlgit/standing-approval/{name}")


def automate(desk: Desk, environment: str = "production") -> str:
    path = f"environments/{environment}/environment.yaml"
    return desk.commit("Let it run by itself", {path: desk.read(path) + "auto_promote: true\n"})


def auto_promoted(desk: Desk, line: str = "production") -> Any:
    """What became of the model when the automation ran."""
    results = desk(f"auto-promote {line} --json").json["results"]
    return next(one for one in results if one["model"] == MODEL)


def ids(result: Any) -> list[str]:
    return [finding["id"] for finding in result["findings"]]


def _automated(team: Team) -> None:
    team.ben.does(f"approve {automate(team.ana)}")
    team.promote(f"{MODEL}@2", "staging")


def _approved(team: Team) -> None:
    _automated(team)
    approve_in_advance(team, team.ben)


@pytest.fixture
def ready(make_scene: MakeScene) -> Team:
    """Version 2 runs in staging; production has auto-promotion, and no standing approval."""
    return make_scene("ready", "running", _automated)


@pytest.fixture
def agreed(make_scene: MakeScene) -> Team:
    """Ben has signed a standing approval for it."""
    return make_scene("agreed", "running", _approved)


@pytest.mark.tier("fast")
def test_a_version_that_passes_is_promoted_under_a_standing_approval(ready: Team) -> None:
    ana, ben, automation = ready.ana, ready.ben, ready.mallory
    assert ids(auto_promoted(automation)) == ["standing-approval-missing"]
    assert "Next: mlgit standing-approval approve " + PRODUCTION in ana.does(NEW).out
    assert "Next: git switch main" in ben.does(f"standing-approval approve {PRODUCTION}").out
    assert "already; nothing was changed" in ben.does(f"standing-approval approve {PRODUCTION}").out
    assert ids(auto_promoted(automation)) == ["standing-approval-missing"], "it counts once it is merged"
    bring(ana, f"mlgit/standing-approval/{PRODUCTION}")
    before = automation.everything()
    assert auto_promoted(automation, "--dry-run")["state"] == "planned"
    assert automation.everything() == before
    found = auto_promoted(automation, "--merge")
    assert (found["state"], found["proposed"]["candidate"], found["standing_approval"]) == (
        "merged",
        f"{MODEL}@2",
        PRODUCTION,
    )
    assert found["approved_by"] == ["ben"]
    (one,) = ana.does("apply production --json").json["results"]
    assert (one["state"], one["approved_by"]) == ("applied", ["ben"])
    assert [one["used"] for one in ana.does("standing-approval list --json").json["exceptions"]] == [1]
    assert auto_promoted(automation)["state"] == "not-eligible", "version 3 was never in staging"
    change = ana.does("audit --json").json["changes"][-1]
    assert (change["verdict"], change["standing_approval"]) == ("PROVEN", PRODUCTION)
    assert [one["person"] for one in change["approvals"]] == ["ben"]
    record = ana.show("mlgit-ledger", f"decisions/{found['proposed']['promotion']}.json")
    assert '"standing-approval-01' in record
    assert ana.does(f"why production/{MODEL} --json").json["approvals"]["counted"][0]["recorded"]
    assert ana.does("validate").code == 0


def test_without_merge_it_is_an_open_proposal_like_any_other(agreed: Team) -> None:
    first = auto_promoted(agreed.mallory)
    assert first["state"] == "proposed"
    assert auto_promoted(agreed.mallory)["state"] == "proposed-already"
    approvals = agreed.ana.does("approvals --json").json["approvals"]
    assert [one["person"] for one in approvals["counted"]] == ["ben"]
    assert agreed.cara.does("merge").code == 0


def test_what_people_propose_is_left_alone_and_their_rejection_counts(agreed: Team) -> None:
    agreed.ana.does(f"promote {MODEL}@2 --to production")
    head = agreed.ana.head(BRANCH)
    assert auto_promoted(agreed.mallory)["state"] == "open"
    assert agreed.ana.head(BRANCH) == head
    agreed.ana.git("branch", "-D", BRANCH)
    assert auto_promoted(agreed.mallory)["state"] == "proposed"
    agreed.cara.does("approve --reject --comment 'not this week'")
    assert agreed.ana.refused("merge") == ["approvals-missing"]


# When it does not come in


def test_a_version_that_was_rolled_back_is_not_promoted_automatically(agreed: Team) -> None:
    """What people took out stays out: by the hold first, and once that is lifted because it was rolled back there."""
    ana, automation = agreed.ana, agreed.mallory
    assert auto_promoted(automation, "production --merge")["state"] == "merged"
    promoted = ana.read(MANIFEST)
    ana.does("apply production")
    ana.does("rollback production --reason INC-9")
    agreed.ben.does("approve")
    ana.does("merge")
    ana.does("apply production")
    assert ids(auto_promoted(automation)) == ["environment-skipped", "version-held", "auto-promotion-not-allowed"]
    ana.does(f"hold lift {PRODUCTION}@2 --reason 'it was the data'")
    bring(ana, f"mlgit/hold/{PRODUCTION}@2")
    found = auto_promoted(automation, "production --merge")
    assert (found["state"], ids(found)) == ("not-eligible", ["environment-skipped", "auto-promotion-not-allowed"])
    ana.does(f"promote {MODEL}@2 --to production")
    assert agreed.ben.does("approve").code == 0, "people may bring it back"
    rests = promoted[promoted.index("standing_approval:") :]
    ana.git("switch", "--quiet", BRANCH)
    automation.commit(
        "Promote it", {MANIFEST: ana.read(MANIFEST) + rests[: rests.index("\n", rests.index("digest"))] + "\n"}
    )
    ana.git("switch", "--quiet", "main")
    assert "auto-promotion-not-allowed" in ana.refused("merge"), "by hand it rests on it no more than by the automation"


def test_an_expired_standing_approval_covers_nothing(agreed: Team) -> None:
    ana = agreed.ana
    assert auto_promoted(agreed.mallory)["state"] == "proposed"
    agreed.now.wait(timedelta(days=91))
    assert "standing-approval-invalid" in ana.refused("merge")
    assert ids(auto_promoted(agreed.mallory)) == ["standing-approval-missing"]
    bring(ana, BRANCH)
    assert "standing-approval-invalid" in ana("apply production").ids
    change = ana("audit --json").json["changes"][-1]
    assert change["verdict"] == "VIOLATION"
    assert "standing-approval-invalid" in ids(change)


def test_a_standing_approval_changed_after_signing_covers_nothing(agreed: Team) -> None:
    ana = agreed.ana
    assert auto_promoted(agreed.mallory)["state"] == "proposed"
    agreed.mallory.edit(FILE, "weekly retrain", "weekly retrains")
    assert ids(auto_promoted(agreed.mallory)) == ["standing-approval-missing"]
    (one,) = ana.does("standing-approval list --json").json["exceptions"]
    assert (one["state"], one["missing"]) == ("unsigned", ["ben"])
    assert "standing-approval-invalid" in ana.refused("merge")


def test_a_person_who_is_excluded_for_a_version_does_not_count(ready: Team) -> None:
    """Ana trained the version: the policy does not let her agree to it, now or in advance."""
    approve_in_advance(ready, ready.ana, line=NEW.replace("ben", "ana"))
    found = auto_promoted(ready.mallory)
    assert (found["state"], ids(found), found["approved_by"]) == ("refused", ["approvals-missing"], [])
    assert "ana: trained the version" in found["findings"][0]["why"]


def test_a_gate_that_fails_or_warns_prevents_auto_promotion(agreed: Team) -> None:
    policy = "policies/production.yaml"
    agreed.ana.edit(policy, "  - id: size\n", "  - id: size\n    max_mb: 0.000001\n    severity: warn\n")
    found = auto_promoted(agreed.mallory)
    assert (found["state"], ids(found)) == ("refused", ["auto-promotion-not-allowed"])
    assert "gate size: fail" in found["findings"][0]["why"]


def test_a_policy_without_approvals_needs_no_standing_approval(running: Team) -> None:
    ana, automation = running.ana, running.mallory
    assert automation.refused("auto-promote staging") == ["auto-promotion-disabled"]
    assert "No environment has" in automation.does("auto-promote").out
    automate(ana, "staging")
    found = auto_promoted(automation, "--merge")
    assert (found["state"], found["proposed"]["candidate"]) == ("refused", f"{MODEL}@3")
    assert "gates-failed" in ids(found)
    ana.does(f"hold add --everywhere {MODEL}@3 --reason 'it is worse'")
    bring(ana, f"mlgit/hold/everywhere/{MODEL}@3")
    said = automation.does("auto-promote --merge").out
    assert (
        f"staging/{MODEL}: {MODEL}@2 (now {MODEL}@1): merged\n  approved by  the policy, which requires no approval"
        in said
    )
    assert said.endswith("Next: mlgit apply\n")
    results = automation.does(f"auto-promote staging/{MODEL} --json").json["results"]
    assert [one["model"] for one in results] == [MODEL]
    assert automation.refused("auto-promote staging/nothing") == ["model-unknown"]
    assert (
        f"staging/{MODEL} ({MODEL}@2): no newer version is eligible\n  version-held: {MODEL}@3 is held"
        in automation.does("auto-promote").out
    )


# What may be drafted


DRAFTS: list[tuple[str, str, str, int]] = [
    ("somebody who is not there", NEW.replace("ben", "dora"), "standing-approval-people-invalid", 1),
    ("a program", NEW.replace("ben", "robot"), "standing-approval-people-invalid", 1),
    ("two years", NEW.replace("90d", "730d"), "standing-approval-too-long", 1),
    ("the past", NEW.replace("90d", "2020-01-01"), "time-in-past", 2),
    ("a model that is not there", NEW.replace(MODEL, "nothing"), "model-unknown", 1),
]


def test_an_invalid_standing_approval_is_not_drafted(running: Team) -> None:
    before = running.ana.everything()
    for what, line, finding, code in DRAFTS:
        answer = running.ana(line)
        assert (answer.code, set(answer.ids)) == (code, {finding}), what
    assert running.ana.everything() == before


def test_only_the_named_people_can_sign_it(running: Team) -> None:
    assert "no `auto_promote: true`" in running.ana.does(NEW).out
    assert running.cara.refused(f"standing-approval approve {PRODUCTION}") == ["standing-approval-people-invalid"]
    assert running.ben.refused("standing-approval approve production/none") == ["standing-approval-unknown"]
    assert "(dry run)" in running.ben.does(f"standing-approval approve {PRODUCTION} --dry-run").out
    assert "There is no standing approval." in running.ana.does("standing-approval list").out
    running.ben.does(f"standing-approval approve {PRODUCTION}")
    again = running.ana.does(f"{NEW} --json").json
    assert again["name"] == PRODUCTION, "the same request gives the same record, and Ben's signature on it stays valid"
    bring(running.ana, f"mlgit/standing-approval/{PRODUCTION}")
    assert [one["state"] for one in running.ana.does("standing-approval list --json").json["exceptions"]] == [
        "in-force"
    ]


def test_a_promotion_cannot_change_its_own_standing_approval(agreed: Team) -> None:
    assert auto_promoted(agreed.mallory)["state"] == "proposed"
    text = agreed.ana.read(FILE)
    agreed.ana.git("switch", "--quiet", BRANCH)
    agreed.mallory.commit("Bring it along", {FILE: text + "max_promotions: 3\n"})
    agreed.ana.git("switch", "--quiet", "main")
    assert {"policy-changed-with-promotion", "promotion-with-other-changes"} <= set(agreed.ana.refused("merge"))
