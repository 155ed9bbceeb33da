"""The commands that change something, each ready to be disturbed in the middle, and what there has to be afterwards."""

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

from mlgit.edges.targets.directory import DirectoryTarget
from tests.flows.builder import MODEL
from tests.flows.people import Desk, Team, contents

FULL = "MLGIT_FULL_KILL" in os.environ
"""Whether every point of disturbance is wanted, which takes minutes, and not only some of them."""

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


CALLS = "rename,renameat,renameat2,link,linkat,unlink,unlinkat,symlink,symlinkat,mkdir,mkdirat,rmdir,fsync,fdatasync"
_STOPPED = re.compile(r"(\d+) +--- stopped by SIGSTOP ---")
_CALL = re.compile(r"(\d+) +(?:<\.\.\. )?([a-z0-9]+)(?:\(| resumed>)(.*)")


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


def person_of(team: Team, case: Case) -> Desk:
    person = getattr(team, case.person)
    assert isinstance(person, Desk)
    return person


@cache
def why_not_traced() -> str | None:
    """Why processes cannot be traced here; None if they can."""
    strace = shutil.which("strace")
    if strace is None:
        return "strace is not installed"
    done = subprocess.run([strace, "-f", "-o", os.devnull, "true"], capture_output=True, text=True, check=False)
    return None if done.returncode == 0 else f"processes may not be traced here: {done.stderr.strip()}"


@contextmanager
def _ctrl_c_is_heard() -> Iterator[None]:
    """Let what is started now hear Ctrl-C, also where the tests were started in the background and do not hear it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


class Traced:
    """A command that stands still, all its processes, each time a call has changed something below a folder."""

    def __init__(self, desk: Desk, command: str, folder: Path, calls: str = CALLS) -> None:
        self._calls = calls
        self._desk = desk
        self._command = command
        self._folder = str(folder)
        self.code: int | None = None
        self.said = ""
        self._process: subprocess.Popen[str] | None = None
        self._seen: dict[str, str] = {}

    def stops(self) -> Iterator[str]:
        """Yield each call, while all processes wait."""
        with self._started() as (process, log):
            for line in log:
                if match := _STOPPED.match(line):
                    call = self._seen.pop(match[1], None)
                    if call is None:
                        continue  # another thread of a process that was stopped
                    if self._folder in call and re.search(r"\) += 0", call):
                        yield call
                    os.kill(int(match[1]), signal.SIGCONT)
                elif match := _CALL.match(line):
                    begun = self._seen.get(match[1], "") if " resumed>" in line else ""
                    self._seen[match[1]] = begun + line
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
        argv += ["-e", f"trace={self._calls}", "-e", f"inject={self._calls}:signal=STOP"]
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
            with _ctrl_c_is_heard():
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


def check_sound(team: Team, case: Case) -> None:
    """A person who comes upon the repository now finds nothing wrong with it."""
    desk = person_of(team, case)
    desk.git("fsck", "--no-dangling", "--no-progress", "--strict")
    desk.does("validate")
    desk.does("status")
    for environment in ("staging", "production"):
        observed = DirectoryTarget(team.root / "deployed" / environment).observe(MODEL)
        assert not observed.altered
        assert "fault" not in observed.facts


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
