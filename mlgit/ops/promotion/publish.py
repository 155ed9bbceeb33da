"""Publish a proposal: commit it to its branch, push the branch, and open its pull request."""

from collections.abc import Mapping
from typing import TypeVar

from msgspec.structs import replace

from mlgit.domain import layout
from mlgit.domain.records import GateReport, Promotion
from mlgit.domain.records.promotion import Ramp, SlotAssignments
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.outcome import Outcome
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.kernel.snapshot import Snapshot
from mlgit.ops.promotion import drafting, proposal_branch, pull_request
from mlgit.ops.promotion.proposed import Change, Proposed
from mlgit.ops.review.proposals import OpenProposals, Proposal, proposal_at
from mlgit.ops.review.verification import PromotionVerifier

PlanT = TypeVar("PlanT", bound=Outcome)


def find_same_open(
    workspace: Workspace,
    snapshot: Snapshot,
    environment: str,
    model: str,
    change: Change,
    desired: SlotAssignments,
    ramp: Ramp | None = None,
) -> Proposal | None:
    """Return the open proposal of the same change; None if there is none, or it is out of date by the snapshot."""
    open_proposals = OpenProposals(workspace, snapshot.state)
    if (environment, model) not in open_proposals:
        return None
    proposal = open_proposals.load(environment, model)
    manifest = proposal.manifest
    if (manifest.change, manifest.slots, manifest.ramp) != (change, desired, ramp):
        return None
    problems = PromotionVerifier(workspace, snapshot.ledger, snapshot.at).verify(proposal).problems
    return None if problems else proposal


def propose(
    workspace: Workspace,
    snapshot: Snapshot,
    plan: Proposed,
    manifest: Promotion,
    report: GateReport | None,
    *,
    message: str,
    command: str,
    render_brief: pull_request.BriefRenderer | None,
    dry_run: bool,
    other_files: Mapping[str, bytes] | None = None,
) -> Proposed:
    """Propose a promotion unless a gate fails: commit its files to its branch, and publish that.

    Args:
        workspace: where.
        snapshot: the state that it is based on.
        plan: the outcome so far.
        manifest: the manifest.
        report: its gate report; None for a change without gates.
        message: the commit message, without trailers.
        command: the command that does this again.
        render_brief: renders the body of the pull request; None to leave pull requests alone.
        dry_run: whether to change nothing.
        other_files: files beside manifest and gate report, by path.

    Returns:
        The plan with its files and gates and, where it was proposed, with the branch and the pull request.

    Raises:
        MlgitError: the change breaks a rule, or cannot be put onto its branch (see `put_on_branch`). Nothing was changed.
    """
    files = {**drafting.promotion_files(workspace, manifest, report), **(other_files or {})}
    plan = replace(
        plan,
        files={path: "+" if snapshot.state.tree.read(path) is None else "~" for path in sorted(files)},
        gates=report.results if report else [],
    )
    if report is not None and report.outcome != "pass":
        return replace(plan, state="refused")
    if dry_run:
        return plan
    draft = drafting.promotion_draft(manifest, files, message, command)
    commit, _ = proposal_branch.put_on_branch(workspace, snapshot.state, draft)
    proposal = proposal_at(workspace, snapshot.state, plan.environment, plan.model, commit)
    plan = replace(plan, state="proposed")
    return _publish(workspace, snapshot, plan, proposal, render_brief, command=command, dry_run=False)


def propose_again(
    workspace: Workspace,
    snapshot: Snapshot,
    plan: Proposed,
    proposal: Proposal,
    *,
    command: str,
    render_brief: pull_request.BriefRenderer | None,
    dry_run: bool,
) -> Proposed:
    """Publish a proposal that is open already, as after a run that could not push it or open its pull request."""
    gates = proposal.report.results if proposal.report else []
    plan = replace(plan, state="proposed-already", gates=gates)
    return _publish(workspace, snapshot, plan, proposal, render_brief, command=command, dry_run=dry_run)


def publish_change(
    workspace: Workspace,
    base: Lifecycle,
    plan: PlanT,
    draft: proposal_branch.BranchDraft,
    render_body: pull_request.BodyRenderer | None,
    *,
    dry_run: bool,
) -> PlanT:
    """Put a change that is no promotion onto its branch, and publish that.

    Args:
        workspace: where.
        base: the state that it is based on.
        plan: the outcome so far, with the state `planned`.
        draft: the change.
        render_body: renders the body of the pull request; None to leave pull requests alone.
        dry_run: whether only to check the change.

    Returns:
        The plan, as it is in a dry run; else with the branch and the pull request.

    Raises:
        MlgitError: the change breaks a rule, or cannot be put onto its branch (see `put_on_branch`). Nothing was changed.
    """
    if dry_run:
        proposal_branch.commit_draft(workspace, base, draft)
        return plan
    commit, pushed = proposal_branch.put_on_branch(workspace, base, draft)
    opened = pull_request.open_for_draft(workspace, base, draft, render_body if pushed else None)
    return replace(
        plan,
        state="proposed",
        branch=draft.branch,
        commit=commit,
        pushed=pushed,
        pull_request=opened.url,
        warnings=opened.warnings,
    )


def _publish(
    workspace: Workspace,
    snapshot: Snapshot,
    plan: Proposed,
    proposal: Proposal,
    render_brief: pull_request.BriefRenderer | None,
    *,
    command: str,
    dry_run: bool,
) -> Proposed:
    """Push a promotion that is on its branch and open its pull request, where there is a remote and a forge."""
    approvals = PromotionVerifier(workspace, snapshot.ledger, snapshot.at).verify(proposal).approvals
    branch = layout.promotion_branch(proposal.environment, proposal.model)
    pushed = not dry_run and proposal_branch.push_branch(workspace, branch, proposal.head)
    opened = pull_request.open_for_promotion(
        workspace, proposal, render_brief if pushed else None, retry_command=command
    )
    return replace(
        plan,
        promotion=proposal.manifest.promotion,
        branch=branch,
        commit=proposal.head,
        pushed=pushed,
        approvals_missing=approvals.missing,
        may_approve=approvals.may_approve,
        pull_request=opened.url,
        warnings=opened.warnings,
    )
