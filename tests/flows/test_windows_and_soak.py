"""Windows, soak time and the order of environments: when a change may be merged and applied."""

from datetime import timedelta
from typing import Any

import pytest

from tests.flows.builder import MODEL
from tests.flows.people import Team
from tests.flows.test_plain_path import deployments, runs, target

WHERE = f"production/{MODEL}"
PRODUCTION = "environments/production/environment.yaml"
DAY = timedelta(days=1)
EVERY_DAY = "[mon, tue, wed, thu, fri, sat, sun]"


def add(team: Team, settings: str) -> None:
    """Ask more of production, before anything is proposed. It is a Sunday in March."""
    team.ana.edit(PRODUCTION, "policy:", f"{settings}\npolicy:")


def approved(team: Team) -> str:
    """Have version 2 proposed for production and approved."""
    promotion = team.ana.does(f"promote {MODEL}@2 --to production --json").json["promotion"]
    team.ben.does(f"approve {promotion}")
    return str(promotion)


def state(team: Team, environment: str = "production") -> str:
    (one,) = team.ana.does(f"apply {environment} --json").json["results"]
    return str(one["state"])


# Windows


@pytest.mark.tier("fast")
def test_a_change_waits_for_its_window_to_be_merged_and_to_be_applied(running: Team) -> None:
    team, ana, ben = running, running.ana, running.ben
    add(team, "windows: [{deny: {days: [sat, sun], zone: Europe/Berlin}}]")
    team.promote(f"{MODEL}@2", "staging")
    approved(team)
    assert ben.refused("merge") == ["window-closed"]
    assert "until Sun 2026-03-01 23:00 UTC" in ben("merge").text
    team.now.wait(DAY)
    ben.does("merge")
    team.now.wait(5 * DAY)
    before = ana.everything()
    answer = ana.does("apply production")
    assert "waiting for its window" in answer.out
    assert "production allows no changes until Sun 2026-03-08 23:00 UTC" in answer.out
    assert ana.everything() == before
    assert runs(team, "production") == 1
    team.now.wait(DAY)
    assert state(team) == "waiting"
    team.now.wait(DAY)
    assert (state(team), runs(team, "production")) == ("applied", 2)


def test_a_promotion_merged_outside_its_window_stays_blocked(running: Team) -> None:
    team, ana = running, running.ana
    add(team, "windows: [{deny: {days: [sat, sun]}}]")
    team.promote(f"{MODEL}@2", "staging")
    approved(team)
    ana.git("merge", "--quiet", "--no-ff", "--no-edit", f"mlgit/promote/{WHERE}")
    team.now.wait(2 * DAY)
    answer = ana("apply production --json")
    (one,) = answer.json["results"]
    assert (answer.code, one["state"], [found["id"] for found in one["findings"]]) == (1, "blocked", ["window-closed"])


def test_drift_is_repaired_outside_the_window_too(running: Team) -> None:
    team = running
    add(team, f"windows: [{{deny: {{days: {EVERY_DAY}}}}}]")
    (target(team, "production") / "current/model.skops").write_bytes(b"another")
    assert state(team) == "applied"
    assert [entry["status"] for entry in deployments(team)] == ["verified", "degraded", "verified"]
    assert "model.skops" in str(deployments(team)[1]["message"])


@pytest.mark.parametrize(("held", "merged"), [("", True), (", rollback: true", False)])
def test_a_rollback_is_allowed_unless_the_window_says_otherwise(running: Team, held: str, merged: bool) -> None:
    team, ana, ben = running, running.ana, running.ben
    team.promote(f"{MODEL}@2", "staging")
    team.promote(f"{MODEL}@2", "production", approve=[ben])
    add(team, f"windows: [{{deny: {{days: {EVERY_DAY}{held}}}}}]")
    ana.does("rollback production --reason 'INC-7' --json")
    ben("approve")
    if not merged:
        assert "window-closed" in ben("merge").ids
        return
    ben.does("merge")
    assert (state(team), runs(team, "production")) == ("applied", 1)


def test_an_unknown_time_zone_is_reported_with_its_place(running: Team) -> None:
    path = running.root / PRODUCTION
    path.write_text(path.read_text() + "windows: [{allow: {days: [mon], zone: Europe/Atlantis}}]\n")
    answer = running.ana("validate")
    assert (answer.code, answer.ids) == (1, ["time-zone-unknown"])
    assert f"{PRODUCTION}" in answer.text


# What comes first


def test_an_earlier_environment_has_to_be_verified_not_only_merged(running: Team) -> None:
    team, ana, ben = running, running.ana, running.ben
    team.promote(f"{MODEL}@2", "staging", apply=False)
    approved(team)
    assert ben.refused("merge") == ["upstream-environment-unverified"]
    ana.does("apply staging")
    ben.does("merge")
    assert (state(team), runs(team, "production")) == ("applied", 2)


# Soak


def test_a_version_soaks_before_it_is_promoted_further(running: Team) -> None:
    team, ben = running, running.ben
    add(team, "soak: {in: staging, for: 72h}")
    team.promote(f"{MODEL}@2", "staging")
    approved(team)
    team.now.wait(71 * DAY / 24)
    assert ben.refused("merge") == ["soak-too-short"]
    assert "has soaked in staging for 2d 23h" in ben("merge").text
    team.now.wait(DAY / 24)
    ben.does("merge")
    assert (state(team), runs(team, "production")) == ("applied", 2)


def test_time_in_a_degraded_state_does_not_count_as_soak(running: Team) -> None:
    team, ana, ben = running, running.ana, running.ben
    add(team, "soak: {in: staging, for: 72h}")
    team.promote(f"{MODEL}@2", "staging")
    approved(team)
    team.now.wait(2 * DAY)
    assert "runs what was applied" in ana.does("observe staging").out
    (target(team, "staging") / "current/model.skops").write_bytes(b"another")
    answer = ana("observe staging")
    assert (answer.code, "files were altered: model.skops" in answer.out) == (1, True)
    (row,) = [row for row in ana.does("status --json").json["rows"] if row["environment"] == "staging"]
    assert row["deployed"] == "degraded"
    team.now.wait(2 * DAY)
    assert "is not healthy in staging" in ben("merge").text
    assert state(team, "staging") == "applied"
    team.now.wait(2 * DAY)
    assert ben.refused("merge") == ["soak-too-short"]
    team.now.wait(DAY)
    ben.does("merge")
    seen = [entry["status"] for entry in deployments(team, f"staging/{MODEL}")][-4:]
    assert seen == ["verified", "verified", "degraded", "verified"]


def test_a_gap_between_observations_ends_the_soak(running: Team) -> None:
    team, ana, ben = running, running.ana, running.ben
    add(team, "soak: {in: staging, for: 48h, max_gap: 30h}")
    team.promote(f"{MODEL}@2", "staging")
    approved(team)
    team.now.wait(2 * DAY)
    assert ben.refused("merge") == ["soak-too-short"]
    ana.does("observe staging")
    for _ in range(2):
        team.now.wait(DAY)
        ana.does("observe staging")
    ben.does("merge")


def test_observe_changes_only_the_ledger(running: Team) -> None:
    ana = running.ana
    before: Any = ana.everything()
    ana.does("observe --dry-run")
    assert ana.everything() == before
    results = ana.does("observe --json").json["results"]
    assert [(one["environment"], one["version"], one["health"]) for one in results] == [
        ("staging", f"{MODEL}@1", "verified"),
        ("production", f"{MODEL}@1", "verified"),
    ]
    assert (before[1:], [ref for ref, commit in ana.refs().items() if before[0].get(ref) != commit]) == (
        ana.everything()[1:],
        ["refs/heads/mlgit-ledger"],
    )
    assert [entry["seq"] for entry in deployments(running)] == [1, 2]
    assert ana.does("apply --json").json["results"][1]["state"] == "up-to-date"
