"""Why an environment runs what it runs: who proposed it, who agreed, on which evidence, and what it took the place of.

Nothing is taken from a record that can be computed: the promotion is examined again as of its merge, by the rules of the
commit that it was merged onto.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from mlgit.domain import decision_checks, layout
from mlgit.domain.approval_age import ApprovalAge
from mlgit.domain.approvals import People, SignedVote, UncountedVote, Vote
from mlgit.domain.lineage import RunPeriod, run_periods
from mlgit.domain.merge_rules.recertify import approval_age
from mlgit.domain.names import CommitId, Digest, Name, PromotionId, VersionRef, proposed_at
from mlgit.domain.records import DecisionRecord, Deployment, GateReport, Promotion, Version
from mlgit.domain.records.gatereport import GateVerdict
from mlgit.domain.records.ledger import CountedApproval
from mlgit.domain.records.version import StoredFile
from mlgit.domain.slots import VersionBeside, observed_beside, versions_beside, versions_observed_beside
from mlgit.errors import Exit, Finding, Inconclusive, MlgitError
from mlgit.ops.kernel.outcome import Outcome
from mlgit.ops.kernel.ports.git import Commit
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.kernel.snapshot import Snapshot
from mlgit.ops.review import approval_count, forge_reviews, merged
from mlgit.ops.review.proposals import Proposal
from mlgit.ops.review.verification import PromotionVerifier


class LastObservation(msgspec.Struct, frozen=True, kw_only=True):
    """What the ledger last saw of the target; `since` is when it began to run what it runs.

    `beside` is a version that is taking over, with its share of the requests in per cent; `standing` is what was seen beside
    the champion for good.
    """

    version: str | None
    digest: Digest | None
    since: datetime | None
    beside: str | None
    traffic: int | None
    standing: list[VersionBeside]
    status: str
    promotion: PromotionId
    entry: int
    message: str | None


class PromotionStory(msgspec.Struct, frozen=True, kw_only=True):
    """How the wanted state came onto the base branch. Without a commit, it was there from the first one on."""

    promotion: PromotionId
    change: str
    proposed_at: datetime
    proposed_by: list[str] = []
    merged_at: datetime | None = None
    merged_by: str | None = None
    commit: CommitId | None = None
    onto: CommitId | None = None
    reason: str | None = None
    ticket: str | None = None
    replaced: str | None = None
    replaced_promotion: PromotionId | None = None


class ApprovalStory(msgspec.Struct, frozen=True, kw_only=True):
    """An approval that was counted, and whether it is today, when its proof is looked at again: a key's, or a review."""

    person: str
    roles: list[str]
    key: str | None
    review: str | None
    approval: Digest
    holds: bool
    at: datetime | None = None
    comment: str | None = None


class EvidenceStory(msgspec.Struct, frozen=True, kw_only=True):
    """The gate report; `holds` says whether its digest is the one that the manifest names."""

    report: str
    digest: Digest
    holds: bool
    policy: Name
    at: datetime | None = None
    results: list[GateVerdict] = []


class InputStory(msgspec.Struct, frozen=True, kw_only=True):
    """What the version was made from."""

    commit: CommitId
    code: Digest
    data: dict[Name, StoredFile]
    params: dict[str, Any]
    environment: Digest | None
    trained_by: str
    registered_at: datetime


class Why(Outcome, frozen=True, kw_only=True, tag="mlgit/why.v1"):
    """What runs in an environment, and all that it rests on. `recorded` is the decision that the ledger keeps.

    `decision` is the same, computed again; None where something that it rests on is missing. `wanted` is None where nothing
    is to run; `beside` is what is to run beside it.
    """

    environment: Name
    model: Name
    at: str
    commit: CommitId
    wanted: str | None
    beside: list[VersionBeside]
    seen: LastObservation | None
    brought: PromotionStory | None = None
    recorded: Digest | None = None
    decision: Digest | None = None
    needed: int = 0
    agreed: list[ApprovalStory] = []
    uncounted: list[UncountedVote] = []
    evidence: EvidenceStory | None = None
    made_from: InputStory | None = None
    approval_age: ApprovalAge | None = None
    """Until when it need not be agreed to again; None where the policy sets no limit."""
    findings: list[Finding] = []
    next: str | None = None

    @property
    def exit(self) -> Exit:
        """No where something that it rests on does not hold."""
        return Exit.NO if self.findings else Exit.YES


def run(workspace: Workspace, then: Snapshot, environment: str, model: str) -> Why:
    """Tell why an environment runs what it runs of a model, at a moment. Changes nothing.

    Raises:
        MlgitError: there is no such environment or model, or the clone is shallow (`history-shallow`).
        Inconclusive: signatures cannot be verified here.
    """
    workspace.repository.require_full_history()
    state = then.state
    state.environment(environment)
    state.model(model)
    manifest = state.promotion(environment, model)
    entries = then.ledger.deployments(environment, model)
    version = state.champion(environment, model)
    ref = None if version is None else str(VersionRef(model, version.version))
    said = Why(
        environment=environment,
        model=model,
        at=then.name,
        commit=then.commit,
        wanted=ref,
        beside=versions_beside(manifest),
        seen=_seen(entries, version),
        made_from=None if version is None else _made_from(version),
    )
    if manifest is None:
        return msgspec.structs.replace(
            said, next=f"mlgit promote {model}@N --to {environment}" if then.is_current else None
        )
    is_verified = bool(entries) and (entries[-1].promotion, entries[-1].status) == (manifest.promotion, "verified")
    running = said.seen is not None and version is not None and said.seen.digest == version.digest
    onward = f"mlgit lineage {ref}" if ref else f"mlgit log --env {environment}"
    report = None if manifest.gates is None else state.find(GateReport, manifest.gates.report)
    said = msgspec.structs.replace(
        said,
        next="mlgit apply" if then.is_current and not is_verified else onward,
        approval_age=approval_age(state.policy(state.environment(environment).policy), manifest, then.at),
        evidence=_evidence(manifest, report),
        findings=list(decision_checks.check_unchanged(manifest, version, report)),
    )
    try:
        proposal = merged.find_merged(workspace, state, manifest, first=running)
    except Inconclusive:
        raise
    except MlgitError as error:
        return msgspec.structs.replace(
            said, brought=_brought(manifest, None, None), findings=[*said.findings, *error.findings]
        )
    commit, _ = next(iter(workspace.repository.commits(proposal.head)))
    said = msgspec.structs.replace(said, brought=_brought(manifest, commit, proposal))
    return _judged(workspace, then, said, proposal, at=merged.merge_time(workspace, proposal))


def _judged(workspace: Workspace, then: Snapshot, said: Why, proposal: Proposal, *, at: datetime) -> Why:
    """Add what an examination finds, by the ledger of the moment that is asked about."""
    recorded = then.ledger.find(DecisionRecord, layout.decision(proposal.manifest.promotion))
    try:
        proposal = forge_reviews.with_recorded_reviews(workspace, proposal, then.ledger)
        found = PromotionVerifier(workspace, then.ledger, at).verify(proposal)
        votes = {vote.digest: vote for vote in approval_count.votes_on(workspace, proposal, then.ledger)}
        approvals = found.approvals
    except Inconclusive:
        raise
    except MlgitError as error:  # a record that it rests on is missing, or is none
        return msgspec.structs.replace(
            said, recorded=None if recorded is None else recorded.decision, findings=[*said.findings, *error.findings]
        )
    findings = [*said.findings, *found.problems, *found.waits]
    if recorded is not None:
        findings += decision_checks.check_decision(
            recorded, reads=found.reads, decision=found.decision, approvals=approvals
        )
    findings += decision_checks.missing_approvals(approvals, f"{said.environment}/{said.model}")
    listed = approvals.counted if recorded is None else recorded.approvals
    return msgspec.structs.replace(
        said,
        recorded=None if recorded is None else recorded.decision,
        decision=found.decision,
        needed=approvals.needed,
        agreed=[_agreed(one, votes, holds=one in approvals.counted) for one in listed],
        uncounted=approvals.uncounted,
        findings=findings,
    )


def _agreed(one: CountedApproval, words: dict[Digest, Vote], *, holds: bool) -> ApprovalStory:
    word = words.get(one.approval)
    return ApprovalStory(
        person=one.person,
        roles=one.roles,
        key=one.key,
        review=one.review,
        approval=one.approval,
        holds=holds,
        at=word.at if word else None,
        comment=word.approval.comment if isinstance(word, SignedVote) else None,
    )


def _seen(entries: Sequence[Deployment], wanted: Version | None) -> LastObservation | None:
    if not entries:
        return None
    last = entries[-1]
    running = [period for period in run_periods(entries) if period.until is None]
    now = next((period for period in running if period.traffic is None), None)
    well = next((entry for entry in reversed(entries) if entry.status == "verified"), None)
    standing = versions_observed_beside(well)
    digests = set() if well is None else {one.digest for one in observed_beside(well).values()}
    beside = next((one for one in running if one.traffic is not None and one.digest not in digests), None)
    return LastObservation(
        version=_label(now, last.model, wanted),
        digest=None if now is None else now.digest,
        since=None if now is None else now.since,
        beside=_label(beside, last.model, wanted),
        traffic=None if beside is None else beside.traffic,
        standing=standing,
        status=last.status,
        promotion=last.promotion if now is None else now.promotion,
        entry=last.seq,
        message=last.message,
    )


def _label(period: RunPeriod | None, model: str, wanted: Version | None) -> str | None:
    """Return the version that ran, where the ledger or the manifest tells its label."""
    if period is None:
        return None
    label = period.version
    if label is None and wanted is not None and wanted.digest == period.digest:
        label = wanted.version
    return None if label is None else str(VersionRef(model, label))


def _brought(manifest: Promotion, commit: Commit | None, proposal: Proposal | None) -> PromotionStory:
    told = PromotionStory(
        promotion=manifest.promotion,
        change=manifest.change,
        proposed_at=proposed_at(manifest.promotion),
        reason=manifest.reason,
        ticket=manifest.ticket,
        replaced_promotion=None if manifest.replaces is None else manifest.replaces.promotion,
    )
    if commit is None or proposal is None:
        return told
    people = People(proposal.before.roles())
    before = proposal.before.promotion(manifest.environment, manifest.model)
    slot = None if before is None else before.slots.champion
    return msgspec.structs.replace(
        told,
        proposed_by=list(dict.fromkeys(people.person(one.author_email) for one in proposal.commits)),
        merged_at=commit.at,
        merged_by=people.person(commit.author_email),
        commit=commit.id,
        onto=commit.parents[0],
        replaced=None if slot is None else str(VersionRef(manifest.model, slot.version)),
    )


def _evidence(manifest: Promotion, report: GateReport | None) -> EvidenceStory | None:
    named = manifest.gates
    if named is None:
        return None
    return EvidenceStory(
        report=named.report,
        digest=named.digest,
        holds=decision_checks.is_named_report(manifest, report),
        policy=manifest.policy.name,
        at=report.at if report else None,
        results=report.results if report else [],
    )


def _made_from(version: Version) -> InputStory:
    inputs = version.inputs
    return InputStory(
        commit=inputs.commit,
        code=inputs.code,
        data=inputs.data,
        params=inputs.params,
        environment=inputs.lock,
        trained_by=f"{version.trained_by.name} <{version.trained_by.email}>",
        registered_at=version.registered_at,
    )
