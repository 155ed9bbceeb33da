"""Show who approved a promotion, open or merged, whose vote does not count and why, and who may still approve."""

from mlgit.domain import slots
from mlgit.domain.decision import decision
from mlgit.domain.names import CommitId, Digest
from mlgit.errors import Exit, Inconclusive, MlgitError
from mlgit.ops.kernel.outcome import Outcome
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.kernel.snapshot import Snapshot, commit_of, take_snapshot
from mlgit.ops.promotion.find_promotion import PromotionState, find_promotion
from mlgit.ops.review import approval_count, rule_changes, rule_reviews
from mlgit.ops.review.approvals_view import ApprovalsView, view_approvals
from mlgit.ops.review.context import context_of
from mlgit.ops.review.rule_changes import RuleChange, find_rule_change


class PromotionApprovals(Outcome, frozen=True, kw_only=True, tag="mlgit/approvals.v1"):
    """The approvals of a promotion, by the rules of the commit `base` that it was, or would be, merged onto.

    `pull_request` is the address of the pull request whose reviews are among the votes; null where reviews do not count, or there
    is no pull request.
    """

    promotion: str
    environment: str
    model: str
    candidate: str
    beside: list[slots.VersionBeside]
    state: PromotionState
    head: CommitId
    base: CommitId
    decision: Digest
    policy: str
    pull_request: str | None
    approvals: ApprovalsView

    @property
    def exit(self) -> Exit:
        """No where approvals are missing."""
        return Exit.NO if self.approvals.missing else Exit.YES


class RuleChangeApprovals(Outcome, frozen=True, kw_only=True, tag="mlgit/rule-approvals.v1"):
    """The approvals of a change of rules, by the rules before it.

    `name` is the branch that proposes it, or the commit that merged it; `files` are the changed rules, with the kind of each.
    """

    name: str
    files: dict[str, str]
    decision: Digest
    is_merged: bool
    why: str
    pull_request: str | None
    needed: int
    counted: list[str]
    uncounted: dict[str, str]
    missing: list[str]
    may_approve: list[str]

    @property
    def exit(self) -> Exit:
        """No where approvals are missing."""
        return Exit.NO if self.missing else Exit.YES


def run(
    workspace: Workspace, name: str | None = None, *, at: str | None = None
) -> PromotionApprovals | RuleChangeApprovals:
    """Count the approvals of a promotion, or of a change of rules, again. Changes nothing.

    Args:
        workspace: where.
        name: an id, or `environment/model`: the open promotion, else the last one that was merged. The only open one, if None.
            Or a branch that proposes a change of rules, or the commit that merged it.
        at: a commit, a branch, a tag or a date: what was merged by then is counted by the ledger of that time. If no promotion is
            named, it is the newest.

    Raises:
        MlgitError: there is no such promotion (`promotion-unknown`, `promotion-ambiguous`), or a record that the decision depends
            on cannot be read.
        Inconclusive: reviews count and the forge does not answer; nothing is counted then.
    """
    snapshot = take_snapshot(workspace, at)
    try:
        found = find_promotion(workspace, snapshot, name)
    except Inconclusive:
        raise
    except MlgitError:
        change = None if name is None or at is not None else find_rule_change(workspace, snapshot, name)
        if change is None:
            raise
        return _rule_approvals(workspace, snapshot, change)
    proposal = found.proposal
    reads = context_of(proposal).reads()
    votes = approval_count.read_votes(workspace, proposal, snapshot.ledger)
    result = approval_count.count_approvals(workspace, proposal, decision(reads), votes)
    return PromotionApprovals(
        promotion=proposal.manifest.promotion,
        environment=proposal.environment,
        model=proposal.model,
        candidate=proposal.subject,
        beside=slots.versions_beside(proposal.manifest),
        state=found.state,
        head=proposal.head,
        base=commit_of(proposal.before),
        decision=decision(reads),
        policy=proposal.policy.name,
        pull_request=proposal.reviews.url if proposal.reviews else None,
        approvals=view_approvals(workspace, proposal, reads, result, votes, record=found.record),
    )


def _rule_approvals(workspace: Workspace, snapshot: Snapshot, change: RuleChange) -> RuleChangeApprovals:
    """Count the approvals of a change of rules: with the reviews that the ledger has once it is merged, else the forge."""
    if change.is_merged:
        change = rule_reviews.with_recorded_reviews(workspace, change, snapshot.ledger)
    if change.reviews is None:
        change = rule_reviews.with_fetched_reviews(workspace, change, merged=change.is_merged)
    approvals = rule_changes.verify(workspace, change, snapshot.ledger).approvals
    return RuleChangeApprovals(
        name=change.name,
        files=dict(change.kinds),
        decision=change.decision,
        is_merged=change.is_merged,
        why=change.requirement.why,
        pull_request=change.reviews.url if change.reviews else None,
        needed=approvals.needed,
        counted=[approval.person for approval in approvals.counted],
        uncounted={vote.person: vote.reason for vote in approvals.uncounted},
        missing=approvals.missing,
        may_approve=approvals.may_approve,
    )
