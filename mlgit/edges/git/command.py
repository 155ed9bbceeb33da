"""Runs Git commands with the same guards each time, and translates what Git reports into findings."""

import os
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from mlgit.edges import process
from mlgit.edges.process import Completed, WorkingFolder
from mlgit.errors import MlgitError, inconclusive

MINIMUM: Final = (2, 34)

ENVIRONMENT: Final = {
    "GIT_NO_REPLACE_OBJECTS": "1",  # a replace ref shows other content under the same id
    "GIT_GRAFT_FILE": os.devnull,  # `.git/info/grafts` shows other parents of a commit than it has
    "GIT_TERMINAL_PROMPT": "0",  # a prompt for a password would wait for ever where nobody is at the terminal
    "LC_ALL": "C",  # errors are told apart by Git's English messages
}
CONFIGURATION: Final = (
    "core.fsmonitor=false",  # may name a program, which Git would run when it only reads
    "core.quotePath=false",  # otherwise paths that are not ASCII are printed as escape sequences
)
# Without `--literal-pathspecs`, a path such as `:(exclude)a` or `*.yaml` would select other files than the one of that name.
_GUARDS: Final = ("--literal-pathspecs", *(word for setting in CONFIGURATION for word in ("-c", setting)))
_NO_HOOKS: Final = ("-c", f"core.hooksPath={os.devnull}")

# Messages of Git, compiled only once there is an error: this module is on the start-up path of every command.
_UNTRUSTED: Final = r"dubious ownership|safe\.bareRepository|cannot use bare repository"
_LOCKED: Final = r"Unable to create '(?P<lock>.+\.lock)': File exists"
_NOT_WRITTEN: Final = (
    r"(?i)unable to (write|create)|cannot (create|open|mkdir)|could not (write|create|open)|couldn't write|No space left"
    r"|Permission denied|insufficient permission|Read-only file system|unable to append|write error"
)


class Git:
    """Git for one repository; without `options`, for the repository that a folder is in."""

    def __init__(
        self, folder: WorkingFolder, options: Sequence[str] = (), environment: Mapping[str, str] | None = None
    ) -> None:
        """Store the folder to run in, and the options (such as `--git-dir=...`) and variables for every command."""
        self.folder = folder
        self.options = tuple(options)
        self.environment = environment or {}
        self.processes = 0
        """The number of processes that were started: it must not grow with the number of versions."""
        self._version: tuple[int, ...] | None = None

    def run(
        self,
        *words: str,
        input: bytes | None = None,  # noqa: A002 - the name in `subprocess.run`
        write: bool = False,
        check: bool = True,
        extra: Mapping[str, str] | None = None,
        timeout: float = process.TIMEOUT,
    ) -> Completed:
        """Run a command to its end.

        Args:
            words: the command and its arguments.
            input: what it reads on stdin.
            write: whether hooks run and optional locks are taken. A command that only reads must run nothing that the
                repository names, and must not disturb another process.
            check: whether an exit code other than 0 raises.
            extra: variables to add to the environment.
            timeout: seconds after which it is stopped.

        Raises:
            MlgitError: with `check`, the command failed.
        """
        argv, env = self._call(words, write=write)
        completed = process.run(
            argv, cwd=self.folder, env={**env, **(extra or {})}, input=input, timeout=timeout, check=False
        )
        if check and completed.code:
            raise self.failure(words, completed.stderr)
        return completed

    def text(self, *words: str, check: bool = True) -> str:
        """Run a command that only reads, and return its output without the last newline."""
        return self.run(*words, check=check).stdout.decode(errors="replace").rstrip("\n")

    def records(self, *words: str) -> Iterator[list[bytes]]:
        """Run a command that only reads and prints records that end with NUL; yield the records, a block at a time."""
        argv, env = self._call(words)
        with process.Stream(argv, cwd=self.folder, env=env) as stream:
            incomplete = b""
            for block in stream:
                *complete, incomplete = (incomplete + block).split(b"\0")
                yield complete
            if incomplete:
                yield [incomplete]
            if stream.code:
                raise self.failure(words, stream.stderr)

    def pipe(self, *words: str) -> subprocess.Popen[bytes]:
        """Start a command that only reads, and answers requests on stdin until it is ended."""
        argv, env = self._call(words)
        return process.open_pipe(argv, cwd=self.folder, env=env)

    def require(self, minimum: tuple[int, int], purpose: str) -> None:
        """Refuse a Git that is too old for a purpose.

        Raises:
            MlgitError: it is too old (`git-too-old`).
        """
        if self._version is None:
            output = self.run("version", check=False).stdout.decode(errors="replace")
            self._version = tuple(int(part) for part in re.findall(r"\d+", output)[:2])
        if self._version < minimum:
            raise inconclusive(
                "git-too-old",
                f"Git {'.'.join(map(str, self._version))} is too old for {purpose}",
                why=f"it needs Git {minimum[0]}.{minimum[1]} or newer",
                fix="install a newer Git from https://git-scm.com/downloads",
            )

    def failure(self, words: Sequence[str], stderr: str) -> MlgitError:
        """Return the error for a command that failed, according to its stderr."""
        if re.search(_UNTRUSTED, stderr):
            return inconclusive(
                "repository-dubious-ownership",
                "Git does not trust this repository",
                why=first_line(stderr),
                fix=_advice(stderr),
            )
        if match := re.search(_LOCKED, stderr):
            return inconclusive(
                "git-locked",
                "another Git process is running in this repository, or was killed",
                why=f"{match['lock']} exists",
                fix="wait for it to end; if none is running, delete that file",
            )
        if re.search(_NOT_WRITTEN, stderr):
            return inconclusive(
                "git-write-failed",
                "Git could not write to this repository",
                why=one_line(stderr),
                fix="check free space and permissions there, then try again",
            )
        # The version is asked for only now, so that it costs nothing where all is well: an old Git fails on what it lacks.
        self.require(MINIMUM, "mlgit")
        return inconclusive("git-failed", f"`git {words[0]}` failed", why=one_line(stderr))

    def _call(self, words: Sequence[str], *, write: bool = False) -> tuple[list[str], dict[str, str]]:
        self.processes += 1
        guards = _GUARDS if write else (*_GUARDS, *_NO_HOOKS)
        env = {**os.environ, **ENVIRONMENT, **self.environment}
        if not write:
            env["GIT_OPTIONAL_LOCKS"] = "0"
        return ["git", *guards, *self.options, *words], env


def first_line(stderr: str) -> str:
    """Return the first line of Git's stderr, without `fatal:`."""
    line = stderr.strip().split("\n", 1)[0]
    return re.sub(r"^(fatal|error): ", "", line)


def one_line(stderr: str) -> str:
    """Return Git's stderr as one line."""
    return "; ".join(line.strip() for line in stderr.strip().split("\n") if line.strip())[:2000]


def _advice(stderr: str) -> str:
    command = re.search(r"git config .+", stderr)
    if command is None:
        return "see `git help config` under safe.directory and safe.bareRepository"
    return f"if you trust it, run `{command[0].strip()}`"
