"""Draft, sign and list signed exceptions, that is overrides and standing approvals."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import count
from typing import Generic, Literal, TypeVar

import msgspec
from msgspec.structs import replace

from mlgit.domain.approvals import People
from mlgit.domain.formatting import utc_time
from mlgit.domain.merge_rules.standing_approvals import StandingApprovalState
from mlgit.domain.names import proposed_at
from mlgit.domain.records import Override, StandingApproval
from mlgit.domain.signed_exceptions import SignatureTimes, SignedException, expiry, signed_digest, signed_exception
from mlgit.errors import Finding, Inconclusive, MlgitError
from mlgit.ops.kernel import remote, times
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.outcome import Outcome
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.kernel.snapshot import Snapshot, ledger_of, take_snapshot
from mlgit.ops.promotion import proposal_branch, publish, pull_request
from mlgit.ops.review.signatures import sign, signature_times

R = TypeVar("R", Override, StandingApproval)
KindName = Literal["override", "standing-approval"]


class SignedExceptionDraft(Outcome, frozen=True, kw_only=True, tag="mlgit/signed-exception-draft.v1"):
    """A signed exception that was drafted, and its branch. `must_sign` is empty where the policy requires no evidence."""

    kind: KindName
    name: str
    file: str
    record: Override | StandingApproval
    must_sign: list[str]
    auto_promote: bool | None
    """Of a standing approval: whether the environment has auto-promotion, without which it has no effect."""
    state: Literal["proposed", "planned"]
    base: str
    branch: str | None = None
    commit: str | None = None
    pushed: bool = False
    pull_request: str | None = None
    warnings: list[Finding] = []


class SignedExceptionApproval(Outcome, frozen=True, kw_only=True, tag="mlgit/signed-exception-approval.v1"):
    """A person's signature on a signed exception, and who has not signed it yet."""

    kind: KindName
    name: str
    record: Override | StandingApproval
    digest: str
    person: str
    state: Literal["added", "there-already", "planned"]
    missing: list[str]
    until: datetime
    on_base: bool
    base: str
    branch: str


class SignedExceptionStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One signed exception and its state: `in-force`, or what prevents that."""

    name: str
    record: Override | StandingApproval
    missing: list[str]
    until: datetime
    """When it expires: for a standing approval, a year after it was made at the latest."""
    state: StandingApprovalState
    review_due: bool | None = None
    """Of an override: whether it should have been reviewed by now."""
    used: int | None = None
    """Of a standing approval: how many promotions used it."""
    auto_promote: bool | None = None
    """Of a standing approval: whether the environment has auto-promotion."""


class SignedExceptions(Outcome, frozen=True, kw_only=True, tag="mlgit/signed-exceptions.v1"):
    """Every override, or every standing approval, of the base branch or of a commit."""

    kind: KindName
    exceptions: list[SignedExceptionStatus]


class ExceptionKind(msgspec.Struct, Generic[R], frozen=True, kw_only=True):
    """What differs between overrides and standing approvals."""

    name: KindName
    """Also the name of the command."""
    noun: str
    record: type[R]
    path: Callable[[str], str]
    branch: Callable[[str], str]
    load_all: Callable[[Lifecycle], dict[str, R]]
    target: Callable[[R], str]
    """Return the version or model that it is for. The name is the environment with it; later ones get a number."""
    subject: Callable[[R], str]
    """Return the subject of the commit that adds it."""
    effect: Callable[[R], str]
    """Return what it changes while it is in force."""
    reason: Callable[[R], str]
    details: Callable[[Workspace, Snapshot, SignedExceptionStatus, SignatureTimes], SignedExceptionStatus]
    """Fill in the fields of the status that only this kind has."""
    not_a_signer: Callable[[str, str], MlgitError]
    """Return the error for a person whom it does not name, from the message and the reason."""
    unknown: Callable[[str, str], MlgitError]
    """Return the error for an unknown name, from the message and the reason."""


def draft(
    workspace: Workspace,
    kind: ExceptionKind[R],
    base_name: str,
    base: Lifecycle,
    record: R,
    *,
    until: datetime | timedelta,
    render_body: pull_request.BodyRenderer | None,
    dry_run: bool,
) -> SignedExceptionDraft:
    """Propose a record on a branch of its own; if the same was drafted before, propose that one again.

    Args:
        workspace: where.
        kind: the kind of the record.
        base_name: the name of the base branch.
        base: the state of the base branch.
        record: the record.
        until: when it expires, as given to the command: a time, or how long from now.
        render_body: renders the body of the pull request; None to leave pull requests alone.
        dry_run: whether only to report what would be done.

    Raises:
        MlgitError: it breaks a rule. Nothing was changed.
    """
    name, earlier_draft = _find_name(workspace, base, kind, record, until)
    record = earlier_draft or record  # so that signatures on the earlier draft stay valid
    environment = base.environment(record.environment)
    needs_no_signature = base.policy(environment.policy).evidence == "none"
    plan = SignedExceptionDraft(
        kind=kind.name,
        name=name,
        file=kind.path(name),
        record=record,
        must_sign=[] if needs_no_signature else record.people,
        auto_promote=environment.auto_promote if isinstance(record, StandingApproval) else None,
        state="planned",
        base=base_name,
    )
    subject = kind.subject(record)
    end = utc_time(expiry(record))
    summary = f"{kind.effect(record)} until {end}, to be signed by {' and '.join(record.people)}"
    change = proposal_branch.BranchDraft(
        branch=kind.branch(name),
        files={plan.file: workspace.formats.yaml(plan.file, record)},
        message=f"{subject}\n\n{kind.reason(record)}: {summary}\n",
        owns=lambda path: path == plan.file,
        command=f"mlgit {kind.name} add {record.environment}/{kind.target(record)}",
    )
    return publish.publish_change(workspace, base, plan, change, render_body, dry_run=dry_run)


def approve(
    workspace: Workspace, kind: ExceptionKind[R], name: str, *, comment: str | None = None, dry_run: bool = False
) -> SignedExceptionApproval:
    """Sign a record as the person of Git's configuration; the signature goes onto the ledger.

    Args:
        workspace: where.
        kind: the kind of the record.
        name: its name, on the base branch or on its own branch.
        comment: a comment by the person; it is signed too.
        dry_run: whether only to report what would be done.

    Raises:
        MlgitError: there is no such record (`override-unknown`, `standing-approval-unknown`), it does not name the person
            (`override-people-invalid`, `standing-approval-people-invalid`), or there is no key to sign with.
    """
    snapshot = take_snapshot(workspace)
    base = snapshot.state
    record, on_base = _find(workspace, base, kind, name)
    email = workspace.repository.identity()[1]
    person = People(base.roles()).person(email)
    if person not in record.people:
        raise kind.not_a_signer(
            f"{kind.noun} {name} does not name {person}", f"it has to be signed by {', '.join(record.people)}"
        )
    signatures = signature_times(workspace, base, [record], snapshot.ledger)
    already = person in signatures[record.id]
    if not already and not dry_run:
        sign(workspace, base, record, email=email, person=person, comment=comment, noun=kind.noun)
        signatures = signature_times(workspace, base, [record], ledger_of(workspace))
    return SignedExceptionApproval(
        kind=kind.name,
        name=name,
        record=record,
        digest=signed_digest(record),
        person=person,
        state="there-already" if already else "planned" if dry_run else "added",
        missing=signed_exception(record, signatures).missing(workspace.clock.now()),
        until=expiry(record),
        on_base=on_base,
        base=snapshot.name,
        branch=kind.branch(name),
    )


def list_all(workspace: Workspace, kind: ExceptionKind[R], *, at: str | None = None) -> SignedExceptions:
    """Return every record of a kind that the base branch, or a commit, has, and its state at that time.

    Raises:
        MlgitError: the clone is shallow, so that the promotions that used one cannot be counted (`history-shallow`).
    """
    snapshot = take_snapshot(workspace, at)
    records = kind.load_all(snapshot.state)
    signatures = signature_times(workspace, snapshot.state, records.values(), snapshot.ledger)
    return SignedExceptions(
        kind=kind.name,
        exceptions=[
            kind.details(
                workspace, snapshot, _status(name, signed_exception(record, signatures), snapshot.at), signatures
            )
            for name, record in records.items()
        ],
    )


def _status(name: str, exception: SignedException, at: datetime) -> SignedExceptionStatus:
    return SignedExceptionStatus(
        name=name,
        record=exception.record,
        missing=exception.missing(at),
        until=exception.until,
        state=exception.state(at),
    )


def _find_name(
    workspace: Workspace, base: Lifecycle, kind: ExceptionKind[R], record: R, until: datetime | timedelta
) -> tuple[str, R | None]:
    """Return the first name that neither the base nor a branch has, and no record.

    If the same was drafted before, as by a run that was interrupted or got no answer, return that one's name and record.
    """
    merged = kind.load_all(base)
    first = f"{record.environment}/{kind.target(record)}"
    for name in (first + (f"-{number}" if number > 1 else "") for number in count(1)):
        if name in merged:
            continue
        drafts = list(_drafts(workspace, kind, name))
        if not drafts:
            return name, None
        for earlier in drafts:
            if earlier is not None and _is_same_request(earlier, record, until):
                return name, earlier
    raise AssertionError  # there is always another name


def _is_same_request(earlier: R, record: R, until: datetime | timedelta) -> bool:
    """Tell whether an earlier draft was made by the same command as a record, and has not expired."""
    now, drafted_at = proposed_at(record.id), proposed_at(earlier.id)
    return (
        replace(earlier, id=record.id, until=record.until) == record
        and earlier.until > now
        and earlier.until == times.future_time(until, min(now, drafted_at))
    )


def _drafts(workspace: Workspace, kind: ExceptionKind[R], name: str) -> Iterator[R | None]:
    """Yield the draft on each branch of a name; None for a branch without a valid one, so that it does not block others."""
    for state in _branch_states(workspace, kind.branch(name)):
        try:
            yield state.find(kind.record, kind.path(name))
        except Inconclusive:
            raise
        except MlgitError:
            yield None


def _branch_states(workspace: Workspace, branch_name: str) -> list[Lifecycle]:
    """Return the states of a branch that exist, here and at the remote."""
    ref = f"refs/heads/{branch_name}"
    heads = [workspace.repository.resolve(name) for name in (ref, remote.tracking_ref(ref))]
    return [Lifecycle(workspace.repository.tree(head), workspace.formats.record) for head in heads if head is not None]


def _find(workspace: Workspace, base: Lifecycle, kind: ExceptionKind[R], name: str) -> tuple[R, bool]:
    """Return a record, from the base branch or else from its own branch, and whether it is on the base branch."""
    merged = kind.load_all(base)
    if name in merged:
        return merged[name], True
    for state in _branch_states(workspace, kind.branch(name)):
        if (record := state.find(kind.record, kind.path(name))) is not None:
            return record, False
    raise kind.unknown(
        f"there is no {kind.noun} {name}",
        f"the base branch has {', '.join(merged)}"
        if merged
        else "the base branch has none, and no branch has this name",
    )
