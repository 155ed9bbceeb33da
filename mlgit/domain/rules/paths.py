"""Paths are names that every system can hold, in places that are read, of files that are no data."""

import functools
import shlex
import unicodedata
from collections.abc import Iterable, Iterator

from mlgit.domain import layout
from mlgit.domain.names import NAME_RULES, is_name
from mlgit.errors import Finding, Location, Severity

LARGEST = 5 << 20
"""Bytes that a file beside the records may have."""
LINKS = frozenset({"120000", "160000"})
"""Modes in Git of a symbolic link and of a submodule."""
_SETTINGS = layout.ROLES.partition("/")[0]
_STATE_FOLDERS = frozenset(
    {
        "problems",
        "datasets",
        "models",
        "environments",
        "policies",
        "holds",
        "overrides",
        "standing-approvals",
        "retirements",
    }
)


def check_paths(entries: Iterable[tuple[str, str]]) -> Iterator[Finding]:
    """Paths are names that every system can hold, and no state file is a symbolic link or a submodule.

    Args:
        entries: path and Git mode of every file.
    """
    entries = list(entries)
    yield from check_clashes(path for path, _ in entries)
    fits = functools.cache(is_name)  # a name is in the paths of many files
    for path, mode in entries:
        top, _, rest = path.partition("/")
        if top not in _STATE_FOLDERS and top not in {layout.PROJECT, _SETTINGS}:
            continue
        if mode in LINKS:
            yield link_finding(path, mode)
        name = rest.split("/", 1)[0].removesuffix(".yaml")
        if name and top in _STATE_FOLDERS and not fits(name) and not name.startswith("."):
            yield Finding(
                "name-invalid",
                f"{name!r} does not do as a name",
                why=NAME_RULES,
                fix="rename it",
                at=Location(path),
            )


def link_finding(path: str, mode: str) -> Finding:
    """Return the finding of a path that is no file, by its mode in `LINKS`."""
    return Finding(
        "path-is-link",
        f"{path} is a {'symbolic link' if mode == '120000' else 'submodule'}",
        why="the content of a link can be anywhere, so it proves nothing",
        fix="put the file itself there",
        at=Location(path),
    )


def check_unplaced(paths: Iterable[str]) -> Iterator[Finding]:
    """Nothing that people write has an extension by which it is not read.

    Args:
        paths: paths at which no record belongs.
    """
    for path in paths:
        if path.partition("/")[0] in layout.RECORD_FOLDERS and (meant := layout.suggested_path(path)) is not None:
            yield Finding(
                "file-extension-unsupported",
                f"{path} is not read",
                why="records that people write end in .yaml",
                fix=f"rename it to {meant}",
                at=Location(path),
                severity=Severity.WARNING,
            )


def check_clashes(paths: Iterable[str]) -> Iterator[Finding]:
    """No two paths are one on a file system that takes letters or accents for the same."""
    folded: dict[str, str] = {}
    for path in paths:
        key = path.casefold() if path.isascii() else unicodedata.normalize("NFC", path).casefold()
        other = folded.setdefault(key, path)
        if other != path:
            yield Finding(
                "path-collision",
                f"{path} and {other} differ only in case, or in how an accent is written",
                why="on many file systems they are one file",
                fix="rename one of them",
                at=Location(path),
            )


def check_sizes(files: Iterable[tuple[str, int]]) -> Iterator[Finding]:
    """No file of the state is so large that it can only be data.

    Args:
        files: path and size in bytes of files, at the least of those above `LARGEST`.
    """
    for path, size in files:
        if size > LARGEST and path.partition("/")[0] in _STATE_FOLDERS:
            yield Finding(
                "file-too-large",
                f"{path} is too large for Git",
                why=f"it has {size / 2**20:.1f} MiB, and every clone would keep it for ever; {LARGEST >> 20} MiB may be",
                fix=f"let DVC keep it: `git rm --cached --ignore-unmatch {shlex.quote(path)} && dvc add {shlex.quote(path)}`",
                at=Location(path),
            )
