"""Whether the outputs in the work tree are those that the pipeline makes from the inputs in the work tree."""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from mlgit.edges import hashing
from mlgit.edges.dvc import workspace
from mlgit.edges.dvc.declared import Declared, read_declared
from mlgit.edges.dvc.lockfile import File, Stage, lock
from mlgit.edges.formats import yamlfile
from mlgit.errors import MlgitError

_WORDS = {"changed deps": "dependency", "changed outs": "output"}


def out_of_date(root: Path, stages: Sequence[str]) -> list[str]:
    """Return why stages, or stages that they need, have to run again; nothing if their outputs belong to their inputs.

    What dvc.lock says is held against the files first, which takes little more than to hash them. Only where that does
    not prove everything up to date is DVC asked, which takes a second: it judges forms of dvc.yaml that are not read
    here, and names the reasons.

    Raises:
        Inconclusive: DVC cannot tell either, for example because dvc.yaml has no such stage (`dvc-failed`).
    """
    try:
        if _proven(root, stages):
            return []
    except (MlgitError, msgspec.ValidationError, OSError):
        pass  # DVC reads more than the strict reader does, and explains what it cannot read.
    return list(_reasons(json.loads(workspace.dvc(root, "status", "--json", "--with-deps", "--", *stages))))


def _reasons(status: Mapping[str, list[str | dict[str, Any]]]) -> Iterator[str]:
    for stage, changes in status.items():
        for change in changes:
            if isinstance(change, str):
                yield f"{stage}: {change}"
                continue
            for kind, paths in change.items():
                for path, state in paths.items():
                    if isinstance(state, str):
                        yield f"{stage}: {_WORDS.get(kind, kind)} {path} is {state}"
                    else:
                        yield from (f"{stage}: parameter {key} in {path} is {how}" for key, how in state.items())


def _proven(root: Path, stages: Sequence[str]) -> bool:
    declared = read_declared(root)
    ran = lock(root)
    needed = _with_upstream(declared, stages)
    if not all(name in declared and name in ran and _same_form(declared[name], ran[name]) for name in needed):
        return False
    if not all(_parameters_hold(root, declared[name], ran[name]) for name in needed):
        return False
    files = {file for name in needed for file in (*ran[name].deps, *ran[name].outs)}
    return all(_unchanged(root, file) for file in files)


def _with_upstream(declared: Mapping[str, Declared], stages: Sequence[str]) -> set[str]:
    """Return the stages and all that they need.

    A stage needs another that writes what it reads, or a folder around that, or a file in it.
    """
    needed: set[str] = set()
    waiting = list(stages)
    while waiting:
        name = waiting.pop()
        if name in needed:
            continue
        needed.add(name)
        reads = declared[name].reads() if name in declared else set()
        waiting += [
            other for other, stage in declared.items() if any(_overlap(a, b) for a in reads for b in stage.writes())
        ]
    return needed


def _overlap(one: str, other: str) -> bool:
    return one == other or one.startswith(f"{other}/") or other.startswith(f"{one}/")


def _same_form(declared: Declared, ran: Stage) -> bool:
    return (
        declared.cmd == ran.cmd
        and declared.reads() == {file.path for file in ran.deps}
        and declared.writes() == {file.path for file in ran.outs}
        and declared.keys().keys() == ran.params.keys()
    )


def _parameters_hold(root: Path, declared: Declared, ran: Stage) -> bool:
    for file, keys in declared.keys().items():
        recorded = ran.params[file]
        current = yamlfile.parse((root / file).read_bytes(), file).value
        if keys and recorded.keys() != keys:
            return False
        if recorded != ({key: _value(current, key) for key in keys} if keys else current):
            return False
    return True


def _value(parameters: Any, key: str) -> Any:
    """Return the value at a dotted key; an empty tuple, which equals no parameter, if there is none."""
    for part in key.split("."):
        if not isinstance(parameters, dict) or part not in parameters:
            return ()
        parameters = parameters[part]
    return parameters


def _unchanged(root: Path, file: File) -> bool:
    path = root / file.path
    if file.hash != "md5" or file.md5 is None:
        return False
    if file.md5.endswith(".dir"):
        return path.is_dir() and _folder_md5(path) == file.md5
    return path.is_file() and path.stat().st_size == file.size and hashing.hash_file(path).md5 == file.md5


def _folder_md5(folder: Path) -> str:
    """Return DVC's hash of a folder: the md5 of the JSON list of its files' hashes and paths, sorted by path."""
    paths = sorted(
        Path(parent, name).relative_to(folder).as_posix() for parent, _, names in os.walk(folder) for name in names
    )
    listing = [{"md5": hashing.hash_file(folder / path).md5, "relpath": path} for path in paths]
    return hashlib.md5(json.dumps(listing).encode(), usedforsecurity=False).hexdigest() + ".dir"
