"""Who opened a pull request and pushed to its branch, as the forge says, is who may have written it, signed or not."""

import pytest

from tests.flows.builder import MODEL
from tests.flows.people import Desk
from tests.flows.test_approvals_flow import MANIFEST
from tests.flows.test_authorship import UNSIGNED, as_colleague
from tests.forge.test_life import BRANCH, LOGINS, PROMOTE, AtForge, at

__all__ = ["at"]
BOTH = pytest.mark.parametrize("at", ["github", "gitea"], indirect=True)


def open_unsigned(at: AtForge) -> Desk:
    """Let Ana propose without a signature; return her desk."""
    ana = as_colleague(at.ana)
    ana.does(PROMOTE)
    return ana


def unknown(at: AtForge) -> list[tuple[str, str]]:
    return [(one["part"], one["reason"]) for one in at.approvals()["approvals"]["unknown_authors"]]


@BOTH
def test_the_forge_vouches_for_who_opened_and_pushed(at: AtForge) -> None:
    open_unsigned(at)
    at.review("ben")
    assert (unknown(at), at.counted()) == ([], ["ben"])
    at.ana.does("merge")
    (snapshot,) = at.snapshots()
    assert snapshot["pushers"] == [LOGINS["ana"]]
    at.ana.does("apply production")
    assert at.clone("auditors")("audit --json").json["changes"][-1]["verdict"] == "PROVEN"


@BOTH
def test_whoever_pushes_to_the_branch_is_an_author_of_it(at: AtForge) -> None:
    """Ben adds to Ana's pull request in her name, and approves."""
    ana = open_unsigned(at)
    at.forge.pull(1)
    at.forge.branch_pusher = LOGINS["ben"]
    text = ana.show(BRANCH, MANIFEST)
    ana.git("switch", "--quiet", BRANCH)
    ana.commit("Promote it a little differently", {MANIFEST: f"{text}\nreason: it has to go out today\n"})
    ana.git("push", "--quiet", "origin", BRANCH)
    ana.git("switch", "--quiet", "main")
    at.review("ben")
    assert at.counted() == []
    assert at.reasons()["ben"].startswith("made commit ")


def test_a_pusher_who_is_not_listed_vouches_for_nothing(at: AtForge) -> None:
    """It may be a second account of whoever approves."""
    at.forge.branch_pusher = "mallory"
    open_unsigned(at)
    at.review("ben")
    assert unknown(at) == [("proposal", "it is not signed")]
    assert UNSIGNED in at.ana("merge").err


def test_without_the_activity_of_the_branch_the_author_is_unknown(at: AtForge) -> None:
    open_unsigned(at)
    at.review("ben")
    at.forge.fault(404, times=9, method="GET", path="/activity")
    assert UNSIGNED in at.ana("merge").err


def test_a_squash_by_the_forge_is_proven_by_who_pushed(at: AtForge) -> None:
    open_unsigned(at)
    at.review("ben")
    at.forge.merge(LOGINS["cara"], 1, method="squash")
    at.ana.git("pull", "--quiet", "origin", "main")
    at.ana.does("apply production")
    assert at.clone("auditors")("audit --json").json["changes"][-1]["verdict"] == "PROVEN"


def test_a_version_registered_by_a_pull_request_has_its_pushers_as_authors(at: AtForge) -> None:
    ana = as_colleague(at.ana)
    ana.git("switch", "--quiet", "--create", "train")
    ana.edit("params.yaml", "fit: worse", "fit: better")
    ana.does(f"train {MODEL}")
    ana.does(f"register {MODEL}")
    ana.git("push", "--quiet", "origin", "train")
    pull = at.forge.open(LOGINS["ana"], "train", "main", "Register a version").number
    at.forge.merge(LOGINS["cara"], pull, method="squash")
    ana.git("switch", "--quiet", "main")
    ana.git("pull", "--quiet", "origin", "main")
    at.team.promote(f"{MODEL}@4", "staging")
    at.ana.does(f"promote {MODEL}@4 --to production")
    assert unknown(at) == []
