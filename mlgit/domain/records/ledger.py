"""Records that mlgit writes on the ledger branch: approvals, decisions, deployments and review snapshots."""

from typing import Annotated, Any, Literal

from mlgit.domain.names import CommitId, Digest, Line, Name, PromotionId, Text
from mlgit.domain.records.base import Record, RecordPart, Timestamp, describe


class FileChange(RecordPart, frozen=True, kw_only=True):
    """The content of a file before and after a change."""

    before: Annotated[Digest | None, describe("Digest of the old content; missing if the file is new.")] = None
    after: Annotated[Digest | None, describe("Digest of the new content; missing if the file is deleted.")] = None


class Approval(Record, frozen=True, kw_only=True, tag="approval"):
    """One person's signed vote on one decision; the bytes of this file are signed."""

    written_by = "mlgit"

    promotion: Annotated[PromotionId, describe("Id of the promotion, override or standing approval.")]
    decision: Annotated[Digest, describe("Digest of everything that the decision is based on.")]
    environment: Annotated[Name, describe("Name of the environment.")]
    model: Annotated[Name, describe("Name of the model.")]
    verdict: Annotated[Literal["approve", "reject"], describe("The vote.")]
    by: Annotated[Line, describe("Principal of the signing key.")]
    at: Annotated[Timestamp, describe("When it was signed.")]
    comment: Annotated[Text | None, describe("Comment of the person.")] = None


class RuleApproval(Record, frozen=True, kw_only=True, tag="rule-approval"):
    """One person's signed vote on one change of rules; the bytes of this file are signed."""

    written_by = "mlgit"

    decision: Annotated[Digest, describe("Digest of the old and the new content of each changed rule.")]
    files: Annotated[
        dict[Line, FileChange], describe("The changed rules by path, each with the digests of its content.")
    ]
    verdict: Annotated[Literal["approve", "reject"], describe("The vote.")]
    by: Annotated[Line, describe("Principal of the signing key.")]
    at: Annotated[Timestamp, describe("When it was signed.")]
    comment: Annotated[Text | None, describe("Comment of the person.")] = None


class CountedApproval(RecordPart, frozen=True, kw_only=True):
    """An approval that counts, and the roles in which it does."""

    person: Annotated[Line, describe("Name of the person.")]
    roles: Annotated[list[Name], describe("Their roles at the base commit.")]
    key: Annotated[Line | None, describe("Fingerprint of the signing key; missing for a review.")] = None
    review: Annotated[Line | None, describe("The review of a pull request; missing for a signature.")] = None
    approval: Annotated[Digest, describe("Digest of the signed file, or of the review in its snapshot.")]

    @property
    def source(self) -> str:
        """What the approval was given by: the fingerprint of a key, or a review."""
        return self.key or self.review or ""


class DecisionRecord(Record, frozen=True, kw_only=True, tag="decision"):
    """Why a promotion was allowed to be applied, with everything that the decision is based on."""

    written_by = "mlgit"

    promotion: Annotated[PromotionId, describe("Id of the promotion.")]
    environment: Annotated[Name, describe("Name of the environment.")]
    model: Annotated[Name, describe("Name of the model.")]
    decision: Annotated[Digest, describe("Digest of `reads`.")]
    reads: Annotated[
        dict[Name, Digest | None],
        describe("Digest of everything that the decision is based on; null where there was none."),
    ]
    approvals: Annotated[list[CountedApproval], describe("The approvals that count.")]
    commit: Annotated[CommitId, describe("The commit of the base branch that was applied.")]
    at: Annotated[Timestamp, describe("When it was decided.")]


class ObservedVersion(RecordPart, frozen=True, kw_only=True):
    """A version that was observed to run beside the champion."""

    version: Annotated[int, describe("Number of the version.", ge=1)]
    digest: Annotated[Digest, describe("Digest of the version's record.")]
    artifact: Annotated[Digest, describe("Digest of the model file that runs, as read back from the target.")]
    traffic: Annotated[int, describe("Share of requests in per cent; 0 for a shadow.", ge=0, le=99)]


class OtherSlots(RecordPart, frozen=True, kw_only=True):
    """Versions that were observed in the other slots, beside the champion."""

    challenger: Annotated[ObservedVersion | None, describe("The version that answers a share of requests.")] = None
    shadow: Annotated[ObservedVersion | None, describe("The version whose predictions are not returned.")] = None


class Deployment(Record, frozen=True, kw_only=True, tag="deployment"):
    """What a target was observed to run."""

    written_by = "mlgit"

    environment: Annotated[Name, describe("Name of the environment.")]
    model: Annotated[Name, describe("Name of the model.")]
    seq: Annotated[int, describe("Sequence number, from 1.", ge=1)]
    promotion: Annotated[PromotionId, describe("Id of the promotion that was applied.")]
    status: Annotated[Literal["verified", "degraded", "blocked"], describe("Result of the observation.")]
    version: Annotated[int | None, describe("Number of the version that runs; null if none.")]
    digest: Annotated[Digest | None, describe("Digest of the version that runs.")]
    artifact: Annotated[Digest | None, describe("Digest of the model file that runs, as read back from the target.")]
    target: Annotated[dict[str, Any], describe("What the target reported about itself.")]
    commit: Annotated[CommitId, describe("The commit of the base branch that was applied.")]
    at: Annotated[Timestamp, describe("When it was observed.")]
    previous: Annotated[Digest | None, describe("Digest of the previous entry; null for the first.")]
    message: Annotated[Text | None, describe("What went wrong.")] = None
    traffic: Annotated[
        Annotated[int, describe("Per cent.", ge=1, le=99)] | None,
        describe(
            "Share of requests that the version answers during a ramp; everything but a challenger's share if missing."
        ),
    ] = None
    beside: Annotated[OtherSlots | None, describe("What runs beside it in the other slots; nothing if missing.")] = None


class SubmittedReview(RecordPart, frozen=True, kw_only=True):
    """A review as the forge reported it, with the decision at the reviewed commit."""

    id: Annotated[int, describe("Its number at the forge.", ge=0)]
    login: Annotated[Line | None, describe("Login of the reviewer; null if the account was deleted.")]
    verdict: Annotated[Literal["approve", "reject", "comment", "dismissed"], describe("The vote.")]
    commit: Annotated[CommitId | None, describe("The reviewed commit; null if the forge does not know.")]
    at: Annotated[Timestamp, describe("When it was submitted.")]
    decision: Annotated[
        Digest | None, describe("The decision at that commit, on the base at that time; missing if there was none.")
    ] = None


class PostedCheck(RecordPart, frozen=True, kw_only=True):
    """The latest result of a check on the head commit, and who posted it."""

    name: Annotated[Line, describe("Name of the check.")]
    state: Annotated[Literal["pending", "success", "failure", "neutral"], describe("Its result.")]
    by: Annotated[Line | None, describe("App or login that posted it; null if the forge does not report it.")]


class VouchedCommit(RecordPart, frozen=True, kw_only=True):
    """An unsigned commit of the base branch, and who brought it there by a pull request, as the forge reported it."""

    commit: Annotated[CommitId, describe("The commit.")]
    pull_request: Annotated[int, describe("Number of the merged pull request that contains it.", ge=1)]
    author: Annotated[Line | None, describe("Who opened that; null if the account was deleted.")]
    pushers: Annotated[list[Line], describe("Logins of everybody who pushed to its branch.")]


class PullRequestSnapshot(Record, frozen=True, kw_only=True):
    """A pull request as the forge reported it, whatever it proposes.

    The commit of the ledger that adds it has the reviewed commits among its parents, so that every clone has them.
    """

    forge: Annotated[Literal["github", "gitea"], describe("Kind of forge.")]
    repository: Annotated[Line, describe("Owner and name of the repository at the forge.")]
    pull_request: Annotated[int, describe("Number of the pull request.", ge=1)]
    url: Annotated[Line, describe("Address of the pull request.")]
    branch: Annotated[Line, describe("Its head branch.")]
    base: Annotated[Line, describe("Its base branch.")]
    head: Annotated[CommitId, describe("Newest commit of the head branch.")]
    author: Annotated[Line | None, describe("Who opened it; null if the account was deleted.")]
    pushers: Annotated[
        list[Line] | None,
        describe("Logins of everybody who pushed to the head branch; missing if the forge did not report all of them."),
    ] = None
    merged_as: Annotated[
        CommitId | None, describe("The commit of the base branch that merged it; missing if open.")
    ] = None
    merged_by: Annotated[Line | None, describe("Who merged it; missing if open or unknown.")] = None
    reviews: Annotated[list[SubmittedReview], describe("Every submitted review, oldest first.")]
    checks: Annotated[
        list[PostedCheck] | None, describe("Checks on the head; missing if the forge did not report them.")
    ] = None
    rules: Annotated[
        dict[str, Any] | None,
        describe("Branch protection of the base branch, as far as the forge reported it; missing if not at all."),
    ] = None
    by: Annotated[Line, describe("Who recorded the snapshot.")]
    at: Annotated[Timestamp, describe("When it was recorded.")]


class Reviews(PullRequestSnapshot, frozen=True, kw_only=True, tag="reviews"):
    """A snapshot of the pull request of a promotion, as the forge reported it.

    The commit of the ledger that adds it has the reviewed commits among its parents, so that every clone has them.
    """

    written_by = "mlgit"

    promotion: Annotated[PromotionId, describe("Id of the promotion.")]
    environment: Annotated[Name, describe("Name of the environment.")]
    model: Annotated[Name, describe("Name of the model.")]
    vouched: Annotated[
        list[VouchedCommit],
        describe(
            "Unsigned commits that the version was registered by or made from, and who brought them to the base branch."
        ),
    ] = []


class RuleReviews(PullRequestSnapshot, frozen=True, kw_only=True, tag="rule-reviews"):
    """A snapshot of the pull request of a change of rules, as the forge reported it.

    The commit of the ledger that adds it has the reviewed commits among its parents, so that every clone has them.
    """

    written_by = "mlgit"

    decision: Annotated[Digest, describe("Digest of the old and the new content of each changed rule.")]
