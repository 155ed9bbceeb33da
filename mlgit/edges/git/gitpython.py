"""GitPython with the guards of `command.Git`: it creates repositories, and fetches and pushes with progress.

Importing GitPython takes as long as a whole `mlgit status`. Import this module inside the functions that need it.
What is left to plain Git, and why, is in docs/adr/0013-what-gitpython-does.md.
"""

import errno
import os
import re
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from io import TextIOWrapper
from pathlib import Path
from typing import Any, Final, Literal, cast

from mlgit.edges import process
from mlgit.edges.git import command
from mlgit.edges.process import Completed
from mlgit.errors import inconclusive

# GitPython runs the program that this variable names as soon as it is imported.
for _name in ("GIT_PYTHON_GIT_EXECUTABLE", "GIT_PYTHON_REFRESH"):
    os.environ.pop(_name, None)

try:
    import git
    from git.cmd import handle_process_output
except ImportError as error:  # GitPython runs the program when it is imported, and raises this where it cannot
    raise inconclusive(
        "tool-missing",
        "GitPython cannot be used",
        why=str(error).strip().split("\n", 1)[0],
        fix="check that `git --version` works, and run `pip install --upgrade gitpython`",
    ) from error

OnProgress = Callable[[str], None]
"""Is called with a stage of a transfer and how much of it is done, for example `receiving objects 45%`."""

_STAGES: Final = {
    git.RemoteProgress.COUNTING: "counting objects",
    git.RemoteProgress.COMPRESSING: "compressing objects",
    git.RemoteProgress.WRITING: "writing objects",
    git.RemoteProgress.RECEIVING: "receiving objects",
    git.RemoteProgress.RESOLVING: "resolving deltas",
    git.RemoteProgress.FINDING_SOURCES: "finding sources",
}
_MAX_DETAILS: Final = 40  # characters: `3.12 MiB | 1.20 MiB/s` and some room
# What Git prints about progress beside the stages above; it explains no failure.
_PROGRESS_ONLY: Final = re.compile(
    r"(remote: )?(Enumerating objects: \d+, done\.|Delta compression using up to \d+ threads?\.?"
    r"|Total \d+ \(delta \d+\), reused \d+ \(delta \d+\)(, pack-reused \d+)?( \(from \d+\))?)\s*"
)


class GuardedGit(git.Git):
    """Runs GitPython's commands with the options and variables of `command.Git` for commands that write."""

    GIT_PYTHON_GIT_EXECUTABLE = "git"  # the program that all other commands run

    def __init__(
        self,
        working_dir: str | os.PathLike[str] | None = None,
        options: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        # GitPython would otherwise run the command in the current folder, which may be another repository.
        if working_dir is not None and not os.access(working_dir, os.X_OK):
            raise process.cannot_start(
                ["git"], working_dir, PermissionError(errno.EACCES, os.strerror(errno.EACCES), os.fspath(working_dir))
            )
        super().__init__(working_dir)
        pairs = (option.removeprefix("--").partition("=") for option in options)
        named = {name.replace("-", "_"): value for name, _, value in pairs}
        self.set_persistent_git_options(literal_pathspecs=True, c=command.CONFIGURATION, **named)
        self.update_environment(**command.ENVIRONMENT, **(environment or {}))


def init(folder: Path, branch: str) -> None:
    """Create a repository in a folder that exists.

    Args:
        folder: the folder.
        branch: the branch that HEAD names.

    Raises:
        MlgitError: Git refused, as `command.Git.failure`.
    """
    # GitPython cannot end a command after a time on Windows, and refuses the option there.
    timeout = None if sys.platform == "win32" else process.TIMEOUT
    try:
        # Not `Repo.init`: it opens the new repository where it believes it to be, whatever GIT_DIR says, and replaces
        # `$NAME` in that path by the value of a variable.
        GuardedGit(folder).init(quiet=True, initial_branch=branch, kill_after_timeout=timeout)
    except git.GitCommandError as error:
        raise command.Git(folder).failure(["init"], _stderr(error)) from error
    except (git.GitCommandNotFound, OSError) as error:
        raise process.cannot_start(["git"], folder, _cause(error)) from error


def transfer(
    commands: command.Git,
    name: Literal["fetch", "push"],
    remote: str,
    refspecs: Sequence[str],
    *,
    options: Mapping[str, Any],
    timeout: float,
    on_progress: OnProgress | None,
) -> Completed:
    """Run `git fetch` or `git push` to its end.

    Args:
        commands: the repository.
        name: the command.
        remote: name or address of the other repository.
        refspecs: what to transfer.
        options: further options, as GitPython takes them: `force_with_lease=[...]`.
        timeout: seconds after which the command, and what it started (`ssh`), is stopped.
        on_progress: is called with the progress, from another thread; None if nobody watches.

    Returns:
        Exit code, stdout, and those lines of stderr that are not progress.

    Raises:
        Inconclusive: it took too long (`tool-timeout`), there is no Git (`tool-missing`), or an argument would make Git run a
            program (`git-failed`).
    """
    stdout: list[str] = []
    stderr = _Messages(on_progress)
    deadline = time.monotonic() + timeout
    running = _start(commands, name, remote, refspecs, {**options, "progress": on_progress is not None})
    try:
        for stream in (running.stdout, running.stderr):
            # Messages of hooks are in whatever encoding the remote has.
            cast("TextIOWrapper", stream).reconfigure(errors="replace")
        handle_process_output(running, stdout.append, stderr.read, decode_streams=False, kill_after_timeout=timeout)
        code = running.wait()
    except git.GitCommandError as error:
        if time.monotonic() >= deadline:
            raise process.too_slow(["git", name], timeout) from error
        code = error.status if isinstance(error.status, int) else 1
    except BaseException:
        if running.proc is not None:
            running.proc.kill()  # the person interrupted
        raise
    return Completed(code, "".join(stdout).encode(), "\n".join(stderr.lines))


def _start(
    commands: command.Git, name: str, remote: str, refspecs: Sequence[str], options: Mapping[str, Any]
) -> "git.Git.AutoInterrupt":
    commands.processes += 1
    guarded = GuardedGit(commands.folder, commands.options, commands.environment)
    try:
        for argument in (remote, *refspecs):
            git.Git.check_unsafe_protocols(argument)
        # With universal newlines, because a line of progress ends with a carriage return.
        started = getattr(guarded, name)("--", remote, *refspecs, as_process=True, universal_newlines=True, **options)
        return cast("git.Git.AutoInterrupt", started)
    except git.UnsafeProtocolError as error:
        raise inconclusive("git-failed", f"`git {name}` failed", why=str(error)) from error
    except (git.GitCommandNotFound, OSError) as error:
        raise process.cannot_start(["git"], commands.folder, _cause(error)) from error


class _Messages(git.RemoteProgress):
    """Reads the stderr of a transfer: hands progress on, and keeps all other lines."""

    def __init__(self, on_progress: OnProgress | None) -> None:
        super().__init__()
        self.lines: list[str] = []
        self._on_progress = on_progress
        self._parse = self.new_message_handler()
        self._was_progress = False

    def read(self, line: str) -> None:
        """Read one line."""
        self._was_progress = _PROGRESS_ONLY.fullmatch(line) is not None
        if self._on_progress is not None:
            self._parse(line)
        if not self._was_progress:
            self.lines.append(line.rstrip("\n"))

    def update(
        self, op_code: int, cur_count: str | float, max_count: str | float | None = None, message: str = ""
    ) -> None:
        """Hand the progress of one stage on."""
        self._was_progress = True
        # The text comes from the remote, and may hold escape sequences for the terminal.
        details = "".join(character for character in message if character.isprintable())[:_MAX_DETAILS]
        stage = _STAGES.get(op_code & self.OP_MASK, "")
        done = f"{float(cur_count) / float(max_count):.0%}" if max_count else f"{float(cur_count):.0f}"
        # This runs in the thread that reads the pipe: an error here (a terminal that was closed) would stop the transfer.
        with suppress(OSError, ValueError):
            if self._on_progress is not None and stage:
                self._on_progress(f"{stage} {done}{f', {details}' if details else ''}")


def _stderr(error: git.GitCommandError) -> str:
    """Return what Git printed; GitPython puts it into quotes, behind a label."""
    match = re.fullmatch(r"\s*stderr: '(.*)'", str(error.stderr), re.DOTALL)
    return match[1] if match else str(error.stderr)


def _cause(error: git.GitCommandNotFound | OSError) -> OSError:
    """Return the error of the system with which a program could not be started."""
    cause = error if isinstance(error, OSError) else error.__cause__
    return cause if isinstance(cause, OSError) else OSError(str(error))
