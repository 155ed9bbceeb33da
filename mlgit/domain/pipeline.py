"""The stages of a pipeline, and what a model is made from: the inputs of its stages and of every stage upstream."""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import msgspec


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """A stage of a `dvc.yaml`, with its variables filled in.

    Paths are relative to the root of the repository. A path outside of it begins with `../` or `/`, or is a URL. `params` are the
    files of its parameters, and `variables` the files that the text of the stage is filled in from.
    """

    name: str
    file: str
    deps: tuple[str, ...] = ()
    outs: tuple[str, ...] = ()
    params: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()

    @property
    def address(self) -> str:
        """Its name for DVC: with the path of its file, unless that is `dvc.yaml` at the root."""
        return self.name if self.file == "dvc.yaml" else f"{self.file}:{self.name}"

    @property
    def group(self) -> str:
        """The address without the part that `foreach` or `matrix` adds, which names all stages of the group."""
        return self.address.rpartition("@")[0] if "@" in self.name else self.address


class Upstream(NamedTuple):
    """Stages, and the stage that names each of their inputs first: files that no stage writes, and files of parameters."""

    stages: list[Stage]
    inputs: dict[str, Stage]
    params: dict[str, Stage]

    def definitions(self) -> list[str]:
        """Return the files that define the stages, and those that fill in their text."""
        return list(dict.fromkeys(path for stage in self.stages for path in (stage.file, *stage.variables)))


def unknown_stages(stages: Iterable[Stage], names: Iterable[str]) -> list[str]:
    """Return the names that no stage and no group of stages has."""
    existing = {name for stage in stages for name in (stage.address, stage.group)}
    return [name for name in dict.fromkeys(names) if name not in existing]


def upstream(stages: Iterable[Stage], names: Iterable[str]) -> Upstream:
    """Return the named stages and all that they need, in any order of definition.

    A stage needs each other one that writes what it reads, a folder that contains it, or a file in it.

    Args:
        stages: all stages of the repository.
        names: addresses of stages, or of groups of them.
    """
    stages, wanted = list(stages), set(names)
    writers = _Writers(stages)
    pending = [stage for stage in stages if wanted & {stage.address, stage.group}]
    needed: dict[str, Stage] = {}
    while pending:
        stage = pending.pop()
        if stage.address not in needed:
            needed[stage.address] = stage
            pending += [writer for path in (*stage.deps, *stage.params) for writer in writers.of(path)]
    found = sorted(needed.values(), key=lambda stage: stage.address)
    return Upstream(found, _first(found, "deps", writers), _first(found, "params", writers))


class _Writers:
    """The stages by what they write."""

    def __init__(self, stages: Iterable[Stage]) -> None:
        self._at: dict[str, list[Stage]] = {}
        self._below: dict[str, list[Stage]] = {}
        for stage in stages:
            for path in stage.outs:
                self._at.setdefault(path, []).append(stage)
                for folder in parents(path):
                    self._below.setdefault(folder, []).append(stage)

    def of(self, path: str) -> Iterator[Stage]:
        """Yield the stages that write a path, a folder around it, or something in it."""
        yield from self.around(path)
        yield from self._below.get(path, ())

    def around(self, path: str) -> Iterator[Stage]:
        """Yield the stages that write a path, or a folder around it."""
        for folder in (path, *parents(path)):
            yield from self._at.get(folder, ())


def _first(stages: Iterable[Stage], field: str, writers: _Writers) -> dict[str, Stage]:
    paths: dict[str, Stage] = {}
    for stage in stages:
        for path in getattr(stage, field):
            if next(writers.around(path), None) is None:
                paths.setdefault(path, stage)
    return paths


def parents(path: str) -> Iterator[str]:
    """Yield the folders around a path, the nearest first."""
    while "/" in path:
        path = path.rpartition("/")[0]
        if path:
            yield path


def is_outside(path: str) -> bool:
    """Return whether a path of a stage is not in the repository."""
    return "://" in path or path.startswith(("/", "../")) or path == ".."


def overlap(first: str, second: str) -> bool:
    """Return whether one of two paths is the other, or a folder around it."""
    return first == second or first.startswith(f"{second}/") or second.startswith(f"{first}/") or "." in {first, second}


def with_prefix(file: str, values: Mapping[str, object]) -> dict[str, object]:
    """Return parameters of a file by the names that `mlgit train --set` has for them: `other.yaml:learning_rate`."""
    return {f"{file}:{key}": value for key, value in values.items()}
