"""What the versions of a model are made from, in one tree: derived from the pipeline, and what people list in addition."""

import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from mlgit.domain import layout, pipeline
from mlgit.domain.codec import digest_of
from mlgit.domain.names import Digest
from mlgit.domain.pipeline import Stage, overlap
from mlgit.domain.records import Dataset, Model, Version
from mlgit.errors import Finding, Location, MlgitError
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.ports.formats import Formats
from mlgit.ops.kernel.ports.git import Tree

_POINTER: Final = ".dvc"
_VALUES: Final = (".yaml", ".yml", ".json", ".toml")
"""Files of parameters whose values are recorded; others, such as a Python module, are recorded as code only."""


class ModelInputs(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a version of a model is made from.

    `code` are files and folders in Git, with those of parameters and stages. `params` are the files whose values are recorded.
    `datasets` have a contract, and `data` are their files. `inputs` are all paths in the repository that stages read and no stage
    writes, and `outs` what stages write. `findings` are about inputs that neither Git nor a dataset has, so that no version could
    be traced to them.
    """

    code: list[str]
    params: list[str]
    datasets: list[str]
    data: list[str]
    inputs: list[str]
    outs: list[str]
    findings: list[Finding]

    def checked(self) -> "ModelInputs":
        """Return itself.

        Raises:
            MlgitError: an input cannot be traced (`findings`).
        """
        if self.findings:
            raise MlgitError(*self.findings)
        return self

    def code_digest(self, tree: Tree) -> Digest:
        """Return the digest of the paths and Git blobs of the code in a tree."""
        return digest_of({entry.path: f"git:{entry.blob}" for entry in tree.entries(self.code)})

    def values(self, tree: Tree, formats: Formats) -> dict[str, Any]:
        """Return the parameters in a tree: those of the first file by their own names, others as `FILE:NAME`.

        Raises:
            MlgitError: with every problem of a file.
        """
        values: dict[str, Any] = {}
        for index, file in enumerate(self.params):
            content = formats.params(file, tree.read(file) or b"")
            values |= content if index == 0 else pipeline.with_prefix(file, content)
        return values


def model_inputs(
    state: Lifecycle,
    formats: Formats,
    model: Model,
    *,
    stages: Sequence[Stage] | None = None,
    has_stages: bool = True,
) -> ModelInputs:
    """Return what the versions of a model are made from, by the pipeline of a tree and the lists in the model's file.

    Args:
        state: the state of the tree.
        formats: readers of files.
        model: the model.
        stages: all stages of the tree, if they were read before.
        has_stages: whether the tree has to have the stages of the model; if not, a missing one adds nothing.

    Raises:
        MlgitError: the pipeline cannot be read (as `Formats.stages`), or lacks a stage of the model (`stage-unknown`).
    """
    names = [model.pipeline.train, model.pipeline.evaluate]
    stages = formats.stages(state.tree) if stages is None else stages
    if has_stages and (unknown := list(check_stages(model, stages))):
        raise MlgitError(*unknown)
    return _Tracing(state, model, pipeline.upstream(stages, names)).inputs()


def contracts_of(state: Lifecycle, model: Model, version: Version | None) -> dict[str, Dataset]:
    """Return the contracts of what a model lists and a version was made from; one that was deleted since then is left out.

    Raises:
        MlgitError: a dataset that the model lists does not exist (`dataset-unknown`), or a contract cannot be read.
    """
    listed = {name: state.dataset(name) for name in model.datasets}
    others = [] if version is None else [name for name in version.inputs.data if name not in listed]
    found = state.read(Dataset, map(layout.dataset, others))
    return listed | {record.name: record for record in found.values() if record is not None}


def check_stages(model: Model, stages: Iterable[Stage]) -> Iterator[Finding]:
    """Yield a finding for each stage that a model names and no dvc.yaml has."""
    stages = list(stages)
    existing = ", ".join(sorted({stage.group for stage in stages})[:6])
    fields = {model.pipeline.train: "train", model.pipeline.evaluate: "evaluate"}
    for name in pipeline.unknown_stages(stages, fields):
        yield Finding(
            "stage-unknown",
            f"no stage is called {name}",
            why=f"dvc.yaml has the stages {existing}" if existing else "there is no dvc.yaml with stages",
            fix=f"write the stage into dvc.yaml, or name another one in {layout.model(model.name)}",
            at=Location(layout.model(model.name), path=f"pipeline.{fields[name]}"),
        )


class _Tracing:
    """Assigns each input of the stages of a model to Git or to a dataset."""

    def __init__(self, state: Lifecycle, model: Model, upstream: pipeline.Upstream) -> None:
        self._state = state
        self._model = model
        self._upstream = upstream
        self._data = {f"datasets/{name}/{contract.path}": name for name, contract in _contracts(state).items()}

    def inputs(self) -> ModelInputs:
        model, upstream = self._model, self._upstream
        code = [path.rstrip("/") for path in model.reads]
        datasets: dict[str, None] = dict.fromkeys(model.datasets)
        findings: list[Finding] = []
        outs = [path for stage in upstream.stages for path in stage.outs]
        for path, stage in upstream.inputs.items():
            if pipeline.is_outside(path):
                findings.append(_outside(path, stage))
                continue
            data = [dataset for file, dataset in self._data.items() if overlap(file, path)]
            pointed = [pointer for pointer in self._pointers(path) if pointer.removesuffix(_POINTER) not in self._data]
            datasets |= dict.fromkeys(data)
            findings += [_without_contract(pointer.removesuffix(_POINTER), stage) for pointer in pointed]
            if self._is_in_git(path):
                code.append("" if path == "." else path)
            elif not (data or pointed or any(overlap(path, out) for out in outs)):
                findings.append(_untracked(path, stage))
        params = dict.fromkeys([model.params, *upstream.params])
        for path, stage in upstream.params.items():
            if pipeline.is_outside(path):
                findings.append(_outside(path, stage))
            elif not self._is_in_git(path):
                findings.append(_untracked(path, stage))
        findings += [_nothing_listed(path, model) for path in code[: len(model.reads)] if not self._is_in_git(path)]
        return ModelInputs(
            code=sorted({*code, *params, *upstream.definitions()}),
            params=[path for path in params if path.endswith(_VALUES)],
            datasets=list(datasets),
            data=[file for file, name in self._data.items() if name in datasets],
            inputs=[path for path in {**upstream.inputs, **upstream.params} if not pipeline.is_outside(path)],
            outs=outs,
            findings=list(dict.fromkeys(findings)),
        )

    def _is_in_git(self, path: str) -> bool:
        return next(iter(self._state.tree.entries(["" if path == "." else path])), None) is not None

    def _pointers(self, path: str) -> Iterator[str]:
        """Yield the DVC pointers to a path, to a folder around it, and to what is in it."""
        around = [f"{folder}{_POINTER}" for folder in (path, *pipeline.parents(path))]
        yield from (pointer for pointer, content in self._state.tree.read_many(around) if content is not None)
        yield from (entry.path for entry in self._state.tree.entries([path]) if _is_pointer(entry.path))


def _is_pointer(path: str) -> bool:
    return path.endswith(_POINTER) and posixpath.basename(path) != _POINTER


def _contracts(state: Lifecycle) -> Mapping[str, Dataset]:
    """Return the valid contracts by name; invalid ones have findings of their own in `validate`."""
    names = [name.removesuffix("/") for name in state.tree.names("datasets") if name.endswith("/")]
    records, _ = state.read_each([layout.dataset(name) for name in names])
    return {record.name: record for record in records.values() if isinstance(record, Dataset)}


def _untracked(path: str, stage: Stage) -> Finding:
    return Finding(
        "input-untracked",
        f"{path} is neither in Git nor a dataset",
        why=f"stage {stage.address} reads it and no stage writes it, so a version could not be traced",
        fix=f"commit it, or add data with `mlgit data add {path}` and name that file in {stage.file}",
        at=Location(stage.file, path=f"stages.{stage.name}"),
    )


def _nothing_listed(path: str, model: Model) -> Finding:
    return Finding(
        "input-untracked",
        f"there is no {path} in Git",
        why="the model lists it as something that influences its versions",
        fix=f"commit it, or remove it from `reads` in {layout.model(model.name)}",
        at=Location(layout.model(model.name), path="reads"),
    )


def _without_contract(path: str, stage: Stage) -> Finding:
    return Finding(
        "input-without-contract",
        f"{path} is data without a contract",
        why=f"stage {stage.address} reads it, and DVC stores it; only a dataset has an owner, checks and a revocation",
        fix=f"add it with `mlgit data add {path}`, and name the file in datasets/ in {stage.file}",
        at=Location(stage.file, path=f"stages.{stage.name}"),
    )


def _outside(path: str, stage: Stage) -> Finding:
    return Finding(
        "input-outside",
        f"{path} is outside of the repository",
        why=f"stage {stage.address} reads it, and its content at the time of a version would not be known later",
        fix=f"add a copy with `mlgit data add FILE`, and name that file in {stage.file}",
        at=Location(stage.file, path=f"stages.{stage.name}"),
    )
