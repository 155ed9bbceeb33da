"""Killed at any moment, a command leaves a repository that is sound, shows no half decision, and is brought to its end by
running the command again.

A command runs under strace, which stops it whenever a call has changed something in the scene: the repository, DVC's storage
or a target. What is on the disk at that moment is what `kill -9` would leave, so each such state is copied, and judged
afterwards; a few are made by a real kill. `make check` tries the state in the middle of two commands, `make thorough` every
state of all, also those that differ in nothing but loose objects.
"""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from tests.flows.people import Team
from tests.thorough.disturbed import (
    CASES,
    Case,
    Traced,
    check_sound,
    command_of,
    end_state,
    ends,
    person_of,
    why_not_traced,
)


@pytest.fixture(autouse=True)
def _traceable() -> None:
    if why := why_not_traced():
        pytest.skip(why)


class State(msgspec.Struct, frozen=True):
    """What would be on the disk if the command had been killed after a call."""

    after: str
    folder: Path


def states(team: Team, case: Case, into: Path, *, objects: bool) -> list[State]:
    """Run a command to its end, and copy every state of the scene on the way that differs from the one before.

    Loose objects make a difference only with `objects`.
    """
    team.leave()
    found, seen = [], _seen(team.folder, objects=objects)
    running = _traced(team, case)
    for number, call in enumerate(running.stops(), start=1):
        now = _seen(team.folder, objects=objects)
        if now != seen:
            found.append(State(f"{number}: {_short(call, team.folder)}", into / str(number)))
            shutil.copytree(team.folder, found[-1].folder, symlinks=True)
        seen = now
    assert running.code == 0, running.said
    return found


def run_again(team: Team, case: Case) -> None:
    """Run the command as a person would who follows what it says."""
    for _ in range(4):
        answer = person_of(team, case)(command_of(team, case))
        if answer.ids != ["git-locked"]:
            break
        # Killed while it held a lock of Git: mlgit never removes one, and says which file the person has to remove.
        assert answer.code == 3
        lock = re.search(r"(/.+\.lock) exists", answer.text)
        assert lock is not None, answer.text
        Path(lock[1]).unlink()
    assert answer.code == 0 or answer.ids == [case.done], answer.text


@pytest.fixture
def prepared(request: pytest.FixtureRequest, scenes: Path, tmp_path: Path) -> Iterator[tuple[Team, Case]]:
    """The scene of a case, with all done that comes before its command."""
    case = CASES[request.param]
    shutil.copytree(scenes / case.scene, tmp_path / "scene", symlinks=True)
    with Team.at(tmp_path / "scene", keys=scenes / "keys") as team:
        case.prepare(team)
        team.leave()
        yield team, case


@pytest.mark.parametrize("prepared", CASES, indirect=True)
def test_killed_anywhere_it_is_sound_and_completes_when_run_again(prepared: tuple[Team, Case], tmp_path: Path) -> None:
    team, case = prepared
    expected = _undisturbed(team, case, tmp_path / "calm")
    found = states(team, case, tmp_path / "killed", objects=True)
    assert found
    _recovers(team, case, found, expected)


@pytest.mark.tier("check")
@pytest.mark.parametrize("prepared", ["merge", "apply"], indirect=True)
def test_killed_in_the_middle_it_is_sound_and_completes_when_run_again(
    prepared: tuple[Team, Case], tmp_path: Path
) -> None:
    team, case = prepared
    expected = _undisturbed(team, case, tmp_path / "calm")
    found = states(team, case, tmp_path / "killed", objects=False)
    assert found
    _recovers(team, case, [found[len(found) // 2]], expected)


def _recovers(team: Team, case: Case, killed: list[State], expected: list[dict[str, object]]) -> None:
    for state in killed:
        with Team.at(state.folder, keys=team.keys) as left:
            try:
                check_sound(left, case)
                run_again(left, case)
                check_sound(left, case)
                assert end_state(left) in expected
            except AssertionError as error:
                error.add_note(f"killed after {state.after}")
                raise


@pytest.mark.tier("check", "merge")
@pytest.mark.parametrize(
    ("prepared", "last"),
    [
        ("merge", "index.lock"),  # the work tree is that of the merge, the branch is not
        ("apply", '"current"'),  # the target runs the version, the ledger does not say so
    ],
    ids=["merge", "apply"],
    indirect=["prepared"],
)
def test_the_real_kill_leaves_what_the_copies_show(prepared: tuple[Team, Case], last: str, tmp_path: Path) -> None:
    team, case = prepared
    expected = _undisturbed(team, case, tmp_path / "calm")
    running = _traced(team, case)
    for call in running.stops():
        if "rename" in call and last in call:
            break  # and thereby kill it, with all its children
    assert running.code is None
    check_sound(team, case)
    run_again(team, case)
    assert end_state(team) in expected


@pytest.mark.tier("check", "merge")
@pytest.mark.parametrize(
    ("prepared", "last"),
    [("merge", "index.lock"), ("register", "/.dvc/cache/")],
    ids=["merge", "register"],
    indirect=["prepared"],
)
def test_interrupted_it_says_so_and_completes_when_run_again(
    prepared: tuple[Team, Case], last: str, tmp_path: Path
) -> None:
    team, case = prepared
    expected = _undisturbed(team, case, tmp_path / "calm")
    running = _traced(team, case)
    interrupted = False
    for call in running.stops():
        if last in call and not interrupted:
            running.interrupt()
            interrupted = True
    assert running.code == 130, running.said
    assert "Interrupted" in running.said
    assert "Traceback" not in running.said
    check_sound(team, case)
    run_again(team, case)
    assert end_state(team) in expected


def _traced(team: Team, case: Case) -> Traced:
    return Traced(person_of(team, case), command_of(team, case), team.folder)


def _undisturbed(team: Team, case: Case, folder: Path) -> list[dict[str, object]]:
    """Return the states in which the command may end, from a copy where nothing comes between."""
    shutil.copytree(team.folder, folder, symlinks=True)
    with Team.at(folder, keys=team.keys) as calm:
        return ends(calm, case)


def _seen(folder: Path, *, objects: bool) -> dict[str, bytes | str | None]:
    """Every file below a folder; of loose objects, only that they are there, and that only with `objects`."""
    found: dict[str, bytes | str | None] = {}
    for place, folders, files in os.walk(folder):
        if not objects:
            folders[:] = [name for name in folders if Path(place, name).parts[-2:] != (".git", "objects")]
        for name in [*files, *folders]:
            path = Path(place, name)
            if path.is_symlink():
                found[str(path)] = str(path.readlink())
            elif path.is_file():
                found[str(path)] = None if "objects" in path.parts else path.read_bytes()
    return found


def _short(call: str, folder: Path) -> str:
    return call.partition(" ")[2].strip().replace(f"{folder}/", "")
