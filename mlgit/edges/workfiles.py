"""Files written into the work tree: each whole or not at all, never over a symbolic link."""

import glob
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from mlgit.errors import inconclusive, refused


def write(root: Path, files: Mapping[str, bytes]) -> None:
    """Write files below a root, in the order given. One that is there with the same content is left alone.

    Args:
        root: the work tree.
        files: content by path from the root.

    Raises:
        MlgitError: a folder on the way is a symbolic link (`path-is-link`); nothing was written.
        Inconclusive: the disk refused (`disk-io-failed`); the file at hand was not changed.
    """
    for path in files:
        _check_no_link(root, path)
    for path, content in files.items():
        target = root / path
        if not (target.is_file() and target.read_bytes() == content):
            _write(target, content)
        for left_over in target.parent.glob(f".{glob.escape(target.name)}.*.partial"):  # by a run that was killed
            left_over.unlink(missing_ok=True)


def _write(target: Path, content: bytes) -> None:
    partial = target.with_name(f".{target.name}.{secrets.token_hex(4)}.partial")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(target)
    except OSError as error:
        raise inconclusive(
            "disk-io-failed",
            f"{target} cannot be written",
            why=str(error),
            fix="make room or mend the rights, then run it again",
        ) from error
    finally:
        partial.unlink(missing_ok=True)


def _check_no_link(root: Path, path: str) -> None:
    current = root
    for part in Path(path).parts:
        current /= part
        if current.is_symlink():
            raise refused(
                "path-is-link",
                f"{current.relative_to(root)} is a symbolic link",
                why="what is written through it would land elsewhere",
                fix="put a real folder or file there",
            )
