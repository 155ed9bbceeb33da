"""Verify a promotion and merge it into the base branch."""

import contextlib
from collections.abc import Callable
from typing import Literal

from mlgit.domain import layout
from mlgit.domain.names import CommitId
from mlgit.domain.records import Promotion
from mlgit.errors import MlgitError, refused
from mlgit.ops.kernel import remote
from mlgit.ops.kernel.outcome import Outcome
from mlgit.ops.kernel.ports.git import Repository
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.kernel.snapshot import Snapshot, fetch_current, take_snapshot
from mlgit.ops.review import forge_reviews
from mlgit.ops.review.proposals import OpenProposals, Proposal
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
) -> Merged:
    """Merge an open promotion, if everything that it rests on holds now.

    What was merged already is only cleaned up, so that a merge that was interrupted can be run again.

    Raises:
        MlgitError: it does not hold, and what is missing, or the remote refused; nothing was changed then.
        Inconclusive: the remote did not answer; nothing was changed.
    """
    if not dry_run and remote.exists(workspace.repository):
        # Not the proposals: what is merged is what the person has seen, on what the remote has today.
        on_step(f"fetching from {remote.NAME}")
        fetch_current(workspace)
    snapshot = take_snapshot(workspace)
    open_proposals = OpenProposals(workspace, snapshot.state)
    if (manifest := _already_merged(workspace, snapshot, open_proposals, name)) is not None:
        return _clean_up(workspace, snapshot, manifest, dry_run=dry_run)

    proposal = forge_reviews.with_fetched_reviews(workspace, open_proposals.find(name), merged=False)
    verifier = PromotionVerifier(workspace, snapshot.ledger, snapshot.at)
    verification = verifier.verify(proposal)
    verification.require()
    if findings := verifier.check_files(proposal):
        raise MlgitError(*findings)
    on_step("evaluating the gates again")
    verifier.require_same_gates(proposal)
    _require_not_checked_out_elsewhere(workspace, snapshot, verification.name)

    signed = bool(workspace.repository.config("user.signingkey"))
    commit, pushed = None, False
    if not dry_run:
        forge_reviews.record_reviews(workspace, proposal)
        commit, pushed = _merge(workspace, snapshot, proposal, sign=signed)
    return Merged(
        promotion=proposal.manifest.promotion,
        change=proposal.manifest.change,
        environment=proposal.environment,
        candidate=proposal.subject,
        decision=verification.decision,
        state="planned" if dry_run else "merged",
        base=snapshot.name,
        commit=commit,
        signed=signed,
        pushed=pushed,
        approved_by=[approval.person for approval in verification.approvals.counted],
        needed=verification.approvals.needed,
    )


def _require_not_checked_out_elsewhere(workspace: Workspace, snapshot: Snapshot, name: str) -> None:
    place = workspace.repository.checked_out_elsewhere(snapshot.name)
    if place is not None:
        raise refused(
            "base-branch-checked-out",
            f"{snapshot.name} is checked out in another work tree",
            why="were the branch moved under that work tree, the next commit there would undo the merge",
            fix=f"run `mlgit -C {place} merge {name}`",
        )


def _merge(workspace: Workspace, snapshot: Snapshot, proposal: Proposal, *, sign: bool) -> tuple[CommitId, bool]:
    """Make the merge commit, update the work tree if it has the base checked out, push, and move the base.

    The work tree goes first: if this is interrupted in between, HEAD still names the old commit, and a second run does both.
    The remote goes before the local branch, so that a push which is refused leaves nothing behind. The local branch may be
    behind the snapshot, which is then what the remote has on the same line.

    Returns:
        The commit, and whether it was pushed.
    """
    repository, branch, onto = workspace.repository, snapshot.name, snapshot.commit
    tree = repository.merge_tree(onto, proposal.head)
    if tree is None:
        raise refused(
            "merge-conflict",
            f"the promotion of {proposal.model} to {proposal.environment} does not merge into {branch}",
            why="both changed the same file",
            fix="run `mlgit promote` again: it starts from today's base",
        )
    commit = repository.commit_tree(tree, parents=[onto, proposal.head], message=_message(proposal), sign=sign)
    ref = f"refs/heads/{branch}"
    before = repository.resolve(ref)
    shared = remote.exists(repository)
    checked_out = before if repository.checked_out_branch() == branch else None
    if checked_out is not None:
        repository.advance_checkout(checked_out, commit)
    try:
        if shared:
            repository.push(remote.NAME, [f"{commit}:{ref}"])
        repository.move(ref, commit, expected=before, reason=f"mlgit merge {proposal.manifest.promotion}")
    except MlgitError:
        if checked_out is not None:
            repository.advance_checkout(commit, checked_out)
        raise
    # It is merged whether or not this succeeds, and nothing that is merged counts as open.
    with contextlib.suppress(MlgitError):
        branch_ref = f"refs/heads/{layout.promotion_branch(proposal.environment, proposal.model)}"
        _delete_branch(repository, branch_ref, proposal.head)
    return commit, shared


_SUBJECTS = {"rollback": "rollback of {} in {}", "recertify": "recertification of {} in {}"}
"""What the subject of a merge commit calls a change, of a model in an environment."""


def _message(proposal: Proposal) -> str:
    subject = _SUBJECTS.get(proposal.manifest.change, "promotion of {} to {}")
    named = subject.format(proposal.model, proposal.environment)
    return f"Merge {named}\n\nMlgit-Promotion: {proposal.manifest.promotion}\n"


def _already_merged(
    workspace: Workspace, snapshot: Snapshot, open_proposals: OpenProposals, name: str | None
) -> Promotion | None:
    """Return the manifest of a promotion that the base has already, and that nothing newer is proposed in place of.

    It is the one that is named; if none is named and none is open, it is one whose branch an interrupted merge left behind.
    """
    waiting = open_proposals.keys()
    for key, manifest in snapshot.state.promotions().items():
        branch = layout.promotion_branch(*key)
        named = name in {"/".join(key), branch, manifest.promotion}
        left = name is None and not waiting and workspace.repository.resolve(f"refs/heads/{branch}") is not None
        if (named and key not in waiting) or left:
            return manifest
    return None


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


def _delete_branch(repository: Repository, branch: str, merged: CommitId) -> None:
    """Delete a branch that was merged, here and at the remote, where nobody has added to it."""
    if repository.resolve(branch) == merged:
        repository.delete_ref(branch, expected=merged)
    if repository.resolve(remote.tracking_ref(branch)) == merged:
        with contextlib.suppress(MlgitError):  # somebody else was faster, or may not delete there
            repository.push(remote.NAME, [f":{branch}"], force_with_lease={branch: merged})
