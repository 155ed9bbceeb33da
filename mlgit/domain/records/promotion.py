"""`environments/<environment>/<model>.yaml`: the version that an environment should run."""

from typing import Annotated, Literal

from mlgit.domain.names import CommitId, Digest, Duration, FilePath, Line, Name, PromotionId, Text
from mlgit.domain.records.base import Record, RecordPart, describe


class SlotAssignment(RecordPart, frozen=True, kw_only=True):
    """A version in a slot, and its share of traffic."""

    version: Annotated[int, describe("Number of the version.", ge=1)]
    digest: Annotated[Digest, describe("Digest of the version's record.")]
    traffic: Annotated[int, describe("Per cent; champion and challenger add up to 100.", ge=0, le=100)] = 100


class SlotAssignments(RecordPart, frozen=True, kw_only=True):
    """The version in each slot."""

    champion: Annotated[SlotAssignment | None, describe("The version that answers requests.")]
    challenger: Annotated[SlotAssignment | None, describe("A version that answers a share of requests.")] = None
    shadow: Annotated[
        SlotAssignment | None, describe("A version whose predictions are not returned; it has no traffic.")
    ] = None


class Ramp(RecordPart, frozen=True, kw_only=True):
    """How traffic moves to the version in steps."""

    steps: Annotated[
        list[Annotated[int, describe("Per cent.", ge=1, le=100)]],
        describe("Shares of traffic, in order.", min_length=1),
    ]
    interval: Annotated[Duration, describe("Time between two steps.")]
    gates: Annotated[list[Name], describe("Gates that must pass before the next step.")] = []


class PromotionRef(RecordPart, frozen=True, kw_only=True):
    """An earlier promotion, by id and content."""

    promotion: Annotated[PromotionId, describe("Its id.")]
    digest: Annotated[Digest, describe("Digest of its manifest.")]


class ReportRef(RecordPart, frozen=True, kw_only=True):
    """A gate report, by path and content."""

    report: Annotated[FilePath, describe("Its path.")]
    digest: Annotated[Digest, describe("Digest of the report.")]


class VersionPin(RecordPart, frozen=True, kw_only=True):
    """A version, by number and content."""

    version: Annotated[int, describe("Number of the version.", ge=1)]
    digest: Annotated[Digest, describe("Digest of the version's record.")]


class PolicyRef(RecordPart, frozen=True, kw_only=True):
    """A policy, by name and content."""

    name: Annotated[Name, describe("Its name.")]
    digest: Annotated[Digest, describe("Digest of the policy.")]


class StandingApprovalRef(RecordPart, frozen=True, kw_only=True):
    """A standing approval, by id and content."""

    id: Annotated[PromotionId, describe("Its id.")]
    digest: Annotated[Digest, describe("Digest of the standing approval.")]


class Promotion(Record, frozen=True, kw_only=True, tag="promotion"):
    """The desired state of one model in one environment, and the decision that led to it."""

    written_by = "people"
    written_with = "mlgit promote"

    promotion: Annotated[PromotionId, describe("Its id, unique, so that two concurrent proposals conflict.")]
    environment: Annotated[Name, describe("Name of the environment.")]
    model: Annotated[Name, describe("Name of the model.")]
    change: Annotated[Literal["promote", "rollback", "ramp", "retire", "recertify"], describe("Kind of change.")]
    slots: Annotated[SlotAssignments, describe("The version in each slot.")]
    replaces: Annotated[PromotionRef | None, describe("The manifest that this one replaces; null for the first.")]
    baseline: Annotated[
        VersionPin | None, describe("The champion that the gates compared with; null if there was none.")
    ]
    gates: Annotated[ReportRef | None, describe("The gate report that it is based on.")]
    policy: Annotated[PolicyRef, describe("The policy that it was evaluated by.")]
    reason: Annotated[Text | None, describe("Reason for the change.")] = None
    ticket: Annotated[Line | None, describe("Number in another system.")] = None
    ramp: Annotated[Ramp | None, describe("How traffic moves to the version in steps.")] = None
    standing_approval: Annotated[
        StandingApprovalRef | None, describe("The standing approval that it uses; none if missing.")
    ] = None
    ledger: Annotated[
        CommitId | None,
        describe("Newest commit of the ledger when this was proposed, so that rewritten history is detected."),
    ] = None
