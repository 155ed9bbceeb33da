"""What a reviewer reads of a promotion, open or merged: how good it is, what changed, who agreed, and what stands against it.

Nothing is judged by gates here: their report is told as it is, and `mlgit merge` judges them again.
"""

from datetime import datetime
from typing import Literal

import msgspec
from msgspec.structs import replace

from mlgit.domain import brief, slots
from mlgit.domain.approvals import ApprovalRequirement, People
from mlgit.domain.brief import Measured, SliceTold
from mlgit.domain.merge_rules import holds
from mlgit.domain.merge_rules.rollback import last_verified
from mlgit.domain.names import CommitId, Digest, Duration, Name, PromotionId, VersionRef, proposed_at
from mlgit.domain.promotion_context import PromotionContext
from mlgit.domain.records import Deployment, Version
from mlgit.domain.records.environment import NoTarget, Window
from mlgit.domain.records.gatereport import GateVerdict
from mlgit.domain.records.promotion import Promotion, Ramp
from mlgit.domain.slots import SlotName
from mlgit.errors import Finding
from mlgit.ops.exceptions import signed
from mlgit.ops.kernel import snapshot
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.outcome import Outcome
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.promotion import approvals, brief_changes, merge
from mlgit.ops.promotion.approvals import ApprovalsShown, VoteShown
from mlgit.ops.promotion.brief_changes import Mark, Since
from mlgit.ops.review import merged, verification
from mlgit.ops.review.proposals import Proposal

Stands = Literal["ready", "lacking", "waiting", "refused"]
"""Nothing stands against it; approvals are missing; it has to wait; something is wrong with it."""


class Waiver(msgspec.Struct, frozen=True, kw_only=True):
    """An override for just this version here, whether or not it is in force. `agreed` are those of its people who agreed."""

    name: str
    waives: list[str]
    incident: str
    people: list[str]
    agreed: list[str]
    expires: datetime


class HoldTold(msgspec.Struct, frozen=True, kw_only=True):
    """A hold on the environment or the model that is not over. `stops` says whether it stands in the way of this change."""

    name: str
    scope: str
    reason: str
    by: str
    until: datetime | None
    stops: bool


class Agreement(msgspec.Struct, frozen=True, kw_only=True):
    """Who agreed, whose word does not count, what is missing, and who may supply it.

    `standing` is the id of the standing approval that it rests on; None where each approval is one of this promotion alone.
    """

    evidence: str
    standing: PromotionId | None
    excludes: list[str]
    needs: list[ApprovalRequirement]
    counted: list[VoteShown]
    uncounted: list[VoteShown]
    missing: list[str]
    may: list[str]


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """When it may be merged. `earliest` is None where something has to happen first; windows are asked again at `apply`.

    `soaked_at` is when the version will have been healthy for long enough where the environment asks for that, `soak_in`.
    """

    waits: list[Finding]
    earliest: datetime | None
    windows: list[Window]
    soak_in: Name | None = None
    soak_for: Duration | None = None
    soaked_at: datetime | None = None


class Filled(msgspec.Struct, frozen=True, kw_only=True):
    """A slot with the version that is to run in it, and the per cent of the requests that it answers."""

    slot: SlotName
    version: str
    traffic: int


class Effect(msgspec.Struct, frozen=True, kw_only=True):
    """What a merge brings: files, what runs in which slot then and what no longer does, and which kind of target runs it."""

    files: dict[str, Mark]
    slots: list[Filled]
    leaving: list[str]
    ramp: Ramp | None
    target: str
    holds: str | None
    """Path of the hold that comes along, on the version that is taken out."""


class Back(msgspec.Struct, frozen=True, kw_only=True):
    """How to undo it once it runs: to which version, last seen well at `seen_at`, by which command."""

    to: str
    seen_at: datetime
    command: str


class Brief(Outcome, frozen=True, kw_only=True, tag="mlgit/brief.v1"):
    """A promotion as its reviewers read it, judged at the moment `at` by the rules of the commit `onto`.

    It tells and decides nothing, so its answer is never no. `candidate` comes to `slot`; both are None where versions only leave.
    `champion` is what it is held against: what runs until then or, of what is agreed to again, what the gates compared it with.
    """

    promotion: PromotionId
    environment: Name
    model: Name
    change: str
    state: Literal["open", "merged"]
    stands: Stands
    at: datetime
    candidate: str | None
    slot: SlotName | None
    champion: str | None
    primary: Name
    reason: str | None
    ticket: str | None
    proposed_at: datetime
    proposed_by: list[str]
    against: list[Finding]
    test_rows: int | None
    same_rows: bool | None
    measures: list[Measured]
    slices: list[SliceTold]
    policy: Name
    report: str | None
    judged_at: datetime | None
    gates: list[GateVerdict]
    waivers: list[Waiver]
    since: Since | None
    approvals: Agreement
    timing: Timing
    holds: list[HoldTold]
    effect: Effect
    back: Back | None
    decision: Digest
    head: CommitId
    onto: CommitId
    next: str | None


def run(workspace: Workspace, name: str | None = None, *, at: str | None = None) -> Brief:
    """Tell of a promotion what its reviewers need. Changes nothing.

    Args:
        workspace: where.
        name: an id, or `environment/model`: the open promotion, else the last one that was merged. The only open one, if None.
        at: a commit, a branch, a tag or a date, by which it had been merged. The newest promotion, if none is named.

    Raises:
        MlgitError: there is no such promotion (`promotion-unknown`, `promotion-ambiguous`), or a record that it rests on cannot
            be read.
        Unjudged: what tells who agreed did not answer.
    """
    agreed = approvals.run(workspace, name, at=at)
    judged = _judged(workspace, agreed)
    moment = workspace.clock.now() if agreed.state == "open" else merged.merge_time(workspace, judged)
    case = verification.context_of(judged, snapshot.take_snapshot(workspace, at).ledger)
    case = replace(case, agreed=signed.agreed(workspace, judged.before, case.concerned().values()))
    found = verification.verify(workspace, judged, at=moment)
    against = list(dict.fromkeys([*found.problems, *merge.check_files(workspace, judged)]))
    stands = _stands(agreed, against, found.waits)
    manifest, version, report = judged.manifest, case.version, judged.report
    champion = judged.compared
    results = report.results if report is not None else []
    metric = case.problem.metric
    return Brief(
        promotion=manifest.promotion,
        environment=judged.environment,
        model=judged.model,
        change=manifest.change,
        state=agreed.state,
        stands=stands,
        at=moment,
        candidate=_called(version),
        slot=_slot(manifest, version),
        champion=_called(champion),
        primary=metric.primary,
        reason=manifest.reason,
        ticket=manifest.ticket,
        proposed_at=proposed_at(manifest.promotion),
        proposed_by=_proposers(judged),
        against=against,
        test_rows=None if version is None else version.evaluation.rows,
        same_rows=version.evaluation.split == champion.evaluation.split if version and champion else None,
        measures=brief.measures(results, metric, version, champion) if version else [],
        slices=brief.slices(results, metric, version, champion) if version else [],
        policy=judged.policy.name,
        report=None if manifest.gates is None else manifest.gates.report,
        judged_at=None if report is None else report.at,
        gates=results,
        waivers=_waivers(case),
        since=None
        if version is None or champion is None or version.digest == champion.digest
        else brief_changes.since(workspace, judged, champion, version),
        approvals=_agreement(agreed, manifest),
        timing=_timing(case, found.waits, moment),
        holds=_holds(case, moment),
        effect=_effect(workspace, judged, case),
        back=_back(case, moment),
        decision=agreed.decision,
        head=agreed.head,
        onto=agreed.onto,
        next=_next(agreed, stands, against),
    )


def _judged(workspace: Workspace, agreed: ApprovalsShown) -> Proposal:
    """Return the promotion whose approvals were counted, as they were counted."""
    repository, reader = workspace.repository, workspace.formats.record
    commits = [one for one, _ in repository.commits(f"{agreed.onto}..{agreed.head}", first_parent=False)]
    is_merge = agreed.state == "merged" and commits and len(commits[0].parents) > 1
    before, after = (Lifecycle(repository.tree(one), reader) for one in (agreed.onto, agreed.head))
    own = tuple(one for one in commits if not is_merge or one.id != agreed.head)
    return Proposal(agreed.environment, agreed.model, before, after, agreed.head, own)


def _stands(agreed: ApprovalsShown, against: list[Finding], waits: list[Finding]) -> Stands:
    if against:
        return "refused"
    if waits:
        return "waiting"
    return "lacking" if agreed.missing else "ready"


def _called(version: Version | None) -> str | None:
    return None if version is None else str(VersionRef(version.model, version.version))


def _slot(manifest: Promotion, version: Version | None) -> SlotName | None:
    filled = slots.filled(manifest.slots).items()
    return next((name for name, slot in filled if version is not None and slot.digest == version.digest), None)


def _proposers(judged: Proposal) -> list[str]:
    people = People(judged.before.roles())
    return list(dict.fromkeys(people.person(one.author_email) for one in judged.commits))


def _waivers(case: PromotionContext) -> list[Waiver]:
    return [
        Waiver(
            name=name,
            waives=list(one.waives),
            incident=one.incident,
            people=list(one.people),
            agreed=sorted(case.agreed.get(one.override, {})),
            expires=one.expires,
        )
        for name, one in sorted(case.concerned().items())
    ]


def _agreement(found: ApprovalsShown, manifest: Promotion) -> Agreement:
    return Agreement(
        evidence=found.evidence,
        standing=None if manifest.standing is None else manifest.standing.id,
        excludes=found.excludes,
        needs=found.needs,
        counted=found.counted,
        uncounted=found.uncounted,
        missing=found.missing,
        may=found.may,
    )


def _timing(case: PromotionContext, waits: list[Finding], at: datetime) -> Timing:
    soak = case.environment.soak if case.manifest.change == "promote" else None
    return Timing(
        waits=waits,
        earliest=brief.earliest(case, at),
        windows=case.environment.windows,
        soak_in=None if soak is None else soak.in_,
        soak_for=None if soak is None else soak.for_,
        soaked_at=None if soak is None else brief.soaked_at(case, at),
    )


def _holds(case: PromotionContext, at: datetime) -> list[HoldTold]:
    """Return every hold that is not over and concerns the environment and the model, those that stop the change first."""
    manifest = case.manifest
    stopping = holds.in_force(
        case.holds.values(),
        environment=manifest.environment,
        model=manifest.model,
        digests={one.digest for one in case.slots.values()},
        change=manifest.change,
        at=at,
    )
    found = [
        HoldTold(name=name, scope=one.scope, reason=one.reason, by=one.by, until=one.until, stops=one in stopping)
        for name, one in sorted(case.holds.items())
        if holds.is_running(one, at)
        and one.environment in {None, manifest.environment}
        and one.model in {None, manifest.model}
    ]
    return sorted(found, key=lambda one: not one.stops)


def _effect(workspace: Workspace, judged: Proposal, case: PromotionContext) -> Effect:
    repository, manifest = workspace.repository, judged.manifest
    onto = judged.before.tree.commit
    assert onto is not None  # noqa: S101 - the base is a commit
    changes = repository.changes(repository.merge_base(onto, judged.head) or onto, judged.head)
    gone = [] if case.before is None else slots.leaving(manifest.slots, case.before.slots)
    target = case.environment.target
    return Effect(
        files={one.path: brief_changes.mark(one.status) for one in changes},
        slots=[
            Filled(slot=name, version=str(VersionRef(judged.model, one.version)), traffic=slots.answers(name, one))
            for name, one in slots.filled(manifest.slots).items()
        ],
        leaving=[str(VersionRef(judged.model, one.version)) for one in gone],
        ramp=manifest.ramp,
        target="none" if isinstance(target, NoTarget) else str(target.__struct_config__.tag),
        holds=merge.hold_that_comes(judged),
    )


def _back(case: PromotionContext, at: datetime) -> Back | None:
    """Return the way back to what runs before the change; None where nothing was seen to run well there by then.

    From a rollback there is none: what it takes out is held, for a reason. To agree again changes nothing.
    """
    manifest, champion = case.manifest, case.champion
    if champion is None or manifest.change in {"rollback", "recertify"}:
        return None
    where, model = manifest.environment, manifest.model
    seen: Deployment | None = last_verified(case.deployments.get(where, ()), where, model, champion.digest, at)
    if seen is None:
        return None
    return Back(
        to=str(VersionRef(model, champion.version)),
        seen_at=seen.at,
        command=f'mlgit rollback {where}/{model} --reason "..."',
    )


def _next(agreed: ApprovalsShown, stands: Stands, against: list[Finding]) -> str | None:
    where = f"{agreed.environment}/{agreed.model}"
    if agreed.state == "merged":
        return f"mlgit why {agreed.environment}/{agreed.model}"
    if stands == "refused":
        return f"mlgit explain {against[0].id}"
    if agreed.missing:
        return f"mlgit approve {where}"
    return f"mlgit merge {where}" if stands == "ready" else None
