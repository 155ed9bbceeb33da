"""What mlgit writes on the ledger branch: approvals, decisions, deployments. Nobody edits these by hand."""

from typing import Annotated, Any, Literal

from mlgit.domain.names import CommitId, Digest, Line, Name, PromotionId, Text
from mlgit.domain.records.base import Moment, Part, Record, doc


class Approval(Record, frozen=True, kw_only=True, tag="approval"):
    """One person's signed word on one decision; the bytes of this file are what is signed."""

    written_by = "mlgit"

    promotion: Annotated[PromotionId, doc("The promotion.")]
    decision: Annotated[Digest, doc("Digest over all that the decision rests on.")]
    environment: Annotated[Name, doc("The environment.")]
    model: Annotated[Name, doc("The model.")]
    verdict: Annotated[Literal["approve", "reject"], doc("What the person says.")]
    by: Annotated[Line, doc("Principal of the signing key.")]
    at: Annotated[Moment, doc("When.")]
    comment: Annotated[Text | None, doc("What they add.")] = None


class CountedApproval(Part, frozen=True, kw_only=True):
    """An approval that counts, and as what."""

    person: Annotated[Line, doc("Who.")]
    roles: Annotated[list[Name], doc("Roles at the base commit.")]
    key: Annotated[Line | None, doc("Fingerprint of the key that signed; missing for a review.")] = None
    review: Annotated[Line | None, doc("The review of a pull request; missing for a signature.")] = None
    approval: Annotated[Digest, doc("Digest of the signed file, or of the review as the snapshot has it.")]

    @property
    def proof(self) -> str:
        """What proves it: the fingerprint of a key, or where the review is."""
        return self.key or self.review or ""


class DecisionRecord(Record, frozen=True, kw_only=True, tag="decision"):
    """`decisions/<promotion>.json`: why a promotion was allowed to be applied, with all that it rests on."""

    written_by = "mlgit"

    promotion: Annotated[PromotionId, doc("The promotion.")]
    environment: Annotated[Name, doc("The environment.")]
    model: Annotated[Name, doc("The model.")]
    decision: Annotated[Digest, doc("Digest over `reads`.")]
    reads: Annotated[
        dict[Name, Digest | None], doc("Digest of each thing that the decision rests on; null where there was none.")
    ]
    approvals: Annotated[list[CountedApproval], doc("The approvals that were counted.")]
    commit: Annotated[CommitId, doc("The commit of the base branch that was applied.")]
    at: Annotated[Moment, doc("When it was judged.")]


class SeenVersion(Part, frozen=True, kw_only=True):
    """A version that was seen to run beside the champion."""

    version: Annotated[int, doc("Label of the version.", ge=1)]
    digest: Annotated[Digest, doc("Digest of the version's record.")]
    artifact: Annotated[Digest, doc("Digest of the file that runs, as read back from the target.")]
    traffic: Annotated[int, doc("Per cent of the requests that it answers; 0 for a shadow.", ge=0, le=99)]


class SeenBeside(Part, frozen=True, kw_only=True):
    """What was seen to run beside the champion for good."""

    challenger: Annotated[SeenVersion | None, doc("The version that answered a share of the requests.")] = None
    shadow: Annotated[SeenVersion | None, doc("The version that was asked and did not answer.")] = None


class Deployment(Record, frozen=True, kw_only=True, tag="deployment"):
    """`deployments/<environment>/<model>/<seq>.json`: what a target was seen to run."""

    written_by = "mlgit"

    environment: Annotated[Name, doc("The environment.")]
    model: Annotated[Name, doc("The model.")]
    seq: Annotated[int, doc("Counts up from 1.", ge=1)]
    promotion: Annotated[PromotionId, doc("The promotion that asked for it.")]
    status: Annotated[Literal["verified", "degraded", "blocked"], doc("What was observed.")]
    version: Annotated[int | None, doc("Label of the version that runs; missing if none.")]
    digest: Annotated[Digest | None, doc("Digest of the version that runs.")]
    artifact: Annotated[Digest | None, doc("Digest of the file that runs, as read back from the target.")]
    target: Annotated[dict[str, Any], doc("What the target said of itself.")]
    commit: Annotated[CommitId, doc("The commit of the base branch that was applied.")]
    at: Annotated[Moment, doc("When.")]
    previous: Annotated[Digest | None, doc("Digest of the entry before; null for the first.")]
    message: Annotated[Text | None, doc("What went wrong.")] = None
    traffic: Annotated[
        Annotated[int, doc("Per cent.", ge=1, le=99)] | None,
        doc("Share of the requests that the version answers while it takes over; all but a challenger's if missing."),
    ] = None
    beside: Annotated[SeenBeside | None, doc("What was seen to run beside it for good; nothing if missing.")] = None


class GivenReview(Part, frozen=True, kw_only=True):
    """A review as the forge told it, and what the commit that was looked at decides."""

    id: Annotated[int, doc("Its number at the forge.", ge=0)]
    login: Annotated[Line | None, doc("Who; null where the account is gone.")]
    verdict: Annotated[Literal["approve", "reject", "comment", "dismissed"], doc("What was said.")]
    commit: Annotated[CommitId | None, doc("The commit that was looked at; null where the forge does not know.")]
    at: Annotated[Moment, doc("When.")]
    decision: Annotated[
        Digest | None, doc("The decision at that commit, on the base of the time; missing where there was none.")
    ] = None


class PostedCheck(Part, frozen=True, kw_only=True):
    """The latest result of a check on the head, and who posted it."""

    name: Annotated[Line, doc("Its name.")]
    state: Annotated[Literal["pending", "success", "failure", "neutral"], doc("Its result.")]
    by: Annotated[Line | None, doc("The app or the login; null where the forge does not tell.")]


class Reviews(Record, frozen=True, kw_only=True, tag="reviews"):
    """`reviews/<promotion>/<number>.json`: what the forge told of the pull request of a promotion.

    The commit of the ledger that brings it has the reviewed commits among its parents, so that every clone has them.
    """

    written_by = "mlgit"

    promotion: Annotated[PromotionId, doc("The promotion.")]
    environment: Annotated[Name, doc("The environment.")]
    model: Annotated[Name, doc("The model.")]
    forge: Annotated[Literal["github", "gitea"], doc("The kind of forge.")]
    repository: Annotated[Line, doc("Owner and name of the repository there.")]
    pull_request: Annotated[int, doc("Number of the pull request.", ge=1)]
    url: Annotated[Line, doc("Where people find it.")]
    branch: Annotated[Line, doc("The branch that it brings.")]
    base: Annotated[Line, doc("The branch that it goes to.")]
    head: Annotated[CommitId, doc("The newest commit that it brings.")]
    author: Annotated[Line | None, doc("Who opened it; null where the account is gone.")]
    merged_as: Annotated[CommitId | None, doc("The commit of the base branch that it became; missing if open.")] = None
    merged_by: Annotated[Line | None, doc("Who merged it; missing if open, or if nobody knows.")] = None
    reviews: Annotated[list[GivenReview], doc("Every review that was submitted, the oldest first.")]
    checks: Annotated[list[PostedCheck] | None, doc("Checks on the head; missing where the forge did not tell.")] = None
    rules: Annotated[
        dict[str, Any] | None, doc("What the forge enforces on the base branch, as far as it told; missing where not.")
    ] = None
    by: Annotated[Line, doc("Who took this down.")]
    at: Annotated[Moment, doc("When.")]
