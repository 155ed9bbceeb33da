"""Promote one model to one environment automatically: choose the version, verify its promotion, and propose it."""

from collections.abc import Callable
from typing import Literal

import msgspec
from msgspec.structs import replace

from mlgit.domain import layout, slots
from mlgit.domain.codec import digest
from mlgit.domain.merge_rules import standing_approvals as rules
from mlgit.domain.policy import approval_rule
from mlgit.domain.records import GateReport, Promotion, Version
from mlgit.domain.records.promotion import SlotAssignments, StandingApprovalRef
from mlgit.errors import Finding, Inconclusive, MlgitError, refused
from mlgit.ops.kernel.manifest_history import manifest_history
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.kernel.snapshot import Snapshot
from mlgit.ops.promotion import drafting, proposal_branch
from mlgit.ops.promotion.next_version import newest_eligible
from mlgit.ops.promotion.proposed import Change, Proposed
from mlgit.ops.review import approval_count
from mlgit.ops.review.proposals import OpenProposals, Proposal, proposal_at
from mlgit.ops.review.signatures import signature_times
from mlgit.ops.review.verification import PromotionVerifier, Verification

AutoPromotionState = Literal[
    "merged",
    "proposed",
    "proposed-already",
    "planned",
    "refused",
    "not-eligible",
    "open",
    "up-to-date",
    "inconclusive",
]


class AutoPromotionResult(msgspec.Struct, frozen=True, kw_only=True):
    """The result of auto-promotion for one model in one environment.

    `refused`: `findings` has what prevents it. `not-eligible`: no newer version may be promoted, for the reasons in `findings`.
    `open`: a proposal by people is open there, which is left alone. `up-to-date`: no version is newer than the champion.
    `inconclusive`: it could not be verified.

    `proposed` is the proposal, as `mlgit promote` would report it; null where there is none. `standing_approval` is the name of
    the one that covers it; null where the policy requires no approval.
    """

    environment: str
    model: str
    champion: str | None
    state: AutoPromotionState
    proposed: Proposed | None = None
    standing_approval: str | None = None
    approved_by: list[str] = []
    merge_commit: str | None = None
    merge_pushed: bool = False
    findings: list[Finding] = []


class AutoPromotion:
    """The auto-promotion of one model to one environment, on one state of the base branch."""

    def __init__(
        self, workspace: Workspace, snapshot: Snapshot, environment: str, model: str, on_step: Callable[[str], None]
    ) -> None:
        self._workspace = workspace
        self._snapshot = snapshot
        self._base = base = snapshot.state
        self._environment = base.environment(environment)
        self._policy = base.policy(self._environment.policy)
        self._model = model
        self._before = base.promotion(environment, model)
        self._champion = base.champion(environment, model)
        self._at = snapshot.at
        self._verifier = PromotionVerifier(workspace, snapshot.ledger, snapshot.at)
        self._on_step = on_step
        self._earlier = manifest_history(workspace, base, environment, model)

    def propose(self, *, dry_run: bool) -> AutoPromotionResult:
        """Choose a version, verify its promotion, and propose it on the branch of the model if nothing prevents that."""
        version, excluded = newest_eligible(
            self._base, self._snapshot.ledger, self._environment, self._model, self._earlier, self._at
        )
        result = AutoPromotionResult(
            environment=self._environment.name,
            model=self._model,
            champion=None if self._champion is None else drafting.label(self._champion),
            state="not-eligible" if excluded else "up-to-date",
            findings=excluded,
        )
        if (open_result := self._result_of_open(result, version, dry_run=dry_run)) is not None:
            return open_result
        if version is None:
            return result
        plan = self._new_plan("promote", drafting.label(version))
        result = replace(result, state="refused", proposed=replace(plan, state="refused"), findings=[])
        try:
            return self._propose_version(result, plan, version, dry_run=dry_run)
        except Inconclusive:
            raise
        except MlgitError as error:
            return replace(result, findings=list(error.findings))

    # An open proposal

    def _result_of_open(
        self, result: AutoPromotionResult, version: Version | None, *, dry_run: bool
    ) -> AutoPromotionResult | None:
        """Return the result where a proposal is open; None where there is none, or one of our own that has to be replaced."""
        key = (self._environment.name, self._model)
        open_proposals = OpenProposals(self._workspace, self._base)
        if key not in open_proposals:
            return None
        proposal = open_proposals.load(*key)
        manifest = proposal.manifest
        is_ours = manifest.standing_approval is not None or not self._needs_approval
        if is_ours and version is not None and manifest.slots == self._desired_slots(version):
            plan = self._new_plan("promote", drafting.label(version))
            verification = self._verifier.verify(proposal)
            if self._problems(proposal, verification) or not self._has_same_gates(proposal):
                return None  # it can never be merged
            branch = layout.promotion_branch(*key)
            pushed = not dry_run and proposal_branch.push_branch(self._workspace, branch, proposal.head)
            plan = replace(_with_verification(plan, proposal, verification), state="proposed-already")
            return _with_approvals(
                replace(result, state="proposed-already", proposed=_with_branch(plan, proposal, pushed=pushed)),
                proposal,
                verification,
            )
        if manifest.standing_approval is not None:
            return None
        return replace(result, state="open", proposed=self._proposed_by_people(proposal), findings=[])

    def _has_same_gates(self, proposal: Proposal) -> bool:
        """Return whether the gates still give the results of the report; an input may have changed since.

        Raises:
            Inconclusive: they cannot be evaluated here.
        """
        try:
            self._verifier.require_same_gates(proposal)
        except Inconclusive:
            raise
        except MlgitError:
            return False
        return True

    def _proposed_by_people(self, proposal: Proposal) -> Proposed | None:
        """Return an open proposal as an outcome; None if it is of a kind that no command proposes."""
        match proposal.manifest.change:
            case "promote" | "rollback" | "recertify" as change:
                plan = replace(self._new_plan(change, proposal.subject), state="proposed-already")
                return _with_branch(plan, proposal, pushed=False)
            case _:
                return None

    # A new proposal

    def _propose_version(
        self, result: AutoPromotionResult, plan: Proposed, version: Version, *, dry_run: bool
    ) -> AutoPromotionResult:
        """Evaluate the gates, and propose the version under the first standing approval that covers it."""
        environment = self._environment.name
        desired = self._desired_slots(version)
        drafting.check_not_blocked(self._base, environment, version, desired, at=self._at)
        standing_approvals = self._standing_approvals_in_force() if self._needs_approval else [None]
        manifest = drafting.draft_manifest(self._snapshot, "promote", environment, self._model, desired)
        if findings := self._check_eligible(manifest, version, None):
            return replace(result, findings=findings)
        manifest, report = drafting.evaluate_gates(
            self._workspace, self._snapshot, version, manifest, on_step=self._on_step
        )
        for standing_approval in standing_approvals:
            covered = replace(manifest, standing_approval=standing_approval)
            result = self._propose_manifest(result, plan, covered, report, dry_run=dry_run)
            if result.state != "refused":
                break
        return result

    def _propose_manifest(
        self, result: AutoPromotionResult, plan: Proposed, manifest: Promotion, report: GateReport, *, dry_run: bool
    ) -> AutoPromotionResult:
        """Propose a manifest if nothing prevents it and it has enough approvals; a closed window does not prevent it."""
        environment, model = self._environment.name, self._model
        files = drafting.promotion_files(self._workspace, manifest, report)
        command = f"mlgit auto-promote {environment}/{model}"
        draft = drafting.promotion_draft(manifest, files, f"Promote {plan.candidate} to {environment}", command)
        # Verified as a commit that no branch points to, so that nobody sees a proposal that is refused.
        commit = proposal_branch.commit_draft(self._workspace, self._base, draft)
        proposal = proposal_at(self._workspace, self._base, environment, model, commit)
        verification = self._verifier.verify(proposal)
        plan = replace(
            _with_verification(plan, proposal, verification),
            files={path: "+" if self._base.tree.read(path) is None else "~" for path in sorted(files)},
        )
        result = _with_approvals(result, proposal, verification)
        if problems := self._problems(proposal, verification):
            return replace(result, proposed=replace(plan, state="refused"), findings=problems)
        if dry_run:
            proposal_branch.check_draft(self._workspace, self._base, draft)
            return replace(result, state="planned", proposed=plan)
        commit, pushed = proposal_branch.put_on_branch(self._workspace, self._base, draft)
        proposal = proposal_at(self._workspace, self._base, environment, model, commit)
        plan = _with_branch(replace(plan, state="proposed"), proposal, pushed=pushed)
        return replace(result, state="proposed", proposed=plan)

    def _problems(self, proposal: Proposal, verification: Verification) -> list[Finding]:
        """Return what prevents a proposal, except what it only has to wait for."""
        problems = self._check_eligible(proposal.manifest, proposal.version, proposal.report)
        try:
            replace(verification, waits=[]).require(
                "propose it with `mlgit promote` for others to approve; or add a standing approval by others"
            )
        except MlgitError as error:
            problems += error.findings
        return list(dict.fromkeys(problems))

    def _check_eligible(self, manifest: Promotion, version: Version | None, report: GateReport | None) -> list[Finding]:
        return list(
            rules.check_eligible(
                manifest,
                environment=self._environment,
                version=version,
                champion=self._champion,
                report=report,
                history=self._earlier,
            )
        )

    def _new_plan(self, change: Change, candidate: str) -> Proposed:
        return drafting.new_plan(self._base, change, self._environment.name, self._model, candidate)

    def _desired_slots(self, version: Version) -> SlotAssignments:
        return slots.assign(None if self._before is None else self._before.slots, version)

    @property
    def _needs_approval(self) -> bool:
        """Whether the policy requires any approval of a promotion."""
        rule = approval_rule(self._policy.approvals, "promote")
        return bool(rule.min or rule.roles)

    def _standing_approvals_in_force(self) -> list[StandingApprovalRef]:
        """Return the standing approvals of the model and environment that are in force.

        Raises:
            MlgitError: there is none (`standing-approval-missing`).
        """
        key = (self._environment.name, self._model)
        records = {
            name: standing
            for name, standing in self._base.standing_approvals().items()
            if (standing.environment, standing.model) == key
        }
        signatures = signature_times(self._workspace, self._base, records.values(), self._snapshot.ledger)
        states = {
            name: rules.state_of(standing, signatures, self._earlier, self._at) for name, standing in records.items()
        }
        in_force = [records[name] for name, state in states.items() if state == "in-force"]
        if in_force:
            return [StandingApprovalRef(id=standing.id, digest=digest(standing)) for standing in in_force]
        listed = "; ".join(f"{name} is {state}" for name, state in states.items())
        raise refused(
            "standing-approval-missing",
            f"no standing approval for {self._model} in {self._environment.name} is in force",
            why=listed or f"{layout.standing_approval('...')} has none for them on the base branch",
            fix=f"`mlgit standing-approval add {self._environment.name}/{self._model}` drafts one; or `mlgit promote` it",
        )


def _with_approvals(result: AutoPromotionResult, proposal: Proposal, verification: Verification) -> AutoPromotionResult:
    """Add to a result who approved a proposal, and what it has to wait for."""
    return replace(
        result,
        standing_approval=approval_count.standing_approval_name(proposal),
        approved_by=[approval.person for approval in verification.approvals.counted],
        findings=verification.waits,
    )


def _with_verification(plan: Proposed, proposal: Proposal, verification: Verification) -> Proposed:
    """Add to a plan the results of the gates, and the approvals that are missing."""
    return replace(
        plan,
        gates=proposal.report.results if proposal.report else [],
        approvals_missing=verification.approvals.missing,
        may_approve=verification.approvals.may_approve,
    )


def _with_branch(plan: Proposed, proposal: Proposal, *, pushed: bool) -> Proposed:
    """Add to a plan its promotion and its branch."""
    return replace(
        plan,
        promotion=proposal.manifest.promotion,
        branch=layout.promotion_branch(proposal.environment, proposal.model),
        commit=proposal.head,
        pushed=pushed,
    )
