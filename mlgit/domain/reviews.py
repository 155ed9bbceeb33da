"""Reviews of a pull request, as votes that are counted like signed approvals. Pure: the caller has fetched them."""

from collections.abc import Mapping
from typing import TypeVar

from msgspec.structs import replace

from mlgit.domain.approvals import ReviewVote
from mlgit.domain.codec import canonical, sha256
from mlgit.domain.names import CommitId, Digest
from mlgit.domain.records.ledger import PullRequestSnapshot, SubmittedReview

_Snapshot = TypeVar("_Snapshot", bound=PullRequestSnapshot)


def review_votes(reviews: PullRequestSnapshot) -> list[ReviewVote]:
    """Return every review that is a vote; a mere comment is neither for nor against."""
    return [
        ReviewVote(
            login=review.login,
            verdict=review.verdict,
            decision=review.decision,
            at=review.at,
            digest=_digest(review),
            where=f"review {review.id} of {reviews.repository}#{reviews.pull_request}",
            reason="its account is gone" if review.login is None else _why_undecided(review),
        )
        for review in reviews.reviews
        if review.verdict != "comment"
    ]


def reviewed_commits(reviews: PullRequestSnapshot) -> list[CommitId]:
    """Return the head, and then each commit that somebody voted on, the one of the newest vote first."""
    commits = [
        review.commit
        for review in reversed(reviews.reviews)
        if review.verdict != "comment" and review.commit is not None
    ]
    return list(dict.fromkeys([reviews.head, *commits]))


def with_decisions(
    reviews: _Snapshot, decisions: Mapping[CommitId, Digest | None], *, trust_recorded: bool
) -> _Snapshot:
    """Return reviews with the decision of each.

    Args:
        reviews: the reviews.
        decisions: the decision at each reviewed commit that is in this repository; None where it proposes something else.
        trust_recorded: whether a review of a missing commit keeps the decision that was recorded with it; else it has none.
    """

    def decision(review: SubmittedReview) -> Digest | None:
        if review.commit is not None and review.commit in decisions:
            return decisions[review.commit]
        return review.decision if trust_recorded else None

    return replace(reviews, reviews=[replace(review, decision=decision(review)) for review in reviews.reviews])


def same_content(first: PullRequestSnapshot, second: PullRequestSnapshot) -> bool:
    """Tell whether two records differ at most in who recorded them, and when."""
    return replace(first, by=second.by, at=second.at) == second


def _digest(review: SubmittedReview) -> Digest:
    """Return the digest of a review as the forge has it, without the decision, which follows from the commit."""
    return sha256(canonical(replace(review, decision=None)))


def _why_undecided(review: SubmittedReview) -> str:
    if review.decision is not None:
        return ""
    if review.commit is None:
        return "the forge no longer knows which commit was reviewed"
    return f"the reviewed commit {review.commit[:12]} is not here or proposes something else"
