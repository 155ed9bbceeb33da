"""The one verifier of promotions, which merge, apply, verify-push, queue, CI and audit share."""

from datetime import datetime

import msgspec
from msgspec.structs import replace

from mlgit.domain import layout, merge_rules, slots
from mlgit.domain.approvals import ApprovalResult, Vote
from mlgit.domain.decision import ReadSet, decision
from mlgit.domain.merge_rules.rollback import is_rollback_hold
from mlgit.domain.names import Digest, VersionRef
from mlgit.domain.policy import outcome_differences
from mlgit.domain.promotion_context import PromotionContext
from mlgit.domain.records import GateReport, Hold, Override, StandingApproval
from mlgit.domain.rules.changes import check_promotion_alone
from mlgit.errors import Finding, MlgitError, inconclusive, refused
from mlgit.ops.evaluation import gate
from mlgit.ops.kernel.appliers import Appliers
from mlgit.ops.kernel.ledger import Ledger
from mlgit.ops.kernel.manifest_history import manifest_history
from mlgit.ops.kernel.notary import required_notary
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.kernel.snapshot import commit_of, ledger_of
from mlgit.ops.review import approval_count, waivers
from mlgit.ops.review.claimed_times import check_claimed_times
from mlgit.ops.review.context import context_of, verified_deployments
from mlgit.ops.review.proposals import Proposal
from mlgit.ops.review.registrations import Registrations
from mlgit.ops.review.signatures import signature_times
from mlgit.ops.validation import validate


class Verification(msgspec.Struct, frozen=True):
    """The result of verifying a proposal: its decision, its approvals, and every reason not to merge it.

    `name` is `ENV/MODEL`. `context` are the records that the rules were checked on. `reads` are the digests that the decision is
    over. `votes` are all votes, counted or not. `problems` are reasons that only a change can remove; `waits` pass by themselves:
    soak time in an earlier environment, a closed window.
    """

    name: str
    context: PromotionContext
    reads: ReadSet
    decision: Digest
    approvals: ApprovalResult
    votes: list[Vote]
    problems: list[Finding]
    waits: list[Finding]

    @property
    def holds(self) -> bool:
        """Whether the proposal may be merged."""
        return not self.problems and not self.waits and self.approvals.complete

    def require(self, fix: str = "somebody who may approve runs `mlgit approve`") -> None:
        """Refuse a proposal that may not be merged.

        Args:
            fix: how missing approvals are obtained.

        Raises:
            MlgitError: with every problem and everything that is missing, and who can supply it.
        """
        findings = [*self.problems, *self.waits]
        if not self.approvals.complete:
            findings.append(
                Finding(
                    "approvals-missing",
                    f"{self.name} lacks {'; '.join(self.approvals.missing)}",
                    why=_describe_approvals(self.approvals),
                    fix=fix,
                )
            )
        if findings:
            raise MlgitError(*findings)


class PromotionVerifier:
    """Verifies promotions, each by the rules of the state before it, with one ledger and as of one time.

    Three checks, the cheapest first: records and approvals (`verify`), the changed files (`check_files`), and the gates, which
    need the data (`require_same_gates`). Nothing is written.
    """

    def __init__(
        self,
        workspace: Workspace,
        ledger: Ledger,
        at: datetime,
        registrations: Registrations | None = None,
        *,
        appliers: Appliers | None = None,
    ) -> None:
        """Set what to verify with.

        Args:
            workspace: where.
            ledger: the approvals and the deployments.
            at: the time as of which the merge rules are checked.
            registrations: the commits that registered versions, as far as they are known already.
            appliers: who may sign deployments; by default, by the history of the state before each proposal.
        """
        self._workspace = workspace
        self._ledger = ledger
        self._at = at
        self._registrations = registrations
        self._appliers = appliers
        self._by_base: dict[str, Appliers] = {}

    def verify(self, proposal: Proposal) -> Verification:
        """Check a proposal by the merge rules, and count its approvals.

        Raises:
            MlgitError: a record that the decision depends on is missing, or cannot be read.
        """
        context = self._context(proposal)
        reads = context.reads()
        digest = decision(reads)
        appliers = self._appliers_of(proposal)
        votes = approval_count.read_votes(self._workspace, proposal, self._ledger, appliers.history)
        return Verification(
            f"{proposal.environment}/{proposal.model}",
            context,
            reads,
            digest,
            approval_count.count_approvals(self._workspace, proposal, digest, votes, self._registrations),
            votes,
            problems=[
                *merge_rules.check(context, self._at),
                *check_claimed_times(self._workspace, proposal, appliers.history),
            ],
            waits=merge_rules.check_waiting(context, self._at),
        )

    def verify_again(self, proposal: Proposal, verification: Verification) -> Verification:
        """Verify once more with the ledger as it is now, if it has grown since, as while the gates were evaluated.

        To be called right before what was verified takes effect, so that a vote against it counts until then.

        Raises:
            MlgitError: as `verify`.
        """
        current = ledger_of(self._workspace)
        if current.commit == self._ledger.commit:
            return verification
        return PromotionVerifier(
            self._workspace, current, self._at, self._registrations, appliers=self._appliers
        ).verify(proposal)

    def check_files(self, proposal: Proposal) -> list[Finding]:
        """Check that the files that a promotion changes are valid, and that it changes no others."""
        repository = self._workspace.repository
        base = commit_of(proposal.before)
        changes = repository.changes(repository.merge_base(base, proposal.head) or base, proposal.head)
        _, findings = validate.check_change(proposal.before, proposal.after, changes, self._workspace.formats)
        paths = [change.path for change in changes]
        hold = rollback_hold(proposal)
        return [*findings, *check_promotion_alone(proposal.environment, proposal.model, paths, held=hold)]

    def evaluate_gates(self, proposal: Proposal, *, without_code: bool = False) -> GateReport | None:
        """Evaluate the gates again, as of the time of the report; None for a change without a report or a promoted version.

        Args:
            proposal: the promotion.
            without_code: whether to leave out the gates that run a model file or code of the project.
        """
        report, version = proposal.report, proposal.version
        if report is None or version is None:
            return None
        workspace, before = self._workspace, proposal.before
        waived = waivers.waivers(workspace, before, version, proposal.environment, at=report.at, ledger=self._ledger)
        return gate.gate_report(
            workspace,
            before,
            version,
            proposal.environment,
            report.promotion,
            champion=proposal.baseline,
            at=report.at,
            waivers=waived,
            without_code=without_code,
        )

    def require_same_gates(self, proposal: Proposal) -> None:
        """Evaluate the gates again, and refuse unless each gives the result that the report states.

        Raises:
            MlgitError: a result differs (`gate-report-mismatch`).
            Inconclusive: the only results that differ are gates that cannot be evaluated here (`gates-inconclusive`).
        """
        report, again = proposal.report, self.evaluate_gates(proposal)
        if report is None or again is None:
            return
        differences = outcome_differences(report.results, again.results)
        if not differences:
            return
        why = "; ".join(differences)
        pairs = zip(report.results, again.results, strict=False)
        # A gate that cannot be evaluated, as for lack of data, is no evidence against the report.
        if {now.outcome for then, now in pairs if then.outcome != now.outcome} == {"error"}:
            raise inconclusive(
                "gates-inconclusive",
                "the gates cannot be evaluated again here",
                why=why,
                fix="provide what they lack, and run this again; nothing is recorded against the promotion",
            )
        raise refused(
            "gate-report-mismatch",
            "the gates give other results than the report states",
            why=why,
            fix="run `mlgit promote` again; do not edit gate reports by hand",
        )

    def _appliers_of(self, proposal: Proposal) -> Appliers:
        """Return who may sign deployments, and the times of the base branch, for a proposal."""
        if self._appliers is not None:
            return self._appliers
        base = commit_of(proposal.before)
        if base not in self._by_base:
            self._by_base[base] = Appliers(self._workspace, base)
        return self._by_base[base]

    def _context(self, proposal: Proposal) -> PromotionContext:
        """Return every record that the merge rules read for a proposal."""
        workspace, before = self._workspace, proposal.before
        context = context_of(proposal, self._ledger)
        if context.policy.evidence != "none":
            appliers = self._appliers_of(proposal)
            notary = required_notary(before, context.policy.name)
            proven = {name: appliers.proven(self._ledger, log, notary) for name, log in context.deployments.items()}
            context = replace(context, deployments=proven)
        signed: list[Override | StandingApproval] = [*context.overrides_of_version().values()]
        signed += [context.standing_approval] if context.standing_approval is not None else []
        if signed:
            history = self._appliers_of(proposal).history
            times = signature_times(workspace, before, signed, self._ledger, history)
            context = replace(context, signatures=times)
        if context.manifest.standing_approval is not None or context.manifest.change == "recertify":
            manifests = manifest_history(workspace, before, proposal.environment, proposal.model)
            context = replace(context, manifest_history=manifests)
        if context.manifest.change == "rollback":
            context = replace(context, deployments=verified_deployments(workspace, proposal, context))
        return context


def rollback_hold(proposal: Proposal) -> str | None:
    """Return the path of the hold that a rollback adds on the version that it replaces; None if it adds none."""
    before = proposal.before.promotion(proposal.environment, proposal.model)
    leaving = [] if before is None else slots.leaving(proposal.manifest.slots, before.slots)
    if not leaving:
        return None
    number = leaving[0].version
    path = layout.hold(layout.version_hold_name(proposal.environment, proposal.model, number))
    hold = proposal.after.find(Hold, path)
    replaced = proposal.before.version(VersionRef(proposal.model, number))
    return path if hold is not None and is_rollback_hold(hold, proposal.manifest, replaced) else None


def _describe_approvals(approvals: ApprovalResult) -> str:
    names = ", ".join(approval.person for approval in approvals.counted) or "nobody"
    uncounted = "; ".join(f"{vote.person}: {vote.reason}" for vote in approvals.uncounted)
    return f"approved by {names}" + (f"; not counted: {uncounted}" if uncounted else "")
