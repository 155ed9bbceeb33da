"""A team with a shared `origin`: what is pushed when, what the others see after a fetch, and what happens when it refuses."""

import shutil
from pathlib import Path

import pytest

from tests.flows.builder import MODEL
from tests.flows.people import Desk, Team

WHERE = f"production/{MODEL}"
BRANCH = f"refs/heads/mlgit/promote/{WHERE}"
LEDGER = "refs/heads/mlgit-ledger"


class Shared:
    """The team's origin, Ana's clone, and Ben's."""

    def __init__(self, team: Team) -> None:
        self.team = team
        self.ana = team.ana
        self.path = team.folder / "origin.git"
        self.ana.clone("origin.git", "--bare")
        self.origin = self.ana.at(self.path)
        self.ana.git("remote", "add", "origin", self.path.as_uri())
        self.ana.git("fetch", "--quiet", "origin")
        self.bens = team.ben.clone("bens", source=self.path)

    def refuse(self, ref: str) -> None:
        """Let the origin refuse pushes to a branch, in words of its own."""
        hook = self.path / "hooks/update"
        hook.write_text(f'#!/bin/sh\ntest "$1" != {ref} || {{ echo "not on a Friday" >&2; exit 1; }}\n')
        hook.chmod(0o755)

    def allow(self) -> None:
        (self.path / "hooks/update").unlink()

    def vanish(self) -> None:
        self.path.rename(self.path.with_suffix(".gone"))

    def appear(self) -> None:
        self.path.with_suffix(".gone").rename(self.path)


@pytest.fixture
def shared(proposed: Team) -> Shared:
    """Version 2 is proposed for production, and everybody's clone says the same."""
    return Shared(proposed)


def open_promotions(desk: Desk) -> list[tuple[str, str]]:
    found = desk.does("status --json").json["open"]
    return [(one["candidate"], one["approvals"]) for one in found]


def test_everything_that_happens_is_at_the_origin(running: Team) -> None:
    shared = Shared(running)
    ana, ben, origin = shared.ana, running.ben, shared.origin
    assert "pushed to origin" in ana.does(f"promote {MODEL}@2 --to staging").out
    assert origin.head("refs/heads/mlgit/promote/staging/malignancy") == ana.head("mlgit/promote/staging/malignancy")
    assert "pushed to origin" in ana.does("merge").out
    assert origin.head("main") == ana.head("main")
    assert "refs/heads/mlgit/promote/staging/malignancy" not in origin.refs()
    ana.does("apply")
    assert origin.head(LEDGER) == ana.head(LEDGER)
    ana.does(f"promote {MODEL}@2 --to production")
    ben.does("approve")
    assert origin.head(LEDGER) == ana.head(LEDGER)
    ben.does("merge")
    ana.does("apply")
    assert origin.refs() == {ref: commit for ref, commit in ana.refs().items() if ref.startswith("refs/heads/")}


@pytest.mark.tier("fast")
def test_a_reviewer_sees_and_approves_in_a_clone_of_their_own(shared: Shared) -> None:
    ana, bens = shared.ana, shared.bens
    ((candidate, lacking),) = open_promotions(bens)
    assert (candidate, lacking.split(" (")[0]) == (f"{MODEL}@2", "lacks 1 more approval")
    approved = bens.does("approve --comment 'looked at the slices'")
    assert f"Next: mlgit merge {WHERE}" in approved.out
    assert BRANCH not in bens.refs()  # a reviewer needs no branch of it
    ana.git("fetch", "--quiet", "origin")
    assert open_promotions(ana) == [(f"{MODEL}@2", "1 of 1")]
    ana.does("merge")


def test_a_merge_looks_for_approvals_itself(shared: Shared) -> None:
    shared.bens.does("approve")
    assert "approved   ben" in shared.ana.does("merge").out


def test_a_reviewer_merges_in_a_clone_that_is_behind(shared: Shared) -> None:
    """Their work tree comes along over what others pushed and over the merge, in one step."""
    ana, bens = shared.ana, shared.bens
    ana.commit("Say more", {"README.md": "# Malignancy\n"})
    ana.git("push", "--quiet", "origin", "main")
    bens.git("fetch", "--quiet", "origin")
    bens.does("approve")
    bens.does("merge")
    assert bens.git("status", "--short") == ""
    assert bens.read("README.md") == "# Malignancy\n"
    assert bens.head() == shared.origin.head("main")
    assert BRANCH not in shared.origin.refs()
    ana.git("pull", "--quiet", "--ff-only", "origin", "main")
    assert open_promotions(ana) == []
    ana.does("apply")  # the approval was never fetched here before


def test_apply_that_did_not_hear_of_an_approval_does_not_call_the_promotion_unapproved(shared: Shared) -> None:
    ana, bens = shared.ana, shared.bens
    bens.does("approve")
    bens.does("merge")
    ana.git("pull", "--quiet", "--ff-only", "origin", "main")
    shared.vanish()
    ana("apply")
    shared.appear()
    assert "blocked" not in ana.does("log").out
    ana.does("apply")


def test_a_reviewer_may_have_another_branch_checked_out(shared: Shared) -> None:
    bens = shared.bens
    bens.git("switch", "--quiet", "-c", "experiment")
    bens.git("branch", "--quiet", "-D", "main")
    before = bens.head()
    bens.does("approve")
    bens.does("merge")
    assert (bens.head(), bens.git("status", "--short")) == (before, "")
    assert bens.head("main") == shared.origin.head("main")


def test_a_merge_starts_from_what_the_origin_has_now(shared: Shared) -> None:
    """Ana pushed in the meantime, and Ben did not fetch."""
    shared.ana.commit("Say more", {"README.md": "# Malignancy\n"})
    shared.ana.git("push", "--quiet", "origin", "main")
    shared.bens.does("approve")
    shared.bens.does("merge")
    assert shared.bens.git("rev-parse", "main^1") == shared.ana.head("main")
    assert shared.bens.git("status", "--short") == ""


def test_a_branch_of_which_the_origin_knows_nothing_stops_the_merge(shared: Shared) -> None:
    """Both went on from the same commit; which of them is right, mlgit cannot know."""
    shared.ana.commit("Say more", {"README.md": "# Malignancy\n"})
    shared.ana.git("push", "--quiet", "origin", "main")
    shared.bens.commit("Say less", {"README.md": "# M\n"})
    shared.bens.does("approve")
    assert shared.bens("merge").ids == ["push-rejected"]
    assert shared.bens.git("log", "-1", "--format=%s", "main") == "Say less"
    assert shared.bens.git("status", "--short") == ""


def test_what_the_origin_refuses_to_merge_is_not_merged_here_either(shared: Shared) -> None:
    bens = shared.bens
    bens.does("approve")
    shared.refuse("refs/heads/main")
    before = bens.everything()
    answer = bens("merge")
    assert (answer.code, answer.ids) == (1, ["push-rejected"])
    assert "not on a Friday" in answer.err
    assert bens.everything() == before
    shared.allow()
    bens.does("merge")
    assert shared.origin.head("main") == bens.head("main")


def test_a_proposal_that_the_origin_refuses_is_no_proposal(shared: Shared) -> None:
    shared.refuse("refs/heads/mlgit/promote/staging/triage")
    before = shared.ana.everything()
    assert shared.ana("promote triage@1 --to staging").ids == ["push-rejected"]
    assert shared.ana.everything() == before


def test_a_word_that_the_origin_does_not_take_is_not_said(shared: Shared) -> None:
    shared.refuse(LEDGER)
    before = shared.bens.everything()
    answer = shared.bens("approve")
    assert (answer.code, answer.ids) == (1, ["push-rejected"])
    assert shared.bens.everything() == before
    shared.allow()
    shared.bens.does("approve")
    assert shared.origin.head(LEDGER) == shared.bens.head(LEDGER)


def test_what_was_applied_but_not_recorded_is_recorded_later(shared: Shared) -> None:
    ana = shared.ana
    shared.team.ben.does("approve")
    ana.does("merge")
    shared.refuse(LEDGER)
    answer = ana("apply production --json")
    assert (answer.code, answer.json["results"][0]["state"]) == (3, "failed")
    (row,) = [row for row in ana.does("status --json").json["rows"] if row["environment"] == "production"]
    assert row["deployed"] == "no"
    shared.allow()
    assert ana.does("apply production --json").json["results"][0]["state"] == "recorded"
    assert shared.origin.head(LEDGER) == ana.head(LEDGER)


def test_without_the_origin_one_can_read_and_what_needs_it_waits(shared: Shared) -> None:
    ana, ben = shared.ana, shared.team.ben
    shared.vanish()
    for line in ("status", "log", f"show {MODEL}@2", "validate", "apply", f"gate {MODEL}@2 --env production"):
        ana.does(line)
    for person, line in ((ben, "approve"), (ana, "merge")):
        before = ana.everything()
        answer = person(line)
        assert (answer.code, answer.ids) == (3, ["git-remote-unreachable"]), answer.text
        assert ana.everything() == before
    shared.appear()
    ben.does("approve")
    ana.does("merge")


def test_a_proposal_made_without_the_origin_goes_there_when_it_is_made_again(shared: Shared) -> None:
    ana = shared.ana
    shared.vanish()
    answer = ana("promote triage@1 --to staging")
    assert (answer.code, answer.ids) == (3, ["git-remote-unreachable"])
    assert ("triage@1", "0 of 0") in open_promotions(ana)
    shared.appear()
    again = ana.does("promote triage@1 --to staging --json").json
    assert (again["state"], again["pushed"]) == ("proposed-already", True)
    assert shared.origin.head("mlgit/promote/staging/triage") == ana.head("mlgit/promote/staging/triage")


def test_a_dry_run_asks_no_remote(shared: Shared) -> None:
    shared.team.ben.does("approve")
    shared.vanish()
    shared.ana.does("merge --dry-run")
    shared.ana.does("promote triage@1 --to staging --dry-run")


def apart(team: Team) -> tuple[Desk, Desk]:
    """Two folders that were copied rather than cloned, and know nothing of each other."""
    place = team.folder / "copy"
    shutil.copytree(team.root, place, symlinks=True)
    return team.ben, team.cara.at(place)


def share(folder: Path, *desks: Desk) -> Desk:
    """Let them have an origin from now on."""
    desks[0].git("init", "--quiet", "--bare", str(folder))
    for desk in desks:
        desk.git("remote", "add", "origin", folder.as_uri())
    desks[0].git("push", "--quiet", "origin", "--all")
    return desks[0].at(folder)


def test_ledgers_that_were_begun_apart_are_joined(proposed: Team) -> None:
    ben, cara = apart(proposed)
    ben.does("approve")
    cara.does("approve --reject")
    origin = share(proposed.folder / "origin.git", ben, cara)
    cara.does("approve --comment 'on second thoughts'")
    files = [path for path in origin.files("mlgit-ledger") if path.startswith("approvals/") and path.endswith(".json")]
    assert sorted(path.rpartition("/")[2].split("-")[0] for path in files) == ["ben", "ben", "cara", "cara"]
    assert "approved   ben, cara" in cara.does("merge").out


def test_ledgers_that_contradict_each_other_are_not_joined(proposed: Team) -> None:
    ben, cara = apart(proposed)
    for desk in (ben, cara):
        desk.git("update-ref", "refs/heads/mlgit-ledger", "mlgit-ledger~1")
        desk.does("apply")
    origin = share(proposed.folder / "origin.git", ben, cara)
    before = origin.head("mlgit-ledger")
    answer = cara("approve")
    assert (answer.code, answer.ids) == (1, ["ledger-conflict"])
    assert origin.head("mlgit-ledger") == before
