"""Runs other programs, from argument lists and never through a shell."""

import os
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import IO, Final, Self

import msgspec

from mlgit.errors import MlgitError, inconclusive

TIMEOUT: Final = 600.0
"""Default limit for a program, in seconds."""

_HOW_TO_INSTALL: Final = {
    "git": "install Git 2.34 or newer from https://git-scm.com/downloads",
    "dvc": "run `pip install dvc`",
    "ssh-keygen": "install OpenSSH 8.2 or newer",
}
_LAST_LINES = 20
_BUFFER = 1 << 18  # bytes, which is more than a hundred records

WorkingFolder = str | os.PathLike[str]


class Completed(msgspec.Struct, frozen=True):
    """The result of a program: exit code, stdout and stderr."""

    code: int
    stdout: bytes
    stderr: str


def run(
    argv: Sequence[str],
    *,
    cwd: WorkingFolder | None = None,
    env: Mapping[str, str] | None = None,
    input: bytes | None = None,  # noqa: A002 - as in `subprocess.run`
    timeout: float = TIMEOUT,
    check: bool = True,
) -> Completed:
    """Run a program to its end; its stdin is empty unless `input` is given.

    Args:
        argv: program and arguments.
        cwd: folder to run in.
        env: the whole environment; that of this process if None.
        input: its standard input.
        timeout: seconds after which it is killed.
        check: whether an exit code other than 0 raises.

    Raises:
        Inconclusive: there is no such program (`tool-missing`), it took too long (`tool-timeout`), or, with `check`, it failed
            (`tool-failed`).
    """
    try:
        process = subprocess.run(
            argv, cwd=cwd, env=env, input=input or b"", capture_output=True, timeout=timeout, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise too_slow(argv, timeout) from error
    except OSError as error:
        raise cannot_start(argv, cwd, error) from error
    completed = Completed(process.returncode, process.stdout, process.stderr.decode(errors="replace"))
    if check and completed.code:
        raise failed(argv, completed.stderr or completed.stdout.decode(errors="replace"))
    return completed


def lines(
    argv: Sequence[str],
    *,
    cwd: WorkingFolder | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float | None = None,
) -> Iterator[str]:
    """Run a program and yield the lines of stdout and stderr together while it runs, without line ends.

    The program is killed when the iterator is closed.

    Raises:
        Inconclusive: as `run`, with the last lines as the reason.
    """
    process = _start(argv, cwd, env, stdin=subprocess.DEVNULL, stderr=subprocess.STDOUT)
    timed_out = threading.Event()

    def stop() -> None:
        timed_out.set()
        process.kill()

    timer = threading.Timer(timeout or 0, stop)
    if timeout:
        timer.start()
    tail: list[str] = []
    try:
        for line in _output(process):
            text = line.decode(errors="replace").rstrip("\r\n")
            tail = [*tail[1 - _LAST_LINES :], text]
            yield text
        code = process.wait()
    finally:
        timer.cancel()
        end(process)
    if timed_out.is_set():
        raise too_slow(argv, timeout or 0)
    if code:
        raise failed(argv, "\n".join(tail))


class Stream:
    """A program whose stdout is read in blocks while it runs.

    Iterate once, within `with`; leaving it early kills the program. `code` and `stderr` are known at the end of its output.
    """

    def __init__(
        self, argv: Sequence[str], *, cwd: WorkingFolder | None = None, env: Mapping[str, str] | None = None
    ) -> None:
        self._process = _start(argv, cwd, env, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self._errors: list[bytes] = []
        # In a thread: a program that fills the pipe of stderr would wait for ever if nobody read it.
        self._reader = threading.Thread(target=self._read_errors, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        end(self._process)
        self._reader.join()

    def __iter__(self) -> Iterator[bytes]:
        output = _output(self._process)
        while block := output.read(1 << 18):
            yield block

    @property
    def code(self) -> int:
        """The exit code; waits for the end of the program."""
        return self._process.wait()

    @property
    def stderr(self) -> str:
        """The text on stderr; waits for the end of the program."""
        self._reader.join()
        return b"".join(self._errors).decode(errors="replace")

    def _read_errors(self) -> None:
        with self._process.stderr or open(os.devnull, "rb") as stream:  # noqa: PTH123 - it is never None; for the type
            self._errors.append(stream.read())


def open_pipe(
    argv: Sequence[str], *, cwd: WorkingFolder | None = None, env: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Start a program that answers on stdout to requests on stdin; stop it with `end`.

    Raises:
        Inconclusive: there is no such program (`tool-missing`).
    """
    process = _start(argv, cwd, env, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
    _widen(_output(process))
    return process


def _widen(pipe: IO[bytes]) -> None:
    """Enlarge the buffer of a pipe if the system allows it, so that its two ends wait for each other less often."""
    with suppress(ImportError, AttributeError, OSError):
        import fcntl  # noqa: PLC0415 - not on every system

        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _BUFFER)


def end(process: subprocess.Popen[bytes]) -> None:
    """Kill a program if it still runs, and close its pipes."""
    if process.poll() is None:
        process.kill()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(BrokenPipeError):  # the rest of its input has no reader
                pipe.close()
    process.wait()


def failed(argv: Sequence[str], output: str) -> MlgitError:
    """Return the error for a program that failed, with the end of its output."""
    last_lines = " ".join(output.split("\n")[-_LAST_LINES:]).strip()
    return inconclusive("tool-failed", f"`{_title(argv)}` failed", why=last_lines[-2000:])


def _start(
    argv: Sequence[str], cwd: WorkingFolder | None, env: Mapping[str, str] | None, *, stdin: int, stderr: int
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            argv, cwd=cwd, env=env, stdin=stdin, stdout=subprocess.PIPE, stderr=stderr, bufsize=_BUFFER
        )
    except OSError as error:
        raise cannot_start(argv, cwd, error) from error


def _output(process: subprocess.Popen[bytes]) -> IO[bytes]:
    assert process.stdout is not None  # noqa: S101 - every program is started with a pipe there
    return process.stdout


def _title(argv: Sequence[str]) -> str:
    """Return the program and its subcommand, for messages."""
    # os.path, because pathlib takes time at the start of each command.
    names = [os.path.basename(argv[0]), *(argument for argument in argv[1:] if not argument.startswith("-"))]  # noqa: PTH119
    return " ".join(names[:2])


def cannot_start(argv: Sequence[str], cwd: WorkingFolder | None, error: OSError) -> MlgitError:
    """Return the error for a program that cannot be started."""
    if cwd is not None and not os.path.isdir(cwd):  # noqa: PTH112 - pathlib is not on the start-up path
        return inconclusive("folder-missing", f"{os.fspath(cwd)} is not a folder", why=str(error))
    tool = os.path.basename(argv[0])  # noqa: PTH119
    if not isinstance(error, FileNotFoundError | PermissionError | NotADirectoryError):
        return failed(argv, str(error))
    return inconclusive(
        "tool-missing",
        f"{tool} cannot be started",
        why=f"{error.strerror}: {argv[0]}",
        fix=_HOW_TO_INSTALL.get(tool, f"install {tool}, and check that it is on PATH"),
    )


def too_slow(argv: Sequence[str], timeout: float) -> MlgitError:
    """Return the error for a program that was killed after its time limit."""
    return inconclusive(
        "tool-timeout",
        f"`{_title(argv)}` took longer than {timeout:g} s and was stopped",
        fix="run it by hand to see what it waits for, then run this again",
    )
