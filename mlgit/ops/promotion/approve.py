"""Approve or reject a promotion: sign a vote on its decision, and append it to the ledger."""

from typing import Literal

from mlgit.domain import layout
from mlgit.domain.approvals import People
from mlgit.domain.names import Digest
from mlgit.domain.records import Approval
from mlgit.errors import Finding, MlgitError, refused
from mlgit.ops.kernel.ledger import Ledger
from mlgit.ops.kernel.outcome import Outcome
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.kernel.snapshot import ledger_of, take_snapshot
from mlgit.ops.promotion import approve_rules
from mlgit.ops.promotion.approve_rules import RulesApproved
from mlgit.ops.promotion.pull_request import PullRequestUpdate, note_signatures
from mlgit.ops.review import approval_count
from mlgit.ops.review.authorship import authorship_of
from mlgit.ops.review.proposals import OpenProposals, Proposal
from mlgit.ops.review.rule_changes import find_rule_change
from mlgit.ops.review.verification import PromotionVerifier
from mlgit.ops.review.vote_signing import append_vote


class Approved(Outcome, frozen=True, kw_only=True, tag="mlgit/approve.v1"):
    """Whose vote was added, and what is still missing."""

    promotion: str
    environment: str
    candidate: str
    decision: str
    person: str
    verdict: Literal["approve", "reject"]
    state: Literal["added", "there-already", "planned"]
    counted: list[str]
    missing: list[str]
    pull_request: str | None = None
    warnings: list[Finding] = []


def run(
    workspace: Workspace,
    name: str | None,
    *,
    verdict: Literal["approve", "reject"] = "approve",
    comment: str | None = None,
    dry_run: bool = False,
) -> Approved | RulesApproved:
    """Sign a vote on an open promotion, or a change of rules, as the person of Git's configuration; append it to the ledger.

    Args:
        workspace: where.
        name: the promotion; or the branch that proposes a change of rules, or the commit that merged it.
        verdict: whether to approve or to reject it.
        comment: a comment by the person; it is signed too.
        dry_run: whether to change nothing.

    Raises:
        MlgitError: the promotion has problems, the person's vote would not count, or there is no key to sign with.
    """
    snapshot = take_snapshot(workspace)
    try:
        proposal = OpenProposals(workspace, snapshot.state).find(name)
    except MlgitError:
        change = None if name is None else find_rule_change(workspace, snapshot, name)
        if change is None:
            raise
        return approve_rules.run(workspace, snapshot, change, verdict=verdict, comment=comment, dry_run=dry_run)
    verification = PromotionVerifier(workspace, snapshot.ledger, snapshot.at).verify(proposal)
    if verification.problems and verdict == "approve":
        raise MlgitError(*verification.problems)
    _, email = workspace.repository.identity()
    people = People(proposal.before.roles())
    person = people.person(email)
    if verdict == "approve":
        _require_may_approve(workspace, proposal, people, person)
    last_verdict = _last_verdict(workspace, snapshot.ledger, proposal, people, person, verification.decision)
    already = last_verdict == verdict
    if not already and not dry_run:
        append_vote(
            workspace,
            proposal.before,
            layout.approvals(proposal.manifest.promotion),
            Approval(
                schema=1,
                promotion=proposal.manifest.promotion,
                decision=verification.decision,
                environment=proposal.environment,
                model=proposal.model,
                verdict=verdict,
                by=email,
                at=snapshot.at,
                comment=comment,
            ),
            person,
            f"{verdict.capitalize()} promotion of {proposal.model} to {proposal.environment}",
        )
    votes = approval_count.read_votes(workspace, proposal, ledger_of(workspace))
    approvals = approval_count.count_approvals(workspace, proposal, verification.decision, votes)
    counted = [approval.person for approval in approvals.counted]
    update = PullRequestUpdate()
    if not dry_run:
        branch = layout.promotion_branch(proposal.environment, proposal.model)
        update = note_signatures(workspace, proposal.before, branch, counted)
    return Approved(
        promotion=proposal.manifest.promotion,
        environment=proposal.environment,
        candidate=proposal.subject,
        decision=verification.decision,
        person=person,
        verdict=verdict,
        state="there-already" if already else "planned" if dry_run else "added",
        counted=counted,
        missing=approvals.missing,
        pull_request=update.url,
        warnings=update.warnings,
    )


def _require_may_approve(workspace: Workspace, proposal: Proposal, people: People, person: str) -> None:
    excluded = authorship_of(workspace, proposal, people).excluded
    reason = "is a program" if people.is_bot(person) else excluded.get(person)
    if reason:
        raise refused(
            "approver-excluded",
            f"an approval by {person} does not count",
            why=f"{person}: {reason} (policies/{proposal.policy.name}.yaml excludes {', '.join(proposal.policy.exclude)})",
            fix="somebody else who is in .mlgit/allowed_signers runs `mlgit approve`",
        )


def _last_verdict(
    workspace: Workspace, ledger: Ledger, proposal: Proposal, people: People, person: str, decision: Digest
) -> str | None:
    """Return the last verdict that a person signed on a decision; None if they signed none."""
    approvals = [
        vote.approval
        for vote in approval_count.signed_approvals(workspace, proposal, ledger)
        if vote.key is not None and vote.decision == decision and vote.person(people) == person
    ]
    return max(approvals, key=lambda approval: (approval.at, approval.verdict)).verdict if approvals else None
