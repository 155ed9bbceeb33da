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
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import msgspec
import pytest

from mlgit.edges.targets.directory import DirectoryTarget
from tests.flows.builder import MODEL
from tests.flows.people import Desk, Team, contents

FULL = "MLGIT_FULL_KILL" in os.environ

_CALLS = "rename,renameat,renameat2,link,linkat,unlink,unlinkat,symlink,symlinkat,mkdir,mkdirat,rmdir,fsync,fdatasync"
# The clock of the scene, since keys, reports and approvals are of its time and not of the machine's.
AT_THAT_TIME = """\
import sys
from datetime import datetime
from mlgit.edges.clock import SystemClock
moment = datetime.fromisoformat(sys.argv[1])
SystemClock.now = lambda self: moment
from mlgit.cli.main import run
sys.exit(run(sys.argv[2:]))
"""
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


class Case(msgspec.Struct, frozen=True):
    """A command, the scene that it is run in, and what has to be done there before."""

    scene: str
    person: str
    command: str
    prepare: Callable[[Team], None] = lambda _: None
    most: int = 8


def _train(team: Team) -> None:
    """Train something that is not registered yet, and whose files are in no storage."""
    team.ana.edit("params.yaml", "fit: worse", "fit: better")
    team.ana.does(f"train {MODEL}")
    for folder in (team.folder / "storage", team.root / ".dvc/cache"):
        for file in (folder / "files").rglob("*"):
            if file.is_file() and file.stat().st_size > 3000:
                file.chmod(0o644)
                file.unlink()


def _approve(team: Team) -> None:
    team.ben.does("approve")


def _merge(team: Team) -> None:
    team.ben.does("approve")
    team.ana.does("merge")


CASES = {
    "register": Case("registered", "ana", f"register {MODEL}", _train, most=4),
    "promote": Case("running", "ana", f"promote {MODEL}@2 --to staging"),
    "approve": Case("proposed", "ben", "approve"),
    "merge": Case("proposed", "ana", "merge production/malignancy", _approve),
    "apply": Case("proposed", "ana", "apply", _merge),
}


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
    running = Traced(_person(team, case), case.command, team.folder)
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


def check_sound(team: Team, case: Case) -> None:
    """A person who comes upon the repository now finds nothing wrong with it."""
    desk = _person(team, case)
    desk.git("fsck", "--no-dangling", "--no-progress", "--strict")
    desk.does("validate")
    desk.does("status")
    for environment in ("staging", "production"):
        observed = DirectoryTarget(team.root / "deployed" / environment).observe(MODEL)
        assert not observed.altered
        assert "fault" not in observed.facts


def run_again(team: Team, case: Case) -> None:
    """Run the command as a person would who follows what it says."""
    for _ in range(4):
        answer = _person(team, case)(case.command)
        if answer.ids != ["git-locked"]:
            break
        # Killed while it held a lock of Git: mlgit never removes one, and says which file the person has to remove.
        assert answer.code == 3
        lock = re.search(r"(/.+\.lock) exists", answer.text)
        assert lock is not None, answer.text
        Path(lock[1]).unlink()
    assert answer.code == 0, answer.text


def end_state(team: Team) -> dict[str, object]:
    """What there is in the end, without ids, times and digests that no two runs have in common."""
    desk = team.ana
    with desk.present(), desk.session().repository as repository:
        trees = {}
        for ref in repository.refs("refs/"):
            tree = repository.tree(ref)
            trees[ref] = dict(tree.read_many([entry.path for entry in tree.entries()]))
    told = {ref: desk.git("log", "--format=%s", ref).splitlines() for ref in trees}
    storage = sorted(path for path in contents(team.folder / "storage") if not path.endswith(".tmp"))
    state = {
        "branch": desk.git("symbolic-ref", "HEAD"),
        "status": desk.git("status", "--porcelain"),
        "told": told,
        "trees": trees,
        "files": contents(team.root),
        "storage": storage,
    }
    return {key: plain(value) for key, value in state.items()}


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
    running = Traced(_person(team, case), case.command, team.folder)
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
    running = Traced(_person(team, case), case.command, team.folder)
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
        _person(calm, case).does(case.command)
        return end_state(calm)


def _person(team: Team, case: Case) -> Desk:
    person = getattr(team, case.person)
    assert isinstance(person, Desk)
    return person


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


_VARYING = (
    (re.compile(r"/[^\"\s]*/team(?=[/\"])"), "TEAM"),
    (re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}"), "ID"),
    (re.compile(r"[0-9a-f]{40,64}"), "DIGEST"),
    (re.compile(r"\d{4}-\d\d-\d\dT[0-9:.]+(Z|\+00:00)"), "TIME"),
    (re.compile(r"-approve-[0-9a-f]{12}"), "-approve-DECISION"),
    (re.compile(r'("p95_ms": )[0-9.]+'), "\\1MS"),
    (re.compile(r"(?s)(-----BEGIN SSH SIGNATURE-----).*"), "\\1"),
)


def plain(value: object) -> object:
    if isinstance(value, Mapping):
        return {plain(key): plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [plain(one) for one in value]
    if isinstance(value, bytes):
        value = value.decode(errors="replace")
    text = str(value)
    for pattern, word in _VARYING:
        text = pattern.sub(word, text)
    return text
