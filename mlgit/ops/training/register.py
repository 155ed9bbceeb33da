"""Register what the pipeline wrote as an immutable version."""

import re
import shlex
from collections.abc import Callable, Sequence
from typing import Literal

import msgspec

from mlgit.domain import layout
from mlgit.domain.cards import CardText
from mlgit.domain.codec import to_json, version_digest
from mlgit.domain.gates.card import CARD_SECTIONS
from mlgit.domain.names import CommitId, Digest, VersionRef
from mlgit.domain.pipeline import overlap
from mlgit.domain.records import Model, Version
from mlgit.domain.rules.versions import stored_files
from mlgit.errors import Finding, Location, MlgitError, Severity, refused
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.model_inputs import ModelInputs, model_inputs
from mlgit.ops.kernel.outcome import Outcome
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.kernel.signing import commit_signing
from mlgit.ops.kernel.snapshot import require_commit
from mlgit.ops.training.version_draft import VersionDraft, draft_version, is_same

_BYPRODUCT = re.compile(r"(^|/)(__pycache__|\.ipynb_checkpoints)/|\.py[co]$|(^|/)\.DS_Store$")
"""Files that programs leave in folders of code, and that no stage reads."""
_LISTED_FILES = 6  # in a message
_LISTED_REASONS = 4


class Registered(Outcome, frozen=True, kw_only=True, tag="mlgit/register.v1"):
    """The registered version, its metrics, and findings about its model card."""

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
    """Register what the pipeline of a model wrote as its next version, in one commit on the current branch.

    Content is pushed to the DVC remote first and the record is committed afterwards, so a record never names missing content.

    Args:
        workspace: the workspace.
        name: the model; None for the only one.
        supersedes: number of the version that this one corrects.
        dry_run: whether to change nothing.
        on_step: called with each step before it starts.

    Raises:
        MlgitError: an input of the model is neither in Git nor a dataset (`input-untracked`, `input-without-contract`,
            `input-outside`), or has uncommitted changes (`inputs-uncommitted`), the pipeline is out of date
            (`pipeline-stale`), the version to supersede does not exist (`version-unknown`), an output is missing or invalid,
            the model file is not safe, or the model does not predict what the stored predictions state
            (`predictions-mismatch`).
    """
    repository = workspace.repository
    state = Lifecycle(repository.work_tree(), workspace.formats.record)
    model = state.model(state.resolve_model(name))
    problem = state.problem(model.problem)
    head = require_commit(workspace)
    if supersedes is not None:
        Lifecycle(repository.tree(head), workspace.formats.record).version(VersionRef(model.name, supersedes))
    inputs = model_inputs(state, workspace.formats, model).checked()
    _check_committed(workspace, model, inputs)
    _check_ignored(workspace, inputs)
    _check_up_to_date(workspace, model)
    draft = draft_version(workspace, state, model, problem, head, supersedes=supersedes, on_step=on_step)
    version = _numbered(workspace, state, head, draft.version)
    is_committed = repository.tree(head).read(layout.version(model.name, version.version)) is not None
    commit = None
    if not dry_run and not is_committed:
        on_step(f"uploading to DVC remote {state.project().remote}")
        _upload(workspace, state, model, version)
        commit = _commit(workspace, head, draft._replace(version=version), problem.metric.primary)
    environments = state.environments()
    return Registered(
        version=f"{model.name}@{version.version}",
        digest=version.digest,
        state="there-already" if is_committed else "planned" if dry_run else "registered",
        commit=commit,
        folder=layout.version_folder(model.name, version.version),
        format=version.artifact.format,
        types=version.artifact.types,
        size=version.artifact.size,
        primary_metric=problem.metric.primary,
        metrics=draft.version.evaluation.metrics,
        p95_ms=draft.version.evaluation.p95_ms,
        next_environment=environments[0] if environments else None,
        findings=_card_findings(state, model),
    )


def uncommitted(workspace: Workspace, model: Model, inputs: ModelInputs) -> list[str]:
    """Return the input files of a model in the work tree that differ from HEAD."""
    described = [layout.model(model.name), *map(layout.dataset, inputs.datasets)]
    data = [path for file in inputs.data for path in (file, f"{file}.dvc")]
    return workspace.repository.dirty([*inputs.code, *described, *data, *([model.lock] if model.lock else [])])


def _check_committed(workspace: Workspace, model: Model, inputs: ModelInputs) -> None:
    dirty = uncommitted(workspace, model, inputs)
    if dirty:
        raise refused(
            "inputs-uncommitted",
            f"inputs of {model.name} have uncommitted changes",
            why=", ".join(dirty[:_LISTED_FILES]) + (" and more" if len(dirty) > _LISTED_FILES else ""),
            fix=f"commit them, so that the version can be traced: `{_commit_command(dirty)}`",
            at=Location(dirty[0]),
        )


def _commit_command(paths: Sequence[str]) -> str:
    """Return the command that commits files; many files are named by the folders at the root that have them."""
    named = paths if len(paths) <= _LISTED_FILES else sorted({path.partition("/")[0] for path in paths})
    return f"git add -- {shlex.join(named)} && git commit -m 'Describe the change'"


def _check_ignored(workspace: Workspace, inputs: ModelInputs) -> None:
    """Refuse files in a folder that a stage reads which Git ignores: DVC reads them, and no commit has them."""
    known = [*inputs.data, *inputs.outs]
    ignored = [
        path
        for path in workspace.repository.ignored(inputs.inputs)
        if not _BYPRODUCT.search(path) and not any(overlap(path, other) for other in known)
    ]
    if ignored:
        raise refused(
            "input-untracked",
            f"{ignored[0]} is in a folder that a stage reads, and Git ignores it",
            why=f"{len(ignored)} such files; a version could not be traced to them" if ignored[1:] else "",
            fix="commit it, or name the files that the stage reads instead of the folder",
            at=Location(ignored[0]),
        )


def _check_up_to_date(workspace: Workspace, model: Model) -> None:
    changes = workspace.pipeline.out_of_date([model.pipeline.train, model.pipeline.evaluate])
    if changes:
        raise refused(
            "pipeline-stale",
            f"the outputs of the pipeline of {model.name} are older than its code or data",
            why="; ".join(changes[:_LISTED_REASONS]),
            fix=f"run `mlgit train {model.name}`",
        )


def _numbered(workspace: Workspace, state: Lifecycle, head: CommitId, draft: Version) -> Version:
    """Return a draft with its number and digest, or the same version that is registered already.

    Only committed versions count. A newer version in the work tree was written by a run that was interrupted before its
    commit: it is reused if it is the same, otherwise replaced.
    """
    committed = Lifecycle(workspace.repository.tree(head), workspace.formats.record)
    last = max(committed.numbers(draft.model), default=0)
    draft = msgspec.structs.replace(draft, version=last + 1)
    existing = [state.find_version(draft.model, number) for number in (last, last + 1)]
    same = next((version for version in existing if version is not None and is_same(version, draft)), None)
    return same or msgspec.structs.replace(draft, digest=version_digest(draft))


def _upload(workspace: Workspace, state: Lifecycle, model: Model, version: Version) -> None:
    root = workspace.root
    data = [(root / "datasets" / name / stored.path, stored) for name, stored in version.inputs.data.items()]
    paths = (model.outputs.model, model.outputs.predictions, model.outputs.test)
    outputs = [(root / path, stored) for path, stored in zip(paths, stored_files(version), strict=False) if path]
    workspace.versions(state.project().remote).upload(outputs, data)


def _commit(workspace: Workspace, head: CommitId, draft: VersionDraft, metric: str) -> CommitId:
    """Write the files of a version and commit them, together with the lock file of the pipeline."""
    repository, version = workspace.repository, draft.version
    files = _files(draft)
    lock_file = workspace.pipeline.lock_file
    committed_files = files | {lock_file: (workspace.root / lock_file).read_bytes()}
    ref = VersionRef(version.model, version.version)
    message = f"Register {ref}\n\n{metric} {version.evaluation.metrics[metric]:.4f}\n"
    sign = commit_signing(workspace, Lifecycle(repository.tree(head), workspace.formats.record))
    commit = repository.commit(committed_files, parents=[head], message=message, sign=sign)
    # HEAD moves last: if this is interrupted before, the version is only an uncommitted file, and the next run reuses it.
    repository.stage(list(committed_files), at=commit)
    try:
        workspace.write_files(files)
        repository.move("HEAD", commit, expected=head, reason=f"mlgit register {ref}")
    except MlgitError:
        repository.stage(list(committed_files), at=head)
        raise
    return commit


def _files(draft: VersionDraft) -> dict[str, bytes]:
    """Return the files of a version in the order in which they are written: the record last, so it is never without the rest."""
    version = draft.version
    folder = layout.version_folder(version.model, version.version)
    return {
        f"{folder}/card.md": draft.card,
        f"{folder}/profile.json": draft.profile,
        f"{folder}/version.json": to_json(version),
    }


def _card_findings(state: Lifecycle, model: Model) -> list[Finding]:
    text = CardText.parse((state.tree.read(layout.model_card(model.name)) or b"").decode("utf-8", "replace"))
    empty = [heading for heading in CARD_SECTIONS if not text.is_written(heading)]
    if not empty:
        return []
    return [
        Finding(
            "card-incomplete",
            f"{len(empty)} sections of the model card are empty: {', '.join(empty)}",
            why="production usually requires them, and the card of a registered version cannot be changed",
            fix=f"write them in {layout.model_card(model.name)} and commit; the next version has them",
            severity=Severity.WARNING,
        )
    ]
