"""How Git is called: the same guards on every command, and its refusals in our words."""

import os
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from mlgit.edges import process
from mlgit.edges.process import Completed
from mlgit.errors import MlgitError, inconclusive

MINIMUM: Final = (2, 34)

_ALWAYS: Final = {
    "GIT_NO_REPLACE_OBJECTS": "1",  # a replace ref shows other content under the same id
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",  # refusals are told apart by Git's English words
}
_GUARDS: Final = ("--literal-pathspecs", "-c", "core.fsmonitor=false", "-c", "core.quotePath=false")
_NO_HOOKS: Final = ("-c", f"core.hooksPath={os.devnull}")

# What Git says; compiled only once it says so, for these are on the start-up path of every command.
_UNTRUSTED: Final = r"dubious ownership|safe\.bareRepository|cannot use bare repository"
_LOCKED: Final = r"Unable to create '(?P<lock>.+\.lock)': File exists"
_NOT_WRITTEN: Final = (
    r"(?i)unable to (write|create)|cannot (create|open|mkdir)|could not (write|create|open)|couldn't write|No space left"
    r"|Permission denied|insufficient permission|Read-only file system|unable to append|write error"
)


class Git:
    """Git on one repository (or, without `options`, on whatever repository a folder is in)."""

    def __init__(self, folder: Path, options: Sequence[str] = (), environment: Mapping[str, str] | None = None) -> None:
        """Take the folder to run in, and for every command options such as `--git-dir=...` and more of an environment."""
        self.folder = folder
        self._environment = environment or {}
        self.processes = 0
        """How many processes were started: it must not grow with the number of versions."""
        self._options = tuple(options)
        self._version: tuple[int, ...] | None = None

    def run(
        self,
        *words: str,
        input: bytes | None = None,  # noqa: A002 - the word of `subprocess.run`
        write: bool = False,
        check: bool = True,
        extra: Mapping[str, str] | None = None,
        timeout: float = process.TIMEOUT,
    ) -> Completed:
        """Run a command to its end. Hooks run, and optional locks are taken, only where it is to `write`.

        `extra` is added to the environment.

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
        """Run a command that reads, and return what it prints, without the last newline."""
        return self.run(*words, check=check).stdout.decode(errors="replace").rstrip("\n")

    def records(self, *words: str) -> Iterator[list[bytes]]:
        """Run a command that reads and ends each thing it prints with a NUL; yield those things, a block at a time."""
        argv, env = self._call(words)
        with process.Stream(argv, cwd=self.folder, env=env) as stream:
            rest = b""
            for block in stream:
                *whole, rest = (rest + block).split(b"\0")
                yield whole
            if rest:
                yield [rest]
            if stream.code:
                raise self.failure(words, stream.stderr)

    def pipe(self, *words: str) -> subprocess.Popen[bytes]:
        """Start a command that reads, and answers for as long as it is asked."""
        argv, env = self._call(words)
        return process.open_pipe(argv, cwd=self.folder, env=env)

    def require(self, minimum: tuple[int, int], what: str) -> None:
        """Refuse a Git that is too old for something.

        Raises:
            MlgitError: it is (`git-too-old`).
        """
        if self._version is None:
            words = self.run("version", check=False).stdout.decode(errors="replace")
            self._version = tuple(int(part) for part in re.findall(r"\d+", words)[:2])
        if self._version < minimum:
            raise inconclusive(
                "git-too-old",
                f"Git {'.'.join(map(str, self._version))} is too old for {what}",
                why=f"it needs Git {minimum[0]}.{minimum[1]} or newer",
                fix="install a newer Git from https://git-scm.com/downloads",
            )

    def failure(self, words: Sequence[str], said: str) -> MlgitError:
        """Return the error for a command that failed, by what it said."""
        if re.search(_UNTRUSTED, said):
            return inconclusive(
                "unsafe-repository", "Git does not trust this repository", why=first(said), fix=_advice(said)
            )
        if match := re.search(_LOCKED, said):
            return inconclusive(
                "git-locked",
                "another Git process is at work in this repository, or was stopped in the middle",
                why=f"{match['lock']} exists",
                fix="wait for it to end; if none runs any more, remove that file by hand",
            )
        if re.search(_NOT_WRITTEN, said):
            return inconclusive(
                "git-write-failed",
                "Git could not write to this repository",
                why=said_in_short(said),
                fix="see to space and permissions there, then try again",
            )
        # Only now, so that no command has to pay for asking: an old Git fails on what it does not know.
        self.require(MINIMUM, "mlgit")
        return inconclusive("git-failed", f"`git {words[0]}` did not succeed", why=said_in_short(said))

    def _call(self, words: Sequence[str], *, write: bool = False) -> tuple[list[str], dict[str, str]]:
        self.processes += 1
        guards = _GUARDS if write else (*_GUARDS, *_NO_HOOKS)
        env = {**os.environ, **_ALWAYS, **self._environment}
        if not write:
            env["GIT_OPTIONAL_LOCKS"] = "0"
        return ["git", *guards, *self._options, *words], env


def first(said: str) -> str:
    """Return the first line of what Git said, without its `fatal:`."""
    line = said.strip().split("\n", 1)[0]
    return re.sub(r"^(fatal|error): ", "", line)


def said_in_short(said: str) -> str:
    """Return what Git said on one line."""
    return "; ".join(line.strip() for line in said.strip().split("\n") if line.strip())[:2000]


def _advice(said: str) -> str:
    command = re.search(r"git config .+", said)
    if command is None:
        return "see `git help config` under safe.directory and safe.bareRepository"
    return f"if you trust it, run `{command[0].strip()}`"
