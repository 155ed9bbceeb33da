"""Rules for paths: portable names, extensions that are read, and no links or large files among the records."""

import functools
import shlex
import unicodedata
from collections.abc import Iterable, Iterator

from mlgit.domain import layout
from mlgit.domain.names import NAME_RULES, is_name
from mlgit.errors import Finding, Location, Severity

LARGEST = 5 << 20
"""The largest size of a file in the folders of records, in bytes."""
LINKS = frozenset({"120000", "160000"})
"""Git's modes of a symbolic link and a submodule."""
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
    """Check that paths are valid on every system, and that no record is a symbolic link or a submodule.

    Args:
        entries: path and Git mode of every file.
    """
    entries = list(entries)
    yield from check_clashes(path for path, _ in entries)
    is_valid = functools.cache(is_name)  # many paths have the same name
    for path, mode in entries:
        top, _, rest = path.partition("/")
        if top not in _STATE_FOLDERS and top not in {layout.PROJECT, _SETTINGS}:
            continue
        if mode in LINKS:
            yield link_finding(path, mode)
        for name in _names(top, rest):
            if is_valid(name) or name.startswith("."):
                continue
            yield Finding(
                "name-invalid",
                f"{name!r} is not a valid name",
                why=NAME_RULES,
                fix="rename it",
                at=Location(path),
            )


def _names(top: str, rest: str) -> list[str]:
    """Return the names in a path that records have: of a folder of state, and of a manifest in that of its environment."""
    first, *deeper = rest.split("/")
    names = [first, *(deeper if top == "environments" and len(deeper) == 1 and rest.endswith(".yaml") else ())]
    return [stem for name in names if top in _STATE_FOLDERS and (stem := name.removesuffix(".yaml"))]


def link_finding(path: str, mode: str) -> Finding:
    """Return the finding of a path that is a link, by its mode in `LINKS`."""
    return Finding(
        "path-is-link",
        f"{path} is a {'symbolic link' if mode == '120000' else 'submodule'}",
        why="the content of a link is elsewhere, and can change without a commit",
        fix="replace it with the file itself",
        at=Location(path),
    )


def check_unplaced(paths: Iterable[str]) -> Iterator[Finding]:
    """Warn about files that are not read because of their extension.

    Args:
        paths: paths where no record belongs.
    """
    for path in paths:
        if path.partition("/")[0] in layout.RECORD_FOLDERS and (suggested := layout.suggested_path(path)) is not None:
            yield Finding(
                "file-extension-unsupported",
                f"{path} is not read",
                why="the files of records that people write end in .yaml",
                fix=f"rename it to {suggested}",
                at=Location(path),
                severity=Severity.WARNING,
            )


def check_clashes(paths: Iterable[str]) -> Iterator[Finding]:
    """Check that no two paths are the same on a file system that ignores case or Unicode normalization."""
    folded: dict[str, str] = {}
    for path in paths:
        key = path.casefold() if path.isascii() else unicodedata.normalize("NFC", path).casefold()
        other = folded.setdefault(key, path)
        if other != path:
            yield Finding(
                "path-collision",
                f"{path} and {other} differ only in case or Unicode normalization",
                why="on many file systems they are one file",
                fix="rename one of them",
                at=Location(path),
            )


def check_sizes(files: Iterable[tuple[str, int]]) -> Iterator[Finding]:
    """Check that no file in the folders of records is so large that it must be data.

    Args:
        files: path and size in bytes of files, at least of those above `LARGEST`.
    """
    for path, size in files:
        if size > LARGEST and path.partition("/")[0] in _STATE_FOLDERS:
            yield Finding(
                "file-too-large",
                f"{path} is too large for Git",
                why=f"it has {size / 2**20:.1f} MiB, and every clone would keep it forever; the limit is {LARGEST >> 20} MiB",
                fix=f"store it with DVC: `git rm --cached --ignore-unmatch {shlex.quote(path)} && dvc add {shlex.quote(path)}`",
                at=Location(path),
            )


def check_no_pointers(paths: Iterable[str]) -> Iterator[Finding]:
    """Check that no folder of a version has a DVC pointer: `dvc pull` would download it, and `dvc status` list it."""
    for path in paths:
        if path.endswith(".dvc") and layout.is_immutable(path):
            yield Finding(
                "dvc-pointer-unexpected",
                f"{path} is a DVC pointer in the folder of a version",
                why="the record of a version names its files; DVC would take this one for something that people work on",
                fix="remove it from the commit; `mlgit download MODEL@N` fetches the files of a version",
                at=Location(path),
            )
