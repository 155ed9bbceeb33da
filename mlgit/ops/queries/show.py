"""A model or a version, with all that is known of it."""

from datetime import datetime
from typing import Any

import msgspec

from mlgit.domain import layout
from mlgit.domain.gates.card import CARD_SECTIONS
from mlgit.domain.names import Digest, VersionRef
from mlgit.domain.records import Version
from mlgit.domain.records.version import Artifact, SliceMetric, StoredFile
from mlgit.domain.rules.versions import check_version, stored_files
from mlgit.domain.slots import NAMES, SlotName, filled
from mlgit.errors import Exit, Finding
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.outcome import Outcome
from mlgit.ops.kernel.ports.workspace import Workspace

_FEW = 20  # versions of a model that are shown, newest first


class VersionLine(msgspec.Struct, frozen=True, kw_only=True):
    """A version in a list."""

    version: str
    value: float | None
    size: int
    registered_at: datetime
    trained_by: str
    champion_of: list[str]
    challenger_of: list[str]
    shadow_of: list[str]


class ModelShown(Outcome, frozen=True, kw_only=True, tag="mlgit/model.v1"):
    """A model and its newest versions."""

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
    """A version: identity, what it was made from, how good it is, where it runs, and whether its files are what they were."""

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
    p95_ms: float | None
    trained_by: str
    registered_at: datetime
    champion_of: list[str]
    challenger_of: list[str]
    shadow_of: list[str]
    card_sections: int
    card_sections_written: int
    findings: list[Finding]


class CardShown(Outcome, frozen=True, kw_only=True, tag="mlgit/card.v1"):
    """The card of a version, as it was written; `findings` say whether it is the one that was registered."""

    version: str
    digest: Digest
    text: str
    findings: list[Finding]

    @property
    def exit(self) -> Exit:
        """No where it is not the one that was registered."""
        return Exit.NO if self.findings else Exit.YES


def card(state: Lifecycle, ref: VersionRef) -> CardShown:
    """Show the card of a version in a state, held against the record."""
    record = state.version(ref)
    path = layout.card(ref.model, ref.number)
    content = state.tree.read(path)
    found = check_version(record, {"card.md": content}, {})
    return CardShown(
        version=str(ref),
        digest=record.card,
        text=(content or b"").decode(errors="replace"),
        findings=[finding for finding in found if finding.at is not None and finding.at.file == path],
    )


def model(state: Lifecycle, name: str) -> ModelShown:
    """Show a model in a state."""
    record = state.model(name)
    problem = state.problem(record.problem)
    numbers = state.numbers(name)
    places = {slot: _places(state, name, slot) for slot in NAMES}
    found = state.read(Version, [layout.version(name, number) for number in reversed(numbers[-_FEW:])])
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
                champion_of=places["champion"].get(version.digest, []),
                challenger_of=places["challenger"].get(version.digest, []),
                shadow_of=places["shadow"].get(version.digest, []),
            )
            for version in found.values()
            if version is not None
        ],
    )


def version(workspace: Workspace, state: Lifecycle, ref: VersionRef) -> VersionShown:
    """Show a version in a state; its files in Git are held against the record."""
    record = state.version(ref)
    problem = state.problem_of(ref.model)
    folder = layout.version_folder(ref.model, ref.number)
    pointers = {f"{one.path}.dvc": workspace.formats.pointer(one) for one in stored_files(record)}
    names = ["card.md", "profile.json", *pointers]
    files = {
        path.removeprefix(f"{folder}/"): content
        for path, content in state.tree.read_many(f"{folder}/{name}" for name in names)
    }
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
        weakest_slices=sorted(measured, key=lambda part: direction * (part.metric or 0.0))[:5],
        p95_ms=record.evaluation.p95_ms,
        trained_by=f"{record.trained_by.name} <{record.trained_by.email}>",
        registered_at=record.registered_at,
        champion_of=_places(state, ref.model, "champion").get(record.digest, []),
        challenger_of=_places(state, ref.model, "challenger").get(record.digest, []),
        shadow_of=_places(state, ref.model, "shadow").get(record.digest, []),
        card_sections=len(CARD_SECTIONS),
        card_sections_written=sum(map(text.is_written, CARD_SECTIONS)),
        findings=list(check_version(record, files, pointers)),
    )


def _places(state: Lifecycle, name: str, slot: SlotName) -> dict[str, list[str]]:
    """Return the environments in which each version of a model, by digest, is in a slot."""
    places: dict[str, list[str]] = {}
    for environment in state.environments():
        manifest = state.promotion(environment, name)
        there = None if manifest is None else filled(manifest.slots).get(slot)
        if there is not None:
            places.setdefault(there.digest, []).append(environment)
    return places
