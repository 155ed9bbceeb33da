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
    key: Annotated[Line, doc("Fingerprint of the key that signed.")]
    approval: Annotated[Digest, doc("Digest of the signed file.")]


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
        doc("Share of the requests that the version answers; all if missing."),
    ] = None
