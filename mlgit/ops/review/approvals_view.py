"""The one view of a promotion's approvals, which `mlgit approvals`, `mlgit why` and `mlgit brief` show."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

import msgspec

from mlgit.domain.approvals import STALE, ApprovalRequirement, ApprovalResult, SignedVote, Vote, VoteVerdict
from mlgit.domain.authorship import UnknownAuthor
from mlgit.domain.decision import ReadSet
from mlgit.domain.names import Digest, PromotionId
from mlgit.domain.records import DecisionRecord
from mlgit.domain.records.ledger import CountedApproval
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.review import stale_votes
from mlgit.ops.review.proposals import Proposal

_NOT_FOUND: Final = "no vote with these roles and this key is on the ledger"


class VoteView(msgspec.Struct, frozen=True, kw_only=True):
    """The vote of one person, and whether it counts: in which roles, or for which reason not.

    `vote` is the digest of the vote. `by` is the address of the signer, or the login of the reviewer. `key` is the fingerprint of
    the key, null where the signature is not valid; a review has `review`, which names it. `changed` lists what changed since a
    stale vote, as far as it can be found.

    `recorded` tells whether the ledger's decision record counts the vote; null where there is no such record. A vote that was
    counted then and is not valid any more is uncounted, with `recorded` true. `by` and `at` are null where it is gone.
    """

    person: str
    verdict: VoteVerdict
    vote: Digest
    by: str | None = None
    at: datetime | None = None
    comment: str | None = None
    key: str | None = None
    review: str | None = None
    roles: list[str] = []
    reason: str | None = None
    changed: list[str] = []
    recorded: bool | None = None


class ApprovalsView(msgspec.Struct, frozen=True, kw_only=True):
    """Who approved a promotion, whose vote does not count, what is missing, and who may still approve.

    It follows the rules of the commit that the promotion was, or would be, merged onto. `standing_approval` is the id of the
    standing approval that covers the promotion; null where every approval is for this promotion alone.
    """

    evidence: str
    excludes: list[str]
    standing_approval: PromotionId | None
    needed: int
    requirements: list[ApprovalRequirement]
    counted: list[VoteView]
    uncounted: list[VoteView]
    missing: list[str]
    may_approve: list[str]
    unknown_authors: list[UnknownAuthor]


def view_approvals(
    workspace: Workspace,
    proposal: Proposal,
    reads: ReadSet,
    result: ApprovalResult,
    votes: Iterable[Vote],
    *,
    record: DecisionRecord | None = None,
) -> ApprovalsView:
    """Return the view of a promotion's approvals.

    Args:
        workspace: where.
        proposal: the promotion.
        reads: what its decision depends on.
        result: its approvals, as they were counted.
        votes: the votes that were counted.
        record: the ledger's decision record of the promotion, if there is one.
    """
    by_digest = {vote.digest: vote for vote in votes}
    stale = {by_digest[vote.approval].decision or "" for vote in result.uncounted if vote.reason == STALE}
    changes = stale_votes.changes_since_votes(workspace, proposal, reads, stale)
    recorded = None if record is None else record.approvals
    recorded_votes = None if recorded is None else {approval.approval for approval in recorded}
    counted = [
        msgspec.structs.replace(
            _vote_view(approval.person, by_digest[approval.approval]),
            roles=approval.roles,
            recorded=None if recorded is None else approval in recorded,
        )
        for approval in result.counted
    ]
    uncounted = [
        msgspec.structs.replace(
            _vote_view(vote.person, by_digest[vote.approval]),
            reason=vote.reason,
            changed=changes.get(by_digest[vote.approval].decision or "", []) if vote.reason == STALE else [],
            recorded=None if recorded_votes is None else vote.approval in recorded_votes,
        )
        for vote in result.uncounted
    ]
    standing = proposal.manifest.standing_approval
    return ApprovalsView(
        evidence=proposal.policy.evidence,
        excludes=list(proposal.policy.exclude),
        standing_approval=None if standing is None else standing.id,
        needed=result.needed,
        requirements=result.requirements,
        counted=counted,
        uncounted=[*uncounted, *_not_found(recorded or (), result)],
        missing=result.missing,
        may_approve=result.may_approve,
        unknown_authors=result.unknown_authors,
    )


def _vote_view(person: str, vote: Vote) -> VoteView:
    if isinstance(vote, SignedVote):
        return VoteView(
            person=person,
            verdict=vote.verdict,
            vote=vote.digest,
            by=vote.approval.by,
            at=vote.at,
            comment=vote.approval.comment,
            key=vote.key,
        )
    return VoteView(person=person, verdict=vote.verdict, vote=vote.digest, by=vote.login, at=vote.at, review=vote.where)


def _not_found(recorded: Sequence[CountedApproval], result: ApprovalResult) -> list[VoteView]:
    """Return the approvals of a decision record for which the same vote, with the same roles and key, was not found."""
    uncounted = {vote.approval for vote in result.uncounted}
    return [
        VoteView(
            person=approval.person,
            verdict="approve",
            vote=approval.approval,
            key=approval.key,
            review=approval.review,
            roles=approval.roles,
            reason=_NOT_FOUND,
            recorded=True,
        )
        for approval in recorded
        if approval not in result.counted and approval.approval not in uncounted
    ]
