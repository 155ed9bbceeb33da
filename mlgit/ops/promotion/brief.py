"""Write the brief of a promotion, open or merged: what a reviewer reads before they decide.

It evaluates no gate: it shows the gate report as it is, and `mlgit merge` evaluates the gates again.
"""

from datetime import datetime

from mlgit.domain import brief, slots
from mlgit.domain.approvals import People
from mlgit.domain.merge_rules import holds
from mlgit.domain.merge_rules.rollback import last_verified
from mlgit.domain.names import VersionRef, proposed_at
from mlgit.domain.promotion_context import PromotionContext
from mlgit.domain.records import Deployment, Version
from mlgit.domain.records.environment import NoTargetSpec
from mlgit.domain.records.promotion import Promotion
from mlgit.domain.slots import SlotName
from mlgit.errors import Finding
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.kernel.snapshot import commit_of, take_snapshot
from mlgit.ops.promotion import brief_changes
from mlgit.ops.promotion.brief_result import (
    Brief,
    HoldSummary,
    MergeEffect,
    MergeTiming,
    OverrideSummary,
    Readiness,
    RollbackTarget,
    SlotAfterMerge,
)
from mlgit.ops.promotion.find_promotion import FoundPromotion, find_promotion
from mlgit.ops.review import merged
from mlgit.ops.review.approvals_view import view_approvals
from mlgit.ops.review.proposals import Proposal
from mlgit.ops.review.verification import PromotionVerifier, Verification, rollback_hold


def run(workspace: Workspace, name: str | None = None, *, at: str | None = None) -> Brief:
    """Return the brief of a promotion. Changes nothing.

    Args:
        workspace: the repository.
        name: an id, or `environment/model`: the open promotion, else the last one that was merged. The only open one, if None.
        at: a commit, a branch, a tag or a date by which it had been merged. The newest promotion, if None.

    Raises:
        MlgitError: there is no such promotion (`promotion-unknown`, `promotion-ambiguous`), or a record that it depends on
            cannot be read.
        Inconclusive: the source of the approvals did not answer.
    """
    snapshot = take_snapshot(workspace, at)
    found = find_promotion(workspace, snapshot, name)
    proposal = found.proposal
    as_of = snapshot.at if found.state == "open" else merged.merge_time(workspace, proposal)
    verifier = PromotionVerifier(workspace, snapshot.ledger, as_of)
    verification = verifier.verify(proposal)
    context = verification.context
    problems = list(dict.fromkeys([*verification.problems, *verifier.check_files(proposal)]))
    readiness = _readiness(verification, problems)
    manifest, version, report, champion = proposal.manifest, context.version, proposal.report, proposal.baseline
    verdicts = report.results if report is not None else []
    metric = context.problem.metric
    both = None if version is None or champion is None else (champion, version)
    return Brief(
        promotion=manifest.promotion,
        environment=proposal.environment,
        model=proposal.model,
        change=manifest.change,
        state=found.state,
        readiness=readiness,
        as_of=as_of,
        candidate=_ref(version),
        slot=_slot(manifest, version),
        champion=_ref(champion),
        primary_metric=metric.primary,
        reason=manifest.reason,
        ticket=manifest.ticket,
        proposed_at=proposed_at(manifest.promotion),
        proposed_by=_proposers(proposal),
        problems=problems,
        test_rows=None if version is None else version.evaluation.rows,
        same_test_rows=both[0].evaluation.split == both[1].evaluation.split if both else None,
        metrics=brief.compare_metrics(verdicts, metric, version, champion) if version else [],
        slices=brief.compare_slices(verdicts, metric, version, champion) if version else [],
        policy=proposal.policy.name,
        gate_report=None if manifest.gates is None else manifest.gates.report,
        gates_judged_at=None if report is None else report.at,
        gates=verdicts,
        overrides=_overrides(context),
        changes_since_champion=brief_changes.changes_since_champion(workspace, proposal, *both)
        if both and both[0].digest != both[1].digest
        else None,
        approvals=view_approvals(
            workspace, proposal, verification.reads, verification.approvals, verification.votes, record=found.record
        ),
        timing=_timing(context, verification.waits, as_of),
        holds=_holds(context, as_of),
        effect=_effect(workspace, proposal, context),
        rollback=_rollback(context, as_of),
        decision=verification.decision,
        head=proposal.head,
        base=commit_of(proposal.before),
        next=_next(found, verification, readiness, problems),
    )


def _readiness(verification: Verification, problems: list[Finding]) -> Readiness:
    if problems:
        return "blocked"
    if verification.waits:
        return "waiting"
    return "ready" if verification.approvals.complete else "needs-approval"


def _ref(version: Version | None) -> str | None:
    return None if version is None else str(VersionRef(version.model, version.version))


def _slot(manifest: Promotion, version: Version | None) -> SlotName | None:
    filled = slots.filled(manifest.slots).items()
    return next((name for name, slot in filled if version is not None and slot.digest == version.digest), None)


def _proposers(proposal: Proposal) -> list[str]:
    people = People(proposal.before.roles())
    return list(dict.fromkeys(people.person(commit.author_email) for commit in proposal.commits))


def _overrides(context: PromotionContext) -> list[OverrideSummary]:
    return [
        OverrideSummary(
            name=name,
            waives=list(override.waives),
            incident=override.incident,
            people=list(override.people),
            approved_by=sorted(context.signatures.get(override.id, {})),
            until=override.until,
        )
        for name, override in sorted(context.overrides_of_version().items())
    ]


def _timing(context: PromotionContext, waits: list[Finding], at: datetime) -> MergeTiming:
    soak = context.environment.soak if context.manifest.change == "promote" else None
    return MergeTiming(
        waiting_for=waits,
        mergeable_from=brief.earliest_merge(context, at),
        windows=context.environment.windows,
        soak_environment=None if soak is None else soak.in_,
        soak_duration=None if soak is None else soak.for_,
        soak_complete_at=None if soak is None else brief.soak_complete_at(context, at),
    )


def _holds(context: PromotionContext, at: datetime) -> list[HoldSummary]:
    """Return every hold on the environment and the model that is not over, those that block the change first."""
    manifest = context.manifest
    blocking = holds.blocking_holds(
        context.holds.values(),
        environment=manifest.environment,
        model=manifest.model,
        digests={slot.digest for slot in context.slot_versions.values()},
        change=manifest.change,
        at=at,
    )
    running = [
        HoldSummary(
            name=name, scope=hold.scope, reason=hold.reason, by=hold.by, until=hold.until, blocks=hold in blocking
        )
        for name, hold in sorted(context.holds.items())
        if holds.is_active(hold, at)
        and hold.environment in {None, manifest.environment}
        and hold.model in {None, manifest.model}
    ]
    return sorted(running, key=lambda hold: not hold.blocks)


def _effect(workspace: Workspace, proposal: Proposal, context: PromotionContext) -> MergeEffect:
    repository, manifest = workspace.repository, proposal.manifest
    base = commit_of(proposal.before)
    changes = repository.changes(repository.merge_base(base, proposal.head) or base, proposal.head)
    leaving = [] if context.previous is None else slots.leaving(manifest.slots, context.previous.slots)
    target = context.environment.target
    return MergeEffect(
        files={change.path: brief_changes.file_status(change.status) for change in changes},
        slots=[
            SlotAfterMerge(
                slot=name,
                version=str(VersionRef(proposal.model, slot.version)),
                traffic=slots.traffic_share(name, slot),
            )
            for name, slot in slots.filled(manifest.slots).items()
        ],
        stops_running=[str(VersionRef(proposal.model, slot.version)) for slot in leaving],
        ramp=manifest.ramp,
        target="none" if isinstance(target, NoTargetSpec) else str(target.__struct_config__.tag),
        hold_file=rollback_hold(proposal),
    )


def _rollback(context: PromotionContext, at: datetime) -> RollbackTarget | None:
    """Return the rollback to what runs before the change; None where that was not verified there by then.

    A rollback has none: the version that it removes is held, for a reason. A re-approval changes nothing that runs.
    """
    manifest, champion = context.manifest, context.champion
    if champion is None or manifest.change in {"rollback", "recertify"}:
        return None
    environment, model = manifest.environment, manifest.model
    deployments = context.deployments.get(environment, ())
    verified: Deployment | None = last_verified(deployments, environment, model, champion.digest, at)
    if verified is None:
        return None
    return RollbackTarget(
        version=str(VersionRef(model, champion.version)),
        verified_at=verified.at,
        command=f'mlgit rollback {environment}/{model} --reason "..."',
    )


def _next(
    found: FoundPromotion, verification: Verification, readiness: Readiness, problems: list[Finding]
) -> str | None:
    where = verification.name
    if found.state == "merged":
        return f"mlgit why {where}"
    if readiness == "blocked":
        return f"mlgit explain {problems[0].id}"
    if not verification.approvals.complete:
        return f"mlgit approve {where}"
    return f"mlgit merge {where}" if readiness == "ready" else None
