"""Agree to a promotion, or refuse it, with a signature over its decision; it goes onto the ledger."""

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
from mlgit.ops.review import approval_count, proposals
from mlgit.ops.review.verification import verify


class Approved(Outcome, frozen=True, kw_only=True, tag="mlgit/approve.v1"):
    """Whose word was added, and what is still missing."""

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
        MlgitError: something stands against the promotion, the person's word would not count, or there is no key.
    """
    waiting = proposals.find_proposal(workspace, name)
    at = workspace.clock.now()
    examination = verify(workspace, waiting, at=at)
    if examination.problems and verdict == "approve":
        raise MlgitError(*examination.problems)
    _, email = workspace.repository.identity()
    directory = People(waiting.before.roles())
    person = directory.person(email)
    if verdict == "approve":
        _check_may(workspace, waiting, directory, person)
    already = _last_word(workspace, waiting, directory, person, examination.decision) == verdict
    if not already and not dry_run:
        approval = Approval(
            schema=1,
            promotion=waiting.manifest.promotion,
            decision=examination.decision,
            environment=waiting.environment,
            model=waiting.model,
            verdict=verdict,
            by=email,
            at=at,
            comment=comment,
        )
        content = to_json(approval)
        signature = workspace.signatures.sign(content)
        signers = waiting.before.tree.read(layout.SIGNERS) or b""
        workspace.signatures.verify(content, signature, signers=signers, principal=email, at=at)
        stem = f"{quote(person, safe='@')}-{verdict}-{examination.decision[7:19]}"
        subject = f"{verdict.capitalize()} promotion of {waiting.model} to {waiting.environment}"

        def files(there: Ledger) -> Mapping[str, bytes]:
            path = _unused(there, layout.approvals(waiting.manifest.promotion), stem)
            return {path: content, f"{path}.sig": signature}

        ledger_branch.append(workspace, files, subject)
    tally = approval_count.count_approvals(workspace, waiting, examination.decision)
    return Approved(
        promotion=waiting.manifest.promotion,
        environment=waiting.environment,
        candidate=waiting.subject,
        decision=examination.decision,
        person=person,
        verdict=verdict,
        state="there-already" if already else "planned" if dry_run else "added",
        counted=[approval.person for approval in tally.counted],
        missing=tally.missing,
    )


def _last_word(
    workspace: Workspace, waiting: proposals.Proposal, directory: People, person: str, decided: Digest
) -> str | None:
    """Return what a person last said on a decision, with a signature that proves it; None if they said nothing."""
    words = [
        one.approval
        for one in approval_count.signed_approvals(workspace, waiting)
        if one.key is not None and one.approval.decision == decided and directory.person(one.approval.by) == person
    ]
    return max(words, key=lambda one: (one.at, one.verdict)).verdict if words else None


def _unused(there: Ledger, folder: str, stem: str) -> str:
    """Return a path that the ledger does not have: who changes their mind says the same again beside what they said."""
    files = there.files(folder)
    names = (f"{stem}{'' if number == 1 else f'-{number}'}.json" for number in count(1))
    return next(path for name in names if (path := f"{folder}/{name}") not in files)


def _check_may(workspace: Workspace, waiting: proposals.Proposal, directory: People, person: str) -> None:
    excluded = approval_count.excluded(workspace, waiting, waiting.policy, directory)
    reason = "is a program" if directory.is_bot(person) else excluded.get(person)
    if reason:
        raise refused(
            "approval-excluded",
            f"an approval by {person} does not count",
            why=f"{person}: {reason} (policies/{waiting.policy.name}.yaml excludes {', '.join(waiting.policy.exclude)})",
            fix="somebody else who is in .mlgit/allowed_signers runs `mlgit approve`",
        )
