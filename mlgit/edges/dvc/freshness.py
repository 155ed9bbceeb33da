"""Checks that the pipeline's outputs in the work tree are up to date with its inputs."""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from mlgit.edges.dvc import workspace
from mlgit.edges.dvc.declared import Declared, read_declared
from mlgit.edges.dvc.lockfile import File, Stage, lock
from mlgit.edges.formats import yamlfile
from mlgit.edges.known_hashes import KnownHashes
from mlgit.errors import MlgitError

_LABELS = {"changed deps": "dependency", "changed outs": "output"}


def out_of_date(root: Path, stages: Sequence[str], hashes: KnownHashes) -> list[str]:
    """Return why stages, or stages that they need, have to run again; nothing if all are up to date.

    Only if it is not shown that everything is up to date, DVC is called, which takes a second: it reads forms of dvc.yaml
    that are not read here, and gives the reasons.

    Raises:
        Inconclusive: DVC failed, for example because dvc.yaml has no such stage (`dvc-failed`).
    """
    if is_up_to_date(root, stages, hashes):
        return []
    return list(_reasons(json.loads(workspace.dvc(root, "status", "--json", "--with-deps", "--", *stages))))


def is_up_to_date(root: Path, stages: Sequence[str], hashes: KnownHashes) -> bool:
    """Return whether it is certain that DVC has nothing to do for stages and those that they need.

    Their definition, parameters and files are compared with dvc.lock, and data with its pointers. DVC reads forms of dvc.yaml
    that are not read here; of these it is never certain.
    """
    try:
        return _is_up_to_date(root, stages, hashes)
    except (MlgitError, msgspec.ValidationError, OSError):
        return False  # DVC supports more than the strict reader, and explains what it cannot read
    finally:
        hashes.save()


def _reasons(status: Mapping[str, list[str | dict[str, Any]]]) -> Iterator[str]:
    for stage, changes in status.items():
        for change in changes:
            if isinstance(change, str):
                yield f"{stage}: {change}"
                continue
            for kind, paths in change.items():
                for path, state in paths.items():
                    if isinstance(state, str):  # of files; of parameters it is a state by key
                        yield f"{stage}: {_LABELS.get(kind, kind)} {path} is {state}"
                    else:
                        yield from (f"{stage}: parameter {key} in {path} is {value}" for key, value in state.items())


def _is_up_to_date(root: Path, stages: Sequence[str], hashes: KnownHashes) -> bool:
    declared = read_declared(root)
    last_runs = lock(root)
    needed = _with_upstream(declared, stages)
    if not all(
        name in declared and name in last_runs and _same_form(declared[name], last_runs[name]) for name in needed
    ):
        return False
    if not all(_same_parameters(root, declared[name], last_runs[name]) for name in needed):
        return False
    files = {file for name in needed for file in (*last_runs[name].deps, *last_runs[name].outs)}
    return all(_unchanged(root, file, hashes) and _as_pointed_to(root, file) for file in files)


def _with_upstream(declared: Mapping[str, Declared], stages: Sequence[str]) -> set[str]:
    """Return the stages and all stages that they need.

    A stage needs another one that writes what it reads, a folder that contains it, or a file in it.
    """
    needed: set[str] = set()
    pending = list(stages)
    while pending:
        name = pending.pop()
        if name in needed:
            continue
        needed.add(name)
        reads = declared[name].reads() if name in declared else set()
        pending += [
            other for other, stage in declared.items() if any(_overlap(a, b) for a in reads for b in stage.writes())
        ]
    return needed


def _overlap(first: str, second: str) -> bool:
    return first == second or first.startswith(f"{second}/") or second.startswith(f"{first}/")


def _same_form(declared: Declared, last_run: Stage) -> bool:
    return (
        declared.cmd == last_run.cmd
        and declared.reads() == {file.path for file in last_run.deps}
        and declared.writes() == {file.path for file in last_run.outs}
        and declared.keys().keys() == last_run.params.keys()
    )


def _same_parameters(root: Path, declared: Declared, last_run: Stage) -> bool:
    for file, keys in declared.keys().items():
        recorded = last_run.params[file]
        current = yamlfile.parse((root / file).read_bytes(), file).value
        if keys and recorded.keys() != keys:
            return False
        if recorded != ({key: _value(current, key) for key in keys} if keys else current):
            return False
    return True


def _value(parameters: Any, key: str) -> Any:
    """Return the value at a dotted key; if it is missing an empty tuple, which no parameter can equal."""
    for part in key.split("."):
        if not isinstance(parameters, dict) or part not in parameters:
            return ()
        parameters = parameters[part]
    return parameters


def _unchanged(root: Path, file: File, hashes: KnownHashes) -> bool:
    path = root / file.path
    if file.hash != "md5" or file.md5 is None:
        return False
    if file.md5.endswith(".dir"):
        return path.is_dir() and _folder_md5(path, hashes) == file.md5
    return path.is_file() and path.stat().st_size == file.size and hashes.of(path).md5 == file.md5


def _as_pointed_to(root: Path, file: File) -> bool:
    """Return whether a file is what its pointer says, if it has one: a pull may have brought a newer pointer."""
    pointer = f"{file.path}.dvc"
    try:
        content = (root / pointer).read_bytes()
    except FileNotFoundError:
        return True
    (out,) = yamlfile.parse(content, pointer).value.get("outs") or [{}]
    return bool(out.get("md5") == file.md5)


def _folder_md5(folder: Path, hashes: KnownHashes) -> str:
    """Return DVC's hash of a folder: the md5 of the JSON list of its files' hashes and paths, sorted by path."""
    paths = sorted(
        Path(parent, name).relative_to(folder).as_posix() for parent, _, names in os.walk(folder) for name in names
    )
    listing = [{"md5": hashes.of(folder / path).md5, "relpath": path} for path in paths]
    return hashlib.md5(json.dumps(listing).encode(), usedforsecurity=False).hexdigest() + ".dir"
