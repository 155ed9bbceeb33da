"""Verify a change of rules and merge it into the base branch."""

from typing import Literal

from mlgit.errors import Finding, MlgitError, Severity, refused
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.outcome import Outcome
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.kernel.signing import commit_signing
from mlgit.ops.kernel.snapshot import Snapshot, commit_of
from mlgit.ops.promotion.merge_commit import check_merge, merge_into_base, require_not_checked_out_elsewhere
from mlgit.ops.review import rule_changes, rule_reviews
from mlgit.ops.review.rule_changes import RuleChange
from mlgit.ops.validation import validate


class RulesMerged(Outcome, frozen=True, kw_only=True, tag="mlgit/merge-rules.v1"):
    """The change of rules that was merged, and who approved it."""

    name: str
    files: dict[str, str]
    decision: str
    state: Literal["merged", "merged-already", "planned"]
    base: str
    commit: str | None
    signed: bool
    pushed: bool
    approved_by: list[str]
    needed: int


def run(workspace: Workspace, snapshot: Snapshot, change: RuleChange, *, dry_run: bool) -> RulesMerged:
    """Verify a change of rules, and merge the branch that proposes it.

    Args:
        workspace: where.
        snapshot: the base branch as it is now.
        change: the change.
        dry_run: whether to change nothing.

    Raises:
        MlgitError: it may not be merged, for the reasons in the findings, or the remote refused. Nothing was changed.
        Inconclusive: reviews count, and the forge does not answer.
    """
    if change.is_merged:
        change = rule_reviews.with_recorded_reviews(workspace, change, snapshot.ledger)
    else:
        change = rule_reviews.with_fetched_reviews(workspace, change, merged=False)
    verification = rule_changes.verify(workspace, change, snapshot.ledger)
    if not change.is_merged:
        findings = [
            *verification.findings(_how_to_approve(change)),
            *_check_files(workspace, snapshot, change),
        ]
        if findings:
            raise MlgitError(*findings)
        require_not_checked_out_elsewhere(workspace, snapshot, change.name)
    sign = commit_signing(workspace, snapshot.state)
    commit, pushed = None, False
    conflict = refused("merge-conflict", f"{change.name} does not merge into {snapshot.name}")
    if not change.is_merged and dry_run:
        check_merge(workspace, snapshot, change.head, conflict=conflict)
    if not change.is_merged and not dry_run:
        rule_reviews.record_reviews(workspace, change)
        commit, pushed = merge_into_base(
            workspace,
            snapshot,
            change.head,
            message=f"Merge {change.name}\n\nIt changes {rule_changes.described(change)}.\n",
            reason=f"mlgit merge {change.name}",
            conflict=conflict,
            sign=sign,
        )
    return RulesMerged(
        name=change.name,
        files=dict(change.kinds),
        decision=change.decision,
        state="merged-already" if change.is_merged else "planned" if dry_run else "merged",
        base=snapshot.name,
        commit=change.head if change.is_merged else commit,
        signed=bool(sign) and commit is not None,
        pushed=pushed,
        approved_by=[approval.person for approval in verification.approvals.counted],
        needed=verification.approvals.needed,
    )


def _how_to_approve(change: RuleChange) -> str:
    command = f"somebody who may approve runs `mlgit approve {change.name}`"
    return f"{command}, or reviews its pull request" if rule_reviews.counts_reviews(change) else command


def _check_files(workspace: Workspace, snapshot: Snapshot, change: RuleChange) -> list[Finding]:
    """Check that the files that the branch changes are valid; a promotion among them is refused."""
    repository = workspace.repository
    began = repository.merge_base(snapshot.commit, change.head) or commit_of(snapshot.state)
    after = Lifecycle(repository.tree(change.head), workspace.formats.record)
    changes = repository.changes(began, change.head)
    _, findings = validate.check_change(snapshot.state, after, changes, workspace.formats)
    return [finding for finding in findings if finding.severity is Severity.ERROR]
