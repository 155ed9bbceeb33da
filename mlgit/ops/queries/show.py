"""Show a model, a version or a model card."""

from datetime import datetime
from typing import Any

import msgspec

from mlgit.domain import layout
from mlgit.domain.gates.card import CARD_SECTIONS
from mlgit.domain.names import Digest, VersionRef
from mlgit.domain.records import Version
from mlgit.domain.records.version import Artifact, SliceMetric, StoredFile
from mlgit.domain.rules.versions import check_version
from mlgit.domain.slots import SLOT_NAMES, SlotName, filled
from mlgit.errors import Exit, Finding
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.outcome import Outcome
from mlgit.ops.kernel.ports.workspace import Workspace

_SHOWN_VERSIONS = 20  # of a model, newest first
_SHOWN_SLICES = 5  # with the worst metric, worst first


class VersionLine(msgspec.Struct, frozen=True, kw_only=True):
    """A version in the list of a model. `value` is its primary metric."""

    version: str
    value: float | None
    size: int
    registered_at: datetime
    trained_by: str
    champion_of: list[str]
    challenger_of: list[str]
    shadow_of: list[str]


class ModelShown(Outcome, frozen=True, kw_only=True, tag="mlgit/model.v1"):
    """A model and its newest versions, `total` in number."""

    model: str
    problem: str
    owner: str
    risk: str
    primary_metric: str
    datasets: list[str]
    reads: list[str]
    total: int
    versions: list[VersionLine]


class VersionShown(Outcome, frozen=True, kw_only=True, tag="mlgit/version.v1"):
    """A version: what it was made from, its metrics, where it is to run, and findings about changed files."""

    version: str
    digest: Digest
    problem: str
    artifact: Artifact
    format: str
    types: list[str]
    commit: str
    code: Digest
    data: dict[str, StoredFile]
    params: dict[str, Any]
    seed: int | None
    primary_metric: str
    metrics: dict[str, float]
    rows: int
    weakest_slices: list[SliceMetric]
    small_slices: list[SliceMetric]
    p95_ms: float | None
    machine: str | None
    trained_by: str
    registered_at: datetime
    champion_of: list[str]
    challenger_of: list[str]
    shadow_of: list[str]
    card_sections: int
    card_sections_written: int
    findings: list[Finding]


class CardShown(Outcome, frozen=True, kw_only=True, tag="mlgit/card.v1"):
    """The model card of a version; there are `findings` if it is not the registered one."""

    version: str
    digest: Digest
    text: str
    findings: list[Finding]

    @property
    def exit(self) -> Exit:
        """No if it is not the registered card."""
        return Exit.NO if self.findings else Exit.YES


def card(state: Lifecycle, ref: VersionRef) -> CardShown:
    """Show the model card of a version, and compare it with the digest in the record.

    Raises:
        MlgitError: the version does not exist (`version-unknown`).
    """
    record = state.version(ref)
    path = layout.card(ref.model, ref.number)
    content = state.tree.read(path)
    findings = check_version(record, {"card.md": content})
    return CardShown(
        version=str(ref),
        digest=record.card,
        text=(content or b"").decode(errors="replace"),
        findings=[finding for finding in findings if finding.at is not None and finding.at.file == path],
    )


def model(state: Lifecycle, name: str) -> ModelShown:
    """Show a model.

    Raises:
        MlgitError: the model does not exist (`model-unknown`).
    """
    record = state.model(name)
    problem = state.problem(record.problem)
    numbers = state.numbers(name)
    environments = {slot: _environments(state, name, slot) for slot in SLOT_NAMES}
    versions = state.read(Version, [layout.version(name, number) for number in reversed(numbers[-_SHOWN_VERSIONS:])])
    return ModelShown(
        model=name,
        problem=problem.name,
        owner=problem.owner,
        risk=problem.risk,
        primary_metric=problem.metric.primary,
        datasets=record.datasets,
        reads=record.reads,
        total=len(numbers),
        versions=[
            VersionLine(
                version=f"{name}@{version.version}",
                value=version.evaluation.metrics.get(problem.metric.primary),
                size=version.artifact.size,
                registered_at=version.registered_at,
                trained_by=version.trained_by.name,
                champion_of=environments["champion"].get(version.digest, []),
                challenger_of=environments["challenger"].get(version.digest, []),
                shadow_of=environments["shadow"].get(version.digest, []),
            )
            for version in versions.values()
            if version is not None
        ],
    )


def version(workspace: Workspace, state: Lifecycle, ref: VersionRef) -> VersionShown:
    """Show a version, and compare its files in Git with the digests in the record.

    Raises:
        MlgitError: the version does not exist (`version-unknown`).
    """
    record = state.version(ref)
    problem = state.problem_of(ref.model)
    folder = layout.version_folder(ref.model, ref.number)
    contents = state.tree.read_many(f"{folder}/{name}" for name in ("card.md", "profile.json"))
    files = {path.removeprefix(f"{folder}/"): content for path, content in contents}
    _, text = workspace.formats.card(f"{folder}/card.md", files["card.md"] or b"")
    direction = 1 if problem.metric.direction == "max" else -1
    measured = [part for part in record.evaluation.slices if part.metric is not None]
    return VersionShown(
        version=str(ref),
        digest=record.digest,
        problem=problem.name,
        artifact=record.artifact,
        format=record.artifact.format,
        types=record.artifact.types,
        commit=record.inputs.commit,
        code=record.inputs.code,
        data=record.inputs.data,
        params=record.inputs.params,
        seed=record.seed,
        primary_metric=problem.metric.primary,
        metrics=record.evaluation.metrics,
        rows=record.evaluation.rows,
        weakest_slices=sorted(measured, key=lambda part: direction * (part.metric or 0.0))[:_SHOWN_SLICES],
        small_slices=[part for part in record.evaluation.slices if part.metric is None],
        p95_ms=record.evaluation.p95_ms,
        machine=record.evaluation.machine,
        trained_by=f"{record.trained_by.name} <{record.trained_by.email}>",
        registered_at=record.registered_at,
        champion_of=_environments(state, ref.model, "champion").get(record.digest, []),
        challenger_of=_environments(state, ref.model, "challenger").get(record.digest, []),
        shadow_of=_environments(state, ref.model, "shadow").get(record.digest, []),
        card_sections=len(CARD_SECTIONS),
        card_sections_written=sum(map(text.is_written, CARD_SECTIONS)),
        findings=list(check_version(record, files)),
    )


def _environments(state: Lifecycle, model: str, slot: SlotName) -> dict[str, list[str]]:
    """Return the environments that have each version of a model in a slot, by digest of the version."""
    environments: dict[str, list[str]] = {}
    for environment in state.environments():
        manifest = state.promotion(environment, model)
        assigned = None if manifest is None else filled(manifest.slots).get(slot)
        if assigned is not None:
            environments.setdefault(assigned.digest, []).append(environment)
    return environments
