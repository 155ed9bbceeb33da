"""Other programs: started from argument lists, never through a shell, and only here."""

import os
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import IO, Final, Self

import msgspec

from mlgit.errors import MlgitError, inconclusive

TIMEOUT: Final = 600.0
"""Seconds that a program may take unless its caller says otherwise."""

_HOW_TO_GET: Final = {
    "git": "install Git 2.34 or newer from https://git-scm.com/downloads",
    "dvc": "run `pip install dvc`",
    "ssh-keygen": "install OpenSSH 8.2 or newer",
}
_TAIL = 20
_BUFFER = 1 << 18  # bytes: a hundred records and more

Place = str | os.PathLike[str]


class Completed(msgspec.Struct, frozen=True):
    """What a program left: its exit code, its output, and what it said on stderr."""

    code: int
    stdout: bytes
    stderr: str


def run(
    argv: Sequence[str],
    *,
    cwd: Place | None = None,
    env: Mapping[str, str] | None = None,
    input: bytes | None = None,  # noqa: A002 - the word of `subprocess.run`
    timeout: float = TIMEOUT,
    check: bool = True,
) -> Completed:
    """Run a program to its end; its stdin is empty unless `input` is given.

    Args:
        argv: program and arguments.
        cwd: folder to run in.
        env: the whole environment; that of this process if None.
        input: what it reads.
        timeout: seconds after which it is stopped.
        check: whether an exit code other than 0 raises.

    Raises:
        Inconclusive: there is no such program (`tool-missing`), it took too long (`tool-timeout`), or, with `check`, it failed
            (`tool-failed`).
    """
    try:
        done = subprocess.run(
            argv, cwd=cwd, env=env, input=input or b"", capture_output=True, timeout=timeout, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise too_slow(argv, timeout) from error
    except OSError as error:
        raise cannot_start(argv, cwd, error) from error
    completed = Completed(done.returncode, done.stdout, done.stderr.decode(errors="replace"))
    if check and completed.code:
        raise failed(argv, completed.stderr or completed.stdout.decode(errors="replace"))
    return completed


def lines(
    argv: Sequence[str],
    *,
    cwd: Place | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float | None = None,
) -> Iterator[str]:
    """Run a program and yield the lines of stdout and stderr together, as they come, without line ends.

    The program is stopped when the iterator is closed.

    Raises:
        Inconclusive: as `run`, with the last lines as the reason.
    """
    process = _start(argv, cwd, env, stdin=subprocess.DEVNULL, stderr=subprocess.STDOUT)
    late = threading.Event()

    def stop() -> None:
        late.set()
        process.kill()

    watch = threading.Timer(timeout or 0, stop)
    if timeout:
        watch.start()
    tail: list[str] = []
    try:
        for line in _output(process):
            text = line.decode(errors="replace").rstrip("\r\n")
            tail = [*tail[1 - _TAIL :], text]
            yield text
        code = process.wait()
    finally:
        watch.cancel()
        end(process)
    if late.is_set():
        raise too_slow(argv, timeout or 0)
    if code:
        raise failed(argv, "\n".join(tail))


class Stream:
    """A program whose output is read in blocks while it runs; what it says on stderr is kept.

    Iterate once, within `with`; a program that is left early is stopped. `code` and `stderr` hold at the end of its output.
    """

    def __init__(self, argv: Sequence[str], *, cwd: Place | None = None, env: Mapping[str, str] | None = None) -> None:
        self._process = _start(argv, cwd, env, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self._words: list[bytes] = []
        # A program that fills the pipe of stderr while nobody reads it would wait for ever.
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        end(self._process)
        self._listener.join()

    def __iter__(self) -> Iterator[bytes]:
        output = _output(self._process)
        while block := output.read(1 << 18):
            yield block

    @property
    def code(self) -> int:
        """The exit code; waits for the end."""
        return self._process.wait()

    @property
    def stderr(self) -> str:
        """What was said on stderr; waits for the end."""
        self._listener.join()
        return b"".join(self._words).decode(errors="replace")

    def _listen(self) -> None:
        with self._process.stderr or open(os.devnull, "rb") as words:  # noqa: PTH123 - never without one; for the type
            self._words.append(words.read())


def open_pipe(
    argv: Sequence[str], *, cwd: Place | None = None, env: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Start a program that answers on stdout what is asked on stdin, for as long as it is needed; end it with `end`.

    Raises:
        Inconclusive: there is no such program (`tool-missing`).
    """
    process = _start(argv, cwd, env, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
    _widen(_output(process))
    return process


def _widen(pipe: IO[bytes]) -> None:
    """Give a pipe more room where the system lets one, so that its two ends wait for each other less often."""
    with suppress(ImportError, AttributeError, OSError):
        import fcntl  # noqa: PLC0415 - not on every system

        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _BUFFER)


def end(process: subprocess.Popen[bytes]) -> None:
    """Stop a program that was started here, if it still runs, and close its pipes."""
    if process.poll() is None:
        process.kill()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(BrokenPipeError):  # what was left to say has no reader any more
                pipe.close()
    process.wait()


def failed(argv: Sequence[str], words: str) -> MlgitError:
    """Return the error for a program that did not succeed, with what it said last."""
    said = " ".join(words.split("\n")[-_TAIL:]).strip()
    return inconclusive("tool-failed", f"`{_title(argv)}` did not succeed", why=said[-2000:])


def _start(
    argv: Sequence[str], cwd: Place | None, env: Mapping[str, str] | None, *, stdin: int, stderr: int
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
    words = [os.path.basename(argv[0]), *(word for word in argv[1:] if not word.startswith("-"))]  # noqa: PTH119 - light
    return " ".join(words[:2])


def cannot_start(argv: Sequence[str], cwd: Place | None, error: OSError) -> MlgitError:
    """Return the error for a program that the system could not start."""
    if cwd is not None and not os.path.isdir(cwd):  # noqa: PTH112 - pathlib is not on the start-up path
        return inconclusive("folder-missing", f"{os.fspath(cwd)} is not a folder", why=str(error))
    tool = os.path.basename(argv[0])  # noqa: PTH119
    if not isinstance(error, FileNotFoundError | PermissionError | NotADirectoryError):
        return failed(argv, str(error))
    return inconclusive(
        "tool-missing",
        f"{tool} cannot be started",
        why=f"{error.strerror}: {argv[0]}",
        fix=_HOW_TO_GET.get(tool, f"install {tool}, and make sure that it is on PATH"),
    )


def too_slow(argv: Sequence[str], timeout: float) -> MlgitError:
    """Return the error for a program that was stopped after a time."""
    return inconclusive(
        "tool-timeout",
        f"`{_title(argv)}` took longer than {timeout:g} s and was stopped",
        fix="run it by hand to see what it waits for, then try again",
    )
