"""The whole project at one glance, in a fixed number of looks into Git, whatever the number of versions."""

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
from mlgit.ops.queries.status_outcome import Candidate, DeployedState, EnvironmentRow, OpenPromotion, Status
from mlgit.ops.review.proposals import OpenProposals, Proposal
from mlgit.ops.review.verification import PromotionVerifier


def run(workspace: Workspace, *, at: str | None = None) -> Status:
    """Look at the base branch, or at a commit, beside what the ledger has seen."""
    then = take_snapshot(workspace, at)
    reader = CachedRecordReader(workspace)
    state, ledger = Lifecycle(then.state.tree, reader), Ledger(then.ledger.tree, reader)
    models = state.models()
    manifests = state.promotions()
    last = ledger.last_deployments(manifests)
    begun = ledger.first_applied(entry.promotion for entry in last.values())
    rows = [
        replace(
            _row(key, manifest, last.get(key), begun),
            approval_age=_approval_age(state, manifest, then.at),
        )
        for key, manifest in manifests.items()
    ]
    waiting = [] if at is not None else _open(workspace, then)
    candidates = _candidates(state, models, manifests)
    found = Status(
        project=state.project().name,
        branch=then.name,
        commit=then.commit,
        rows=rows,
        open=waiting,
        candidates=candidates,
        models=len(models),
        next=None if at is not None else _next(rows, waiting, _unheld(state, candidates), models),
    )
    reader.save()
    return found


def _row(
    key: tuple[str, str], manifest: Promotion, last: Deployment | None, begun: Mapping[PromotionId, datetime]
) -> EnvironmentRow:
    environment, model = key
    champion = manifest.slots.champion
    ours = last is not None and last.promotion == manifest.promotion
    deployed: DeployedState = "no"
    if last is not None and ours:
        deployed = {"verified": "yes", "blocked": "blocked", "degraded": "degraded"}[last.status]  # type: ignore[assignment]
    return EnvironmentRow(
        model=model,
        environment=environment,
        champion=None if champion is None else f"{model}@{champion.version}",
        since=begun.get(last.promotion, last.at) if last is not None and deployed == "yes" else None,
        deployed=deployed,
        message=last.message if last is not None and ours else None,
        beside=slots.placed(manifest),
    )


def _approval_age(state: Lifecycle, manifest: Promotion, at: datetime) -> ApprovalAge | None:
    """Return how old the approvals of what runs may grow; None where the policy does not say, or cannot be read."""
    try:
        return approval_age(state.policy(state.environment(manifest.environment).policy), manifest, at)
    except MlgitError:
        return None


def _open(workspace: Workspace, snapshot: Snapshot) -> list[OpenPromotion]:
    found = []
    verifier = PromotionVerifier(workspace, snapshot.ledger, snapshot.at)
    for one in OpenProposals(workspace, snapshot.state).load_all():
        gates, approvals, ready = _standing(verifier, one)
        found.append(
            OpenPromotion(
                environment=one.environment,
                candidate=_subject(one),
                promotion=one.manifest.promotion,
                gates=gates,
                approvals=approvals,
                ready=ready,
            )
        )
    return found


def _subject(one: Proposal) -> str:
    """Return the version that a proposal is about; its model alone where that cannot be read."""
    try:
        return one.subject
    except MlgitError:
        return one.model


def _standing(verifier: PromotionVerifier, one: Proposal) -> tuple[str, str, bool]:
    """Return how gates and approvals of a proposal stand, and whether it could be merged.

    What cannot be judged, because somebody wrote what is no record, stops that one proposal and not the whole answer.
    """
    try:
        verification = verifier.verify(one)
        results = one.report.results if one.report else []
    except MlgitError as error:
        return error.findings[0].message, "cannot be counted", False
    passed = sum(verdict.outcome in {"pass", "skip", "waived"} for verdict in results)
    judged = "ran there before" if one.manifest.change == "rollback" else f"{passed} of {len(results)}"
    if one.version is None:
        judged = "nothing comes in"
    standing = [*verification.problems, *verification.waits]
    gates = standing[0].message if standing else judged
    missing = "; ".join(verification.approvals.missing)
    counted = f"{len(verification.approvals.counted)} of {verification.approvals.needed}"
    return gates, f"lacks {missing}" if missing else counted, verification.holds


def _candidates(state: Lifecycle, models: list[str], manifests: dict[tuple[str, str], Promotion]) -> list[Candidate]:
    """Return, for each model, its newest version with the first environment that does not run it, if there is one."""
    environments = state.environments()
    numbers = state.numbers_of(models)
    wanted: dict[str, tuple[int, str, int | None]] = {}
    for model, labels in numbers.items():
        for environment in environments if labels else ():
            manifest = manifests.get((environment, model))
            champion = manifest.slots.champion.version if manifest and manifest.slots.champion else None
            if champion is None or champion < labels[-1]:
                wanted[model] = (labels[-1], environment, champion)
                break
    paths = {
        (model, label): layout.version(model, label)
        for model, (newest, _, champion) in wanted.items()
        for label in (newest, champion)
        if label is not None
    }
    versions = state.read(Version, paths.values())
    primary = state.primary_metrics(wanted)
    return [
        _candidate(
            model,
            environment,
            primary.get(model, ""),
            versions[paths[model, newest]],
            versions.get(paths.get((model, champion or 0), "")),
        )
        for model, (newest, environment, champion) in wanted.items()
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
    """Return by how much a metric is better; more is better, whatever its direction."""
    return after - before if METRICS[metric].direction == "max" else before - after


def _unheld(state: Lifecycle, candidates: list[Candidate]) -> list[Candidate]:
    """Return the candidates that no hold names; whether its time is over is for whoever promotes to find out."""
    held = {(hold.environment, f"{hold.model}@{hold.version}") for hold in state.holds().values()}
    return [one for one in candidates if held.isdisjoint({(one.environment, one.version), (None, one.version)})]


def _next(
    rows: list[EnvironmentRow], waiting: list[OpenPromotion], candidates: list[Candidate], models: list[str]
) -> str | None:
    if any(row.deployed == "no" and row.champion for row in rows):
        return "mlgit apply"
    for one in waiting:
        verb = "merge" if one.ready else "approve"
        return f"mlgit {verb} {one.environment}/{one.candidate.partition('@')[0]}"
    for candidate in candidates:
        if candidate.gain is None or candidate.gain > 0:
            return f"mlgit promote {candidate.version} --to {candidate.environment}"
    return "mlgit train" if models and not rows else None
