"""Make an immutable version of what the pipeline left behind."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Literal

import msgspec

from mlgit.domain import carddraft, layout
from mlgit.domain.cards import CardText
from mlgit.domain.codec import digest_of, sha256, to_json, to_mapping, version_digest
from mlgit.domain.gates.card import CARD_SECTIONS
from mlgit.domain.names import CommitId, Digest, VersionRef
from mlgit.domain.records import Model, Problem, Version
from mlgit.domain.records.version import Artifact, Evaluation, GitBlobs, GitIdentity, Inputs
from mlgit.domain.rules.versions import stored_files
from mlgit.errors import Finding, Location, MlgitError, Severity, refused
from mlgit.ops.kernel import snapshot
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.outcome import Outcome
from mlgit.ops.kernel.ports.git import Entry, Tree
from mlgit.ops.kernel.ports.model import Scored
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.training import predictions

_SAME_SCORE = 1e-6  # a model file loaded again answers within this of what it answered when it was evaluated


class Registered(Outcome, frozen=True, kw_only=True, tag="mlgit/register.v1"):
    """The version, and what it is worth."""

    version: str
    digest: Digest
    state: Literal["registered", "there-already", "planned"]
    commit: CommitId | None
    folder: str
    format: str
    types: list[str]
    size: int
    primary_metric: str
    metrics: dict[str, float]
    p95_ms: float | None
    next_environment: str | None
    findings: list[Finding] = []


def run(
    workspace: Workspace,
    name: str | None,
    *,
    supersedes: int | None = None,
    dry_run: bool = False,
    on_step: Callable[[str], None] = lambda _: None,
) -> Registered:
    """Register what the pipeline of a model left behind as its next version, in one commit on the current branch.

    Content goes to the DVC remote first, the record after, so no record ever points at what is not there.

    Raises:
        MlgitError: what the model reads has uncommitted changes, the pipeline is out of date, the model file is not safe, or
            it does not answer as the predictions say.
    """
    repository = workspace.repository
    state = Lifecycle(repository.work_tree(), workspace.formats.record)
    model = state.model(state.resolve_model(name))
    problem = state.problem(model.problem)
    head = snapshot.require_commit(workspace)
    _check_clean(workspace, model)
    _check_current(workspace, model)
    on_step("hashing the files and measuring the predictions")
    root = workspace.root
    outputs = model.outputs
    # Hashed before they are read: only what is still the same at the end is uploaded.
    artifact = _artifact(workspace, predictions.output(workspace, outputs.model, model.pipeline.train))
    answers = workspace.hash_file(
        predictions.output(workspace, outputs.predictions, model.pipeline.evaluate), "predictions.parquet"
    )
    features = None
    if outputs.test:
        features = workspace.hash_file(
            predictions.output(workspace, outputs.test, model.pipeline.evaluate), "test.parquet"
        )
    table = predictions.read(workspace, model, problem)
    metrics = predictions.metrics(table, model, problem)
    on_step("loading the model in a guarded process, to see that it answers as its predictions say")
    scored = _score(workspace, model, problem, artifact, table)
    evaluation = Evaluation(
        predictions=answers,
        features=features,
        split=predictions.split(table, model),
        rows=len(table),
        metrics=metrics,
        slices=predictions.slices(table, problem),
        p95_ms=None if scored is None or scored.p95_ms is None else round(scored.p95_ms, 3),
    )
    inputs = _inputs(workspace, state, model, head)
    profile = _profile(workspace, model)
    card = _card(workspace, state, problem, model, artifact, evaluation, inputs)
    author, email = repository.identity()
    # A label counts once it is committed: what stands behind the last one was left by a run that did not get to its end.
    last = max(Lifecycle(repository.tree(head), workspace.formats.record).numbers(model.name), default=0)
    known = [one for number in (last, last + 1) if (one := state.find_version(model.name, number)) is not None]
    draft = Version(
        schema=1,
        model=model.name,
        version=last + 1,
        digest="sha256:" + "0" * 64,
        artifact=artifact,
        card=sha256(card),
        profile=sha256(profile),
        inputs=inputs,
        evaluation=evaluation,
        trained_by=GitIdentity(name=author, email=email),
        registered_at=workspace.clock.now().replace(microsecond=0),
        seed=_seed(inputs.params),
        supersedes=supersedes,
        blobs=_blobs(repository.tree(head), card, profile),
    )
    same = next((version for version in known if _meaning(version) == _meaning(draft)), None)
    version = same or msgspec.structs.replace(draft, digest=version_digest(draft))
    files = _files(workspace, version, card, profile)
    lock = workspace.pipeline.lock_file
    committed = same is not None and repository.tree(head).read(layout.version(model.name, version.version)) is not None
    commit = None
    if not dry_run and not committed:
        on_step(f"pushing to DVC remote {state.project().remote}")
        _upload(workspace, state, root, model, version)
        ref = VersionRef(model.name, version.version)
        message = f"Register {ref}\n\n{problem.metric.primary} {metrics[problem.metric.primary]:.4f}\n"
        changed = files | {lock: (root / lock).read_bytes()}
        commit = repository.commit(changed, parents=[head], message=message)
        # HEAD moves last: were this stopped before, the version is only a file that is not committed yet, and a second run
        # takes it over.
        repository.stage(list(changed), at=commit)
        try:
            workspace.write_files(files)
            repository.move("HEAD", commit, expected=head, reason=f"mlgit register {ref}")
        except MlgitError:
            repository.stage(list(changed), at=head)
            raise
    environments = state.environments()
    return Registered(
        version=f"{model.name}@{version.version}",
        digest=version.digest,
        state="there-already" if committed else "planned" if dry_run else "registered",
        commit=commit,
        folder=layout.version_folder(model.name, version.version),
        format=artifact.format,
        types=artifact.types,
        size=artifact.size,
        primary_metric=problem.metric.primary,
        metrics=metrics,
        p95_ms=evaluation.p95_ms,
        next_environment=environments[0] if environments else None,
        findings=_unwritten(state, model),
    )


def uncommitted(workspace: Workspace, model: Model) -> list[str]:
    """Return the files that a model is made from and that differ from HEAD."""
    contracts = map(layout.dataset, model.datasets)
    return workspace.repository.dirty([*model.reads, model.params, "dvc.yaml", layout.model(model.name), *contracts])


def _check_clean(workspace: Workspace, model: Model) -> None:
    dirty = uncommitted(workspace, model)
    if dirty:
        raise refused(
            "inputs-uncommitted",
            f"what {model.name} is made from has uncommitted changes",
            why=", ".join(dirty[:6]) + (" and more" if len(dirty) > 6 else ""),  # noqa: PLR2004 - as many as fit a line
            fix="commit them, so that the version can be traced: `git add ... && git commit`",
            at=Location(dirty[0]),
        )


def _check_current(workspace: Workspace, model: Model) -> None:
    reasons = workspace.pipeline.out_of_date([model.pipeline.train, model.pipeline.evaluate])
    if reasons:
        raise refused(
            "pipeline-stale",
            f"what the pipeline of {model.name} left behind is not of today's code and data",
            why="; ".join(reasons[:4]),
            fix=f"run `mlgit train {model.name}`",
        )


def _artifact(workspace: Workspace, path: Path) -> Artifact:
    stored = workspace.hash_file(path, f"model{path.suffix}")
    kind, types = workspace.model_files.inspect(path, _trusted(workspace))
    return Artifact(**to_mapping(stored), format=kind, types=types)


def _trusted(workspace: Workspace) -> bytes:
    return workspace.repository.work_tree().read(layout.TRUSTED_TYPES) or b""


def _score(workspace: Workspace, model: Model, problem: Problem, artifact: Artifact, table: Any) -> Scored | None:
    """Let the model file itself answer on the test features; the answers must be the stored predictions."""
    if model.outputs.test is None or artifact.format == "safetensors":
        return None
    import numpy as np  # noqa: PLC0415 - heavy

    features = predictions.output(workspace, model.outputs.test, model.pipeline.evaluate)
    scored = workspace.model_files.score(
        workspace.root / model.outputs.model,
        artifact.format,
        _trusted(workspace),
        features,
        columns=list(model.signature.inputs),
        task=problem.target.type,
        positive=problem.target.positive,
    )
    answers = scored.score if scored.score is not None else scored.prediction
    stated = table["score" if scored.score is not None else "prediction"].to_numpy()
    same = len(stated) == len(answers) and (
        np.allclose(stated, answers, rtol=_SAME_SCORE, atol=_SAME_SCORE)
        if np.issubdtype(stated.dtype, np.floating)
        else bool((stated == answers).all())
    )
    if not same:
        raise refused(
            "predictions-mismatch",
            f"{model.outputs.model} does not answer as {model.outputs.predictions} says",
            why=f"the model was asked on the {len(answers)} rows of {model.outputs.test}, in their order",
            fix="write both from the same model and the same rows in the evaluate stage, then run `mlgit train`",
            at=Location(model.outputs.predictions),
        )
    return scored


def _inputs(workspace: Workspace, state: Lifecycle, model: Model, head: CommitId) -> Inputs:
    tree = workspace.repository.tree(head)
    reads = [path.rstrip("/") for path in model.reads]
    _check_no_link(model, tree.entries([*reads, model.params, *([model.lock] if model.lock else [])]))
    read = {entry.path: f"git:{entry.blob}" for entry in tree.entries(reads)}
    lock = None if model.lock is None else tree.read(model.lock)
    data = {
        name: workspace.hash_file(workspace.root / "datasets" / name / contract.path, contract.path)
        for name in model.datasets
        for contract in [state.dataset(name)]
    }
    return Inputs(
        commit=head,
        code=digest_of(read),
        data=data,
        columns=list(model.signature.inputs),
        params=workspace.formats.params(model.params, tree.read(model.params) or b""),
        lock=None if lock is None else sha256(lock),
    )


def _check_no_link(model: Model, entries: Iterable[Entry]) -> None:
    link = next((entry.path for entry in entries if entry.mode == "120000"), None)
    if link is not None:
        raise refused(
            "path-is-link",
            f"{link} is a symbolic link, and {model.name} is made from it",
            why="the commit holds where it points to, not what is there, so the version could not be traced",
            fix=f"put the file itself there, or take it out of `reads` in {layout.model(model.name)}",
            at=Location(link),
        )


def _profile(workspace: Workspace, model: Model) -> bytes:
    from mlgit.ml import profile  # noqa: PLC0415 - pyarrow

    return profile.to_json(
        profile.build(workspace.tables.frame(predictions.output(workspace, model.outputs.train, model.pipeline.train)))
    )


def _card(
    workspace: Workspace,
    state: Lifecycle,
    problem: Problem,
    model: Model,
    artifact: Artifact,
    evaluation: Evaluation,
    inputs: Inputs,
) -> bytes:
    matter = workspace.formats.front_matter(carddraft.front_matter(problem, model, artifact, evaluation, inputs))
    written = state.tree.read(layout.model_card(model.name))
    prose = carddraft.prose_draft(model.name) if written is None else written.decode("utf-8", "replace")
    return b"---\n" + matter + b"---\n\n" + carddraft.body(problem, model, evaluation, prose).encode()


def _blobs(tree: Tree, card: bytes, profile: bytes) -> GitBlobs | None:
    blobs = tree.blobs([card, profile])
    return None if blobs is None else GitBlobs(card=blobs[0], profile=blobs[1])


def _files(workspace: Workspace, version: Version, card: bytes, profile: bytes) -> dict[str, bytes]:
    folder = layout.version_folder(version.model, version.version)
    # In the order in which they are written: a version is there once its record is, and then it is whole.
    return {
        f"{folder}/card.md": card,
        f"{folder}/profile.json": profile,
        **{f"{folder}/{one.path}.dvc": workspace.formats.pointer(one) for one in stored_files(version)},
        f"{folder}/version.json": to_json(version),
    }


def _upload(workspace: Workspace, state: Lifecycle, root: Path, model: Model, version: Version) -> None:
    data = [(root / "datasets" / name / stored.path, stored) for name, stored in version.inputs.data.items()]
    outputs = (model.outputs.model, model.outputs.predictions, model.outputs.test)
    made = [(root / path, stored) for path, stored in zip(outputs, stored_files(version), strict=False) if path]
    workspace.store(state.project().remote).upload([*made, *data])


def _meaning(version: Version) -> dict[str, Any]:
    """Return what makes two versions the same: all but label, digest, person, time, and what follows from the rest."""
    meaning = to_mapping(version)
    for field in ("version", "digest", "trained_by", "registered_at"):
        del meaning[field]
    del meaning["inputs"]["commit"]
    meaning["evaluation"].pop("p95_ms", None)
    meaning.pop("blobs", None)
    return meaning


def _seed(params: dict[str, Any]) -> int | None:
    """Return the parameter `seed`, at the top or one level down."""
    for value in (params, *(value for value in params.values() if isinstance(value, dict))):
        if isinstance(value.get("seed"), int) and not isinstance(value["seed"], bool):
            return int(value["seed"])
    return None


def _unwritten(state: Lifecycle, model: Model) -> list[Finding]:
    text = CardText.parse((state.tree.read(layout.model_card(model.name)) or b"").decode("utf-8", "replace"))
    empty = [heading for heading in CARD_SECTIONS if not text.is_written(heading)]
    if not empty:
        return []
    return [
        Finding(
            "card-incomplete",
            f"{len(empty)} sections of the card are still to be written: {', '.join(empty)}",
            why="production usually demands them, and the card of a version cannot be changed later",
            fix=f"write them in {layout.model_card(model.name)} and commit; the next version takes them over",
            severity=Severity.WARNING,
        )
    ]
