"""Slots: a challenger and a shadow beside the champion are promoted, deployed, recorded and removed again."""

import json
from datetime import timedelta
from typing import Any

import pytest

from tests.flows.builder import MODEL
from tests.flows.people import Team
from tests.flows.test_plain_path import deployments, runs, target
from tests.flows.test_ramp import shares

# Version 1 runs in production and version 2 in staging, from where it is proposed as champion: each test proposes otherwise.
WHERE = f"production/{MODEL}"
FILE = f"environments/{WHERE}.yaml"
TO = "--to production"
AS_CHALLENGER = f"promote {MODEL}@2 {TO} --as challenger --traffic 10"
LENIENT = """\
kind: policy
schema: 1
name: production
gates: [{id: integrity}]
approvals: {promote: {min: 1}}
exclude: [author, committers]
evidence: signed
"""


def put(team: Team, line: str) -> dict[str, Any]:
    """Have a promotion approved, merged and applied, in place of what is open; return what `apply` says."""
    team.ana(f"withdraw {WHERE}")
    team.ana.does(line)
    team.ben("approve")
    team.ben.does("merge")
    return applied(team)


def applied(team: Team) -> dict[str, Any]:
    (one,) = team.ana.does("apply production --json").json["results"]
    return dict(one)


def seen(team: Team) -> list[tuple[object, dict[str, tuple[int, int]]]]:
    """What the ledger has: the champion, and label and share of what ran beside it, by slot."""
    found = []
    for entry in deployments(team):
        beside: Any = entry.get("beside", {})
        found.append((entry["version"], {slot: (one["version"], one["traffic"]) for slot, one in beside.items()}))
    return found


def lenient(team: Team) -> None:
    """Let the worst version into production, from where it is."""
    changes = [
        team.ana.edit("environments/production/environment.yaml", "after: [staging]", "after: []"),
        team.ana.commit("Ask for less", {"policies/production.yaml": LENIENT}),
    ]
    for commit in changes:
        team.ben.does(f"approve {commit}")


@pytest.mark.tier("fast")
def test_a_challenger_answers_a_share_until_it_is_champion(proposed: Team) -> None:
    team, ana = proposed, proposed.ana
    said = ana.does(f"{AS_CHALLENGER} --replace").out
    assert f"Plan: {MODEL}@2 becomes challenger in production (champion {MODEL}@1)" in said
    assert "beats-champion" in said
    assert ana.does(AS_CHALLENGER + " --json").json["state"] == "proposed-already"
    assert f"{MODEL}@2 for production" in ana("approvals").out
    team.ben.does("approve")
    assert team.ben.does("merge --json").json["candidate"] == f"{MODEL}@2"
    one = applied(team)
    assert (one["state"], one["version"], one["traffic"]) == ("applied", f"{MODEL}@1", 90)
    assert one["beside"] == [{"slot": "challenger", "version": f"{MODEL}@2", "traffic": 10}]
    assert (shares(team), runs(team, "production")) == ({"1": 90, "2": 10}, 1)
    assert (applied(team)["state"], ana("observe production").code) == ("up-to-date", 0)
    (target(team, "production") / "slots.json").unlink()
    assert "beside it runs nothing" in ana("observe production").out
    assert (applied(team)["state"], shares(team)) == ("applied", {"1": 90, "2": 10})
    assert put(team, f"promote {MODEL}@2 {TO}")["beside"] == []
    assert (shares(team), runs(team, "production")) == ({"2": 100}, 2)
    both = (1, {"challenger": (2, 10)})
    assert seen(team) == [(1, {}), both, both, (None, {}), both, (2, {})]
    assert ana.does("audit")


def test_a_version_moves_between_slots_and_clearing_a_slot_needs_approval_but_no_gates(
    proposed: Team,
) -> None:
    team, ana = proposed, proposed.ana
    put(team, f"promote {MODEL}@2 {TO} --as shadow")
    assert shares(team) == {"1": 100, "2": 0}
    for line in ("status", f"why production/{MODEL}", f"approvals {WHERE}"):
        assert f"shadow {MODEL}@2" in ana(line).out, line
    for line in ("log --env production", "audit"):
        assert "shadow 2" in ana(line).out, line
    assert "as a shadow" in ana.does(f"lineage {MODEL}@2").out
    rows = ana.does("status --json").json["rows"]
    beside = [{"slot": "shadow", "version": f"{MODEL}@2", "traffic": 0}]
    assert [(row["environment"], row["beside"]) for row in rows] == [("staging", []), ("production", beside)]
    put(team, AS_CHALLENGER)
    assert shares(team) == {"1": 90, "2": 10}
    (shown,) = [one for one in ana.does(f"show {MODEL} --json").json["versions"] if one["version"] == f"{MODEL}@2"]
    assert (shown["champion_of"], shown["challenger_of"], shown["shadow_of"]) == (["staging"], ["production"], [])
    ana.does(f"promote {MODEL}@1 {TO} --clear challenger")
    assert ana.refused("merge") == ["approvals-missing"]
    team.ben.does("approve")
    assert team.ben.does("merge --json").json["candidate"] == f"{MODEL}@1"
    assert ana.git("diff", "--name-only", "main^1", "main").splitlines() == [FILE]
    assert (applied(team)["state"], shares(team)) == ("applied", {"1": 100})
    assert ana.does(f"promote {MODEL}@1 {TO} --clear challenger --json").json["state"] == "runs-already"
    assert ana.does("audit")


def test_the_gate_report_is_for_the_promoted_version_only(proposed: Team) -> None:
    team, ana = proposed, proposed.ana
    assert ana.refused(f"promote {MODEL}@3 {TO} --as shadow") == ["environment-skipped"]
    answer = ana(f"promote {MODEL}@3 --to staging --as shadow")
    assert (answer.code, "Refused by" in answer.out) == (1, True)
    ana.does(f"{AS_CHALLENGER} --replace")
    one, two = (json.loads(ana.show("main", f"models/{MODEL}/versions/v{n}/version.json"))["digest"] for n in (3, 2))
    branch = f"mlgit/promote/{WHERE}"
    ana.git("checkout", "--quiet", branch)
    text = ana.read(FILE)
    ana.commit("Swap the challenger", {FILE: text.replace("version: 2", "version: 3").replace(two, one)})
    ana.git("checkout", "--quiet", "main")
    assert {"gate-report-mismatch", "environment-skipped"} <= set(team.ben.refused("merge"))


def test_a_rollback_restores_every_slot_and_holds_the_replaced_version(proposed: Team) -> None:
    team, ana = proposed, proposed.ana
    put(team, AS_CHALLENGER)
    plan = ana.does("rollback production --reason INC-7 --dry-run --json").json
    assert (plan["champion"], plan["candidate"], plan["replaced"]) == (f"{MODEL}@1", f"{MODEL}@1", f"{MODEL}@2")
    assert (put(team, "rollback production --reason INC-7")["beside"], shares(team)) == ([], {"1": 100})
    assert ana.refused(AS_CHALLENGER) == ["version-held"]
    team.ana.does(f"hold lift {WHERE}@2 --reason mended")
    ana.git("merge", "--quiet", "--no-edit", f"mlgit/hold/{WHERE}@2")
    lenient(proposed)
    put(team, AS_CHALLENGER.replace("@2", "@3"))
    put(team, f"promote {MODEL}@2 {TO} --clear challenger")
    assert shares(team) == {"2": 100}
    back = put(team, "rollback production --reason INC-8")
    assert back["beside"] == [{"slot": "challenger", "version": f"{MODEL}@3", "traffic": 10}]
    assert shares(team) == {"1": 90, "3": 10}
    assert ana.does("audit")


def test_a_challenger_takes_over_by_a_ramp_and_other_changes_are_refused_meanwhile(proposed: Team) -> None:
    team, ana = proposed, proposed.ana
    lenient(proposed)
    put(team, f"promote {MODEL}@3 {TO} --as shadow")
    put(team, AS_CHALLENGER)
    assert shares(team) == {"1": 90, "2": 10, "3": 0}
    ramp = "--ramp 50,100 --interval 24h"
    assert ana.refused(f"promote {MODEL}@3 {TO} {ramp}") == ["ramp-challenger-conflict"]
    put(team, f"promote {MODEL}@2 {TO} {ramp}")
    assert shares(team) == {"1": 50, "2": 50, "3": 0}
    ana.does(f"promote {MODEL}@2 {TO} --clear shadow")
    assert ana.refused("merge") == ["ramp-unfinished", "approvals-missing"]
    team.now.wait(timedelta(hours=24))
    assert (applied(team)["state"], shares(team)) == ("applied", {"2": 100, "3": 0})
    assert seen(team)[-2:] == [(2, {"shadow": (3, 0)})] * 2


def test_a_record_changed_after_the_merge_is_not_deployed(proposed: Team) -> None:
    team, ana = proposed, proposed.ana
    put(team, AS_CHALLENGER)
    for number in (1, 2):
        path = f"models/{MODEL}/versions/v{number}/version.json"
        record = json.loads(ana.read(path))
        other = json.loads(ana.read(f"models/{MODEL}/versions/v3/version.json"))
        ana.commit("Swap the file", {path: json.dumps(record | {"artifact": other["artifact"]}, indent=2) + "\n"})
        answer = ana("apply production")
        assert (answer.code, answer.ids, shares(team)) == (1, ["slot-digest-mismatch"], {"1": 90, "2": 10}), number
        assert deployments(team)[-1]["status"] == "blocked"
        ana.git("revert", "--no-edit", "HEAD")
    assert applied(team)["state"] == "recorded"


def test_contradicting_slot_options_are_refused(running: Team) -> None:
    words = {
        "@2 --as challenger": (2, ["slot-options-conflict"]),
        "@2 --traffic 10": (2, ["slot-options-conflict"]),
        "@2 --as shadow --traffic 10": (2, ["slot-options-conflict"]),
        "@2 --as challenger --traffic 10 --clear challenger": (2, ["slot-options-conflict"]),
        "@2 --as shadow --ramp 10,100 --interval 24h": (2, ["slot-options-conflict"]),
        "@2 --as challenger --traffic 100": (2, []),
        "@1 --as shadow": (1, ["slot-version-duplicate"]),
    }
    for said, (code, found) in words.items():
        assert running.ana.refused(f"promote {MODEL}{said} {TO}", code=code) == found, said
    assert running.ana.refused("promote triage@1 --to staging --as shadow") == ["slot-without-champion"]
