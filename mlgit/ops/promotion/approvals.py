"""Show who approved a promotion, open or merged, whose vote does not count and why, and who may still approve."""

from mlgit.domain import slots
from mlgit.domain.decision import decision
from mlgit.domain.names import CommitId, Digest
from mlgit.errors import Exit
from mlgit.ops.kernel.outcome import Outcome
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.kernel.snapshot import commit_of, take_snapshot
from mlgit.ops.promotion.find_promotion import PromotionState, find_promotion
from mlgit.ops.review import approval_count
from mlgit.ops.review.approvals_view import ApprovalsView, view_approvals
from mlgit.ops.review.context import context_of


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


def run(workspace: Workspace, name: str | None = None, *, at: str | None = None) -> PromotionApprovals:
    """Count the approvals of a promotion again. Changes nothing.

    Args:
        workspace: where.
        name: an id, or `environment/model`: the open promotion, else the last one that was merged. The only open one, if None.
        at: a commit, a branch, a tag or a date: what was merged by then is counted by the ledger of that time. If no promotion is
            named, it is the newest.

    Raises:
        MlgitError: there is no such promotion (`promotion-unknown`, `promotion-ambiguous`), or a record that the decision depends
            on cannot be read.
        Inconclusive: reviews count and the forge does not answer; nothing is counted then.
    """
    snapshot = take_snapshot(workspace, at)
    found = find_promotion(workspace, snapshot, name)
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
