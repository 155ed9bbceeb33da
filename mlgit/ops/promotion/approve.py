"""Approve or reject a promotion: sign a vote on its decision, and append it to the ledger."""

from collections.abc import Mapping
from itertools import count
from typing import Literal
from urllib.parse import quote

from mlgit.domain import layout
from mlgit.domain.approvals import People
from mlgit.domain.codec import to_json
from mlgit.domain.names import Digest
from mlgit.domain.records import Approval
from mlgit.errors import MlgitError, refused
from mlgit.ops.kernel import ledger_branch
from mlgit.ops.kernel.ledger import Ledger
from mlgit.ops.kernel.outcome import Outcome
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.kernel.snapshot import ledger_of, take_snapshot
from mlgit.ops.review import approval_count
from mlgit.ops.review.keys import Keys
from mlgit.ops.review.proposals import OpenProposals, Proposal
from mlgit.ops.review.verification import PromotionVerifier


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


def run(
    workspace: Workspace,
    name: str | None,
    *,
    verdict: Literal["approve", "reject"] = "approve",
    comment: str | None = None,
    dry_run: bool = False,
) -> Approved:
    """Sign a vote on an open promotion as the person of Git's configuration, and append it to the ledger.

    Raises:
        MlgitError: the promotion has problems, the person's vote would not count, or there is no key to sign with.
    """
    snapshot = take_snapshot(workspace)
    proposal = OpenProposals(workspace, snapshot.state).find(name)
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
        _append_vote(
            workspace,
            proposal,
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
        )
    votes = approval_count.read_votes(workspace, proposal, ledger_of(workspace))
    approvals = approval_count.count_approvals(workspace, proposal, verification.decision, votes)
    return Approved(
        promotion=proposal.manifest.promotion,
        environment=proposal.environment,
        candidate=proposal.subject,
        decision=verification.decision,
        person=person,
        verdict=verdict,
        state="there-already" if already else "planned" if dry_run else "added",
        counted=[approval.person for approval in approvals.counted],
        missing=approvals.missing,
    )


def _require_may_approve(workspace: Workspace, proposal: Proposal, people: People, person: str) -> None:
    excluded = approval_count.excluded_people(workspace, proposal, people)
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


def _append_vote(workspace: Workspace, proposal: Proposal, approval: Approval, person: str) -> None:
    """Sign a vote, and append it to the ledger.

    Raises:
        MlgitError: there is no key, or the base branch does not allow it for the address: such a vote would never count.
    """
    content = to_json(approval)
    signature = workspace.signatures.sign(content)
    Keys(workspace, proposal.before).verify_vote(approval, content, signature)
    stem = f"{quote(person, safe='@')}-{approval.verdict}-{approval.decision[7:19]}"
    subject = f"{approval.verdict.capitalize()} promotion of {proposal.model} to {proposal.environment}"

    def new_files(ledger: Ledger) -> Mapping[str, bytes]:
        path = _free_path(ledger, layout.approvals(approval.promotion), stem)
        return {path: content, f"{path}.sig": signature}

    ledger_branch.append(workspace, new_files, subject)


def _free_path(ledger: Ledger, folder: str, stem: str) -> str:
    """Return a path that the ledger does not have yet: somebody may approve, reject, and approve the same decision again."""
    files = ledger.files(folder)
    names = (f"{stem}{'' if number == 1 else f'-{number}'}.json" for number in count(1))
    return next(path for name in names if (path := f"{folder}/{name}") not in files)
