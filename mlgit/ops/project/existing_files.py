"""What `init` keeps, and what it adds to, in a folder that has files already."""

from collections.abc import Callable
from typing import Final

import msgspec

from mlgit.ops.project.project_files import FileContents

PIPELINE: Final = "dvc.yaml"
"""A project that has this file has a pipeline of its own, and keeps it."""
_KEPT: Final = frozenset({"README.md", "requirements.txt", ".github/CODEOWNERS"})
_EXTENDED: Final = frozenset({".gitignore", ".gitattributes"})
_SOURCE: Final = "src/"


class FittedFiles(msgspec.Struct, frozen=True, kw_only=True):
    """The files of a new project, fitted to a folder.

    Attributes:
        files: the files to write, by path.
        kept: files of the folder that take the place of the project's, sorted.
        extended: files of the folder to which lines are added, sorted.
    """

    files: FileContents
    kept: list[str]
    extended: list[str]


def fit(files: FileContents, existing: Callable[[str], bytes | None]) -> FittedFiles:
    """Fit the files of a new project to those that a folder has.

    A README, pinned packages and code owners are kept. A pipeline (`dvc.yaml`) is kept as a whole, with its parameters and its
    code. Lists of ignored files and of attributes get the lines that they lack, at their end, where they take precedence.

    Args:
        files: the files of the project by path.
        existing: reads a file of the folder; None where there is none.
    """
    others = {path: content for path in files if (content := existing(path)) not in {None, files[path]}}
    own_pipeline = PIPELINE in others
    fitted: dict[str, bytes] = {}
    extended = []
    for path, content in files.items():
        if path in _EXTENDED and path in others:
            fitted[path] = _with_lines(others[path] or b"", content)
            extended += [path] if fitted[path] != others[path] else []
        elif not (path in _KEPT and path in others) and not (own_pipeline and _is_of_pipeline(path)):
            fitted[path] = content
    kept = [path for path in others if path not in fitted]
    return FittedFiles(files=fitted, kept=sorted(kept), extended=sorted(extended))


def _is_of_pipeline(path: str) -> bool:
    return path in {PIPELINE, "params.yaml"} or path.startswith(_SOURCE)


def _with_lines(existing: bytes, wanted: bytes) -> bytes:
    """Return a text with the lines of another that it lacks at its end; comments come along only if a line does."""
    have = set(existing.splitlines())
    missing = [line for line in wanted.splitlines() if line.strip() and line not in have]
    if not any(not line.startswith(b"#") for line in missing):
        return existing
    return b"\n".join([existing.rstrip(b"\n"), b"", *missing, b""]).lstrip(b"\n")
