"""The commands that change something, each ready to be disturbed in the middle, and what there has to be afterwards."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from pathlib import Path

import msgspec

from mlgit.edges.targets.directory import DirectoryTarget
from tests.flows.builder import MODEL
from tests.flows.people import Desk, Team, contents

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
    """A command, the scene that it is run in, and what has to be done there before.

    `{scene}` in the command is the folder of the scene, and `folder` where in it the command is run. `done` is the finding of
    a run that finds all done. With `repeats` each run adds what it saw at its own moment, whatever a run before it did.
    """

    scene: str
    person: str
    command: str
    prepare: Callable[[Team], object] = lambda _: None
    folder: str = "team"
    done: str | None = None
    repeats: bool = False


def _train(team: Team) -> None:
    """Train something that is not registered yet, and whose files are in no storage."""
    team.ana.edit("params.yaml", "fit: worse", "fit: better")
    team.ana.does(f"train {MODEL}")
    for folder in (team.folder / "storage", team.root / ".dvc/cache"):
        for file in folder.rglob("*"):
            if file.is_file() and file.stat().st_size > 3000:
                file.chmod(0o644)
                file.unlink()


def _approve(team: Team) -> None:
    team.ben.does("approve")


def _change_mind(team: Team) -> None:
    team.ben.does("approve")
    team.ben.does("approve --reject")


def _merge(team: Team) -> None:
    team.ben.does("approve")
    team.ana.does("merge")


def _apply(team: Team) -> None:
    _merge(team)
    team.ana.does("apply")


def _ramp(team: Team, steps: str) -> None:
    """Bring version 2 to its first share of production; the hour of its next step has come."""
    team.promote(f"{MODEL}@2", "staging")
    team.ana.does(f"promote {MODEL}@2 --to production --ramp {steps} --interval 1h")
    _apply(team)
    team.now.wait(timedelta(hours=1))


def _hold(team: Team) -> None:
    team.ana.does(f"{_HOLD} --reason INC-7")
    team.ana.git("merge", "--quiet", "--no-ff", "-m", "Hold it", f"mlgit/hold/staging/{MODEL}@2")


def _override(team: Team) -> None:
    team.ana.does(_OVERRIDE)
    team.ana.does(f"override approve production/{MODEL}@3")


def _branch_off(team: Team) -> None:
    """Let only the branch `work`, which is checked out, have version 3."""
    team.ana.git("switch", "--quiet", "--create", "work")
    team.ana.git("branch", "--quiet", "--force", "main", "work~1")


def _serve(team: Team) -> None:
    team.ana.clone("origin.git", "--bare")


_HOLD = f"hold add staging/{MODEL}@2"
_WORDS = "--waive beats-champion --incident INC-7 --approver ben --until 4h --review-by 2026-03-20"
_OVERRIDE = f"override add production/{MODEL}@3 {_WORDS}"

CASES = {
    "register": Case("registered", "ana", f"register {MODEL}", _train),
    "promote": Case("running", "ana", f"promote {MODEL}@2 --to staging"),
    "approve": Case("proposed", "ben", "approve"),
    "merge": Case("proposed", "ana", "merge production/malignancy", _approve),
    "apply": Case("proposed", "ana", "apply", _merge),
    "approve again": Case("proposed", "ben", "approve", _change_mind),
    "apply a step": Case("running", "ana", "apply", lambda team: _ramp(team, "10,50,100")),
    "apply the last step": Case("running", "ana", "apply", lambda team: _ramp(team, "10,100")),
    "observe": Case("proposed", "ana", "observe production", repeats=True),
    "rollback": Case("proposed", "ana", "rollback production --reason INC-7", _apply),
    "hold add": Case("running", "ana", f"{_HOLD} --reason INC-7 --until 7d"),
    "hold lift": Case("running", "ana", f"hold lift staging/{MODEL}@2 --reason mended", _hold),
    "override add": Case("running", "ana", _OVERRIDE),
    "override approve": Case("running", "ben", f"override approve production/{MODEL}@3", _override),
    "renumber": Case("registered", "ana", f"renumber {MODEL}@3", _branch_off, done="version-unknown"),
    "verify-push": Case("proposed", "ana", "verify-push --install", _serve, folder="origin.git"),
    "audit": Case(
        "proposed", "ana", "audit --format html --output {scene}/audit.html --write-checkpoint {scene}/audit.json"
    ),
}


def person_of(team: Team, case: Case) -> Desk:
    person = getattr(team, case.person)
    assert isinstance(person, Desk)
    return person.at(team.folder / case.folder)


def command_of(team: Team, case: Case) -> str:
    return case.command.format(scene=team.folder)


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
    person_of(team, case).git("fsck", "--no-dangling", "--no-progress", "--strict")
    desk = team.ana
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
    files = contents(team.root)
    for environment in ("staging", "production"):
        # What no longer holds of the release that is current is nothing, and the next switch takes it away.
        if not DirectoryTarget(team.root / "deployed" / environment).observe(MODEL).beside:
            files.pop(f"deployed/{environment}/{MODEL}/slots.json", None)
    state = {
        "branch": desk.git("symbolic-ref", "HEAD"),
        "status": desk.git("status", "--porcelain"),
        "told": told,
        "trees": trees,
        "files": files,
        "storage": storage,
        "hooks": contents(team.folder / "origin.git/hooks"),
        "reports": {
            path.name: path.read_bytes() for path in team.folder.iterdir() if path.is_file() and path.name != "now"
        },
    }
    return {key: plain(value) for key, value in state.items()}


def ends(team: Team, case: Case) -> list[dict[str, object]]:
    """Run the command of a case, with nothing that comes between; return in which states it may end when disturbed."""
    found = []
    for _ in range(2 if case.repeats else 1):
        person_of(team, case).does(command_of(team, case))
        found.append(end_state(team))
    return found


_VARYING = (
    (re.compile(r"/[^\"\s]*/team(?=[/\"])"), "TEAM"),
    (re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}"), "ID"),
    (re.compile(r"[0-9a-f]{40,64}"), "DIGEST"),
    (re.compile(r"\d{4}-\d\d-\d\dT[0-9:.]+(Z|\+00:00)"), "TIME"),
    (re.compile(r"-(approve|reject)-[0-9a-f]{12}(-[0-9]{14})?"), "-\\1-DECISION"),
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
    return _plain(str(value))


@cache  # most texts are in every state
def _plain(text: str) -> str:
    for pattern, word in _VARYING:
        text = pattern.sub(word, text)
    return text
