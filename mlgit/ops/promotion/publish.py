"""Publish a proposal: its branch goes to the remote, its pull request to the forge."""

from typing import TypeVar

from msgspec.structs import replace

from mlgit.domain import layout
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.outcome import Outcome
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.kernel.snapshot import Snapshot
from mlgit.ops.promotion import proposal_branch, pull_request
from mlgit.ops.promotion.proposed import Proposed
from mlgit.ops.review.proposals import Proposal, proposal_at
from mlgit.ops.review.verification import PromotionVerifier

PlanT = TypeVar("PlanT", bound=Outcome)


def propose_promotion(
    workspace: Workspace,
    snapshot: Snapshot,
    plan: Proposed,
    draft: proposal_branch.BranchDraft,
    body: pull_request.BriefRenderer | None,
) -> Proposed:
    """Commit a promotion to its branch and publish it; return the plan with where it waits.

    Raises:
        MlgitError: the change breaks a rule, or cannot be put onto its branch (see `put_on_branch`). Nothing was changed.
    """
    commit, _ = proposal_branch.put_on_branch(workspace, snapshot.state, draft)
    proposal = proposal_at(workspace, snapshot.state, plan.environment, plan.model, commit)
    return publish_promotion(workspace, snapshot, replace(plan, state="proposed"), proposal, body, again=draft.command)


def publish_promotion(
    workspace: Workspace,
    snapshot: Snapshot,
    plan: Proposed,
    proposal: Proposal,
    body: pull_request.BriefRenderer | None,
    *,
    again: str,
    dry_run: bool = False,
) -> Proposed:
    """Push a promotion that is on its branch and open its pull request, where there is a remote and a forge.

    Args:
        workspace: where.
        snapshot: what its approvals are counted by.
        plan: the outcome, without what is known of the branch.
        proposal: the promotion.
        body: writes the body of the pull request; None to leave pull requests alone.
        again: the command that does this again.
        dry_run: whether to change nothing.

    Returns:
        The plan with the branch, the pull request and the approvals that are missing.
    """
    approvals = PromotionVerifier(workspace, snapshot.ledger, snapshot.at).verify(proposal).approvals
    name = layout.promotion_branch(proposal.environment, proposal.model)
    pushed = not dry_run and proposal_branch.push_branch(workspace, name, proposal.head)
    opened = pull_request.open_for_promotion(workspace, proposal, body if pushed else None, retry_command=again)
    return replace(
        plan,
        promotion=proposal.manifest.promotion,
        branch=name,
        commit=proposal.head,
        pushed=pushed,
        approvals_missing=approvals.missing,
        may_approve=approvals.may_approve,
        pull_request=opened.url,
        warnings=opened.warnings,
    )


def publish_change(
    workspace: Workspace,
    base: Lifecycle,
    plan: PlanT,
    draft: proposal_branch.BranchDraft,
    say: pull_request.BodyRenderer | None,
    *,
    dry_run: bool,
) -> PlanT:
    """Put a change that is no promotion onto its branch; return its outcome, which is the plan alone in a dry run.

    Args:
        workspace: where.
        base: the state that the change is made on.
        plan: the outcome, without what is known of the branch.
        draft: the change.
        say: writes the body of the pull request; None to leave pull requests alone.
        dry_run: whether only to check the change.

    Raises:
        MlgitError: the change breaks a rule, or cannot be put onto its branch (see `branch.put`). Nothing was changed.
    """
    if dry_run:
        proposal_branch.check_draft(workspace, base, draft)
        return plan
    commit, pushed = proposal_branch.put_on_branch(workspace, base, draft)
    opened = pull_request.open_for_draft(workspace, base, draft, say if pushed else None)
    return replace(
        plan,
        state="proposed",
        branch=draft.branch,
        commit=commit,
        pushed=pushed,
        pull_request=opened.url,
        warnings=opened.warnings,
    )
