"""Approve or reject a change of rules: sign a vote on its decision, and append it to the ledger."""

from typing import Literal

from mlgit.domain import layout
from mlgit.domain.approvals import People, SignedVote
from mlgit.domain.records import RuleApproval
from mlgit.errors import Finding, refused
from mlgit.ops.kernel.outcome import Outcome
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.kernel.snapshot import Snapshot, ledger_of
from mlgit.ops.promotion.pull_request import PullRequestUpdate, note_signatures
from mlgit.ops.review import rule_changes
from mlgit.ops.review.rule_changes import RuleChange, RuleVerification
from mlgit.ops.review.vote_signing import append_vote


class RulesApproved(Outcome, frozen=True, kw_only=True, tag="mlgit/approve-rules.v1"):
    """Whose vote on a change of rules was added, and what is still missing.

    `files` are the changed rules: the kind of each by its path. `name` is the branch that proposes the change, or the commit that
    merged it.
    """

    name: str
    files: dict[str, str]
    decision: str
    person: str
    verdict: Literal["approve", "reject"]
    state: Literal["added", "there-already", "planned"]
    is_merged: bool
    counted: list[str]
    missing: list[str]
    pull_request: str | None = None
    warnings: list[Finding] = []


def run(
    workspace: Workspace,
    snapshot: Snapshot,
    change: RuleChange,
    *,
    verdict: Literal["approve", "reject"],
    comment: str | None,
    dry_run: bool,
) -> RulesApproved:
    """Sign a vote on a change of rules as the person of Git's configuration, and append it to the ledger.

    Args:
        workspace: where.
        snapshot: the base branch as it is now.
        change: the change.
        verdict: whether it approves or rejects.
        comment: a comment by the person; it is signed too.
        dry_run: whether to change nothing.

    Raises:
        MlgitError: the change needs no approval (`rule-approval-not-needed`), the person's approval would not count
            (`approver-excluded`), or there is no key to sign with.
    """
    if not change.requirement.needed:
        raise refused(
            "rule-approval-not-needed",
            f"the change of {rule_changes.described(change)} needs no approval",
            why=change.requirement.why,
            fix=f"merge {change.name}",
        )
    _, email = workspace.repository.identity()
    people = People(change.before.roles())
    person = people.person(email)
    if verdict == "approve":
        _require_may_approve(workspace, change, people, person)
    already = _last_verdict(rule_changes.verify(workspace, change, snapshot.ledger), people, person) == verdict
    if not already and not dry_run:
        approval = RuleApproval(
            schema=1,
            decision=change.decision,
            files=dict(change.files),
            verdict=verdict,
            by=email,
            at=snapshot.at,
            comment=comment,
        )
        folder = layout.rule_approvals(change.decision)
        subject = f"{verdict.capitalize()} the change of {rule_changes.described(change)}"
        append_vote(workspace, change.before, folder, approval, person, subject)
    approvals = rule_changes.verify(workspace, change, ledger_of(workspace)).approvals
    counted = [approval.person for approval in approvals.counted]
    update = PullRequestUpdate()
    if not dry_run and not change.is_merged:
        update = note_signatures(workspace, snapshot.state, change.name, counted)
    return RulesApproved(
        name=change.name,
        files=dict(change.kinds),
        decision=change.decision,
        person=person,
        verdict=verdict,
        state="there-already" if already else "planned" if dry_run else "added",
        is_merged=change.is_merged,
        counted=counted,
        missing=approvals.missing,
        pull_request=update.url,
        warnings=update.warnings,
    )


def _require_may_approve(workspace: Workspace, change: RuleChange, people: People, person: str) -> None:
    excluded = rule_changes.authorship(workspace, change, people).excluded
    reason = "is a program" if people.is_bot(person) else excluded.get(person)
    if reason:
        raise refused(
            "approver-excluded",
            f"an approval by {person} does not count",
            why=f"{person}: {reason} ({', '.join(change.requirement.exclude)} are excluded)",
            fix=f"somebody else who is in .mlgit/allowed_signers runs `mlgit approve {change.name}`",
        )


def _last_verdict(verification: RuleVerification, people: People, person: str) -> str | None:
    """Return the last verdict that a person signed on the change; None if they signed none."""
    votes = [
        vote.approval
        for vote in verification.votes
        if isinstance(vote, SignedVote)
        and vote.key is not None
        and vote.decision == verification.change.decision
        and vote.person(people) == person
    ]
    return max(votes, key=lambda approval: (approval.at, approval.verdict)).verdict if votes else None
