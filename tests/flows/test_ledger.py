"""The ledger cannot be changed unseen: chains, anchors, a remote that is rewritten, and many who write at once."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mlgit.domain.ledger_integrity import check_entries
from mlgit.ops.delivery import apply
from mlgit.ops.monitoring import observe
from tests.flows.builder import MODEL
from tests.flows.people import Desk, Team
from tests.flows.test_plain_path import deployments, runs, target
from tests.flows.test_promotion_races import chain, follow, shared

WHERE = f"production/{MODEL}"
LEDGER = "refs/heads/mlgit-ledger"


def ready(team: Team) -> None:
    """Have version 2 merged into production, and not yet applied."""
    team.ben.does("approve")
    team.ben.does("merge")


def rewrite(desk: Desk, path: str, before: str, after: str, *, amend: bool = False) -> str:
    """Change a file of the ledger by hand, in a work tree beside; return the commit."""
    place = desk.root.parent / "by-hand"
    desk.git("worktree", "add", "--quiet", "--force", str(place), "mlgit-ledger")
    hand = desk.at(place)
    text = hand.read(path)
    assert before in text
    (place / path).write_text(text.replace(before, after))
    hand.git("commit", "--quiet", "--all", *(["--amend"] if amend else []), "--message", "By hand")
    desk.git("worktree", "remove", str(place))
    return desk.head("mlgit-ledger")


@pytest.mark.tier("fast")
def test_nothing_is_added_to_a_chain_that_is_broken_and_nothing_is_switched(proposed: Team) -> None:
    ana = proposed.ana
    ana.does("observe production")
    ready(proposed)
    rewrite(ana, f"deployments/{WHERE}/1.json", '"verified"', '"degraded"')
    before = ana.everything()
    answer = ana("apply production --json")
    (one,) = answer.json["results"]
    assert (answer.code, one["state"], [found["id"] for found in one["findings"]]) == (
        1,
        "blocked",
        ["ledger-chain-broken"],
    )
    assert ana("observe production").ids == ["ledger-chain-broken"]
    assert ana.everything() == before
    assert runs(proposed, "production") == 1


def test_a_promotion_names_the_ledger_that_it_was_made_with(running: Team) -> None:
    ana = running.ana
    tip = ana.head("mlgit-ledger")
    running.promote(f"{MODEL}@2", "staging", apply=False)
    assert f"ledger: {tip}" in ana.read(f"environments/staging/{MODEL}.yaml")


def test_a_ledger_that_lost_what_a_promotion_names_is_not_gone_on_with(running: Team) -> None:
    """Also in a clone that never saw the right one."""
    ana = running.ana
    ana.does("observe")
    running.promote(f"{MODEL}@2", "staging", apply=False)
    rewrite(ana, f"deployments/{WHERE}/1.json", '"verified"', '"degraded"', amend=True)
    ana.git("update-ref", LEDGER, "mlgit-ledger~1")
    clone = ana.clone("fresh")
    clone.git("fetch", "--quiet", "origin")
    answer = clone("apply staging --json")
    (one,) = answer.json["results"]
    assert (answer.code, [found["id"] for found in one["findings"]]) == (1, ["ledger-rewritten"])
    assert not (clone.root / "deployed").exists()


def test_a_remote_ledger_that_was_rewritten_is_refused_however_often_it_is_fetched(proposed: Team) -> None:
    ana, _ = shared(proposed)
    ana.does("observe")
    ready(proposed)
    origin = ana.at(proposed.folder / "origin.git")
    origin.git("update-ref", LEDGER, "mlgit-ledger~1")
    before = (ana.head("mlgit-ledger"), runs(proposed, "production"))
    for command in ("apply production", "observe", "apply production"):
        assert (ana(command).code, ana(command).ids) == (1, ["ledger-rewritten"]), command
    ana.git("fetch", "--quiet", "origin")
    assert ana("apply production").ids == ["ledger-rewritten"]
    assert (ana.head("mlgit-ledger"), runs(proposed, "production")) == before
    ana.git("push", "--quiet", "origin", "mlgit-ledger")
    ana.does("apply production")
    assert runs(proposed, "production") == 2


def test_an_approval_is_not_added_to_a_rewritten_ledger(proposed: Team) -> None:
    ana, _ = shared(proposed)
    ana.does("observe")
    ana.at(proposed.folder / "origin.git").git("update-ref", LEDGER, "mlgit-ledger~1")
    ours = ana.head("mlgit-ledger")
    assert proposed.ben("approve").ids == ["ledger-rewritten"]
    assert ana.head("mlgit-ledger") == ours


def test_a_clone_that_is_behind_does_not_take_an_environment_back(proposed: Team) -> None:
    ana, bens = shared(proposed)
    place = str(proposed.folder / "served")
    ana.edit("environments/production/environment.yaml", "path: deployed/production", f"path: {place}")
    ana.git("push", "--quiet", "origin", "main")
    follow(bens)
    ana.does(f"promote {MODEL}@2 --to production")
    ready(proposed)
    ana.does("apply production")
    answer = bens("apply production --json")
    (one,) = answer.json["results"]
    assert (answer.code, [found["id"] for found in one["findings"]]) == (1, ["base-commit-missing"])
    assert json.loads((Path(place) / MODEL / "current/version.json").read_text())["version"] == 2
    follow(bens)
    assert bens.does("apply production --json").json["results"][0]["state"] == "up-to-date"


def test_what_was_seen_says_nothing_of_the_machine(running: Team) -> None:
    running.ana.does("observe")
    entry = deployments(running)[-1]
    facts = entry["target"]
    assert isinstance(facts, dict)
    assert facts["path"] == f"deployed/production/{MODEL}"
    assert str(running.folder) not in json.dumps(entry)


def test_a_clock_that_is_far_behind_writes_nothing(running: Team) -> None:
    running.now.wait(-(running.now.moment - running.now.moment.replace(year=2025)))
    assert set(running.ana("observe production").ids) == {"clock-behind"}
    assert len(deployments(running)) == 1


@pytest.mark.tier("thorough", "20")
@pytest.mark.parametrize("rounds", [5, 20])
def test_two_machines_that_write_at_once_write_one_chain(running: Team, rounds: int) -> None:
    ana, bens = shared(running)
    bens.does("apply production")
    with running.ana.present(), ThreadPoolExecutor(2) as pool:
        sessions = [desk.session() for desk in (ana, bens)]
        for number in range(rounds):
            if number % 5 == 4:  # what is altered is mended, which writes twice
                for desk in (ana, bens):
                    (desk.root / "deployed/production" / MODEL / "current/model.skops").write_bytes(b"another")
                for done in pool.map(lambda session: apply.run(session, "production"), sessions):
                    assert {one.state for one in done.results} <= {"applied", "recorded"}, done
            else:
                for seen in pool.map(lambda session: observe.run(session, "production"), sessions):
                    assert {one.health for one in seen.results} <= {"verified"}, seen
        for session in sessions:
            session.repository.close()
    entries = chain(ana.at(running.folder / "origin.git"), WHERE)
    assert list(check_entries(entries)) == []
    assert len(entries) > rounds  # what both see in the same second, with the same words, is one entry
    assert (target(running, "production") / "current/model.skops").is_file()


def test_who_took_a_promotion_back_by_hand_is_told_the_way(proposed: Team) -> None:
    ana, ben = proposed.ana, proposed.ben
    ready(proposed)
    ana.does("apply")
    ana.git("revert", "--no-edit", "-m", "1", "HEAD")
    answer = ana("apply production")
    assert (answer.code, answer.ids) == (1, ["promotion-reverted"])
    commit = ana.head()
    assert f"`git revert {commit[:12]}`, then `mlgit rollback production/{MODEL} --reason ...`" in answer.text
    ana.git("revert", "--no-edit", commit)
    assert ana.does("apply production --json").json["results"][0]["state"] == "recorded"
    ana.does(f"rollback production/{MODEL} --reason 'INC-7'")
    ben.does("approve")
    ben.does("merge")
    assert ana.does("apply production --json").json["results"][0]["state"] == "applied"
    assert runs(proposed, "production") == 1
