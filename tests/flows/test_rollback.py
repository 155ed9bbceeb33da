"""Rollbacks: to a version that the ledger has verified in the environment, under a lighter rule; the replaced version is held."""

import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from msgspec.structs import replace

from mlgit.domain.codec import digest, to_json
from mlgit.domain.records import Deployment, Hold, Promotion
from mlgit.domain.records.promotion import SlotAssignment, SlotAssignments
from mlgit.edges.formats.records import read_record
from tests.conftest import MakeScene
from tests.flows.builder import MODEL
from tests.flows.people import START, Desk, Team

PRODUCTION = f"production/{MODEL}"
MANIFEST = f"environments/{PRODUCTION}.yaml"
BRANCH = f"mlgit/promote/{PRODUCTION}"
HOLD = f"holds/{PRODUCTION}@2.yaml"
POLICY = "policies/production.yaml"
BACK = "rollback production --reason 'INC-7, ragged ones are missed'"


@pytest.fixture
def mistaken(make_scene: MakeScene) -> Team:
    """The second version runs in production, after the first."""

    def prepare(team: Team) -> None:
        team.ben.does("approve")
        team.ben.does("merge")
        team.ana.does("apply")
        assert runs(team) == 2

    return make_scene("mistaken", "proposed", prepare)


def runs(team: Team, environment: str = "production") -> int:
    record = json.loads((team.root / "deployed" / environment / MODEL / "current/version.json").read_text())
    return int(record["version"])


def manifest(desk: Desk, revision: str) -> Promotion:
    record = read_record(MANIFEST, desk.show(revision, MANIFEST).encode())
    assert isinstance(record, Promotion)
    return record


def go_back(team: Team, line: str = BACK) -> None:
    """Propose, approve, merge and apply a way back."""
    team.ana.does(line)
    team.ben.does("approve")
    team.ben.does("merge")
    team.ana.does("apply production")


def on_branch(desk: Desk, files: dict[str, bytes], message: str = "Roll back a little differently") -> None:
    """Commit on the branch of the open proposal, and leave it again."""
    desk.git("switch", "--quiet", BRANCH)
    desk.commit(message, files)
    desk.git("switch", "--quiet", "main")


def hold(desk: Desk, revision: str = BRANCH) -> Hold:
    record = read_record(HOLD, desk.show(revision, HOLD).encode())
    assert isinstance(record, Hold)
    return record


@pytest.mark.tier("fast")
def test_the_previous_version_returns_and_the_replaced_one_is_held(mistaken: Team) -> None:
    ana, ben = mistaken.ana, mistaken.ben
    said = ana.does(BACK).out
    assert f"Plan: production goes back to {MODEL}@1 (now {MODEL}@2)" in said
    assert f"Next: mlgit approve {PRODUCTION}, run by ben or cara" in said
    ben.does("approve")
    merged = ben.does("merge --json").json
    assert (merged["change"], merged["candidate"]) == ("rollback", f"{MODEL}@1")
    assert ana.git("diff", "--name-status", "main^1", "main").splitlines() == [f"M\t{MANIFEST}", f"A\t{HOLD}"]
    assert [one["state"] for one in ana.does("apply --json").json["results"]] == ["up-to-date", "applied"]
    assert (runs(mistaken), runs(mistaken, "staging")) == (1, 2)
    assert ana.git("status", "--short") == ""
    assert ana.does("validate").code == 0


def test_commands_show_a_rollback_as_such(mistaken: Team) -> None:
    ana = mistaken.ana
    ana.does(BACK)
    (waiting,) = ana.does("status --json").json["open"]
    assert (waiting["candidate"], waiting["gates"]) == (f"{MODEL}@1", "ran there before")
    assert "ran there before" in ana.does("status").out
    assert f"{MODEL}@1" in mistaken.ben.does("approve").out
    assert f"Rolled back to {MODEL}@1 in production" in mistaken.ben.does("merge").out
    ana.does("apply")
    assert ana.git("log", "--format=%s", "-2", "main").splitlines() == [
        f"Merge rollback of {MODEL} in production",
        f"Roll back production to {MODEL}@1",
    ]
    events = ana.does("log --env production --json").json["events"]
    (back,) = [event for event in events if event["kind"] == "rolled-back"]
    assert (back["before"], back["after"]) == (f"{MODEL}@2", f"{MODEL}@1")
    assert (back["committed_by"], back["approved_by"]) == ("ben", ["ben"])
    assert "2 -> 1" in ana.does("log --env production").out
    assert ana.does(f"show {MODEL}@1 --json").json["champion_of"] == ["production"]


def test_the_replaced_version_cannot_return_while_it_is_held(mistaken: Team) -> None:
    go_back(mistaken)
    ana = mistaken.ana
    assert ana.refused(f"promote {MODEL}@2 --to production") == ["version-held"]
    assert ana.refused(f"rollback production --to-version {MODEL}@2 --reason 'it was better after all'") == [
        "version-held"
    ]
    assert ana.refused("rollback production --reason again") == ["rollback-version-missing"]
    ana.does(f"hold lift {PRODUCTION}@2 --reason 'the scanner was mended'")
    assert ana.refused(f"promote {MODEL}@2 --to production") == ["version-held"], "a lift counts once it is merged"
    ana.git("merge", "--quiet", "--no-ff", "-m", "Lift", f"mlgit/hold/{PRODUCTION}@2")
    assert "is proposed as" in ana.does(f"promote {MODEL}@2 --to production").out


def test_reverting_a_rollback_restores_nothing(mistaken: Team) -> None:
    go_back(mistaken)
    ana = mistaken.ana
    ana.git("revert", "--no-edit", "-m", "1", "main")  # takes the hold away as well
    answer = ana("apply production")
    assert (answer.code, runs(mistaken)) == (1, 1)
    assert answer.ids == ["promotion-reverted"]


def test_git_revert_of_a_promotion_is_no_rollback(mistaken: Team) -> None:
    ana = mistaken.ana
    ana.git("revert", "--no-edit", "-m", "1", "main")
    answer = ana("apply production")
    assert (answer.code, answer.ids, runs(mistaken)) == (1, ["promotion-reverted"], 2)
    assert f"then `mlgit rollback production/{MODEL} --reason" in answer.text
    ana.git("revert", "--no-edit", "main")
    go_back(mistaken)
    assert runs(mistaken) == 1


def test_a_rollback_needs_an_approval_by_somebody_else(mistaken: Team) -> None:
    mistaken.ana.does(BACK)
    assert mistaken.ana.refused("merge") == ["approvals-missing"]
    assert mistaken.ana.refused("approve") == ["approver-excluded"]


def test_the_rule_for_rollbacks_applies(mistaken: Team) -> None:
    text = mistaken.ana.read(POLICY)
    assert "approvals:" in text
    head, _, tail = text.partition("approvals:")
    mistaken.ana.commit("Let nobody wait at night", {POLICY: f"{head}approvals:\n  rollback: {{min: 0}}{tail}"})
    said = mistaken.ana.does(BACK).out
    assert f"Next: mlgit merge {PRODUCTION}" in said
    mistaken.ana.does("merge")
    mistaken.ana.does("apply production")
    assert runs(mistaken) == 1


# Where no way leads back to


def test_a_version_that_never_ran_cannot_be_rolled_back_to(running: Team) -> None:
    """Version 2 is registered and has never run; version 1 is the first."""
    ana = running.ana
    assert ana.refused(BACK) == ["rollback-version-missing"]
    assert ana.refused(f"rollback production --to-version {MODEL}@2 --reason x") == ["rollback-version-missing"]
    assert ana.refused(f"rollback production --to-version {MODEL}@1 --reason x") == ["rollback-version-missing"]
    assert ana.refused(f"rollback production --to-version {MODEL}@9 --reason x") == ["version-unknown"]
    assert ana.refused("rollback production/triage --reason x") == ["champion-missing"]


def test_a_version_that_ran_only_in_staging_cannot_return_to_production(proposed: Team) -> None:
    assert proposed.ana.refused(f"rollback production --to-version {MODEL}@2 --reason x") == [
        "rollback-version-missing"
    ]


def test_a_promotion_cannot_avoid_gates_by_calling_itself_a_rollback(mistaken: Team) -> None:
    """Version 3 fails the gates. A manifest by hand says that it has been there."""
    ana = mistaken.ana
    ana.does(BACK)
    third = json.loads(ana.show("main", f"models/{MODEL}/versions/v3/version.json"))["digest"]
    wanted = replace(manifest(ana, BRANCH), slots=SlotAssignments(champion=SlotAssignment(version=3, digest=third)))
    on_branch(mistaken.mallory, {MANIFEST: to_json(wanted)})
    assert mistaken.ben.refused("approve") == ["rollback-version-unverified"]
    assert "rollback-version-unverified" in ana.refused("merge")
    ana.git("merge", "--quiet", "--no-ff", "-m", "By hand", BRANCH)
    answer = ana("apply production")
    assert (answer.code, "rollback-version-unverified" in answer.ids, runs(mistaken)) == (1, True, 2)


def test_a_forged_entry_of_the_deployment_log_does_not_count(mistaken: Team) -> None:
    """Many may write there. The base branch never wanted what the entry says was seen."""
    ana = mistaken.ana
    third = json.loads(ana.show("main", f"models/{MODEL}/versions/v3/version.json"))["digest"]
    folder = f"deployments/{PRODUCTION}"
    last = read_record(f"{folder}/2.json", ana.show("mlgit-ledger", f"{folder}/2.json").encode())
    assert isinstance(last, Deployment)
    forged = replace(last, seq=3, digest=third, version=3, previous=digest(last))
    ana.git("switch", "--quiet", "mlgit-ledger")
    mistaken.mallory.commit("Deploy malignancy in production", {f"{folder}/3.json": to_json(forged)})
    ana.git("switch", "--quiet", "main")
    ana.does(f"rollback production --to-version {MODEL}@1 --reason 'version 3 is what mallory wants'")
    wanted = replace(manifest(ana, BRANCH), slots=SlotAssignments(champion=SlotAssignment(version=3, digest=third)))
    on_branch(mistaken.mallory, {MANIFEST: to_json(wanted)})
    assert mistaken.ben.refused("approve") == ["rollback-version-unverified"]


RIDERS: list[tuple[str, Callable[[Hold], tuple[str, Hold]]]] = [
    ("on another version", lambda own: (HOLD, replace(own, version=1))),
    ("everywhere", lambda own: (HOLD, replace(own, environment=None))),
    ("with an end", lambda own: (HOLD, replace(own, until=START))),
    ("under another name", lambda own: (f"holds/{PRODUCTION}@1.yaml", own)),
]


@pytest.mark.parametrize(("what", "change"), RIDERS, ids=[name for name, _ in RIDERS])
def test_a_rollback_with_another_hold_is_refused(
    mistaken: Team, what: str, change: Callable[[Hold], tuple[str, Hold]]
) -> None:
    mistaken.ana.does(BACK)
    path, other = change(hold(mistaken.ana))
    on_branch(mistaken.ana, {path: to_json(other)})
    mistaken.ben.does("approve")
    assert "promotion-with-other-changes" in mistaken.ana.refused("merge"), what


def test_missing_files_at_the_remote_are_detected_before_anything_changes(mistaken: Team) -> None:
    record = json.loads(mistaken.ana.show("main", f"models/{MODEL}/versions/v1/version.json"))
    md5 = record["artifact"]["md5"]
    (lost,) = (mistaken.folder / "storage").rglob(md5[2:])
    lost.unlink()
    assert mistaken.ana.refused(BACK) == ["data-missing"]


# How it is used


def test_a_dry_run_and_a_second_run_change_nothing(mistaken: Team) -> None:
    ana = mistaken.ana
    before = ana.everything()
    assert "Nothing was changed (dry run)." in ana.does(f"{BACK} --dry-run").out
    assert ana.everything() == before
    first = ana.does(f"{BACK} --json").json
    before = ana.everything()
    again = ana.does(f"{BACK} --json").json
    assert (again["state"], again["promotion"]) == ("proposed-already", first["promotion"])
    assert again["hold"] == first["hold"] == f"{PRODUCTION}@2"
    assert ana.everything() == before


def test_without_a_hold_the_version_can_be_promoted_again(mistaken: Team) -> None:
    go_back(mistaken, f"{BACK} --no-hold")
    assert HOLD not in mistaken.ana.files("main")
    assert "is proposed as" in mistaken.ana.does(f"promote {MODEL}@2 --to production").out


def test_a_rollback_replaces_an_open_promotion(mistaken: Team) -> None:
    """One branch for an environment and model: whoever goes back at night does not wait for what was proposed by day."""
    ana = mistaken.ana
    go_back(mistaken, f"{BACK} --no-hold")
    ana.does(f"promote {MODEL}@2 --to production")
    mistaken.ben.does("approve")
    said = ana.does(f"rollback production --to-version {MODEL}@2 --reason 'the other way round' --no-hold").out
    assert f"({MODEL}@2), whose approvals do not carry over: a rollback does not wait for it" in said
    assert mistaken.ana.refused("merge") == ["approvals-missing"], "what ben approved was another change"


def test_a_rollback_is_pushed_where_there_is_an_origin(mistaken: Team) -> None:
    ana = mistaken.ana
    ana.clone("origin.git", "--bare")
    ana.git("remote", "add", "origin", (mistaken.folder / "origin.git").as_uri())
    ana.git("fetch", "--quiet", "origin")
    told = ana.does(f"{BACK} --json").json
    assert told["pushed"]
    assert ana.at(mistaken.folder / "origin.git").refs()[f"refs/heads/{BRANCH}"] == told["commit"]


def test_a_rollback_returns_to_the_last_verified_version(mistaken: Team) -> None:
    go_back(mistaken, f"{BACK} --no-hold")
    mistaken.now.wait(timedelta(hours=1))
    assert mistaken.ana.does("rollback production --reason x --dry-run --json").json["candidate"] == f"{MODEL}@2"
