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
_AT_THAT_TIME = """\
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
    "register": Case("registered", "ana", f"register {MODEL}", _train),
    "promote": Case("running", "ana", f"promote {MODEL}@2 --to staging"),
    "approve": Case("proposed", "ben", "approve"),
    "merge": Case("proposed", "ana", "merge", _approve),
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
        self._calls: dict[str, str] = {}

    def stops(self) -> Iterator[str]:
        """Yield each call, while all processes wait."""
        with self._started() as (process, log):
            for line in log:
                if match := _STOPPED.match(line):
                    call = self._calls.pop(match[1], "")
                    if self._folder in call and ") = 0" in call:
                        yield call
                    os.kill(int(match[1]), signal.SIGCONT)
                elif match := _CALL.match(line):
                    self._calls[match[1]] = self._calls.get(match[1], "") * line.count(" resumed>") + line
            self.said = process.communicate()[0]
            self.code = process.returncode

    @contextmanager
    def _started(self) -> Iterator[tuple[subprocess.Popen[str], Iterator[str]]]:
        read, write = os.pipe()
        argv = ["strace", "-f", "--seccomp-bpf", "-y", "-s", "4096", "-o", f"/dev/fd/{write}"]
        argv += ["-e", f"trace={_CALLS}", "-e", f"inject={_CALLS}:signal=STOP"]
        with self._desk.present():
            moment = self._desk.session().clock.now().isoformat()
            argv += [sys.executable, "-B", "-c", _AT_THAT_TIME, moment, "-C", str(self._desk.root), *self._command.split()]
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
        try:
            with os.fdopen(read, errors="replace") as log:
                yield process, log
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
