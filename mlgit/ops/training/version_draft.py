"""The draft of a version: everything that is recorded of what the pipeline wrote."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from mlgit.domain import carddraft, layout
from mlgit.domain.codec import sha256, to_mapping
from mlgit.domain.metrics import Task
from mlgit.domain.names import CommitId
from mlgit.domain.records import Dataset, Model, Problem, Version
from mlgit.domain.records.problem import Label
from mlgit.domain.records.version import Artifact, Evaluation, GitBlobs, GitIdentity, Inputs, StoredFile
from mlgit.domain.rules.texts import check_secrets
from mlgit.errors import Location, MlgitError, refused
from mlgit.ops.evaluation import rescoring
from mlgit.ops.evaluation.ml_errors import translating_ml_errors
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.model_inputs import model_inputs
from mlgit.ops.kernel.ports.git import Tree, TreeEntry
from mlgit.ops.kernel.ports.model import Scored
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.training import predictions

_SCORE_TOLERANCE = 1e-6  # absolute and relative: a model that is loaded again may differ by rounding
_NO_DIGEST = "sha256:" + "0" * 64


class VersionDraft(NamedTuple):
    """A version without its number and digest, and the files beside its record."""

    version: Version
    card: bytes
    profile: bytes


def draft_version(
    workspace: Workspace,
    state: Lifecycle,
    model: Model,
    problem: Problem,
    head: CommitId,
    *,
    supersedes: int | None,
    on_step: Callable[[str], None],
) -> VersionDraft:
    """Measure what the pipeline wrote, and draft the record of a version.

    Args:
        workspace: the workspace.
        state: the state of the work tree.
        model: the model.
        problem: its problem.
        head: the commit at HEAD, which the version is trained from.
        supersedes: number of the version that this one corrects.
        on_step: called with each step before it starts.

    Raises:
        MlgitError: an output is missing or invalid, the model file is not safe, or the model does not predict what the stored
            predictions state (`predictions-mismatch`).
    """
    on_step("hashing the files and measuring the predictions")
    # Hash before reading: `upload` accepts only content that still has these hashes, so a change in between is noticed.
    artifact = _artifact(workspace, predictions.output(workspace, model.outputs.model, model.pipeline.train))
    stored_predictions = _hash_output(workspace, model, model.outputs.predictions, "predictions.parquet")
    features = None
    if model.outputs.test:
        features = _hash_output(workspace, model, model.outputs.test, "test.parquet")
    table = predictions.read(workspace, model, problem)
    metrics = predictions.metrics(table, model, problem)
    on_step("loading the model in a sandbox, to compare its predictions with the stored ones")
    scored = _check_predictions(workspace, model, problem, artifact, table)
    evaluation = Evaluation(
        predictions=stored_predictions,
        features=features,
        split=predictions.split(table, model),
        rows=len(table),
        metrics=metrics,
        slices=predictions.slices(table, problem),
        p95_ms=None if scored is None or scored.p95_ms is None else round(scored.p95_ms, 3),
        machine=None if scored is None or scored.p95_ms is None else scored.machine,
    )
    inputs = _inputs(workspace, state, model, head)
    profile = _profile(workspace, model)
    card = _card(workspace, state, problem, model, artifact, evaluation, inputs)
    author, email = workspace.repository.identity()
    version = Version(
        schema=1,
        model=model.name,
        version=1,
        digest=_NO_DIGEST,
        artifact=artifact,
        card=sha256(card),
        profile=sha256(profile),
        inputs=inputs,
        evaluation=evaluation,
        trained_by=GitIdentity(name=author, email=email),
        registered_at=workspace.clock.now().replace(microsecond=0),
        seed=_seed(inputs.params),
        supersedes=supersedes,
        blobs=_blobs(workspace.repository.tree(head), card, profile),
    )
    return VersionDraft(version, card, profile)


def is_same(version: Version, other: Version) -> bool:
    """Return whether two versions were made from the same inputs with the same results."""
    return _content(version) == _content(other)


def _content(version: Version) -> dict[str, Any]:
    """Return a version without its number, its digest, who registered it and when, and what differs between equal runs."""
    content = to_mapping(version)
    for field in ("version", "digest", "trained_by", "registered_at"):
        del content[field]
    del content["inputs"]["commit"]  # the digest of the code is compared; a commit may change something else
    for field in ("p95_ms", "machine"):
        content["evaluation"].pop(field, None)
    content.pop("blobs", None)
    return content


def _hash_output(workspace: Workspace, model: Model, path: str, name: str) -> StoredFile:
    return workspace.hash_file(predictions.output(workspace, path, model.pipeline.evaluate), name)


def _artifact(workspace: Workspace, path: Path) -> Artifact:
    stored = workspace.hash_file(path, f"model{path.suffix}")
    inspected = workspace.model_files.inspect(path, _trusted_types(workspace))
    if inspected.findings or inspected.format is None:
        raise MlgitError(*inspected.findings)
    return Artifact(**to_mapping(stored), format=inspected.format, types=inspected.types)


def _trusted_types(workspace: Workspace) -> bytes:
    return workspace.repository.work_tree().read(layout.TRUSTED_TYPES) or b""


def _check_predictions(
    workspace: Workspace, model: Model, problem: Problem, artifact: Artifact, table: Any
) -> Scored | None:
    """Let the model predict on the test features, and compare with the stored predictions.

    So the metrics of a version are those of its model file, and not of some other model that the predictions came from.

    Returns:
        The predictions and their latency; None without test features, or in a format that cannot predict by itself.
    """
    if model.outputs.test is None or artifact.format == "safetensors":
        return None
    features = predictions.output(workspace, model.outputs.test, model.pipeline.evaluate)

    def score(task: Task, positive: Label | None) -> Scored:
        return workspace.model_files.score(
            workspace.root / model.outputs.model,
            artifact.format,
            _trusted_types(workspace),
            features,
            columns=list(model.signature.inputs),
            task=task,
            positive=positive,
        )

    scored = score(problem.target.type, problem.target.positive)
    with translating_ml_errors(f"predictions of {model.name}"):
        compared = rescoring.compare(scored, table, problem, lambda name: score("binary", name))
    if compared.mismatches or compared.max_error > _SCORE_TOLERANCE:
        raise refused(
            "predictions-mismatch",
            f"{model.outputs.model} does not predict what {model.outputs.predictions} states",
            why=f"the model predicted the rows of {model.outputs.test}, in their order",
            fix="write both from the same model and the same rows in the evaluate stage, then run `mlgit train`",
            at=Location(model.outputs.predictions),
        )
    return scored


def _inputs(workspace: Workspace, state: Lifecycle, model: Model, head: CommitId) -> Inputs:
    tree = workspace.repository.tree(head)
    inputs = model_inputs(Lifecycle(tree, workspace.formats.record), workspace.formats, model).checked()
    _check_no_link(model, tree.entries([*inputs.code, *([model.lock] if model.lock else [])]))
    lock = None if model.lock is None else tree.read(model.lock)
    return Inputs(
        commit=head,
        code=inputs.code_digest(tree),
        data={name: _data(workspace, tree, state.dataset(name)) for name in inputs.datasets},
        columns=list(model.signature.inputs),
        params=inputs.values(tree, workspace.formats),
        lock=None if lock is None else sha256(lock),
    )


def _data(workspace: Workspace, tree: Tree, contract: Dataset) -> StoredFile:
    """Return the content of a dataset, which its pointer at the training commit has to name.

    Raises:
        MlgitError: the pointer names other content (`inputs-uncommitted`), or there is none (`input-untracked`).
    """
    path = f"datasets/{contract.name}/{contract.path}"
    stored = workspace.hash_file(workspace.root / path, contract.path)
    pointer = tree.read(f"{path}.dvc")
    if pointer is None and tree.read(path) is None:
        raise refused(
            "input-untracked",
            f"{path} is neither in Git nor in DVC",
            why=f"commit {(tree.commit or '')[:12]} has no {path}.dvc",
            fix=f"run `mlgit data add {path}`, and commit the pointer",
            at=Location(path),
        )
    if pointer is not None and workspace.formats.pointed(f"{path}.dvc", pointer) != stored.md5:
        raise refused(
            "inputs-uncommitted",
            f"{path} is not the data that its pointer names",
            why="the file was changed after it was added, so the commit does not say what a version was made from",
            fix=f"run `mlgit data add {path}` and commit the pointer, or `dvc checkout {path}.dvc` and `mlgit train`",
            at=Location(f"{path}.dvc"),
        )
    return stored


def _check_no_link(model: Model, entries: Iterable[TreeEntry]) -> None:
    link = next((entry.path for entry in entries if entry.mode == "120000"), None)
    if link is not None:
        raise refused(
            "path-is-link",
            f"{link} is a symbolic link, and {model.name} is made from it",
            why="Git stores the path that it points to, not the content, so the version could not be traced",
            fix="replace it with a regular file, or let no stage and no `reads` name it",
            at=Location(link),
        )


def _profile(workspace: Workspace, model: Model) -> bytes:
    from mlgit.ml import profile  # noqa: PLC0415 - pyarrow

    path = predictions.output(workspace, model.outputs.train, model.pipeline.train)
    table = workspace.tables.arrow(path)
    # What identifies a row differs between any two tables, and says nothing about drift.
    identifiers = [name for name in table.column_names if name in model.keys or profile.is_row_number(name)]
    return profile.to_json(profile.build(table.drop_columns(identifiers)))


def _card(
    workspace: Workspace,
    state: Lifecycle,
    problem: Problem,
    model: Model,
    artifact: Artifact,
    evaluation: Evaluation,
    inputs: Inputs,
) -> bytes:
    """Return the model card: computed front matter and metrics, and the prose that people wrote for the model."""
    path = layout.model_card(model.name)
    written = state.tree.read(path)
    own, prose = (
        ({}, carddraft.prose_draft(model.name)) if written is None else workspace.formats.model_card(path, written)
    )
    if findings := list(check_secrets(written or b"", path)):
        raise MlgitError(*findings)
    computed = carddraft.front_matter(problem, model, artifact, evaluation, inputs)
    tags = list(dict.fromkeys([*computed["tags"], *map(str, own.pop("tags", None) or [])]))
    front_matter = workspace.formats.front_matter({**own, **computed, "tags": tags})
    return b"---\n" + front_matter + b"---\n\n" + carddraft.body(problem, model, evaluation, prose).encode()


def _blobs(tree: Tree, card: bytes, profile: bytes) -> GitBlobs | None:
    """Return the blob ids of card and profile, by which `validate` need not read them; None if the tree has no ids."""
    blob_ids = tree.blobs([card, profile])
    return None if blob_ids is None else GitBlobs(card=blob_ids[0], profile=blob_ids[1])


def _seed(params: dict[str, Any]) -> int | None:
    """Return the parameter `seed`, at the top level or one level below."""
    for mapping in (params, *(value for value in params.values() if isinstance(value, dict))):
        if isinstance(mapping.get("seed"), int) and not isinstance(mapping["seed"], bool):
            return int(mapping["seed"])
    return None
