"""A brief: what a reviewer reads of a promotion, open or merged, before they decide.

It judges no gate: it shows the gate report as it is, and `mlgit merge` judges the gates again.
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
from mlgit.ops.kernel import snapshot
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.promotion import approvals, brief_changes
from mlgit.ops.promotion.approvals import ApprovalsShown
from mlgit.ops.promotion.brief_result import (
    ApprovalSummary,
    Brief,
    HoldSummary,
    MergeEffect,
    MergeTiming,
    OverrideSummary,
    Readiness,
    RollbackTarget,
    SlotAssignment,
)
from mlgit.ops.review import merged
from mlgit.ops.review.proposals import Proposal
from mlgit.ops.review.verification import PromotionVerifier, rollback_hold


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
    counted = approvals.run(workspace, name, at=at)
    judged = _judged(workspace, counted)
    as_of = workspace.clock.now() if counted.state == "open" else merged.merge_time(workspace, judged)
    verifier = PromotionVerifier(workspace, snapshot.take_snapshot(workspace, at).ledger, as_of)
    case = verifier.context(judged)
    examined = verifier.verify(judged)
    problems = list(dict.fromkeys([*examined.problems, *verifier.check_files(judged)]))
    readiness = _readiness(counted, problems, examined.waits)
    manifest, version, report, champion = judged.manifest, case.version, judged.report, judged.compared
    verdicts = report.results if report is not None else []
    metric = case.problem.metric
    both = None if version is None or champion is None else (champion, version)
    return Brief(
        promotion=manifest.promotion,
        environment=judged.environment,
        model=judged.model,
        change=manifest.change,
        state=counted.state,
        readiness=readiness,
        as_of=as_of,
        candidate=_ref(version),
        slot=_slot(manifest, version),
        champion=_ref(champion),
        primary_metric=metric.primary,
        reason=manifest.reason,
        ticket=manifest.ticket,
        proposed_at=proposed_at(manifest.promotion),
        proposed_by=_proposers(judged),
        problems=problems,
        test_rows=None if version is None else version.evaluation.rows,
        same_test_rows=both[0].evaluation.split == both[1].evaluation.split if both else None,
        metrics=brief.compare_metrics(verdicts, metric, version, champion) if version else [],
        slices=brief.compare_slices(verdicts, metric, version, champion) if version else [],
        policy=judged.policy.name,
        gate_report=None if manifest.gates is None else manifest.gates.report,
        gates_judged_at=None if report is None else report.at,
        gates=verdicts,
        overrides=_overrides(case),
        changes_since_champion=brief_changes.changes_since_champion(workspace, judged, *both)
        if both and both[0].digest != both[1].digest
        else None,
        approvals=_approvals(counted, manifest),
        timing=_timing(case, examined.waits, as_of),
        holds=_holds(case, as_of),
        effect=_effect(workspace, judged, case),
        rollback=_rollback(case, as_of),
        decision=counted.decision,
        head=counted.head,
        base=counted.onto,
        next=_next(counted, readiness, problems),
    )


def _judged(workspace: Workspace, counted: ApprovalsShown) -> Proposal:
    """Return the promotion whose approvals were counted, with the same commits."""
    repository, reader = workspace.repository, workspace.formats.record
    commits = [commit for commit, _ in repository.commits(f"{counted.onto}..{counted.head}", first_parent=False)]
    is_merge = counted.state == "merged" and commits and len(commits[0].parents) > 1
    before, after = (Lifecycle(repository.tree(commit), reader) for commit in (counted.onto, counted.head))
    own = tuple(commit for commit in commits if not is_merge or commit.id != counted.head)
    return Proposal(counted.environment, counted.model, before, after, counted.head, own)


def _readiness(counted: ApprovalsShown, problems: list[Finding], waits: list[Finding]) -> Readiness:
    if problems:
        return "blocked"
    if waits:
        return "waiting"
    return "needs-approval" if counted.missing else "ready"


def _ref(version: Version | None) -> str | None:
    return None if version is None else str(VersionRef(version.model, version.version))


def _slot(manifest: Promotion, version: Version | None) -> SlotName | None:
    filled = slots.filled(manifest.slots).items()
    return next((name for name, slot in filled if version is not None and slot.digest == version.digest), None)


def _proposers(judged: Proposal) -> list[str]:
    people = People(judged.before.roles())
    return list(dict.fromkeys(people.person(commit.author_email) for commit in judged.commits))


def _overrides(case: PromotionContext) -> list[OverrideSummary]:
    return [
        OverrideSummary(
            name=name,
            waives=list(override.waives),
            incident=override.incident,
            people=list(override.people),
            approved_by=sorted(case.signatures.get(override.id, {})),
            until=override.until,
        )
        for name, override in sorted(case.overrides_of_version().items())
    ]


def _approvals(counted: ApprovalsShown, manifest: Promotion) -> ApprovalSummary:
    return ApprovalSummary(
        evidence=counted.evidence,
        standing_approval=None if manifest.standing_approval is None else manifest.standing_approval.id,
        excludes=counted.excludes,
        requirements=counted.requirements,
        counted=counted.counted,
        uncounted=counted.uncounted,
        missing=counted.missing,
        may_approve=counted.may_approve,
    )


def _timing(case: PromotionContext, waits: list[Finding], at: datetime) -> MergeTiming:
    soak = case.environment.soak if case.manifest.change == "promote" else None
    return MergeTiming(
        waiting_for=waits,
        mergeable_from=brief.earliest_merge(case, at),
        windows=case.environment.windows,
        soak_environment=None if soak is None else soak.in_,
        soak_duration=None if soak is None else soak.for_,
        soak_complete_at=None if soak is None else brief.soak_complete_at(case, at),
    )


def _holds(case: PromotionContext, at: datetime) -> list[HoldSummary]:
    """Return every hold on the environment and the model that is not over, those that block the change first."""
    manifest = case.manifest
    blocking = holds.blocking_holds(
        case.holds.values(),
        environment=manifest.environment,
        model=manifest.model,
        digests={slot.digest for slot in case.slot_versions.values()},
        change=manifest.change,
        at=at,
    )
    running = [
        HoldSummary(
            name=name, scope=hold.scope, reason=hold.reason, by=hold.by, until=hold.until, blocks=hold in blocking
        )
        for name, hold in sorted(case.holds.items())
        if holds.is_active(hold, at)
        and hold.environment in {None, manifest.environment}
        and hold.model in {None, manifest.model}
    ]
    return sorted(running, key=lambda hold: not hold.blocks)


def _effect(workspace: Workspace, judged: Proposal, case: PromotionContext) -> MergeEffect:
    repository, manifest = workspace.repository, judged.manifest
    base = judged.before.tree.commit
    assert base is not None  # noqa: S101 - the base is a commit
    changes = repository.changes(repository.merge_base(base, judged.head) or base, judged.head)
    leaving = [] if case.previous is None else slots.leaving(manifest.slots, case.previous.slots)
    target = case.environment.target
    return MergeEffect(
        files={change.path: brief_changes.file_status(change.status) for change in changes},
        slots=[
            SlotAssignment(
                slot=name, version=str(VersionRef(judged.model, slot.version)), traffic=slots.traffic_share(name, slot)
            )
            for name, slot in slots.filled(manifest.slots).items()
        ],
        stops_running=[str(VersionRef(judged.model, slot.version)) for slot in leaving],
        ramp=manifest.ramp,
        target="none" if isinstance(target, NoTargetSpec) else str(target.__struct_config__.tag),
        hold_file=rollback_hold(judged),
    )


def _rollback(case: PromotionContext, at: datetime) -> RollbackTarget | None:
    """Return the rollback to what runs before the change; None where that was not verified there by then.

    A rollback has none: the version that it removes is held, for a reason. A re-approval changes nothing that runs.
    """
    manifest, champion = case.manifest, case.champion
    if champion is None or manifest.change in {"rollback", "recertify"}:
        return None
    environment, model = manifest.environment, manifest.model
    deployments = case.deployments.get(environment, ())
    verified: Deployment | None = last_verified(deployments, environment, model, champion.digest, at)
    if verified is None:
        return None
    return RollbackTarget(
        version=str(VersionRef(model, champion.version)),
        verified_at=verified.at,
        command=f'mlgit rollback {environment}/{model} --reason "..."',
    )


def _next(counted: ApprovalsShown, readiness: Readiness, problems: list[Finding]) -> str | None:
    where = f"{counted.environment}/{counted.model}"
    if counted.state == "merged":
        return f"mlgit why {counted.environment}/{counted.model}"
    if readiness == "blocked":
        return f"mlgit explain {problems[0].id}"
    if counted.missing:
        return f"mlgit approve {where}"
    return f"mlgit merge {where}" if readiness == "ready" else None
