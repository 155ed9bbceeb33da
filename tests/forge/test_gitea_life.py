"""A promotion at Gitea, from the proposal to the audit."""

import pytest

from tests.flows.builder import MODEL
from tests.forge.state import Rules
from tests.forge.test_life import BRANCH, LOGINS, PROMOTE, AtForge, all_kept, at

__all__ = ["at"]

STATUS = "mlgit-validate / mlgit/verdict (pull_request)"
"""What Gitea's Actions call the result of the job `mlgit/verdict`."""


@pytest.mark.parametrize("at", ["gitea"], indirect=True)
def test_a_promotion_is_proposed_reviewed_merged_applied_and_audited(at: AtForge) -> None:
    ana, forge = at.ana, at.forge
    forge.rules["main"] = Rules(reviews=1, checks=(STATUS,), bypass=("Ana-A",))

    proposed = ana.does(f"{PROMOTE} --json").json
    assert (proposed["pull_request"], proposed["warnings"]) == (f"{forge.url}/{forge.repository}/pulls/1", [])
    assert (forge.pulls[1].branch, forge.pulls[1].title) == (BRANCH, f"Promote {MODEL}@2 to production")

    at.review("ben", "CHANGES_REQUESTED")
    assert at.reasons() == {"ben": "rejected it"}
    dismissed = at.review("cara")
    forge.dismiss("Ana-A", 1, dismissed)
    assert at.reasons()["cara"] == "the review was dismissed"
    at.review("ben")
    assert at.counted() == ["ben"]

    forge.status(LOGINS["cara"], STATUS, forge.pull(1).head)
    merged = forge.merge(LOGINS["cara"], 1)
    ana.git("fetch", "--quiet", "origin")
    (applied,) = ana.does("apply production --json").json["results"]
    assert (applied["state"], applied["approved_by"]) == ("applied", ["ben"])

    (told,) = at.snapshots()
    assert (told["forge"], told["pull_request"], told["merged_as"]) == ("gitea", 1, merged)
    assert [one["verdict"] for one in told["reviews"]] == ["reject", "dismissed", "approve"]
    assert told["checks"] == [{"name": STATUS, "state": "success", "by": LOGINS["cara"]}]
    assert (told["rules"]["required_checks"], told["rules"]["required_reviews"]) == ([STATUS], 1)

    asked = len(forge.requests)
    fresh = at.clone("fresh")
    audit = fresh.does("audit --json").json
    assert all_kept(audit)
    assert [one["person"] for one in audit["changes"][-1]["approvals"]] == ["ben"]
    assert [one["person"] for one in at.approvals(fresh)["approvals"]["counted"]] == ["ben"]
    assert len(forge.requests) == asked
