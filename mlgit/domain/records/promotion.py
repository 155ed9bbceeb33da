"""`environments/<environment>/<model>.yaml`: the version that an environment is to run."""

from typing import Annotated, Literal

from mlgit.domain.names import CommitId, Digest, Duration, Line, Name, PromotionId, RelativePath, Text
from mlgit.domain.records.base import Part, Record, doc


class Slot(Part, frozen=True, kw_only=True):
    """A version and the share of traffic that it gets."""

    version: Annotated[int, doc("Label of the version.", ge=1)]
    digest: Annotated[Digest, doc("Digest of the version's record.")]
    traffic: Annotated[int, doc("Per cent; champion and challenger add up to 100.", ge=0, le=100)] = 100


class Slots(Part, frozen=True, kw_only=True):
    """What runs, in which part."""

    champion: Annotated[Slot | None, doc("The version that answers.")]
    challenger: Annotated[Slot | None, doc("A version that answers a share of requests.")] = None
    shadow: Annotated[Slot | None, doc("A version that is asked but never answers; it states no traffic.")] = None


class Ramp(Part, frozen=True, kw_only=True):
    """How a version takes over, step by step."""

    steps: Annotated[list[Annotated[int, doc("Per cent.", ge=1, le=100)]], doc("Shares of traffic.", min_length=1)]
    hold: Annotated[Duration, doc("How long each step lasts.")]
    gates: Annotated[list[Name], doc("What must hold before the next step.")] = []


class PromotionRef(Part, frozen=True, kw_only=True):
    """An earlier promotion, by id and content."""

    promotion: Annotated[PromotionId, doc("Its id.")]
    digest: Annotated[Digest, doc("Digest of its manifest.")]


class ReportRef(Part, frozen=True, kw_only=True):
    """A gate report, by place and content."""

    report: Annotated[RelativePath, doc("Where it is.")]
    digest: Annotated[Digest, doc("Digest of the report.")]


class VersionPin(Part, frozen=True, kw_only=True):
    """A version by label and content."""

    version: Annotated[int, doc("Label of the version.", ge=1)]
    digest: Annotated[Digest, doc("Digest of the version's record.")]


class PolicyRef(Part, frozen=True, kw_only=True):
    """A policy, by name and content."""

    name: Annotated[Name, doc("Its name.")]
    digest: Annotated[Digest, doc("Digest of the policy.")]


class StandingApprovalRef(Part, frozen=True, kw_only=True):
    """A standing approval, by id and content."""

    id: Annotated[PromotionId, doc("Its id.")]
    digest: Annotated[Digest, doc("Digest of it.")]


class Promotion(Record, frozen=True, kw_only=True, tag="promotion"):
    """The desired state of one model in one environment, and the decision that led to it."""

    written_by = "people"

    promotion: Annotated[PromotionId, doc("Unique, so that two proposals made at once conflict.")]
    environment: Annotated[Name, doc("The environment.")]
    model: Annotated[Name, doc("The model.")]
    change: Annotated[Literal["promote", "rollback", "ramp", "retire", "recertify"], doc("What is done.")]
    slots: Annotated[Slots, doc("What is to run.")]
    replaces: Annotated[PromotionRef | None, doc("The manifest that this one takes the place of; null the first time.")]
    baseline: Annotated[VersionPin | None, doc("The champion that the gates compared with; null if there was none.")]
    gates: Annotated[ReportRef | None, doc("The gate report that it rests on.")]
    policy: Annotated[PolicyRef, doc("The policy that it was judged by.")]
    reason: Annotated[Text | None, doc("Why now.")] = None
    ticket: Annotated[Line | None, doc("Number in another system.")] = None
    ramp: Annotated[Ramp | None, doc("How it takes over.")] = None
    standing_approval: Annotated[
        StandingApprovalRef | None, doc("The standing approval that it rests on; none if missing.")
    ] = None
    ledger: Annotated[
        CommitId | None, doc("The ledger's newest commit when this was proposed, so that rewriting it shows.")
    ] = None
