"""Hooks: programs that Git runs at certain points, in the folder that the repository or its configuration names."""

import os
from contextlib import suppress
from pathlib import Path

from mlgit.edges.git.command import Git
from mlgit.errors import inconclusive


def find(git: Git, name: str) -> tuple[Path, bytes | None]:
    """Return the path of a hook, and its content; None if it is not installed."""
    # With `write`, because commands that only read run with `core.hooksPath=/dev/null`, and this asks for its value.
    completed = git.run("rev-parse", "--path-format=absolute", "--git-path", f"hooks/{name}", write=True)
    path = Path(os.fsdecode(completed.stdout).rstrip("\n"))
    return path, path.read_bytes() if path.is_file() else None


def put(git: Git, name: str, content: bytes) -> None:
    """Install a hook atomically, over the one that is installed.

    Raises:
        Inconclusive: there is no space or no permission (`git-write-failed`).
    """
    path, _ = find(git, name)
    partial = path.with_name(f"{path.name}.{os.urandom(8).hex()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for left_over in path.parent.glob(f"{path.name}.*.partial"):  # by a run that was killed
            left_over.unlink(missing_ok=True)
        with partial.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())  # after a loss of power, an empty hook would accept everything
        partial.chmod(0o755)
        partial.replace(path)
    except OSError as error:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise inconclusive(
            "git-write-failed",
            "Git could not write to this repository",
            why=str(error),
            fix="check free space and permissions there, then try again",
        ) from error
