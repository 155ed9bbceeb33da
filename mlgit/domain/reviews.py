"""What a forge told of a pull request, as words that are counted like signed approvals. Pure: whoever calls has asked."""

from msgspec.structs import replace

from mlgit.domain.approvals import ReviewVote
from mlgit.domain.codec import canonical, sha256
from mlgit.domain.names import CommitId, Digest
from mlgit.domain.records.ledger import Reviews, SubmittedReview


def words(told: Reviews) -> list[ReviewVote]:
    """Return every review that says something: whoever only comments has not spoken for or against."""
    return [
        ReviewVote(
            login=one.login,
            verdict=one.verdict,
            decision=one.decision,
            at=one.at,
            digest=_digest(one),
            where=f"review {one.id} of {told.repository}#{told.pull_request}",
            reason="its account is gone" if one.login is None else _unseen(one),
        )
        for one in told.reviews
        if one.verdict != "comment"
    ]


def reviewed(told: Reviews) -> list[CommitId]:
    """Return the commits on which the word of somebody rests, the newest word first, after the head."""
    given = [one.commit for one in reversed(told.reviews) if one.verdict != "comment" and one.commit is not None]
    return list(dict.fromkeys([told.head, *given]))


def decided(told: Reviews, decisions: dict[CommitId, Digest | None], *, believed: bool) -> Reviews:
    """Return what was told with the decisions that follow from the reviewed commits.

    Args:
        told: what was told.
        decisions: the decision at each reviewed commit that is here; None where it proposes something else.
        believed: whether a review of a commit that is not here is of the decision that was taken down with it; else of none.
    """

    def decision(one: SubmittedReview) -> Digest | None:
        if one.commit is not None and one.commit in decisions:
            return decisions[one.commit]
        return one.decision if believed else None

    return replace(told, reviews=[replace(one, decision=decision(one)) for one in told.reviews])


def same(one: Reviews, other: Reviews) -> bool:
    """Tell whether two say the same, whoever took them down, and when."""
    return replace(one, by=other.by, at=other.at) == other


def _digest(one: SubmittedReview) -> Digest:
    """Return the digest of a review as the forge tells it; what follows from the commit is no part of it."""
    return sha256(canonical(replace(one, decision=None)))


def _unseen(one: SubmittedReview) -> str:
    if one.decision is not None:
        return ""
    if one.commit is None:
        return "the forge no longer knows which commit was looked at"
    return f"commit {one.commit[:12]}, which was looked at, is not here or proposes something else"
