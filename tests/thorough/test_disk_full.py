"""Where the disk is full a command is refused, nothing that counts has changed, and with room again it completes.

The scene lies on a small file system of its own; how much room is left in it goes from none to almost enough, so that
another write is the one that fails. `make check` tries two amounts with two commands, `make thorough` twenty with all. Only
root may mount one.
"""

import gc
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flows.people import Team, contents
from tests.thorough.disturbed import CASES, Case, check_sound, command_of, end_state, ends, person_of

SAID = {"git-write-failed", "disk-io-failed", "target-unwritable", "file-unwritable"}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder that is a file system of its own, of 16 MiB in memory."""
    folder = tmp_path / "disk"
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(folder)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no file system may be mounted here: {done.stderr.strip()}")
    yield folder
    # Lazily, since Git's reader of objects may still have a file open.
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.parametrize("name", CASES)
def test_a_full_disk_stops_it_and_room_lets_it_complete(
    name: str, scenes: Path, small_disk: Path, tmp_path: Path
) -> None:
    _completes(CASES[name], [n / 20 for n in range(20)], scenes, small_disk, tmp_path)


@pytest.mark.tier("check")
@pytest.mark.parametrize("name", ["merge", "apply"])
def test_a_disk_with_little_room_stops_it_and_room_lets_it_complete(
    name: str, scenes: Path, small_disk: Path, tmp_path: Path
) -> None:
    _completes(CASES[name], [0, 0.2], scenes, small_disk, tmp_path)


def _completes(case: Case, shares: list[float], scenes: Path, small_disk: Path, tmp_path: Path) -> None:
    """Run a command with each share of the room that it needs, then with enough of it."""
    start = tmp_path / "start"
    shutil.copytree(scenes / case.scene, start, symlinks=True)
    with Team.at(start, keys=scenes / "keys") as team:
        case.prepare(team)
        team.leave()
    expected, needed = _needed(case, start, small_disk, scenes / "keys")
    stopped = 0
    for share in shares:
        with Team.at(_copied(start, small_disk), keys=scenes / "keys") as team:
            stopped += _stopped(case, team, small_disk, int(needed * share))
            check_sound(team, case)
            person_of(team, case).does(command_of(team, case))
            assert end_state(team) in expected, share
        shutil.rmtree(small_disk / "scene")
    assert stopped > 1


def _stopped(case: Case, team: Team, disk: Path, room: int) -> bool:
    """Run a command with little room, then make more; tell whether it was stopped."""
    person = person_of(team, case)
    gc.collect()  # what readers of Git still hold open takes room, and would give it back in the middle
    refs, storage = person.refs(), contents(team.folder / "storage")
    (disk / "ballast").write_bytes(bytes(_free(disk) - room))
    answer = person(command_of(team, case))
    (disk / "ballast").unlink()
    if answer.code == 0:
        return False
    assert answer.code == 3, answer.text
    assert set(answer.ids) <= SAID, answer.text
    assert person.refs() == refs
    assert contents(team.folder / "storage").items() >= storage.items()
    left = [
        path for path in team.folder.rglob("*") if path.suffix in {".partial", ".tmp"} or path.name.startswith("tmp_")
    ]
    assert [path for path in left if path.is_file()] == []
    assert [path for folder in (".git", "../origin.git") for path in (team.root / folder).rglob("*.lock")] == []
    return True


def _needed(case: Case, start: Path, disk: Path, keys: Path) -> tuple[list[dict[str, object]], int]:
    """Return the states in which the command may end where there is room, and the bytes that it takes."""
    with Team.at(_copied(start, disk), keys=keys) as team:
        before = _free(disk)
        expected = ends(team, case)
        needed = before - _free(disk)
    shutil.rmtree(disk / "scene")
    return expected, needed


def _copied(start: Path, disk: Path) -> Path:
    shutil.copytree(start, disk / "scene", symlinks=True)
    return disk / "scene"


def _free(disk: Path) -> int:
    found = os.statvfs(disk)
    return found.f_bavail * found.f_frsize
