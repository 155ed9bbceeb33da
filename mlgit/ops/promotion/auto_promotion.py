"""The auto-promotion of one model to one environment: which version, on whose approval, and what prevents it."""

from collections.abc import Callable
from typing import Literal

import msgspec
from msgspec.structs import replace

from mlgit.domain import layout, slots
from mlgit.domain.codec import digest
from mlgit.domain.merge_rules import standing_approvals as rules
from mlgit.domain.names import VersionRef, new_promotion_id
from mlgit.domain.policy import approval_rule
from mlgit.domain.records import GateReport, Promotion, Version
from mlgit.domain.records.gatereport import GateVerdict
from mlgit.domain.records.promotion import SlotAssignments, StandingApprovalRef
from mlgit.errors import Finding, Inconclusive, MlgitError, refused
from mlgit.ops.kernel.manifest_history import manifest_history
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.kernel.snapshot import Snapshot
from mlgit.ops.promotion import promote, proposal_branch
from mlgit.ops.promotion.next_version import newest_eligible
from mlgit.ops.review import approval_count, proposals
from mlgit.ops.review.proposals import Proposal
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
    `inconclusive`: it could not be verified. `standing_approval` is the name of the one that the promotion rests on; None where
    the policy asks for no approval.
    """

    environment: str
    model: str
    champion: str | None
    state: AutoPromotionState
    candidate: str | None = None
    promotion: str | None = None
    standing_approval: str | None = None
    approved_by: list[str] = []
    branch: str | None = None
    commit: str | None = None
    pushed: bool = False
    gates: list[GateVerdict] = []
    findings: list[Finding] = []
    pull_request: str | None = None
    warnings: list[Finding] = []


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
            self._workspace, self._base, self._environment, self._model, self._earlier, self._at
        )
        result = AutoPromotionResult(
            environment=self._environment.name,
            model=self._model,
            champion=None if self._champion is None else _label(self._champion),
            state="not-eligible" if excluded else "up-to-date",
            findings=excluded,
        )
        if (waiting := self._result_of_open(result, version, dry_run=dry_run)) is not None:
            return waiting
        if version is None:
            return result
        result = replace(result, candidate=_label(version), state="refused", findings=[])
        try:
            return self._propose_version(result, version, dry_run=dry_run)
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
        open_proposals = proposals.OpenProposals(self._workspace, self._base)
        if key not in open_proposals:
            return None
        waiting = open_proposals.load(*key)
        manifest = waiting.manifest
        result = replace(
            result,
            candidate=waiting.subject,
            promotion=manifest.promotion,
            branch=layout.promotion_branch(*key),
            commit=waiting.head,
        )
        is_ours = manifest.standing_approval is not None or not self._needs_approval
        if is_ours and version is not None and manifest.slots == self._slots(version):
            verified = self._verifier.verify(waiting)
            if not self._problems(waiting, verified):
                pushed = not dry_run and proposal_branch.push_branch(
                    self._workspace, layout.promotion_branch(*key), waiting.head
                )
                return replace(_describe(result, waiting, verified), state="proposed-already", pushed=pushed)
        return None if manifest.standing_approval is not None else replace(result, state="open", findings=[])

    # A new proposal

    def _propose_version(self, result: AutoPromotionResult, version: Version, *, dry_run: bool) -> AutoPromotionResult:
        """Evaluate the gates, and propose the version on the first standing approval that carries it."""
        promote.check_free(self._base, version, self._environment.name, at=self._at)
        approvals = self._approvals_in_force() if self._needs_approval else [None]
        manifest = promote.draft_manifest(
            self._base,
            self._before,
            self._model,
            self._environment.name,
            new_promotion_id(self._at),
            reason=None,
            ticket=None,
        )
        manifest = replace(manifest, slots=self._slots(version), ledger=self._snapshot.ledger.commit)
        if findings := self._check_eligible(manifest, version, None):
            return replace(result, findings=findings)
        report = promote.judge_candidate(self._workspace, self._snapshot, version, manifest, on_step=self._on_step)
        manifest = replace(manifest, gates=promote.report_ref(report))
        result = replace(result, gates=report.results)
        for standing in approvals:
            result = self._propose_manifest(
                result, replace(manifest, standing_approval=standing), report, dry_run=dry_run
            )
            if result.state != "refused":
                break
        return result

    def _propose_manifest(
        self, result: AutoPromotionResult, manifest: Promotion, report: GateReport, *, dry_run: bool
    ) -> AutoPromotionResult:
        """Propose a manifest if nothing prevents it and it has enough approvals; a closed window does not prevent it."""
        environment, model = self._environment.name, self._model
        draft = promote.promotion_draft(
            environment,
            model,
            promote.promotion_files(self._workspace, manifest, report),
            f"Promote {result.candidate} to {environment}\n\nMlgit-Promotion: {manifest.promotion}\n",
            f"mlgit auto-promote {environment}/{model}",
        )
        waiting = proposals.proposal_at(
            self._workspace,
            self._base,
            environment,
            model,
            head=proposal_branch.check_draft(self._workspace, self._base, draft),
        )
        verified = self._verifier.verify(waiting)
        result = _describe(result, waiting, verified)
        if problems := self._problems(waiting, verified):
            return replace(result, findings=problems)
        if dry_run:
            return replace(result, state="planned")
        commit, pushed = proposal_branch.put_on_branch(self._workspace, self._base, draft)
        return replace(
            result,
            state="proposed",
            promotion=manifest.promotion,
            branch=draft.branch,
            commit=commit,
            pushed=pushed,
        )

    def _problems(self, waiting: Proposal, verified: Verification) -> list[Finding]:
        """Return what prevents a proposal, except what it only has to wait for."""
        problems = self._check_eligible(waiting.manifest, waiting.version, waiting.report)
        try:
            replace(verified, waits=[]).require(
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

    def _slots(self, version: Version) -> SlotAssignments:
        return slots.assign(None if self._before is None else self._before.slots, version)

    @property
    def _needs_approval(self) -> bool:
        """Whether the policy asks for any approval of a promotion."""
        rule = approval_rule(self._policy.approvals, "promote")
        return bool(rule.min or rule.roles)

    def _approvals_in_force(self) -> list[StandingApprovalRef]:
        """Return the standing approvals that a promotion may rest on now.

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
        usable = [records[name] for name, state in states.items() if state == "in-force"]
        if usable:
            return [StandingApprovalRef(id=standing.id, digest=digest(standing)) for standing in usable]
        listed = "; ".join(f"{name} is {state}" for name, state in states.items())
        raise refused(
            "standing-approval-missing",
            f"no standing approval for {self._model} in {self._environment.name} is in force",
            why=listed or f"{layout.standing_approval('...')} has none for them on the base branch",
            fix=f"`mlgit standing-approval add {self._environment.name}/{self._model}` drafts one; or `mlgit promote` it",
        )


def _describe(result: AutoPromotionResult, waiting: Proposal, verified: Verification) -> AutoPromotionResult:
    """Add to a result the approvals of a proposal, its gates, and what it has to wait for."""
    return replace(
        result,
        standing_approval=approval_count.standing_approval_name(waiting),
        approved_by=[approval.person for approval in verified.approvals.counted],
        gates=waiting.report.results if waiting.report else [],
        findings=verified.waits,
    )


def _label(version: Version) -> str:
    return str(VersionRef(version.model, version.version))
