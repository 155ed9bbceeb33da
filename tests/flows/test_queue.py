"""`mlgit queue`: several open promotions, each alone, in pairs, and in the order in which they can be merged."""

from typing import Any

import pytest

from tests.flows.builder import MODEL, OTHER
from tests.flows.people import Desk, Team
from tests.flows.test_promotion_races import shared

WHERE = f"production/{MODEL}"
BRANCH = f"mlgit/promote/{WHERE}"


def queue(desk: Desk) -> Any:
    """The answer of `mlgit queue`, which must change nothing at all."""
    before = desk.everything(), objects(desk)
    answer = desk.does("queue --json")
    assert (desk.everything(), objects(desk)) == before
    assert answer.json["schema"] == "mlgit/queue.v1"
    return answer.json


def objects(desk: Desk) -> set[str]:
    lines = desk.git("cat-file", "--batch-all-objects", "--batch-check=%(objectname)").split()
    return set(lines)


def rows(desk: Desk) -> dict[str, Any]:
    return {f"{one['environment']}/{one['model']}": one for one in queue(desk)["waiting"]}


def ids(row: Any) -> list[str]:
    return [finding["id"] for finding in row["findings"]]


def test_without_open_promotions_the_queue_is_empty(running: Team) -> None:
    assert queue(running.ana)["waiting"] == []
    assert "No promotion is open for main" in running.ana.does("queue").out


def test_a_promotion_without_approvals_has_no_place_and_approving_is_next(proposed: Team) -> None:
    found = queue(proposed.ana)
    (row,) = found["waiting"]
    assert (row["place"], ids(row), found["next"]) == (None, ["approvals-missing"], f"mlgit approve {WHERE}")
    proposed.ben.does("approve")
    found = queue(proposed.ana)
    (row,) = found["waiting"]
    assert (row["place"], row["findings"], row["missing"]) == (1, [], [])
    assert found["next"] == f"mlgit merge {WHERE}"
    assert "can be merged" in proposed.ana.does("queue").out


@pytest.mark.tier("fast")
def test_promotions_of_two_models_are_merged_in_the_order_in_which_they_were_proposed(registered: Team) -> None:
    ana = registered.ana
    ana.does(f"promote {OTHER}@1 --to staging")
    ana.does(f"promote {MODEL}@1 --to staging")
    found = queue(ana)
    assert [(one["model"], one["place"]) for one in found["waiting"]] == [(OTHER, 1), (MODEL, 2)]
    assert all(one["conflicts"] == one["stale_after"] == [] for one in found["waiting"])
    for one in found["waiting"]:
        ana.does(f"merge {one['promotion']}")


def unordered(team: Team) -> None:
    """Let production take what staging has not had, so that both can be open at once for one model."""
    team.ana.edit("environments/production/environment.yaml", "after: [staging]", "after: []")


def test_a_promotion_that_depends_on_another_comes_after_it(running: Team) -> None:
    """The order of environments comes back after both were proposed: production, though older, has to wait for staging.

    Somebody else brings versions to where staging runs, so that nobody has to have seen them run there.
    """
    ana = running.ana
    unordered(running)
    staging = ana.read("environments/staging/environment.yaml")
    ana.commit(
        "Let others run staging",
        {"environments/staging/environment.yaml": staging[: staging.index("target:")] + "target: {type: none}\n"},
    )
    ana.edit("policies/production.yaml", "promote: {min: 1}", "promote: {min: 0}")
    ana.does(f"promote {MODEL}@2 --to production")
    ana.does(f"promote {MODEL}@2 --to staging")
    ana.edit("environments/production/environment.yaml", "after: []", "after: [staging]")
    assert ana.refused(f"merge {WHERE}") == ["environment-skipped"]
    found = rows(ana)
    assert list(found) == [WHERE, f"staging/{MODEL}"]
    assert (found[WHERE]["place"], found[f"staging/{MODEL}"]["place"]) == (2, 1)
    said = ana.does("queue").out.splitlines()
    assert said[-1] == f"Next: mlgit merge staging/{MODEL}"


def test_a_promotion_that_another_makes_stale_is_listed(proposed: Team) -> None:
    """Production is to take what staging runs, and somebody proposes something else for staging."""
    ana = proposed.ana
    ana.edit("policies/staging.yaml", "margin: -0.02", "margin: -0.5")
    proposed.ben.does("approve")
    other = ana.does(f"promote {MODEL}@1 --to staging --json").json["promotion"]
    found = rows(ana)
    assert (found[WHERE]["place"], found[WHERE]["stale_after"]) == (1, [other])
    assert (found[f"staging/{MODEL}"]["place"], found[f"staging/{MODEL}"]["stale_after"]) == (2, [])
    note = f"{MODEL}@2 for production has to be evaluated and approved again once {MODEL}@1 for staging is merged"
    assert note in ana.does("queue").out


def test_a_stale_promotion_shows_the_next_command(proposed: Team) -> None:
    proposed.ben.does("approve")
    proposed.ana.edit("policies/production.yaml", "margin: 0.0", "margin: 0.001")
    found = queue(proposed.ana)
    (row,) = found["waiting"]
    assert (row["place"], ids(row)[0]) == (None, "promotion-stale")
    assert found["next"] == f"mlgit promote {MODEL}@2 --to production"


def test_of_two_promotions_that_change_one_file_only_the_first_has_a_place(registered: Team) -> None:
    """Both bring a note of the same name, which a promotion may not; Git sees that they conflict before that."""
    ana = registered.ana
    for model in (MODEL, OTHER):
        ana.does(f"promote {model}@1 --to staging")
        ana.git("switch", "--quiet", f"mlgit/promote/staging/{model}")
        ana.commit("Take a note", {"notes.md": f"of {model}\n"})
        ana.git("switch", "--quiet", "main")
    first, second = queue(ana)["waiting"]
    assert first["conflicts"] == [second["promotion"]]
    assert second["conflicts"] == [first["promotion"]]
    assert "promotion-with-other-changes" in ids(first)
    said = ana.does("queue").out
    assert f"{first['candidate']} for staging conflicts with {second['candidate']} for staging" in said


def test_a_promotion_that_only_the_remote_has_is_in_the_queue(registered: Team) -> None:
    ana, bens = shared(registered)
    ana.does(f"promote {MODEL}@1 --to staging")
    bens.git("fetch", "--quiet", "origin")
    (row,) = queue(bens)["waiting"]
    assert (row["candidate"], row["place"]) == (f"{MODEL}@1", 1)


def test_it_needs_no_identity_and_no_right_to_write(registered: Team) -> None:
    ana = registered.ana
    ana.does(f"promote {MODEL}@1 --to staging")
    nobody = ana.using(user_name="", user_email="")
    (row,) = queue(nobody)["waiting"]
    assert row["place"] == 1


@pytest.mark.parametrize("folder", ["bare.git"])
def test_it_works_on_a_bare_repository(registered: Team, folder: str) -> None:
    ana = registered.ana
    ana.does(f"promote {MODEL}@1 --to staging")
    bare = ana.clone(folder, "--bare")
    (row,) = queue(bare)["waiting"]
    assert row["place"] == 1
