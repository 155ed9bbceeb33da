"""Read the votes on a promotion, and count its approvals by the rules of the state before it."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from msgspec.structs import replace

from mlgit.domain import layout, reviews
from mlgit.domain.approvals import ApprovalResult, People, SignedVote, Vote, count_votes
from mlgit.domain.clocks import CLOCK_TOLERANCE
from mlgit.domain.codec import digest, sha256
from mlgit.domain.formatting import utc_time_with_seconds
from mlgit.domain.names import Digest, PromotionId, proposed_at
from mlgit.domain.policy import approval_rule
from mlgit.domain.records import Approval, RuleApproval, StandingApproval
from mlgit.errors import Inconclusive, MlgitError, refused
from mlgit.ops.kernel.base_history import BaseHistory
from mlgit.ops.kernel.ledger import Ledger
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.notary import Notary, required_notary
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.kernel.snapshot import commit_of
from mlgit.ops.review.authorship import authorship_of
from mlgit.ops.review.keys import Keys
from mlgit.ops.review.proposals import Proposal
from mlgit.ops.review.registrations import Registrations

NO_REVIEWS: Final = "no review of a pull request was counted"


def count_approvals(
    workspace: Workspace,
    proposal: Proposal,
    decision: Digest,
    votes: Iterable[Vote],
    registrations: Registrations | None = None,
) -> ApprovalResult:
    """Count the approvals of a decision, by the rules of the state before it.

    Args:
        workspace: where.
        proposal: the promotion.
        decision: the digest of the decision as it is now; votes on any other are stale.
        votes: the votes on the promotion, see `read_votes`.
        registrations: the commits that registered versions, as far as they are known already.

    Raises:
        MlgitError: as `authorship_of`.
    """
    policy = proposal.policy
    people = People(proposal.before.roles())
    standing = proposal.manifest.standing_approval
    authorship = authorship_of(workspace, proposal, people, registrations)
    result = count_votes(
        votes,
        decision=decision,
        rule=approval_rule(policy.approvals, proposal.manifest.change),
        risk=proposal.before.problem_of(proposal.model).risk,
        people=people,
        excluded=authorship.excluded,
        standing_approval=None if standing is None else standing.digest,
        unknown=authorship.unknown,
        refuse_unknown=policy.unknown_author == "refuse",
    )
    if result.missing and policy.evidence == "forge" and proposal.reviews is None:
        return replace(result, missing=[*result.missing, NO_REVIEWS])
    return result


def read_votes(
    workspace: Workspace, proposal: Proposal, ledger: Ledger, history: BaseHistory | None = None
) -> list[Vote]:
    """Return the votes on a promotion that its policy accepts as evidence.

    These are the signatures on the ledger, for the promotion and for the standing approval that covers it, and, with
    `evidence: forge`, the reviews that the proposal has. A signature proves more than a review, so it counts there too.
    """
    evidence = proposal.policy.evidence
    if evidence == "none":
        return []
    pull_request = proposal.reviews if evidence == "forge" else None
    return [
        *signed_approvals(workspace, proposal, ledger, history),
        *standing_votes(workspace, proposal, ledger, history),
        *(reviews.review_votes(pull_request) if pull_request else ()),
    ]


def standing_votes(
    workspace: Workspace, proposal: Proposal, ledger: Ledger, history: BaseHistory | None = None
) -> list[SignedVote]:
    """Return the signatures on the standing approval that covers a promotion, by the people whom it names."""
    standing = standing_approval_of(proposal)
    if standing is None:
        return []
    signed, people = digest(standing), People(proposal.before.roles())
    return [
        vote
        for vote in signed_votes(workspace, proposal.before, standing.id, ledger, history, _notary(proposal))
        if vote.decision == signed and vote.person(people) in standing.people
    ]


def standing_approval_of(proposal: Proposal) -> StandingApproval | None:
    """Return the standing approval that a manifest names; None if the base has none with that id and digest."""
    name = standing_approval_name(proposal)
    return None if name is None else proposal.before.standing_approvals()[name]


def standing_approval_name(proposal: Proposal) -> str | None:
    """Return the name of the standing approval that a manifest names; None if the base has none with that id and digest."""
    ref = proposal.manifest.standing_approval
    if ref is None:
        return None
    records = proposal.before.standing_approvals().items()
    return next((name for name, record in records if (record.id, digest(record)) == (ref.id, ref.digest)), None)


def signed_approvals(
    workspace: Workspace, proposal: Proposal, ledger: Ledger, history: BaseHistory | None = None
) -> list[SignedVote]:
    """Return every signed vote on a promotion that the ledger has, valid or not."""
    return signed_votes(workspace, proposal.before, proposal.manifest.promotion, ledger, history, _notary(proposal))


def _notary(proposal: Proposal) -> Notary | None:
    return required_notary(proposal.before, proposal.policy.name)


def signed_votes(
    workspace: Workspace,
    before: Lifecycle,
    promotion: PromotionId,
    ledger: Ledger,
    history: BaseHistory | None = None,
    notary: Notary | None = None,
) -> list[SignedVote]:
    """Return every signed vote on a promotion, an override or a standing approval that the ledger has.

    Args:
        workspace: where.
        before: the state whose allowed signers count.
        promotion: the id of what was voted on.
        ledger: where the votes are.
        history: who could sign when; by default, by the history of `before`.
        notary: the authority whose timestamps votes need; None if they need none.

    Returns:
        Each vote with the fingerprint of its key or, where its signature is not valid, with the reason.
    """
    folder = layout.approvals(promotion)
    return votes_in(workspace, before, folder, ledger, earliest=proposed_at(promotion), history=history, notary=notary)


def votes_in(
    workspace: Workspace,
    before: Lifecycle,
    folder: str,
    ledger: Ledger,
    *,
    earliest: datetime | None,
    history: BaseHistory | None = None,
    notary: Notary | None = None,
) -> list[SignedVote]:
    """Return every signed vote in a folder of the ledger, as `signed_votes`.

    Args:
        workspace: where.
        before: the state whose allowed signers count.
        folder: the folder.
        ledger: where it is.
        earliest: the time before which nobody can have voted; None if it is not known.
        history: who could sign when; by default, by the history of `before`.
        notary: the authority whose timestamps votes need; None if they need none.
    """
    keys = Keys(workspace, before)
    files = ledger.added_files(folder, workspace.repository)
    appended = ledger.append_times(folder, workspace.repository) if files else {}
    history = history or BaseHistory(workspace, commit_of(before))
    votes = []
    for path, content in files.items():
        if not path.endswith(".json"):
            continue
        signature = files.get(layout.signature(path), b"")
        try:
            approval = workspace.formats.record(path, content)
        except Inconclusive:
            raise
        except MlgitError as error:
            is_of_another = all(finding.id == "path-mismatch" for finding in error.findings)
            if not is_of_another and keys.has_signed(content, signature, appended.get(path)):
                raise  # a vote, such as one that a newer mlgit wrote
            continue  # anybody may push it, or copy it from elsewhere, and nobody gets a veto by that
        assert isinstance(approval, Approval | RuleApproval)  # noqa: S101 - by its path
        try:
            key = keys.verify_vote(approval, content, signature)
            received = _check_time(approval.at, earliest, appended.get(path))
            if received > approval.at + CLOCK_TOLERANCE:  # whoever has an expired key may state any time
                keys.verify_vote(replace(approval, at=received), content, signature)
            _check_listed(workspace, before, history, approval, content, signature)
            _check_timestamp(workspace, notary, approval, content, files.get(layout.timestamp(path)))
        except Inconclusive:
            raise
        except MlgitError as error:
            votes.append(SignedVote(approval, sha256(content), None, error.findings[0].message))
        else:
            votes.append(SignedVote(approval, sha256(content), key))
    return votes


def _check_timestamp(
    workspace: Workspace, notary: Notary | None, approval: Approval | RuleApproval, content: bytes, token: bytes | None
) -> None:
    """Refuse a vote without the timestamp that the policy requires."""
    problem = None if notary is None else notary.problem(workspace, content, token, approval.at)
    if problem is not None:
        raise refused("approval-time-invalid", problem, why="the policy requires timestamps", fix="approve again")


def _check_listed(
    workspace: Workspace,
    before: Lifecycle,
    history: BaseHistory,
    approval: Approval | RuleApproval,
    content: bytes,
    signature: bytes,
) -> None:
    """Refuse a vote that states a time at which the base branch did not list its key for this person."""
    at_the_time = history.around(approval.at)
    if any(rules.same_as(before) for rules in at_the_time):
        return  # verified already
    for rules in at_the_time:
        try:
            Keys(workspace, rules.state).verify_vote(approval, content, signature)
        except Inconclusive:
            raise
        except MlgitError:
            continue
        return
    raise refused(
        "approval-time-invalid",
        "its key was not listed at the time that it states",
        why=f"it says {utc_time_with_seconds(approval.at)}, and {layout.SIGNERS} of the base branch listed the key later",
        fix="approve again",
    )


def _check_time(at: datetime, earliest: datetime | None, appended: datetime | None) -> datetime:
    """Refuse a vote whose time is not between the creation of the promotion and the commit that appended it to the ledger.

    The signer writes the time, and whether a key had expired depends on it: somebody with an expired key could backdate.

    Returns:
        When it was appended.
    """
    is_too_early = earliest is not None and at < earliest - CLOCK_TOLERANCE
    if appended is None or is_too_early or at > appended + CLOCK_TOLERANCE:
        proposed = "" if earliest is None else f"; the promotion is of {utc_time_with_seconds(earliest)}"
        raise refused(
            "approval-time-invalid",
            "its time is not between the promotion and the ledger's commit",
            why=f"it says {utc_time_with_seconds(at)}{proposed}",
            fix="set the clock right, then approve again",
        )
    return appended
