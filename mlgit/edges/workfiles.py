"""Writes files into the work tree, each atomically and never over a symbolic link."""

import glob
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from mlgit.errors import inconclusive, refused


def write(root: Path, files: Mapping[str, bytes]) -> None:
    """Write files below a root, in the given order. A file with the same content is not touched.

    Args:
        root: the work tree.
        files: content by path from the root.

    Raises:
        MlgitError: a path has a symbolic link in it (`path-is-link`); nothing was written.
        Inconclusive: a file cannot be written (`disk-io-failed`); it was not changed, but earlier ones may have been.
    """
    for path in files:
        _check_no_link(root, path)
    for path, content in files.items():
        target = root / path
        if not (target.is_file() and target.read_bytes() == content):
            _write(target, content)
        # Of runs that were killed.
        for left_over in target.parent.glob(f".{glob.escape(target.name)}.*.partial"):
            left_over.unlink(missing_ok=True)


def _write(target: Path, content: bytes) -> None:
    partial = target.with_name(f".{target.name}.{secrets.token_hex(4)}.partial")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("xb") as file:
            file.write(content)
            file.flush()
            # Before the rename: after a power failure the file must not have its new name without its content.
            os.fsync(file.fileno())
        partial.replace(target)
    except OSError as error:
        raise inconclusive(
            "disk-io-failed",
            f"{target} cannot be written",
            why=str(error),
            fix="free some space or correct the permissions, then run it again",
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
                why="a file written through it would be outside of the project",
                fix="replace it by a real folder or file",
            )
