"""Publish a proposal: commit it to its branch, push the branch, and open its pull request."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from mlgit.domain import layout
from mlgit.domain.records import GateReport, Promotion
from mlgit.domain.records.promotion import Ramp, SlotAssignments
from mlgit.errors import Finding, Inconclusive, MlgitError, refused
from mlgit.ops.kernel import interrupted_merge, times
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.outcome import Outcome
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.kernel.signing import commit_signing
from mlgit.ops.kernel.snapshot import Snapshot
from mlgit.ops.promotion import drafting, proposal_branch, pull_request
from mlgit.ops.promotion.proposed import Change, Proposed, ReplacedProposal
from mlgit.ops.review.proposals import OpenProposals, Proposal, proposal_at
from mlgit.ops.review.verification import PromotionVerifier, Verification

PlanT = TypeVar("PlanT", bound=Outcome)


class OpenProposal(msgspec.Struct, frozen=True):
    """What is open on the branch of an environment and model when something is to be proposed there.

    `verification` is there if that is the same change, and still valid. Otherwise `replaced` is what takes its place.
    """

    proposal: Proposal | None = None
    verification: Verification | None = None
    replaced: ReplacedProposal | None = None


def find_open(
    workspace: Workspace,
    snapshot: Snapshot,
    key: tuple[str, str],
    change: Change,
    desired: SlotAssignments,
    ramp: Ramp | None = None,
    *,
    replace_open: bool,
    on_step: Callable[[str], None],
) -> OpenProposal:
    """Return what is open in the place of a change that is to be proposed.

    The same change is judged again, gates included: an input may have changed since it was proposed, such that it can never be
    merged, and only a new proposal helps.

    Args:
        workspace: where.
        snapshot: the state of the base branch, and the ledger.
        key: environment and model.
        change: the kind of the change.
        desired: the versions that are to run.
        ramp: the steps in which one of them takes over.
        replace_open: whether another change that is open may be replaced.
        on_step: called with a description of each slow step.

    Raises:
        MlgitError: another change is open (`promotion-open`).
        Inconclusive: the gates of the same change cannot be evaluated here (`gates-inconclusive`).
    """
    open_proposals = OpenProposals(workspace, snapshot.state)
    if key not in open_proposals:
        return OpenProposal()
    proposal = open_proposals.load(*key)
    manifest = proposal.manifest
    if (manifest.change, manifest.slots, manifest.ramp) != (change, desired, ramp):
        if not replace_open:
            raise _other_open(proposal)
        return OpenProposal(proposal, None, _replaced(proposal, []))
    verifier = PromotionVerifier(workspace, snapshot.ledger, snapshot.at)
    on_step(f"judging {manifest.promotion} again, which is open")
    try:
        verification = verifier.verify(proposal)
        findings = [*verification.problems, *_unsigned(workspace, snapshot, verification)]
        if not findings:
            verifier.require_same_gates(proposal)
            return OpenProposal(proposal, verification)
    except Inconclusive:
        raise
    except MlgitError as error:
        findings = list(error.findings)
    return OpenProposal(proposal, None, _replaced(proposal, findings))


def _unsigned(workspace: Workspace, snapshot: Snapshot, verification: Verification) -> list[Finding]:
    """Return that a proposal is unsigned, if this person can sign it: then nobody has to approve in addition."""
    unknown = [author for author in verification.approvals.unknown_authors if author.part == "proposal"]
    if not unknown or not commit_signing(workspace, snapshot.state):
        return []
    why = f"{unknown[0].commit[:12]}: {unknown[0].reason}"
    return [Finding("proposal-unsigned", "nobody can tell who made the open proposal", why=why)]


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
    times.require_clock(workspace, snapshot.commit, snapshot.ledger.commit)
    draft = drafting.promotion_draft(manifest, files, message, command)
    if dry_run:
        proposal_branch.check_draft(workspace, snapshot.state, draft)
        return plan
    interrupted_merge.finish(workspace.repository, snapshot.name, fetched=False)
    commit, _ = proposal_branch.put_on_branch(workspace, snapshot.state, draft)
    proposal = proposal_at(workspace, snapshot.state, plan.environment, plan.model, commit)
    verification = PromotionVerifier(workspace, snapshot.ledger, snapshot.at).verify(proposal)
    plan = replace(plan, state="proposed")
    return _publish(workspace, plan, proposal, verification, render_brief, command=command, dry_run=False)


def propose_again(
    workspace: Workspace,
    plan: Proposed,
    proposal: Proposal,
    verification: Verification,
    *,
    command: str,
    render_brief: pull_request.BriefRenderer | None,
    dry_run: bool,
) -> Proposed:
    """Publish a proposal that is open and valid, as after a run that could not push it or open its pull request."""
    gates = proposal.report.results if proposal.report else []
    plan = replace(plan, state="proposed-already", gates=gates)
    return _publish(workspace, plan, proposal, verification, render_brief, command=command, dry_run=dry_run)


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
        proposal_branch.check_draft(workspace, base, draft)
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
    plan: Proposed,
    proposal: Proposal,
    verification: Verification,
    render_brief: pull_request.BriefRenderer | None,
    *,
    command: str,
    dry_run: bool,
) -> Proposed:
    """Push a promotion that is on its branch and open its pull request, where there is a remote and a forge."""
    approvals = verification.approvals
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


def _other_open(proposal: Proposal) -> MlgitError:
    key = f"{proposal.environment}/{proposal.model}"
    return refused(
        "promotion-open",
        f"another change of {key} is open: {_subject(proposal)}, as {proposal.manifest.promotion}",
        why=f"{layout.promotion_branch(proposal.environment, proposal.model)} has one change at a time",
        fix=f"merge it, run `mlgit withdraw {key}`, or add --replace: its approvals count for nothing then",
    )


def _replaced(proposal: Proposal, findings: Sequence[Finding]) -> ReplacedProposal:
    reasons = [finding.message for finding in findings]
    return ReplacedProposal(promotion=proposal.manifest.promotion, candidate=_subject(proposal), outdated=reasons)


def _subject(proposal: Proposal) -> str:
    """Return the version that a proposal is about; only its model if that cannot be read."""
    try:
        return proposal.subject
    except MlgitError:
        return proposal.model
