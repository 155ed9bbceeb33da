"""Code of the project's own, run apart: in a private checkout, with a bare environment, bounded in time and output.

It runs as the same user, with the network, and can read what that user can read: this holds accidents, and keeps
credentials that lie in the environment or the home out of sight; it is no reason to run what nobody reviewed.
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
_MOST_WORDS: Final = 1 << 16
_WORDS_SHOWN: Final = 300
_BLOCK: Final = 1 << 16
_LOOK: Final = 0.1  # seconds between two looks at whether a program has ended, while it says nothing


class Ended(msgspec.Struct, frozen=True):
    """How a program ended: what it said on stdout, and why it did not end well, in one line with its last words; or nothing."""

    stdout: bytes
    why: str


@contextmanager
def folders() -> Iterator[tuple[Path, Path]]:
    """Give a folder for the checkout and a home, which only this user may enter, and which are removed after.

    Raises:
        Inconclusive: they cannot be made or filled (`disk-io-failed`).
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
            fix="make room on the disk, and check who may write there",
        ) from error


def check_out(tree: Tree, folder: Path) -> None:
    """Write the files of a tree into an empty folder, but for the folders of versions.

    Git itself is not asked: what `.gitattributes` names would be run. Symbolic links and submodules are left out, for they
    lead elsewhere. A registry may hold 100,000 versions, and the one that is judged is in the evidence.
    """
    entries = {
        entry.path: entry.mode
        for entry in tree.entries()
        if entry.mode.startswith("100") and not layout.is_immutable(entry.path) and _is_plain(entry.path)
    }
    for path, content in tree.read_many(entries):
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content or b"")
        if entries[path] == "100755":
            place.chmod(0o755)


def _is_plain(path: str) -> bool:
    """Tell whether a path leads downwards only, and into no folder of Git; a tree made by hand can hold any name."""
    return not path.startswith("/") and not any(part.casefold() in {"", ".", "..", ".git"} for part in path.split("/"))


def run(
    command: Sequence[str],
    checkout: Path,
    home: Path,
    *,
    seconds: float,
    stdin: Path | None = None,
    environment: Mapping[str, str] | None = None,
    talks: bool = False,
) -> Ended:
    """Run a program to its end, and end all that it started.

    Args:
        command: program and arguments; no shell reads them.
        checkout: folder to run in.
        home: an empty folder that is its home.
        seconds: after which it is stopped.
        stdin: a file that it reads; nothing, if None.
        environment: what it finds in its environment beside PATH, LANG, HOME and TMPDIR.
        talks: whether stdout is but words for people, of which the last count if it fails; else it is an answer, of
            `MAX_OUTPUT_BYTES` bytes at the most.
    """
    with (stdin or Path(os.devnull)).open("rb") as document:
        try:
            process = subprocess.Popen(
                [*command],
                cwd=checkout,
                env=_environment(home) | dict(environment or {}),
                stdin=document,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT if talks else subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            return Ended(b"", f"{command[0]} cannot be started: {error.strerror}")
    with process:
        try:
            said, words, why = _listen(process, time.monotonic() + seconds, answers=not talks)
        finally:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
    if why or process.returncode:
        return Ended(b"", with_words(why.format(seconds=seconds) or _ended(process.returncode), words))
    return Ended(said, "")


def _listen(process: subprocess.Popen[bytes], deadline: float, *, answers: bool) -> tuple[bytes, bytes, str]:
    """Read what a program says until it has ended; return its answer, its last words, and why it has to be stopped."""
    answer, words = bytearray(), bytearray()
    late = "it was not done within {seconds:g} seconds"
    with selectors.DefaultSelector() as selector:
        for pipe in filter(None, (process.stdout, process.stderr)):
            selector.register(pipe, selectors.EVENT_READ, answer if answers and pipe is process.stdout else words)
        while selector.get_map():
            left = deadline - time.monotonic()
            if left <= 0:
                return b"", bytes(words), late
            ended = process.poll() is not None
            ready = selector.select(min(left, _LOOK))
            if ended and not ready:
                break  # something that it started holds the pipes, and says nothing
            for key, _ in ready:
                block = os.read(key.fd, _BLOCK)
                key.data.extend(block)
                if not block:
                    selector.unregister(key.fileobj)
            if len(answer) > MAX_OUTPUT_BYTES:
                return b"", bytes(words), f"it answered more than {MAX_OUTPUT_BYTES:,} bytes"
            del words[:-_MOST_WORDS]
    try:
        process.wait(max(0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        return b"", bytes(words), late
    return bytes(answer), bytes(words), ""


def _environment(home: Path) -> dict[str, str]:
    """Return all that a program finds in its environment; `python` is the one that runs mlgit."""
    places = [os.path.dirname(sys.executable), *os.environ.get("PATH", os.defpath).split(os.pathsep)]  # noqa: PTH120 - text
    path = os.pathsep.join(place for place in places if os.path.isabs(place))  # noqa: PTH117 - text
    return {"PATH": path, "LANG": "C.UTF-8", "HOME": str(home), "TMPDIR": str(home)}


def _ended(code: int) -> str:
    if code < 0:
        return f"it was ended by signal {-code}"
    return f"it ended with code {code}"


def with_words(why: str, words: bytes) -> str:
    """Add the last words of a program to a reason, as one line."""
    text = " ".join(words.decode(errors="replace").split())[-_WORDS_SHOWN:]
    plain = "".join(character if character.isprintable() else " " for character in text)
    return f"{why}; it said: {plain}" if plain.strip() else why
