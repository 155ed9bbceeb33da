"""Approve or reject a promotion with a signature over its decision; it goes onto the ledger."""

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
    """Sign the decision on an open promotion as the person that Git knows here.

    Raises:
        MlgitError: something stands against the promotion, the person's vote would not count, or there is no key.
    """
    snapshot = take_snapshot(workspace)
    proposal = OpenProposals(workspace, snapshot.state).find(name)
    verification = PromotionVerifier(workspace, snapshot.ledger, snapshot.at).verify(proposal)
    if verification.problems and verdict == "approve":
        raise MlgitError(*verification.problems)
    _, email = workspace.repository.identity()
    directory = People(proposal.before.roles())
    person = directory.person(email)
    if verdict == "approve":
        _check_may(workspace, proposal, directory, person)
    already = _last_verdict(workspace, snapshot.ledger, proposal, directory, person, verification.decision) == verdict
    if not already and not dry_run:
        approval = Approval(
            schema=1,
            promotion=proposal.manifest.promotion,
            decision=verification.decision,
            environment=proposal.environment,
            model=proposal.model,
            verdict=verdict,
            by=email,
            at=snapshot.at,
            comment=comment,
        )
        content = to_json(approval)
        signature = workspace.signatures.sign(content)
        signers = proposal.before.tree.read(layout.SIGNERS) or b""
        workspace.signatures.verify(content, signature, signers=signers, principal=email, at=snapshot.at)
        stem = f"{quote(person, safe='@')}-{verdict}-{verification.decision[7:19]}"
        subject = f"{verdict.capitalize()} promotion of {proposal.model} to {proposal.environment}"

        def files(there: Ledger) -> Mapping[str, bytes]:
            path = _unused(there, layout.approvals(proposal.manifest.promotion), stem)
            return {path: content, f"{path}.sig": signature}

        ledger_branch.append(workspace, files, subject)
    approvals = approval_count.count_approvals(workspace, proposal, verification.decision, ledger=ledger_of(workspace))
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


def _last_verdict(
    workspace: Workspace, ledger: Ledger, proposal: Proposal, directory: People, person: str, decided: Digest
) -> str | None:
    """Return the last verdict that a person signed on a decision; None if they signed none."""
    votes = [
        one.approval
        for one in approval_count.signed_approvals(workspace, proposal, ledger)
        if one.key is not None and one.approval.decision == decided and directory.person(one.approval.by) == person
    ]
    return max(votes, key=lambda vote: (vote.at, vote.verdict)).verdict if votes else None


def _unused(there: Ledger, folder: str, stem: str) -> str:
    """Return a path that the ledger does not have: a person who changes their mind twice votes the same again."""
    files = there.files(folder)
    names = (f"{stem}{'' if number == 1 else f'-{number}'}.json" for number in count(1))
    return next(path for name in names if (path := f"{folder}/{name}") not in files)


def _check_may(workspace: Workspace, proposal: Proposal, directory: People, person: str) -> None:
    excluded = approval_count.excluded(workspace, proposal, proposal.policy, directory)
    reason = "is a program" if directory.is_bot(person) else excluded.get(person)
    if reason:
        raise refused(
            "approver-excluded",
            f"an approval by {person} does not count",
            why=f"{person}: {reason} (policies/{proposal.policy.name}.yaml excludes {', '.join(proposal.policy.exclude)})",
            fix="somebody else who is in .mlgit/allowed_signers runs `mlgit approve`",
        )
