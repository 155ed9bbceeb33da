"""Signatures on overrides and standing approvals: who has signed which, and adding one to the ledger."""

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
from mlgit.ops.kernel.ledger import Ledger
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.review import approval_count


def signature_times(
    workspace: Workspace,
    state: Lifecycle,
    records: Iterable[Override | StandingApproval],
    ledger: Ledger,
) -> dict[str, Mapping[str, datetime]]:
    """Return who has signed some records, by the records' ids, and when each person first did.

    Only people whom the record names and the roles file lists count, bots never. Where the policy asks for no evidence, being
    named is enough; otherwise it takes a signature over the record, by a key that nobody else has signed with.

    Args:
        workspace: where.
        state: the state whose roles, signers and policies count.
        records: the records.
        ledger: where the signatures are.
    """
    directory = People(state.roles())
    times: dict[str, Mapping[str, datetime]] = {}
    for record in records:
        named = {person for person in record.people if person in directory.people()}
        policy = state.policy(state.environment(record.environment).policy)
        if policy.evidence == "none":
            times[record.id] = dict.fromkeys(sorted(named), proposed_at(record.id))
        else:
            signed = approval_count.signed_votes(workspace, state, record.id, ledger)
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
    """Sign a record with the key of whoever runs this, and append the signature to the ledger.

    Args:
        workspace: where.
        base: the state whose signers count.
        record: what is signed.
        email: the address of whoever signs; the principal of their key.
        person: who that is, by the roles file.
        comment: what the person adds; it is signed too.
        noun: what kind of record it is, for the message of the commit.

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
    signers = base.tree.read(layout.SIGNERS) or b""
    workspace.signatures.verify(content, signature, signers=signers, principal=email, at=now)
    file = f"{quote(person, safe='@')}-approve-{approval.decision[7:19]}-{now:%Y%m%d%H%M%S}.json"
    path = f"{layout.approvals(record.id)}/{file}"
    subject = f"Approve {noun} of {record.model} in {record.environment}"
    ledger_branch.append(workspace, lambda _: {path: content, f"{path}.sig": signature}, subject)


def _first_signed(
    digest: Digest, signed: Iterable[SignedVote], named: set[str], directory: People
) -> dict[str, datetime]:
    """Return when each of some people first signed a digest; who has rejected it as well has not approved it."""
    times: dict[str, datetime] = {}
    rejected: set[str] = set()
    owners: dict[str, str] = {}  # who signed first with each key: one key counts for one person
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
