"""Show why an environment runs what it runs: what was observed, who proposed, approved and merged it, on which evidence."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec.structs import replace

from mlgit.domain import decision_checks, layout
from mlgit.domain.approval_age import ApprovalAge
from mlgit.domain.approvals import People
from mlgit.domain.lineage import RunPeriod, run_periods
from mlgit.domain.merge_rules.recertify import approval_age
from mlgit.domain.names import CommitId, Digest, Name, PromotionId, VersionRef, proposed_at
from mlgit.domain.records import DecisionRecord, Deployment, GateReport, Promotion, Version
from mlgit.domain.records.gatereport import GateVerdict
from mlgit.domain.records.version import StoredFile
from mlgit.domain.slots import VersionBeside, observed_beside, versions_beside, versions_observed_beside
from mlgit.errors import Exit, Finding, Inconclusive, MlgitError
from mlgit.ops.kernel.outcome import Outcome
from mlgit.ops.kernel.ports.git import Commit
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.kernel.snapshot import Snapshot
from mlgit.ops.review import forge_reviews, merged
from mlgit.ops.review.approvals_view import ApprovalsView, view_approvals
from mlgit.ops.review.proposals import Proposal
from mlgit.ops.review.verification import PromotionVerifier


class LastObservation(msgspec.Struct, frozen=True, kw_only=True):
    """What the last entry of the deployment log says, and since when the target runs what it runs.

    `beside` is what was observed beside the champion. `ramp_version` is a version that is taking over step by step, and
    `ramp_traffic` its share of the requests in per cent.
    """

    version: str | None
    digest: Digest | None
    since: datetime | None
    beside: list[VersionBeside]
    ramp_version: str | None
    ramp_traffic: int | None
    status: str
    promotion: PromotionId
    entry: int
    message: str | None


class MergedPromotion(msgspec.Struct, frozen=True, kw_only=True):
    """The promotion that put the desired state onto the base branch.

    `commit` is null where that was the first commit, so that nothing is known of a merge. `base` is the commit before it.
    """

    id: PromotionId
    change: str
    proposed_at: datetime
    proposed_by: list[str] = []
    merged_at: datetime | None = None
    merged_by: str | None = None
    commit: CommitId | None = None
    base: CommitId | None = None
    reason: str | None = None
    ticket: str | None = None
    replaced: str | None = None
    replaced_promotion: PromotionId | None = None


class NamedGateReport(msgspec.Struct, frozen=True, kw_only=True):
    """The gate report that a manifest names, and whether the file has the digest that the manifest states."""

    path: str
    digest: Digest
    matches_manifest: bool
    policy: Name
    at: datetime | None = None
    results: list[GateVerdict] = []


class MadeFrom(msgspec.Struct, frozen=True, kw_only=True):
    """What the version was made from."""

    commit: CommitId
    code: Digest
    data: dict[Name, StoredFile]
    params: dict[str, Any]
    environment: Digest | None
    trained_by: str
    registered_at: datetime


class Why(Outcome, frozen=True, kw_only=True, tag="mlgit/why.v1"):
    """What an environment runs of a model, and everything that it rests on.

    `desired` is the champion that the manifest names, null for none; `beside` is what is to run beside it. `recorded_decision` is
    that of the ledger's decision record; `decision` is the same, computed again, null where a record that it depends on is
    missing. `approval_age` is null where the policy sets no limit to it.
    """

    environment: Name
    model: Name
    at: str
    commit: CommitId
    desired: str | None
    beside: list[VersionBeside]
    observed: LastObservation | None
    promotion: MergedPromotion | None = None
    recorded_decision: Digest | None = None
    decision: Digest | None = None
    approvals: ApprovalsView | None = None
    gate_report: NamedGateReport | None = None
    made_from: MadeFrom | None = None
    approval_age: ApprovalAge | None = None
    findings: list[Finding] = []
    next: str | None = None

    @property
    def exit(self) -> Exit:
        """No where verification found a problem."""
        return Exit.NO if self.findings else Exit.YES


def run(workspace: Workspace, snapshot: Snapshot, environment: str, model: str) -> Why:
    """Return why an environment runs what it runs of a model, as of a snapshot. Changes nothing.

    Raises:
        MlgitError: there is no such environment or model, or the clone is shallow (`history-shallow`).
        Inconclusive: signatures cannot be verified here.
    """
    workspace.repository.require_full_history()
    state = snapshot.state
    state.environment(environment)
    state.model(model)
    manifest = state.promotion(environment, model)
    entries = snapshot.ledger.deployments(environment, model)
    version = state.champion(environment, model)
    ref = None if version is None else str(VersionRef(model, version.version))
    why = Why(
        environment=environment,
        model=model,
        at=snapshot.name,
        commit=snapshot.commit,
        desired=ref,
        beside=versions_beside(manifest),
        observed=_last_observation(entries, version),
        made_from=None if version is None else _made_from(version),
    )
    if manifest is None:
        return replace(why, next=f"mlgit promote {model}@N --to {environment}" if snapshot.is_current else None)
    is_verified = bool(entries) and (entries[-1].promotion, entries[-1].status) == (manifest.promotion, "verified")
    is_running = why.observed is not None and version is not None and why.observed.digest == version.digest
    explore = f"mlgit lineage {ref}" if ref else f"mlgit log --env {environment}"
    report = None if manifest.gates is None else state.find(GateReport, manifest.gates.report)
    why = replace(
        why,
        next="mlgit apply" if snapshot.is_current and not is_verified else explore,
        approval_age=approval_age(state.policy(state.environment(environment).policy), manifest, snapshot.at),
        gate_report=_named_gate_report(manifest, report),
        findings=list(decision_checks.check_unchanged(manifest, version, report)),
    )
    try:
        proposal = merged.find_merged(workspace, state, manifest, first=is_running)
    except Inconclusive:
        raise
    except MlgitError as error:
        return replace(why, promotion=_merged_promotion(manifest), findings=[*why.findings, *error.findings])
    commit, _ = next(iter(workspace.repository.commits(proposal.head)))
    why = replace(why, promotion=_with_merge(_merged_promotion(manifest), commit, proposal))
    return _verify(workspace, snapshot, why, proposal)


def _verify(workspace: Workspace, snapshot: Snapshot, why: Why, proposal: Proposal) -> Why:
    """Add the decision, the approvals and what is wrong, by the ledger of the snapshot and as of the merge."""
    record = snapshot.ledger.find(DecisionRecord, layout.decision(proposal.manifest.promotion))
    why = replace(why, recorded_decision=None if record is None else record.decision)
    at = merged.merge_time(workspace, proposal)
    try:
        proposal = forge_reviews.with_recorded_reviews(workspace, proposal, snapshot.ledger)
        verification = PromotionVerifier(workspace, snapshot.ledger, at).verify(proposal)
    except Inconclusive:
        raise
    except MlgitError as error:  # a record that the decision depends on is missing or invalid
        return replace(why, findings=[*why.findings, *error.findings])
    reads, decision, approvals = verification.reads, verification.decision, verification.approvals
    findings = [*why.findings, *verification.problems, *verification.waits]
    if record is not None:
        findings += decision_checks.check_decision(record, reads=reads, decision=decision, approvals=approvals)
    findings += decision_checks.missing_approvals(approvals, f"{why.environment}/{why.model}")
    return replace(
        why,
        decision=decision,
        approvals=view_approvals(workspace, proposal, reads, approvals, verification.votes, record=record),
        findings=findings,
    )


def _last_observation(entries: Sequence[Deployment], desired: Version | None) -> LastObservation | None:
    if not entries:
        return None
    last = entries[-1]
    open_periods = [period for period in run_periods(entries) if period.until is None]
    now = next((period for period in open_periods if period.traffic is None), None)
    last_verified = next((entry for entry in reversed(entries) if entry.status == "verified"), None)
    beside_digests = (
        set() if last_verified is None else {version.digest for version in observed_beside(last_verified).values()}
    )
    ramp = next(
        (period for period in open_periods if period.traffic is not None and period.digest not in beside_digests), None
    )
    return LastObservation(
        version=_label(now, last.model, desired),
        digest=None if now is None else now.digest,
        since=None if now is None else now.since,
        beside=versions_observed_beside(last_verified),
        ramp_version=_label(ramp, last.model, desired),
        ramp_traffic=None if ramp is None else ramp.traffic,
        status=last.status,
        promotion=last.promotion if now is None else now.promotion,
        entry=last.seq,
        message=last.message,
    )


def _label(period: RunPeriod | None, model: str, desired: Version | None) -> str | None:
    """Return the version that ran, by the label in the ledger or in the manifest; None where neither has it."""
    if period is None:
        return None
    label = period.version
    if label is None and desired is not None and desired.digest == period.digest:
        label = desired.version
    return None if label is None else str(VersionRef(model, label))


def _merged_promotion(manifest: Promotion) -> MergedPromotion:
    return MergedPromotion(
        id=manifest.promotion,
        change=manifest.change,
        proposed_at=proposed_at(manifest.promotion),
        reason=manifest.reason,
        ticket=manifest.ticket,
        replaced_promotion=None if manifest.replaces is None else manifest.replaces.promotion,
    )


def _with_merge(promotion: MergedPromotion, commit: Commit, proposal: Proposal) -> MergedPromotion:
    """Add who proposed and merged a promotion, when, and which version it replaced."""
    people = People(proposal.before.roles())
    before = proposal.before.promotion(proposal.environment, proposal.model)
    slot = None if before is None else before.slots.champion
    return replace(
        promotion,
        proposed_by=list(dict.fromkeys(people.person(own.author_email) for own in proposal.commits)),
        merged_at=commit.at,
        merged_by=people.person(commit.author_email),
        commit=commit.id,
        base=commit.parents[0],
        replaced=None if slot is None else str(VersionRef(proposal.model, slot.version)),
    )


def _named_gate_report(manifest: Promotion, report: GateReport | None) -> NamedGateReport | None:
    named = manifest.gates
    if named is None:
        return None
    return NamedGateReport(
        path=named.report,
        digest=named.digest,
        matches_manifest=decision_checks.is_named_report(manifest, report),
        policy=manifest.policy.name,
        at=report.at if report else None,
        results=report.results if report else [],
    )


def _made_from(version: Version) -> MadeFrom:
    inputs = version.inputs
    return MadeFrom(
        commit=inputs.commit,
        code=inputs.code,
        data=inputs.data,
        params=inputs.params,
        environment=inputs.lock,
        trained_by=f"{version.trained_by.name} <{version.trained_by.email}>",
        registered_at=version.registered_at,
    )
