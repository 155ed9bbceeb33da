"""Signatures on overrides and standing approvals: read who signed, and append one to the ledger."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from urllib.parse import quote

from mlgit.domain import layout
from mlgit.domain.approvals import People, SignedVote
from mlgit.domain.codec import to_json
from mlgit.domain.names import Digest, proposed_at
from mlgit.domain.records import Approval, Override, StandingApproval
from mlgit.domain.signed_exceptions import signed_digest
from mlgit.ops.kernel import ledger_branch
from mlgit.ops.kernel.base_history import BaseHistory
from mlgit.ops.kernel.ledger import Ledger
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.notary import required_notary, timestamped
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.review import approval_count
from mlgit.ops.review.keys import Keys


def signature_times(
    workspace: Workspace,
    state: Lifecycle,
    records: Iterable[Override | StandingApproval],
    ledger: Ledger,
    history: BaseHistory | None = None,
) -> dict[str, Mapping[str, datetime]]:
    """Return, for the id of each record, who signed it and when each person first did.

    Only people count whom the record names and the roles file lists; bots do not. Where the policy requires no evidence, being
    named is enough. Otherwise a signature over the record is required, by a key with which nobody else has signed.

    Args:
        workspace: where.
        state: the state whose roles, allowed signers and policies count.
        records: the records.
        ledger: where the signatures are.
        history: who could sign when; by default, by the history of `state`.
    """
    directory = People(state.roles())
    times: dict[str, Mapping[str, datetime]] = {}
    for record in records:
        named = {person for person in record.people if person in directory.people()}
        policy = state.policy(state.environment(record.environment).policy)
        if policy.evidence == "none":
            times[record.id] = dict.fromkeys(sorted(named), proposed_at(record.id))
        else:
            signed = approval_count.signed_votes(
                workspace, state, record.id, ledger, history, required_notary(state, policy.name)
            )
            times[record.id] = _first_signed(signed_digest(record), signed, named, directory)
    return times


def sign(
    workspace: Workspace,
    base: Lifecycle,
    record: Override | StandingApproval,
    *,
    email: str,
    person: str,
    comment: str | None,
    noun: str,
) -> None:
    """Sign a record with the key that Git has for the current user, and append the signature to the ledger.

    Args:
        workspace: where.
        base: the state whose allowed signers count.
        record: the record.
        email: the address of the signer, which is the principal of the key.
        person: the signer's name in the roles file.
        comment: a comment by the signer; it is signed too.
        noun: the kind of the record, for the commit message.

    Raises:
        MlgitError: there is no key, or the base branch does not list it for the address.
    """
    now = workspace.clock.now()
    approval = Approval(
        schema=1,
        promotion=record.id,
        decision=signed_digest(record),
        environment=record.environment,
        model=record.model,
        verdict="approve",
        by=email,
        at=now,
        comment=comment,
    )
    content = to_json(approval)
    signature = workspace.signatures.sign(content)
    Keys(workspace, base).verify_vote(approval, content, signature)
    file = f"{quote(person, safe='@')}-approve-{approval.decision[7:19]}-{now:%Y%m%d%H%M%S}.json"
    path = f"{layout.approvals(record.id)}/{file}"
    subject = f"Approve {noun} of {record.model} in {record.environment}"
    files = timestamped(workspace, base, record.environment, {path: content, layout.signature(path): signature})
    ledger_branch.append(workspace, lambda _: files, subject)


def _first_signed(
    digest: Digest, signed: Iterable[SignedVote], named: set[str], directory: People
) -> dict[str, datetime]:
    """Return when each named person first signed a digest, without those who also rejected it."""
    times: dict[str, datetime] = {}
    rejected: set[str] = set()
    owners: dict[str, str] = {}  # the first signer of each key, for whom alone it counts
    for vote in sorted(signed, key=lambda vote: (vote.approval.at, vote.digest)):
        person = directory.person(vote.approval.by)
        if vote.key is None or vote.approval.decision != digest or person not in named:
            continue
        if owners.setdefault(vote.key, person) != person:
            continue
        if vote.approval.verdict == "reject":
            rejected.add(person)
        times.setdefault(person, vote.approval.at)
    return {person: at for person, at in times.items() if person not in rejected}
