"""Overrides and standing approvals alike: find one by its name, sign it, and tell who has signed it."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from itertools import count
from typing import Generic, TypeVar
from urllib.parse import quote

import msgspec

from mlgit.domain import layout
from mlgit.domain.approvals import People, SignedVote
from mlgit.domain.codec import to_json
from mlgit.domain.names import proposed_at
from mlgit.domain.records import Approval, Override, StandingApproval
from mlgit.domain.signed_exceptions import Accord, accord
from mlgit.errors import Inconclusive, MlgitError
from mlgit.ops.kernel import ledger_branch, remote, snapshot
from mlgit.ops.kernel.ledger import Ledger
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.review import approval_count

R = TypeVar("R", Override, StandingApproval)
Agreed = dict[str, Mapping[str, datetime]]
"""Who agreed to each of some records, by its id, and when each of them first did."""


class Kind(msgspec.Struct, Generic[R], frozen=True):
    """What sets the two kinds of records apart: how they are called, where they are, and what is refused."""

    noun: str
    record: type[R]
    path: Callable[[str], str]
    branch: Callable[[str], str]
    there: Callable[[Lifecycle], dict[str, R]]
    refuses: Callable[[str, str], MlgitError]
    """Return the refusal of whoever may not sign it, from what is wrong and why."""
    unknown: Callable[[str, str], MlgitError]
    """Return the refusal of a name that none has, from what is wrong and why."""


class Word(msgspec.Struct, Generic[R], frozen=True, kw_only=True):
    """A person's word on a record: whether it was there already, and who has agreed with it."""

    record: R
    digest: str
    person: str
    already: bool
    agreed: Agreed
    on_base: bool
    base: str


def approve(workspace: Workspace, kind: Kind[R], name: str, *, comment: str | None, dry_run: bool) -> Word[R]:
    """Sign a record as the person that Git knows here; the signature goes onto the ledger.

    Args:
        workspace: where.
        kind: which kind of record.
        name: its name, on the base branch or on its own.
        comment: what the person adds; it is signed too.
        dry_run: whether only to say what would be done.

    Raises:
        MlgitError: there is no such record, it does not name the person, or there is no key to sign with.
    """
    base_name, base = snapshot.base_of(workspace)
    record, on_base = _found(workspace, base, kind, name)
    email = workspace.repository.identity()[1]
    person = People(base.roles()).person(email)
    if person not in record.people:
        raise kind.refuses(
            f"{kind.noun} {name} does not count {person}", f"it is decided by {', '.join(record.people)}"
        )
    signed = accord(record)
    there = agreed(workspace, base, [record], snapshot.ledger_of(workspace))
    already = person in there[signed.id]
    if not already and not dry_run:
        _sign(workspace, base, signed, email, person, comment, noun=kind.noun)
        there = agreed(workspace, base, [record], snapshot.ledger_of(workspace))
    return Word(
        record=record,
        digest=signed.digest,
        person=person,
        already=already,
        agreed=there,
        on_base=on_base,
        base=base_name,
    )


def agreed(
    workspace: Workspace,
    state: Lifecycle,
    records: Iterable[Override | StandingApproval],
    ledger: Ledger,
) -> Agreed:
    """Return who has agreed to some records, by their ids, and when each person first did.

    Only people whom the record names and the roles file lists count, programs never. Where the policy asks for no evidence,
    being named is the word; else it is a signature over the record, of a key that nobody else has signed with.

    Args:
        workspace: where.
        state: the state whose rules count.
        records: the records.
        ledger: where the signatures are.
    """
    people = People(state.roles())
    found: Agreed = {}
    for one in map(accord, records):
        named = {person for person in one.people if person in people.people()}
        policy = state.policy(state.environment(one.environment).policy)
        if policy.evidence == "none":
            found[one.id] = dict.fromkeys(sorted(named), proposed_at(one.id))
        else:
            signed = approval_count.signed_votes(workspace, state, one.id, ledger)
            found[one.id] = _words(one, signed, named, people)
    return found


def place(
    workspace: Workspace, base: Lifecycle, kind: Kind[R], first: str, is_again: Callable[[R], bool]
) -> tuple[str, R | None]:
    """Return the name of a new record: the first that neither the base nor a branch has.

    Where the same was drafted before, by a run that was stopped or got no answer, it is that one's name, with that record.

    Args:
        workspace: where.
        base: the state of the base branch.
        kind: which kind of record.
        first: the name to begin with.
        is_again: whether what waits on a branch is what is drafted now.
    """
    there = kind.there(base)
    for name in (first + (f"-{number}" if number > 1 else "") for number in count(1)):
        if name in there:
            continue
        states = _branch_states(workspace, kind.branch(name))
        if not states:
            return name, None
        for waiting in filter(None, (_readable(state, kind, name) for state in states)):
            if is_again(waiting):
                return name, waiting
    raise AssertionError  # there is always another name


def _readable(state: Lifecycle, kind: Kind[R], name: str) -> R | None:
    """Return what a branch drafts; None where there is nothing, or what is there is none: it stops nobody else's."""
    try:
        return state.find(kind.record, kind.path(name))
    except Inconclusive:
        raise
    except MlgitError:
        return None


def _branch_states(workspace: Workspace, branch: str) -> list[Lifecycle]:
    ref = f"refs/heads/{branch}"
    heads = [workspace.repository.resolve(one) for one in (ref, remote.copy_of(ref))]
    return [Lifecycle(workspace.repository.tree(head), workspace.formats.record) for head in heads if head is not None]


def _found(workspace: Workspace, base: Lifecycle, kind: Kind[R], name: str) -> tuple[R, bool]:
    """Return a record of the base branch, or else of its own branch, and whether it is the base's."""
    there = kind.there(base)
    if name in there:
        return there[name], True
    for state in _branch_states(workspace, kind.branch(name)):
        if (found := state.find(kind.record, kind.path(name))) is not None:
            return found, False
    raise kind.unknown(
        f"there is no {kind.noun} {name}",
        f"there is {', '.join(there)}" if there else "the base branch has none, and no branch is called so",
    )


def _sign(
    workspace: Workspace, base: Lifecycle, signed: Accord, email: str, person: str, comment: str | None, *, noun: str
) -> None:
    now = workspace.clock.now()
    approval = Approval(
        schema=1,
        promotion=signed.id,
        decision=signed.digest,
        environment=signed.environment,
        model=signed.model,
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
    path = f"{layout.approvals(signed.id)}/{file}"
    subject = f"Approve {noun} of {signed.model} in {signed.environment}"
    ledger_branch.append(workspace, lambda _: {path: content, f"{path}.sig": signature}, subject)


def _words(one: Accord, signed: Iterable[SignedVote], named: set[str], people: People) -> dict[str, datetime]:
    """Return when each person first agreed; who has refused it as well has not agreed."""
    words: dict[str, datetime] = {}
    rejected: set[str] = set()
    owners: dict[str, str] = {}  # of keys
    for said in sorted(signed, key=lambda said: (said.approval.at, said.digest)):
        person = people.person(said.approval.by)
        if said.key is None or said.approval.decision != one.digest or person not in named:
            continue
        if owners.setdefault(said.key, person) != person:
            continue
        if said.approval.verdict == "reject":
            rejected.add(person)
        words.setdefault(person, said.approval.at)
    return {person: at for person, at in words.items() if person not in rejected}
