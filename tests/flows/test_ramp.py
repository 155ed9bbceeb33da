"""Ramps: a version takes over in steps, approved once and advanced by `mlgit apply` while it is healthy."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mlgit.errors import MlgitError
from mlgit.ops.kernel.ports.target import Observed, Release, ReleaseBeside
from tests.flows.builder import MODEL
from tests.flows.people import Team
from tests.flows.test_directory_target import MODEL as CHURN
from tests.flows.test_directory_target import Place, environment, needs_strace
from tests.flows.test_plain_path import deployments, runs, target

WHERE = f"production/{MODEL}"
DAY = timedelta(days=1)


def ramped(team: Team) -> None:
    """Have version 2 merged into production, to take over from version 1 by 10, 50 and 100 per cent, a day each."""
    team.promote(f"{MODEL}@2", "staging")
    team.ana.does(f"promote {MODEL}@2 --to production --ramp 10,50,100 --interval 24h")
    team.ben.does("approve")
    team.ben.does("merge")


def step(team: Team) -> tuple[str, int]:
    (one,) = team.ana.does("apply production --json").json["results"]
    return one["state"], one["traffic"]


def shares(team: Team) -> dict[str, int]:
    """Per cent of the requests by label of version, as whoever serves them sees it."""
    home = target(team, "production")
    if not (home / "slots.json").exists():
        return {str(runs(team, "production")): 100}
    slots: Any = json.loads((home / "slots.json").read_text())
    found = {}
    for slot in slots.values():
        record = json.loads((home / "releases" / slot["digest"].removeprefix("sha256:") / "version.json").read_text())
        found[str(record["version"])] = slot["traffic"]
    return found


@pytest.mark.tier("fast")
def test_a_version_takes_over_step_by_step(running: Team) -> None:
    team = running
    ramped(team)
    assert (step(team), shares(team), runs(team, "production")) == (("applied", 10), {"1": 90, "2": 10}, 1)
    assert (step(team), shares(team)) == (("up-to-date", 10), {"1": 90, "2": 10})
    assert "next step at 2026-03-02" in team.ana.does("apply production").out
    team.now.wait(DAY)
    assert (step(team), shares(team)) == (("applied", 50), {"1": 50, "2": 50})
    team.now.wait(DAY - timedelta(hours=1))
    assert step(team) == ("up-to-date", 50)
    team.now.wait(timedelta(hours=1))
    assert (step(team), shares(team)) == (("applied", 100), {"2": 100})
    assert step(team) == ("up-to-date", 100)
    assert [(entry["version"], entry.get("traffic")) for entry in deployments(team)] == [
        (1, None),
        (2, 10),
        (2, 50),
        (2, None),
    ]
    assert (
        len(
            [
                path
                for path in team.ana.files("mlgit-ledger")
                if path.startswith("decisions/") and path.endswith(".json")
            ]
        )
        == 4
    )


def test_a_degraded_step_pauses_the_ramp_until_it_was_healthy_long_enough(running: Team) -> None:
    team, ana = running, running.ana
    ramped(team)
    step(team)
    release = deployments(team)[-1]["digest"]
    assert isinstance(release, str)
    (target(team, "production") / "releases" / release.removeprefix("sha256:") / "model.skops").write_bytes(b"another")
    answer = ana("observe production")
    assert (answer.code, "challenger/model.skops" in answer.out) == (1, True)
    team.now.wait(2 * DAY)
    assert step(team) == ("applied", 10)
    team.now.wait(DAY / 2)
    assert (step(team), shares(team)) == (("up-to-date", 10), {"1": 90, "2": 10})
    team.now.wait(DAY / 2)
    assert step(team) == ("applied", 50)
    assert [(entry["status"], entry["traffic"]) for entry in deployments(team)[1:]] == [
        ("verified", 10),
        ("degraded", 10),
        ("verified", 10),
        ("verified", 50),
    ]


def test_changed_shares_are_repaired_and_the_step_starts_again(running: Team) -> None:
    team = running
    ramped(team)
    step(team)
    slots = target(team, "production") / "slots.json"
    slots.write_text(slots.read_text().replace("90", "1").replace("10", "99"))
    team.now.wait(2 * DAY)
    assert (step(team), shares(team)) == (("applied", 10), {"1": 90, "2": 10})
    assert step(team) == ("up-to-date", 10)


def test_a_rollback_during_a_ramp_leaves_only_the_champion(running: Team) -> None:
    team = running
    ramped(team)
    step(team)
    team.ana.does("rollback production --reason 'INC-7'")
    team.ben("approve")
    team.ben.does("merge")
    assert (step(team), shares(team)) == (("applied", 100), {"1": 100})


def test_a_step_waits_for_its_window_like_any_change(running: Team) -> None:
    team = running
    path = "environments/production/environment.yaml"
    team.ana.edit(path, "policy:", "windows: [{deny: {days: [mon]}}]\npolicy:")
    ramped(team)
    assert step(team) == ("applied", 10)
    team.now.wait(DAY)
    assert (step(team)[0], shares(team)) == ("waiting", {"1": 90, "2": 10})
    team.now.wait(DAY)
    assert step(team) == ("applied", 50)


@pytest.mark.parametrize(
    ("words", "code", "found"),
    [
        ("--ramp 50,10,100 --interval 24h", 1, ["ramp-steps-invalid"]),
        ("--ramp 10,50 --interval 24h", 1, ["ramp-steps-invalid"]),
        ("--ramp 10,50,100", 2, ["ramp-options-invalid"]),
        ("--interval 24h", 2, ["ramp-options-invalid"]),
        ("--ramp 10,fifty --interval 24h", 2, ["ramp-options-invalid"]),
        ("--ramp 0,100 --interval 24h", 2, ["ramp-options-invalid"]),
        ("--ramp 10,100 --interval soon", 2, ["ramp-options-invalid"]),
    ],
)
def test_an_invalid_ramp_is_refused(running: Team, words: str, code: int, found: list[str]) -> None:
    assert running.ana.refused(f"promote {MODEL}@2 --to staging {words}", code=code) == found


@pytest.mark.parametrize(
    ("words", "why", "fix"),
    [
        ("--ramp 10,50", "--ramp is given without --interval", "give both"),
        ("--interval 24h", "--interval is given without --ramp", "give both"),
        ("--ramp 10,50,100 --interval 5x", "--interval 5x is not a duration", "write a whole number and m, h, d or w"),
        ("--ramp 10,fifty --interval 24h", "--ramp 10,fifty is not a list of shares", "write whole numbers"),
    ],
)
def test_it_is_told_which_option_of_a_ramp_is_wrong(running: Team, words: str, why: str, fix: str) -> None:
    (finding,) = running.ana(f"promote {MODEL}@2 --to staging {words} --json").json["findings"]
    assert finding["why"] == why
    assert finding["fix"].startswith(fix)


def test_a_first_version_cannot_have_a_ramp(registered: Team) -> None:
    assert registered.ana.refused(f"promote {MODEL}@1 --to staging --ramp 10,100 --interval 1h") == [
        "ramp-without-champion"
    ]


# The folder


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def beside(release: Release, traffic: int, slot: Any = "challenger") -> ReleaseBeside:
    return ReleaseBeside(slot, traffic, release)


def who(observed: Observed) -> dict[str, Any]:
    """The champion, and who runs beside it with which share, by digest."""
    return {"champion": observed.digest} | {slot: (one[0], one[2]) for slot, one in observed.beside.items()}


def test_versions_beside_the_champion_are_read_back(place: Place) -> None:
    first, second, third = (place.release(number) for number in (1, 2, 3))
    observed = place.target.switch(first, [beside(second, 10), beside(third, 0, "shadow")])
    assert who(observed) == {"champion": first.digest, "challenger": (second.digest, 10), "shadow": (third.digest, 0)}
    assert json.loads((place.home / "slots.json").read_text()) == {
        "champion": {"digest": first.digest, "traffic": 90},
        "challenger": {"digest": second.digest, "traffic": 10},
        "shadow": {"digest": third.digest, "traffic": 0},
    }
    for number in range(10, 20):
        place.target.switch(place.release(number), [beside(second, 10)])
    assert place.folder(second).is_dir()
    place.target.switch(first)
    place.expect(first)
    assert not (place.home / "slots.json").exists()


def test_the_same_shares_again_change_nothing(place: Place) -> None:
    shares = [beside(place.release(2), 10)]
    place.target.switch(place.release(1), shares)
    before = place.snapshot()
    place.target.switch(place.release(1), shares)
    assert place.snapshot() == before


@pytest.mark.parametrize(
    ("content", "altered"),
    [
        (b"no json", ["slots.json"]),
        (b'{"champion": {"digest": "CHAMPION", "traffic": 1}, "challenger": {"digest": "OTHER", "traffic": 10}}', None),
        (b'{"champion": {"digest": "OTHER", "traffic": 0}, "challenger": {"digest": "CHAMPION", "traffic": 100}}', []),
        (
            b'{"champion": {"digest": "CHAMPION", "traffic": 90}, "challenger": {"digest": "../../x", "traffic": 10}}',
            [],
        ),
        (None, ["slots.json"]),
    ],
    ids=["unreadable", "shares that do not add up", "of another champion", "a path that leads out", "a link"],
)
def test_a_changed_slots_file_is_detected(place: Place, content: bytes | None, altered: list[str] | None) -> None:
    first, second = place.release(1), place.release(2)
    place.target.switch(second)
    place.target.switch(first)
    slots = place.home / "slots.json"
    if content is None:
        slots.symlink_to(place.home / "current" / "release.json")
    else:
        slots.write_bytes(content.replace(b"CHAMPION", first.digest.encode()).replace(b"OTHER", second.digest.encode()))
    observed = place.target.observe(CHURN)
    assert observed.altered == (["slots.json"] if altered is None else altered)
    assert all(digest in {None, second.digest} for digest, _, _ in observed.beside.values())
    place.target.switch(first)
    place.expect(first)
    assert not slots.exists()
    assert not slots.is_symlink()


def test_a_release_of_another_model_cannot_run_beside_the_champion(place: Place) -> None:
    with pytest.raises(MlgitError) as caught:
        place.target.switch(place.release(1), [beside(msgspec.structs.replace(place.release(2), model="other"), 10)])
    assert caught.value.findings[0].id == "release-invalid"
    assert not place.path.exists()


CHILD = """
import os, sys
from pathlib import Path
import msgspec
from mlgit.edges.targets.directory import DirectoryTarget
from mlgit.ops.kernel.ports.target import Release, ReleaseBeside
release, beside = (
    msgspec.json.decode(word, type=kind, dec_hook=lambda kind, value: kind(value))
    for word, kind in zip(sys.argv[2:], (Release, list[ReleaseBeside]))
)
os.access("/go", os.F_OK)
DirectoryTarget(Path(sys.argv[1])).switch(release, beside)
"""
CALLS = "rename,renameat,renameat2,unlink,unlinkat,fsync"


def traced(
    place: Place, tmp_path: Path, release: Release, shares: list[ReleaseBeside], *options: str
) -> subprocess.CompletedProcess[str]:
    words = [msgspec.json.encode(one, enc_hook=str).decode() for one in (release, shares)]
    child = (sys.executable, "-c", CHILD, str(place.path), *words)
    command = ("strace", "-f", "-qq", *options, *child)
    return subprocess.run(
        command, env=environment(tmp_path / "bytecode"), capture_output=True, text=True, timeout=60, check=False
    )


@needs_strace
@pytest.mark.tier("thorough", "10-50", "50-None")
@pytest.mark.parametrize(("before", "after"), [(None, 10), (10, 50), (50, None)])
def test_a_killed_step_leaves_the_step_before_or_after_or_only_the_champion(
    place: Place, tmp_path: Path, before: int | None, after: int | None
) -> None:
    first, second = place.release(1), place.release(2)
    there = [beside(second, before)] if before else []
    shares = [beside(second, after)] if after else []
    champion = first if after else second
    place.target.switch(first, there)
    shutil.copytree(place.path, tmp_path / "kept", symlinks=True)
    allowed = [who(place.target.observe(CHURN)), {"champion": first.digest}]
    log = tmp_path / "log"
    done = traced(place, tmp_path, champion, shares, "-o", str(log), "-e", f"trace=access,{CALLS}")
    if "ptrace" in done.stderr:
        pytest.skip("strace may not trace here")
    allowed.append(who(place.target.observe(CHURN)))
    counts: dict[str, int] = {}
    began = False
    points = []
    for line in log.read_text().splitlines():
        if match := re.search(r"^(?:\d+ +)?(\w+)\(", line):
            counts[match[1]] = counts.get(match[1], 0) + 1
            began = began or '"/go"' in line
            points += [(match[1], counts[match[1]])] if began and match[1] != "access" else []
    assert points
    for call, number in points:
        shutil.rmtree(place.path)
        shutil.copytree(tmp_path / "kept", place.path, symlinks=True)
        inject = ("-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when={number}")
        killed = traced(place, tmp_path, champion, shares, "-o", os.devnull, *inject)
        assert killed.returncode == -signal.SIGKILL
        observed = place.target.observe(CHURN)
        assert who(observed) in allowed, (call, number)
        assert not observed.altered
        assert who(place.target.switch(champion, shares)) == allowed[-1]
