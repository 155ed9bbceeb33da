"""`mlgit withdraw` ends a proposal: here, at the remote, in every clone that fetches, and never what is merged."""

import pytest

from tests.flows.builder import MODEL
from tests.flows.people import Desk, Team
from tests.flows.test_promotion_races import shared

WHERE = f"production/{MODEL}"
BRANCH = f"mlgit/promote/{WHERE}"


def at_origin(desk: Desk) -> dict[str, str]:
    return desk.at(desk.root.parent / "origin.git").refs()


@pytest.mark.tier("fast")
@pytest.mark.parametrize("name", ["", WHERE, BRANCH, "id"])
def test_a_proposal_is_withdrawn_by_any_of_its_names(proposed: Team, name: str) -> None:
    ana = proposed.ana
    (row,) = ana.does("status --json").json["open"]
    head = ana.head(BRANCH)
    name = row["promotion"] if name == "id" else name
    before = ana.everything()
    assert "Nothing was changed (dry run)" in ana.does(f"withdraw {name} --dry-run").out
    assert ana.everything() == before
    outcome = ana.does(f"withdraw {name} --json").json
    assert (outcome["state"], outcome["promotion"], outcome["candidate"]) == (
        "withdrawn",
        row["promotion"],
        f"{MODEL}@2",
    )
    assert (outcome["branch"], outcome["head"], outcome["at_remote"]) == (BRANCH, head, False)
    assert f"refs/heads/{BRANCH}" not in ana.refs()
    assert ana.does("status --json").json["open"] == []
    assert ana("withdraw").ids == ["promotion-unknown"]


def test_it_is_withdrawn_at_the_remote_too_and_a_new_one_may_follow(registered: Team) -> None:
    ana, bens = shared(registered)
    first = ana.does(f"promote {MODEL}@1 --to staging --json").json["promotion"]
    bens.git("fetch", "--quiet", "origin")
    assert "Withdrew the promotion" in bens.does(f"withdraw {first} --reason 'not yet'").out
    assert not [ref for ref in at_origin(ana) if "promote" in ref]
    assert ana.does(f"promote {MODEL}@1 --to staging --json").json["pushed"]


def test_what_somebody_pushed_since_is_withdrawn_only_if_it_is_what_was_named(registered: Team) -> None:
    ana, bens = shared(registered)
    first = ana.does(f"promote {MODEL}@1 --to staging --json").json["promotion"]
    bens.git("fetch", "--quiet", "origin")
    ana.does(f"withdraw {first}")
    ana.does(f"promote {MODEL}@2 --to staging")
    before = bens.at(bens.root.parent / "origin.git").refs()
    assert bens(f"withdraw {first}").ids == ["promotion-unknown"]
    assert bens.at(bens.root.parent / "origin.git").refs() == before


def test_a_proposal_that_is_gone_at_the_remote_is_forgotten_here(registered: Team) -> None:
    ana, bens = shared(registered)
    ana.does(f"promote {MODEL}@1 --to staging")
    bens.git("fetch", "--quiet", "origin")
    ana.does("withdraw")
    assert bens("withdraw").ids == ["promotion-unknown"]
    assert bens.does("status --json").json["open"] == []


def test_what_is_merged_is_not_withdrawn(proposed: Team) -> None:
    ana = proposed.ana
    proposed.ben.does("approve")
    head = ana.head(BRANCH)
    ana.does("merge")
    ana.git("branch", BRANCH, head)
    assert ana.refused(f"withdraw {BRANCH}") == ["promotion-unknown"]


def test_the_work_of_a_person_on_the_branch_is_kept(proposed: Team) -> None:
    ana = proposed.ana
    ana.git("switch", "--quiet", BRANCH)
    ana.commit("My own notes", {"notes.txt": "keep me"})
    ana.git("switch", "--quiet", "main")
    assert ana.refused("withdraw") == ["branch-foreign-commit"]


def test_the_proposal_of_a_hold_is_withdrawn_by_its_branch(running: Team) -> None:
    ana = running.ana
    branch = ana.does(f"hold add {WHERE}@1 --reason 'bad slices' --json").json["branch"]
    assert "Withdrew" in ana.does(f"withdraw {branch}").out
    assert f"refs/heads/{branch}" not in ana.refs()
