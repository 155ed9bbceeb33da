"""Compute the status of a project, in a fixed number of reads from Git, however many versions there are."""

from collections.abc import Mapping
from datetime import datetime

from msgspec.structs import replace

from mlgit.domain import layout, slots
from mlgit.domain.approval_age import ApprovalAge
from mlgit.domain.merge_rules.recertify import approval_age
from mlgit.domain.metrics import METRICS
from mlgit.domain.names import PromotionId
from mlgit.domain.records import Deployment, Promotion, Version
from mlgit.errors import MlgitError
from mlgit.ops.kernel.ledger import Ledger
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.kernel.record_cache import CachedRecordReader
from mlgit.ops.kernel.snapshot import Snapshot, take_snapshot
from mlgit.ops.queries.status_outcome import PROPOSALS, Candidate, DeployedState, EnvironmentRow, OpenPromotion, Status


def run(workspace: Workspace, *, at: str | None = None) -> Status:
    """Return the status of the base branch, or of a commit, with the deployments in the ledger."""
    snapshot = take_snapshot(workspace, at)
    reader = CachedRecordReader(workspace)
    state, ledger = Lifecycle(snapshot.state.tree, reader), Ledger(snapshot.ledger.tree, reader)
    models = state.models()
    manifests = state.promotions()
    last = ledger.last_deployments(manifests)
    first_applied = ledger.first_applied(entry.promotion for entry in last.values())
    rows = [
        replace(
            _row(key, manifest, last.get(key), first_applied),
            approval_age=_approval_age(state, manifest, snapshot.at),
        )
        for key, manifest in manifests.items()
    ]
    open_promotions = [] if at is not None else _open_promotions(workspace, snapshot)
    candidates = _candidates(state, models, manifests)
    status = Status(
        project=state.project().name,
        branch=snapshot.name,
        commit=snapshot.commit,
        rows=rows,
        open=open_promotions,
        candidates=candidates,
        models=len(models),
        next=None if at is not None else _next_step(rows, open_promotions, _without_hold(state, candidates), models),
    )
    reader.save()
    return status


def _row(
    key: tuple[str, str], manifest: Promotion, last: Deployment | None, first_applied: Mapping[PromotionId, datetime]
) -> EnvironmentRow:
    environment, model = key
    champion = manifest.slots.champion
    # An entry about another promotion, or another version under its id, says nothing of this one.
    is_current = (
        last is not None
        and last.promotion == manifest.promotion
        and (last.status != "verified" or champion is None or last.digest == champion.digest)
    )
    deployed: DeployedState = "no"
    if last is not None and is_current:
        deployed = {"verified": "yes", "blocked": "blocked", "degraded": "degraded"}[last.status]  # type: ignore[assignment]
    return EnvironmentRow(
        model=model,
        environment=environment,
        champion=None if champion is None else f"{model}@{champion.version}",
        since=first_applied.get(last.promotion, last.at) if last is not None and deployed == "yes" else None,
        deployed=deployed,
        message=last.message if last is not None and is_current else None,
        beside=slots.versions_beside(manifest),
    )


def _approval_age(state: Lifecycle, manifest: Promotion, at: datetime) -> ApprovalAge | None:
    """Return when a champion has to be re-approved; None if the policy sets no limit or cannot be read."""
    try:
        return approval_age(state.policy(state.environment(manifest.environment).policy), manifest, at)
    except MlgitError:
        return None


def _open_promotions(workspace: Workspace, snapshot: Snapshot) -> list[OpenPromotion]:
    if PROPOSALS not in workspace.repository.state():
        return []
    from mlgit.ops.queries import open_promotions  # noqa: PLC0415 - imports every rule and gate

    return open_promotions.load_all(workspace, snapshot)


def _candidates(state: Lifecycle, models: list[str], manifests: dict[tuple[str, str], Promotion]) -> list[Candidate]:
    """Return the newest version of each model that is not the champion of every environment, with the first of those."""
    environments = state.environments()
    numbers = state.numbers_of(models)
    candidates: dict[str, tuple[int, str, int | None]] = {}
    """Newest version, environment and its champion, by model."""
    for model, registered in numbers.items():
        for environment in environments if registered else ():
            manifest = manifests.get((environment, model))
            champion = manifest.slots.champion.version if manifest and manifest.slots.champion else None
            if champion is None or champion < registered[-1]:
                candidates[model] = (registered[-1], environment, champion)
                break
    paths = {
        (model, number): layout.version(model, number)
        for model, (newest, _, champion) in candidates.items()
        for number in (newest, champion)
        if number is not None
    }
    versions = state.read(Version, paths.values())
    primary = state.primary_metrics(candidates)
    return [
        _candidate(
            model,
            environment,
            primary.get(model, ""),
            versions[paths[model, newest]],
            versions.get(paths.get((model, champion or 0), "")),
        )
        for model, (newest, environment, champion) in candidates.items()
    ]


def _candidate(
    model: str, environment: str, metric: str, version: Version | None, champion: Version | None
) -> Candidate:
    value = version.evaluation.metrics.get(metric) if version else None
    before = champion.evaluation.metrics.get(metric) if champion else None
    return Candidate(
        version=f"{model}@{version.version if version else '?'}",
        metric=metric,
        value=value,
        champion=f"{model}@{champion.version}" if champion else None,
        gain=None if value is None or before is None else _gain(metric, before, value),
        environment=environment,
    )


def _gain(metric: str, before: float, after: float) -> float:
    """Return by how much a metric is better; positive is better, whatever its direction."""
    return after - before if METRICS[metric].direction == "max" else before - after


def _without_hold(state: Lifecycle, candidates: list[Candidate]) -> list[Candidate]:
    """Return the candidates that no hold names. Expired holds count as well: a status does not depend on the time."""
    held = {(hold.environment, f"{hold.model}@{hold.version}") for hold in state.holds().values()}
    return [
        candidate
        for candidate in candidates
        if held.isdisjoint({(candidate.environment, candidate.version), (None, candidate.version)})
    ]


def _next_step(
    rows: list[EnvironmentRow], promotions: list[OpenPromotion], candidates: list[Candidate], models: list[str]
) -> str | None:
    """Return the command to suggest."""
    if any(row.deployed == "no" and row.champion for row in rows):
        return "mlgit apply"
    for promotion in promotions:
        if promotion.next is not None:
            return promotion.next
    for candidate in candidates:
        if candidate.gain is None or candidate.gain > 0:
            return f"mlgit promote {candidate.version} --to {candidate.environment}"
    return "mlgit train" if models and not rows else None
