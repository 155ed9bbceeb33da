"""What becomes of a proposal once it is made: its branch goes to the remote, its pull request to the forge; its outcome says so.

A command that proposes something answers with an outcome of its own, which has the fields that are filled in here.
"""

from datetime import datetime
from typing import TypeVar

from msgspec.structs import replace

from mlgit.domain import layout
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.outcome import Outcome
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.promotion import proposal_branch, pull_request
from mlgit.ops.review.proposals import Proposal
from mlgit.ops.review.verification import verify

PlanT = TypeVar("PlanT", bound=Outcome)


def publish_promotion(
    workspace: Workspace,
    plan: PlanT,
    waiting: Proposal,
    body: pull_request.BriefRenderer | None,
    at: datetime,
    *,
    again: str,
    dry_run: bool,
) -> PlanT:
    """Return the outcome of a promotion that waits on its branch, pushed and with a pull request, as far as there are these.

    Args:
        workspace: where.
        plan: the outcome, without what is known of the branch.
        waiting: the promotion.
        body: writes the body of the pull request; None to leave pull requests alone.
        at: the moment as of which approvals are counted.
        again: the command that does this again.
        dry_run: whether only to say how it stands.
    """
    tally = verify(workspace, waiting, at=at).tally
    name = layout.promotion_branch(waiting.environment, waiting.model)
    pushed = not dry_run and proposal_branch.push_branch(workspace, name, waiting.head)
    opened = pull_request.open_for_promotion(workspace, waiting, body if pushed else None, retry_command=again)
    return replace(
        plan,
        promotion=waiting.manifest.promotion,
        branch=name,
        commit=waiting.head,
        pushed=pushed,
        approvals_missing=tally.missing,
        may_approve=tally.may,
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
