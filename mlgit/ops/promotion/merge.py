"""Verify a promotion and merge it into the base branch."""

import contextlib
from collections.abc import Callable
from typing import Literal

from mlgit.domain import layout
from mlgit.domain.names import CommitId, is_promotion_id
from mlgit.domain.records import Promotion
from mlgit.errors import MlgitError, refused
from mlgit.ops.kernel import interrupted_merge, remote
from mlgit.ops.kernel.outcome import Outcome
from mlgit.ops.kernel.ports.git import Repository, Signing
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.kernel.signing import commit_signing
from mlgit.ops.kernel.snapshot import Snapshot, base_branch, fetch_current, take_snapshot
from mlgit.ops.promotion import merge_rules
from mlgit.ops.promotion.find_promotion import find_in_history
from mlgit.ops.promotion.merge_commit import check_merge, merge_into_base, require_not_checked_out_elsewhere
from mlgit.ops.promotion.merge_rules import RulesMerged
from mlgit.ops.review import forge_reviews
from mlgit.ops.review.proposals import OpenProposals, Proposal
from mlgit.ops.review.rule_changes import find_rule_change
from mlgit.ops.review.verification import PromotionVerifier


class Merged(Outcome, frozen=True, kw_only=True, tag="mlgit/merge.v1"):
    """What was merged, and who approved it."""

    promotion: str
    change: str
    environment: str
    candidate: str
    decision: str | None
    state: Literal["merged", "merged-already", "planned"]
    base: str
    commit: str | None
    signed: bool
    pushed: bool
    approved_by: list[str]
    needed: int


def run(
    workspace: Workspace, name: str | None, *, dry_run: bool = False, on_step: Callable[[str], None] = lambda _: None
) -> Merged | RulesMerged:
    """Verify an open promotion, or a branch that changes rules, and merge it.

    If it was merged already, only its branch is deleted, so that a merge that was interrupted can be run again.

    Raises:
        MlgitError: it may not be merged, for the reasons in the findings, or the remote refused. Nothing was changed.
        Inconclusive: the remote did not answer. Nothing was changed.
    """
    if not dry_run:
        if has_remote := remote.exists(workspace.repository):
            # The proposals are not fetched: the head that is merged is the one that this person has.
            on_step(f"fetching from {remote.NAME}")
            fetch_current(workspace)
        interrupted_merge.finish(workspace.repository, base_branch(workspace), fetched=has_remote)
    snapshot = take_snapshot(workspace)
    open_proposals = OpenProposals(workspace, snapshot.state)
    if (manifest := _already_merged(workspace, snapshot, open_proposals, name)) is not None:
        return _clean_up(workspace, snapshot, manifest, dry_run=dry_run)

    try:
        proposal = open_proposals.find(name)
    except MlgitError:
        change = None if name is None else find_rule_change(workspace, snapshot, name)
        if change is None:
            raise
        return merge_rules.run(workspace, snapshot, change, dry_run=dry_run)
    proposal = forge_reviews.with_fetched_reviews(workspace, proposal, merged=False)
    verifier = PromotionVerifier(workspace, snapshot.ledger, snapshot.at)
    verification = verifier.verify(proposal)
    verification.require()
    if findings := verifier.check_files(proposal):
        raise MlgitError(*findings)
    on_step("evaluating the gates again")
    verifier.require_same_gates(proposal)
    verification = verifier.verify_again(proposal, verification)
    verification.require()
    require_not_checked_out_elsewhere(workspace, snapshot, verification.name)

    sign = commit_signing(workspace, snapshot.state)
    commit, pushed = None, False
    if dry_run:
        check_merge(workspace, snapshot, proposal.head, conflict=_conflict(snapshot, proposal))
    else:
        forge_reviews.record_reviews(workspace, proposal)
        commit, pushed = _merge(workspace, snapshot, proposal, sign=sign)
    return Merged(
        promotion=proposal.manifest.promotion,
        change=proposal.manifest.change,
        environment=proposal.environment,
        candidate=proposal.subject,
        decision=verification.decision,
        state="planned" if dry_run else "merged",
        base=snapshot.name,
        commit=commit,
        signed=bool(sign),
        pushed=pushed,
        approved_by=[approval.person for approval in verification.approvals.counted],
        needed=verification.approvals.needed,
    )


def _already_merged(
    workspace: Workspace, snapshot: Snapshot, open_proposals: OpenProposals, name: str | None
) -> Promotion | None:
    """Return the manifest of the named promotion if it is merged already and no newer one is open in its place.

    If no name is given and none is open, it is one whose branch an interrupted merge left behind, or else the newest one: to run
    `mlgit merge` twice gives the same answer, by whichever name.
    """
    open_keys, manifests = open_proposals.keys(), snapshot.state.promotions()
    for key, manifest in manifests.items():
        names = {"/".join(key), layout.promotion_branch(*key), manifest.promotion}
        if name in names and key not in open_keys:
            return manifest
    if name is None:
        merged = [] if open_keys else sorted(manifests.items(), key=lambda item: item[1].promotion, reverse=True)
        left = (manifest for key, manifest in merged if _has_branch(workspace, key))
        return next(left, merged[0][1] if merged else None)
    if not is_promotion_id(name) or any(proposal.manifest.promotion == name for proposal in open_proposals.load_all()):
        return None
    found = find_in_history(workspace, snapshot.state, name)
    return None if found is None else found[1]


def _has_branch(workspace: Workspace, key: tuple[str, str]) -> bool:
    return workspace.repository.resolve(f"refs/heads/{layout.promotion_branch(*key)}") is not None


def _clean_up(workspace: Workspace, snapshot: Snapshot, manifest: Promotion, *, dry_run: bool) -> Merged:
    """Delete the branch of a promotion that is merged, and report that it is."""
    repository = workspace.repository
    branch = f"refs/heads/{layout.promotion_branch(manifest.environment, manifest.model)}"
    head = repository.resolve(branch)
    if not dry_run and head is not None and remote.contains(repository, snapshot.commit, head):
        _delete_branch(repository, branch, head)
    slot = manifest.slots.champion
    return Merged(
        promotion=manifest.promotion,
        change=manifest.change,
        environment=manifest.environment,
        candidate=f"{manifest.model}@{slot.version}" if slot else manifest.model,
        decision=None,
        state="merged-already",
        base=snapshot.name,
        commit=snapshot.commit,
        signed=False,
        pushed=False,
        approved_by=[],
        needed=0,
    )


def _merge(workspace: Workspace, snapshot: Snapshot, proposal: Proposal, *, sign: Signing) -> tuple[CommitId, bool]:
    """Make the merge commit, update the work tree if it has the base checked out, push, and move the base.

    A commit that was added to the base after the snapshot is never dropped: the merge is refused. The order makes an interruption
    safe. The work tree is updated first: HEAD still names the old commit then, and the next command does both
    (`interrupted_merge`). The push is before the local branch moves, so that a push which is refused leaves nothing behind. The
    local branch may be behind the snapshot, which is then the remote's copy of it.

    Returns:
        The commit, and whether it was pushed.
    """
    repository = workspace.repository
    commit, pushed = merge_into_base(
        workspace,
        snapshot,
        proposal.head,
        message=_message(proposal),
        reason=f"mlgit merge {proposal.manifest.promotion}",
        conflict=_conflict(snapshot, proposal),
        sign=sign,
    )
    # A failure here leaves a branch that is merged, which does not count as open.
    with contextlib.suppress(MlgitError):
        branch_ref = f"refs/heads/{layout.promotion_branch(proposal.environment, proposal.model)}"
        _delete_branch(repository, branch_ref, proposal.head)
    return commit, pushed


def _conflict(snapshot: Snapshot, proposal: Proposal) -> MlgitError:
    return refused(
        "merge-conflict",
        f"the promotion of {proposal.model} to {proposal.environment} does not merge into {snapshot.name}",
        why="both changed the same file",
        fix="run `mlgit promote` again: it starts from today's base",
    )


_SUBJECTS = {"rollback": "rollback of {} in {}", "recertify": "recertification of {} in {}"}
"""The subject of the merge commit by the kind of change, with model and environment."""


def _message(proposal: Proposal) -> str:
    subject = _SUBJECTS.get(proposal.manifest.change, "promotion of {} to {}")
    subject = subject.format(proposal.model, proposal.environment)
    return f"Merge {subject}\n\nMlgit-Promotion: {proposal.manifest.promotion}\n"


def _delete_branch(repository: Repository, branch: str, merged: CommitId) -> None:
    """Delete a branch that was merged, here and at the remote, unless somebody has added to it."""
    if repository.resolve(branch) == merged:
        repository.delete_ref(branch, expected=merged)
    if repository.resolve(remote.tracking_ref(branch)) == merged:
        with contextlib.suppress(MlgitError):  # another run deleted it first, or the remote does not allow it
            repository.push(remote.NAME, [f":{branch}"], force_with_lease={branch: merged})
