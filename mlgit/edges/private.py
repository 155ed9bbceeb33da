"""Runs a project's own code in a private checkout, with a minimal environment, bounded in time and output.

It runs as the same user, with network, and can read what that user can read. So this contains accidents, and keeps
credentials in the environment and the home folder away from the program, but its code still has to be reviewed.
"""

import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import msgspec

from mlgit.domain import layout
from mlgit.errors import inconclusive
from mlgit.ops.kernel.ports.git import Tree

MAX_OUTPUT_BYTES: Final = 1 << 20
_MAX_MESSAGE_BYTES: Final = 1 << 16
_MAX_SHOWN: Final = 300
_BLOCK: Final = 1 << 16
_POLL_SECONDS: Final = 0.1  # how often to check whether a program without output has exited


class Exited(msgspec.Struct, frozen=True):
    """The result of a program: its stdout, and why it failed, in one line with its last output; empty if it did not."""

    stdout: bytes
    why: str


@contextmanager
def folders() -> Iterator[tuple[Path, Path]]:
    """Yield a folder for the checkout and a home folder, which only this user may enter; both are removed afterwards.

    Raises:
        Inconclusive: they cannot be created or filled (`disk-io-failed`).
    """
    try:
        with TemporaryDirectory(prefix="mlgit-gate-", ignore_cleanup_errors=True) as name:
            folder = Path(name)
            (folder / "checkout").mkdir()
            (folder / "home").mkdir()
            yield folder / "checkout", folder / "home"
    except OSError as error:
        raise inconclusive(
            "disk-io-failed",
            "a file cannot be written",
            why=error.strerror or "",
            fix="free some space, and check permissions",
        ) from error


def check_out(tree: Tree, folder: Path) -> None:
    """Write the files of a tree into an empty folder, without the folders of versions.

    `git checkout` is not used, since it would run filters that `.gitattributes` names. Symbolic links and submodules are
    left out, because they can point outside. Versions are left out because there can be 100,000; the evaluated one is in
    the evidence.
    """
    entries = {
        entry.path: entry.mode
        for entry in tree.entries()
        if entry.mode.startswith("100") and not layout.is_immutable(entry.path) and _is_plain(entry.path)
    }
    for path, content in tree.read_many(entries):
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content or b"")
        if entries[path] == "100755":
            target.chmod(0o755)


def _is_plain(path: str) -> bool:
    """Tell whether a path stays below the folder and outside of `.git`; a crafted tree can contain any name."""
    return not path.startswith("/") and not any(part.casefold() in {"", ".", "..", ".git"} for part in path.split("/"))


def run(
    command: Sequence[str],
    checkout: Path,
    home: Path,
    *,
    seconds: float,
    stdin: Path | None = None,
    environment: Mapping[str, str] | None = None,
    stdout_is_log: bool = False,
) -> Exited:
    """Run a program to its end, then kill all processes that it started.

    Args:
        command: program and arguments; there is no shell.
        checkout: folder to run in.
        home: an empty folder, for HOME and TMPDIR.
        seconds: time after which it is killed.
        stdin: its standard input; empty if None.
        environment: environment variables besides PATH, LANG, HOME and TMPDIR.
        stdout_is_log: whether stdout is text for people, of which the end is shown if it fails; else it is an answer of at
            most `MAX_OUTPUT_BYTES`.
    """
    with (stdin or Path(os.devnull)).open("rb") as stdin_file:
        try:
            process = subprocess.Popen(
                [*command],
                cwd=checkout,
                env=_environment(home) | dict(environment or {}),
                stdin=stdin_file,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT if stdout_is_log else subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            return Exited(b"", f"{command[0]} cannot be started: {error.strerror}")
    with process:
        try:
            answer, log, why = _read_output(process, time.monotonic() + seconds, stdout_is_log=stdout_is_log)
        finally:
            # Also after a normal exit: processes that it started would run on without a limit of time.
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
    if why or process.returncode:
        return Exited(b"", with_last_output(why.format(seconds=seconds) or _exit_reason(process.returncode), log))
    return Exited(answer, "")


def _read_output(process: subprocess.Popen[bytes], deadline: float, *, stdout_is_log: bool) -> tuple[bytes, bytes, str]:
    """Read the output of a program until it exits; return its answer, the end of its log, and why it has to be killed."""
    answer, log = bytearray(), bytearray()
    too_late = "it took longer than {seconds:g} seconds"
    with selectors.DefaultSelector() as selector:
        for pipe in filter(None, (process.stdout, process.stderr)):
            is_answer = pipe is process.stdout and not stdout_is_log
            selector.register(pipe, selectors.EVENT_READ, answer if is_answer else log)
        while selector.get_map():
            left = deadline - time.monotonic()
            if left <= 0:
                return b"", bytes(log), too_late
            exited = process.poll() is not None
            ready = selector.select(min(left, _POLL_SECONDS))
            if exited and not ready:
                break  # a process that it started keeps the pipes open, without output
            for key, _ in ready:
                block = os.read(key.fd, _BLOCK)
                key.data.extend(block)
                if not block:
                    selector.unregister(key.fileobj)
            if len(answer) > MAX_OUTPUT_BYTES:
                return b"", bytes(log), f"it answered more than {MAX_OUTPUT_BYTES:,} bytes"
            del log[:-_MAX_MESSAGE_BYTES]
    try:
        process.wait(max(0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        return b"", bytes(log), too_late
    return bytes(answer), bytes(log), ""


def _environment(home: Path) -> dict[str, str]:
    """Return the whole environment of a program. `python` is the interpreter that runs mlgit; relative folders are left out."""
    folders = [os.path.dirname(sys.executable), *os.environ.get("PATH", os.defpath).split(os.pathsep)]  # noqa: PTH120 - text
    path = os.pathsep.join(folder for folder in folders if os.path.isabs(folder))  # noqa: PTH117 - text
    return {"PATH": path, "LANG": "C.UTF-8", "HOME": str(home), "TMPDIR": str(home)}


def _exit_reason(code: int) -> str:
    if code < 0:
        return f"it was killed by signal {-code}"
    return f"it exited with code {code}"


def with_last_output(why: str, output: bytes) -> str:
    """Add the end of a program's output to a reason, as one line."""
    text = " ".join(output.decode(errors="replace").split())[-_MAX_SHOWN:]
    printable = "".join(character if character.isprintable() else " " for character in text)
    return f"{why}; last output: {printable}" if printable.strip() else why
