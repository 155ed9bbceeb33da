"""Agree to a promotion, or refuse it, with a signature over its decision; it goes onto the ledger."""

from typing import Literal
from urllib.parse import quote

from mlgit.domain import layout
from mlgit.domain.approvals import Directory
from mlgit.domain.codec import to_json
from mlgit.domain.records import Approval
from mlgit.errors import MlgitError, refused
from mlgit.ops import agreement, ledger, proposal
from mlgit.ops.examination import examine
from mlgit.ops.outcome import Outcome
from mlgit.ops.ports import Workspace


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
    waiting = proposal.find(workspace, name)
    at = workspace.clock.now()
    examination = examine(workspace, waiting, at=at)
    if examination.problems and verdict == "approve":
        raise MlgitError(*examination.problems)
    _, email = workspace.repository.identity()
    directory = Directory(waiting.before.roles())
    person = directory.person(email)
    if verdict == "approve":
        _check_may(waiting, directory, person)
    file = f"{quote(person, safe='@')}-{verdict}-{examination.decision[7:19]}.json"
    path = f"{layout.approvals(waiting.manifest.promotion)}/{file}"
    already = path in proposal.ledger_of(workspace).files(layout.approvals(waiting.manifest.promotion))
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
        subject = f"{verdict.capitalize()} promotion of {waiting.model} to {waiting.environment}"
        ledger.append(workspace, lambda _: {path: content, f"{path}.sig": signature}, subject)
    tally = agreement.tally(workspace, waiting, examination.decision)
    slot = waiting.manifest.slots.champion
    return Approved(
        promotion=waiting.manifest.promotion,
        environment=waiting.environment,
        candidate=f"{waiting.model}@{slot.version}" if slot else waiting.model,
        decision=examination.decision,
        person=person,
        verdict=verdict,
        state="there-already" if already else "planned" if dry_run else "added",
        counted=[approval.person for approval in tally.counted],
        missing=tally.missing,
    )


def _check_may(waiting: proposal.Proposal, directory: Directory, person: str) -> None:
    excluded = agreement.excluded(waiting, waiting.policy, directory)
    reason = "is a program" if directory.is_bot(person) else excluded.get(person)
    if reason:
        raise refused(
            "approval-excluded",
            f"an approval by {person} does not count",
            why=f"{person}: {reason} (policies/{waiting.policy.name}.yaml excludes {', '.join(waiting.policy.exclude)})",
            fix="somebody else who is in .mlgit/allowed_signers runs `mlgit approve`",
        )
