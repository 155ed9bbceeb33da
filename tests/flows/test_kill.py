"""Killed at any moment, a command leaves a repository that is sound, shows no half decision, and is brought to its end by
running the command again.

A command runs under strace, which stops it whenever a call has changed something in the scene: the repository, DVC's storage
or a target. What is on the disk at that moment is what `kill -9` would leave, so each such state is copied, and judged
afterwards; a few are made by a real kill. All of them, also those that differ in nothing but loose objects, with
MLGIT_FULL_KILL=1.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import msgspec
import pytest

from tests.flows.disturbed import AT_THAT_TIME, CASES, FULL, Case, check_sound, end_state, person_of
from tests.flows.people import Desk, Team

_CALLS = "rename,renameat,renameat2,link,linkat,unlink,unlinkat,symlink,symlinkat,mkdir,mkdirat,rmdir,fsync,fdatasync"
_STOPPED = re.compile(r"(\d+) +--- stopped by SIGSTOP ---")
_CALL = re.compile(r"(\d+) +(?:<\.\.\. )?([a-z0-9]+)(?:\(| resumed>)(.*)")


@cache
def _why_not() -> str | None:
    """Why processes cannot be traced here; None if they can."""
    strace = shutil.which("strace")
    if strace is None:
        return "strace is not installed"
    done = subprocess.run([strace, "-f", "-o", os.devnull, "true"], capture_output=True, text=True, check=False)
    return None if done.returncode == 0 else f"processes may not be traced here: {done.stderr.strip()}"


@pytest.fixture(autouse=True)
def _traceable() -> None:
    if why := _why_not():
        pytest.skip(why)


class Traced:
    """A command that stands still, all its processes, each time a call has changed something below a folder."""

    def __init__(self, desk: Desk, command: str, folder: Path) -> None:
        self._desk = desk
        self._command = command
        self._folder = str(folder)
        self.code: int | None = None
        self.said = ""
        self._process: subprocess.Popen[str] | None = None
        self._calls: dict[str, str] = {}

    def stops(self) -> Iterator[str]:
        """Yield each call, while all processes wait."""
        with self._started() as (process, log):
            for line in log:
                if match := _STOPPED.match(line):
                    call = self._calls.pop(match[1], None)
                    if call is None:
                        continue  # another thread of a process that was stopped
                    if self._folder in call and re.search(r"\) += 0", call):
                        yield call
                    os.kill(int(match[1]), signal.SIGCONT)
                elif match := _CALL.match(line):
                    begun = self._calls.get(match[1], "") if " resumed>" in line else ""
                    self._calls[match[1]] = begun + line
            self.said = process.communicate()[0]
            self.code = process.returncode

    def interrupt(self) -> None:
        """Press Ctrl-C, while all processes wait."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGINT)

    @contextmanager
    def _started(self) -> Iterator[tuple[subprocess.Popen[str], Iterator[str]]]:
        read, write = os.pipe()
        argv = ["strace", "-f", "-y", "-s", "4096", "-o", f"/dev/fd/{write}"]
        argv += ["-e", f"trace={_CALLS}", "-e", f"inject={_CALLS}:signal=STOP"]
        with self._desk.present():
            moment = self._desk.session().clock.now().isoformat()
            argv += [
                sys.executable,
                "-B",
                "-c",
                AT_THAT_TIME,
                moment,
                "-C",
                str(self._desk.root),
                *self._command.split(),
            ]
            process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                pass_fds=[write],
                start_new_session=True,
            )
        os.close(write)
        self._process = process
        try:
            with os.fdopen(read, errors="replace") as log:
                yield process, log
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()


class State(msgspec.Struct, frozen=True):
    """What would be on the disk if the command had been killed after a call."""

    after: str
    folder: Path


def states(team: Team, case: Case, into: Path) -> list[State]:
    """Run a command to its end, and copy every state of the scene on the way that differs from the one before."""
    team.leave()
    found, seen = [], _seen(team.folder)
    running = Traced(person_of(team, case), case.command, team.folder)
    for number, call in enumerate(running.stops(), start=1):
        now = _seen(team.folder)
        if now != seen:
            found.append(State(f"{number}: {_short(call, team.folder)}", into / str(number)))
            shutil.copytree(team.folder, found[-1].folder, symlinks=True)
        seen = now
    assert running.code == 0, running.said
    return found


def sample(states: list[State], most: int) -> list[State]:
    """Take some of the states, evenly, the last one always, unless all are wanted."""
    step = max(1, -(-len(states) // most))
    return states if FULL else states[::-1][::step][::-1]


def run_again(team: Team, case: Case) -> None:
    """Run the command as a person would who follows what it says."""
    for _ in range(4):
        answer = person_of(team, case)(case.command)
        if answer.ids != ["git-locked"]:
            break
        # Killed while it held a lock of Git: mlgit never removes one, and says which file the person has to remove.
        assert answer.code == 3
        lock = re.search(r"(/.+\.lock) exists", answer.text)
        assert lock is not None, answer.text
        Path(lock[1]).unlink()
    assert answer.code == 0, answer.text


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
    found = states(team, case, tmp_path / "killed")
    assert found
    for state in sample(found, case.most):
        with Team.at(state.folder, keys=team.keys) as killed:
            try:
                check_sound(killed, case)
                run_again(killed, case)
                check_sound(killed, case)
                assert end_state(killed) == expected
            except AssertionError as error:
                error.add_note(f"killed after {state.after}")
                raise


@pytest.mark.parametrize(
    ("prepared", "last"),
    [
        ("merge", "index.lock"),  # the work tree is that of the merge, the branch is not
        ("apply", '"current"'),  # the target runs the version, the ledger does not say so
    ],
    indirect=["prepared"],
)
def test_the_real_kill_leaves_what_the_copies_show(prepared: tuple[Team, Case], last: str, tmp_path: Path) -> None:
    team, case = prepared
    expected = _undisturbed(team, case, tmp_path / "calm")
    running = Traced(person_of(team, case), case.command, team.folder)
    for call in running.stops():
        if "rename" in call and last in call:
            break  # and thereby kill it, with all its children
    assert running.code is None
    check_sound(team, case)
    run_again(team, case)
    assert end_state(team) == expected


@pytest.mark.parametrize(
    ("prepared", "last"), [("register", "/.dvc/cache/"), ("merge", "index.lock")], indirect=["prepared"]
)
def test_interrupted_it_says_so_and_completes_when_run_again(
    prepared: tuple[Team, Case], last: str, tmp_path: Path
) -> None:
    team, case = prepared
    expected = _undisturbed(team, case, tmp_path / "calm")
    running = Traced(person_of(team, case), case.command, team.folder)
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
    assert end_state(team) == expected


def _undisturbed(team: Team, case: Case, folder: Path) -> dict[str, object]:
    """Return the end state of the command where nothing comes between."""
    shutil.copytree(team.folder, folder, symlinks=True)
    with Team.at(folder, keys=team.keys) as calm:
        person_of(calm, case).does(case.command)
        return end_state(calm)


def _seen(folder: Path) -> dict[str, bytes | str | None]:
    """Every file below a folder; of loose objects, only that they are there, and that only if all states are wanted."""
    found: dict[str, bytes | str | None] = {}
    for place, folders, files in os.walk(folder):
        if not FULL:
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
