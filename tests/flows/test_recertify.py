"""Recertification: approvals expire, and people re-approve what runs; nothing that runs changes."""

from datetime import timedelta
from typing import Any

import pytest

from tests.flows.builder import MODEL
from tests.flows.people import Desk, Team

PRODUCTION = f"production/{MODEL}"
MANIFEST = f"environments/{PRODUCTION}.yaml"
BRANCH = f"mlgit/promote/{PRODUCTION}"
POLICY = "policies/production.yaml"


@pytest.fixture
def limited(running: Team) -> Team:
    """Approvals of what production runs may grow 30 days old."""
    text = running.ana.read(POLICY)
    running.change_rules(
        "Limit approvals", {POLICY: text.replace("evidence: signed", "recertify: 30d\nevidence: signed")}
    )
    return running


def standing(desk: Desk) -> Any:
    """How status, why and audit say that it stands."""
    (row,) = [one for one in desk.does("status --json").json["rows"] if one["environment"] == "production"]
    why = desk.does(f"why production/{MODEL} --json").json
    assert why["approval_age"] == row["approval_age"]
    warned = [one["id"] for one in desk.does("audit --json").json["findings"]]
    return row["approval_age"]["state"], "recertification-overdue" in warned


@pytest.mark.tier("fast")
def test_what_runs_is_re_approved_and_does_not_change(limited: Team) -> None:
    ana, ben = limited.ana, limited.ben
    running = ana.read(f"deployed/production/{MODEL}/current/version.json")
    assert standing(ana) == ("good", False)
    limited.now.wait(timedelta(days=20))
    assert standing(ana) == ("due", False)
    limited.now.wait(timedelta(days=20))
    ana.commit("Something else", {"notes.md": "time goes on\n"})
    assert standing(ana) == ("overdue", True)
    assert f"{PRODUCTION}: recertification overdue, by 2026-03-31" in ana.does("status").out
    before = ana.everything()
    assert "overdue, re-approval due by" in ana.does(f"recertify {PRODUCTION} --dry-run").out
    assert ana.everything() == before
    said = ana.does(f"recertify {PRODUCTION} --reason 'monthly review'").out
    assert f"Next: mlgit approve {PRODUCTION}, run by ben or cara" in said
    assert "was proposed already" in ana.does(f"recertify {PRODUCTION}").out
    assert ana.refused("merge") == ["approvals-missing"]
    ben.does("approve")
    assert f"Re-approved {MODEL}@1 in production" in ana.does("merge").out
    (one,) = ana.does("apply production --json").json["results"]
    assert (one["state"], one["approved_by"]) == ("recorded", ["ben"])
    assert ana.read(f"deployed/production/{MODEL}/current/version.json") == running
    assert standing(ana) == ("good", False)
    change = ana.does("audit --json").json["changes"][-1]
    assert (change["kind"], change["verdict"], change["before"], change["after"]) == (
        "recertify",
        "PROVEN",
        f"{MODEL}@1",
        f"{MODEL}@1",
    )
    assert "recertified" in {one["kind"] for one in ana.does("log --json").json["events"]}
    assert ana.does("gate --verify --all").code == 0
    assert ana.does("validate").code == 0


def test_gates_compare_with_the_version_of_the_promotion(limited: Team) -> None:
    """Not against itself: and what it is judged against, nobody chooses."""
    ana = limited.ana
    limited.promote(f"{MODEL}@2", "staging")
    limited.promote(f"{MODEL}@2", "production", approve=[limited.ben])
    found = ana.does(f"recertify {PRODUCTION} --json").json
    assert (found["champion"], found["compared_with"], found["approval_age"]) == (f"{MODEL}@2", f"{MODEL}@1", "good")
    (gate,) = [one for one in found["gates"] if one["gate"] == "beats-champion"]
    assert gate["facts"]["gain"] > 0
    text = ana.show(BRANCH, MANIFEST)
    own = text[text.index("slots:") : text.index("replaces:")]
    baseline = text[text.index("baseline:") : text.index("gates:")]
    named = "baseline:\n" + "".join(
        line[2:] + "\n" for line in own.splitlines() if "version:" in line or "digest:" in line
    )
    ana.git("switch", "--quiet", BRANCH)
    limited.mallory.commit("Recertify it", {MANIFEST: text.replace(baseline, named)})
    ana.git("switch", "--quiet", "main")
    assert "recertification-baseline-mismatch" in ana.refused("merge")


def test_another_open_promotion_is_not_overwritten(proposed: Team) -> None:
    assert proposed.ana.refused(f"recertify {PRODUCTION}") == ["promotion-open"]
    assert proposed.ana.refused("recertify production/triage") == ["champion-missing"]
    assert proposed.ana.refused("recertify production", code=2) == ["place-invalid"]


def test_a_version_that_fails_its_gates_is_not_re_approved(limited: Team) -> None:
    ana = limited.ana
    ana.edit(POLICY, "  - id: size\n", "  - id: size\n    max_mb: 0.000001\n")
    answer = ana(f"recertify {PRODUCTION}")
    assert (answer.code, "Refused by size" in answer.out) == (1, True)
    ana.does(f"hold add production/{MODEL}@1 --reason INC-7")
    ana.git("merge", "--quiet", "--no-ff", "-m", "Hold it", f"mlgit/hold/{PRODUCTION}@1")
    assert ana.refused(f"recertify {PRODUCTION}") == ["version-held"]
