"""Programs that Git runs at certain points, in the folder that the repository or its settings name."""

import os
import secrets
from contextlib import suppress
from pathlib import Path

from mlgit.edges.git.command import Git
from mlgit.errors import inconclusive


def find(git: Git, name: str) -> tuple[Path, bytes | None]:
    """Return where a hook belongs, and its content; None if there is none."""
    # As if to write: for commands that read, hooks are switched off, and so is the setting of where they are.
    words = ("rev-parse", "--path-format=absolute", "--git-path", f"hooks/{name}")
    path = Path(os.fsdecode(git.run(*words, write=True).stdout).rstrip("\n"))
    return path, path.read_bytes() if path.is_file() else None


def put(git: Git, name: str, content: bytes) -> None:
    """Install a hook, whole or not at all; one that is there is replaced.

    Raises:
        Unjudged: there is no room or no permission (`git-write-failed`).
    """
    path, _ = find(git, name)
    aside = path.with_name(f"{path.name}.{secrets.token_hex(8)}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for left_over in path.parent.glob(f"{path.name}.*.partial"):  # by a run that was killed
            left_over.unlink(missing_ok=True)
        with aside.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())  # an empty hook, after a loss of power, would let everything pass
        aside.chmod(0o755)
        aside.replace(path)
    except OSError as error:
        with suppress(OSError):
            aside.unlink(missing_ok=True)
        raise inconclusive(
            "git-write-failed",
            "Git could not write to this repository",
            why=str(error),
            fix="see to space and permissions there, then try again",
        ) from error
