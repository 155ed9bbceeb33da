"""Decisions other than promotions: holds, overrides, standing approvals, retirements; and roles: who may decide."""

from datetime import date
from typing import Annotated, Literal

from mlgit.domain.names import Digest, Line, Name, PromotionId, Text
from mlgit.domain.records.base import Moment, Part, Record, doc
from mlgit.domain.records.gatereport import GateId


class Hold(Record, frozen=True, kw_only=True, tag="hold"):
    """What may not be changed, or may not be deployed again, until the hold is lifted or ends.

    A hold on a version keeps that version out, whichever change brings it, a rollback included. A hold on a model, an
    environment or the project is a freeze: it stops every change but a rollback.
    """

    written_by = "people"

    scope: Annotated[Literal["project", "environment", "model", "version"], doc("What is held.")]
    environment: Annotated[Name | None, doc("The environment; all if missing.")] = None
    model: Annotated[Name | None, doc("The model; all if missing.")] = None
    version: Annotated[
        Annotated[int, doc("Label.", ge=1)] | None, doc("Label of the version that may not be deployed again.")
    ] = None
    digest: Annotated[Digest | None, doc("Digest of that version's record.")] = None
    reason: Annotated[Text, doc("Why.")]
    by: Annotated[Line, doc("Who decided it.")]
    until: Annotated[Moment | None, doc("When it ends; never if missing.")] = None


class PostIncidentReview(Part, frozen=True, kw_only=True):
    """The review of an override after the incident."""

    by: Annotated[Line, doc("Who reviewed it.")]
    on: Annotated[date, doc("When.")]
    outcome: Annotated[Text, doc("What was found, and what is done about it.", min_length=1)]


class Override(Record, frozen=True, kw_only=True, tag="override"):
    """A signed exception that waives gates for one version, until a stated time.

    It is in force once it is on the base branch and everybody in `people` has signed it (`mlgit override approve`). The
    signatures cover all of it but `reviewed`, which is added afterwards.
    """

    written_by = "people"

    id: Annotated[PromotionId, doc("Its id: a ULID, which the signatures name.")]
    environment: Annotated[Name, doc("The environment.")]
    model: Annotated[Name, doc("The model.")]
    version: Annotated[int, doc("Label of the version that it is for.", ge=1)]
    digest: Annotated[Digest, doc("Digest of that version's record.")]
    waives: Annotated[list[GateId], doc("The gates that are waived.", min_length=1)]
    incident: Annotated[Line, doc("The incident that makes it necessary.")]
    people: Annotated[
        list[Name], doc("Who has to sign it, by their names in `.mlgit/roles.yaml`; at least two.", min_length=2)
    ]
    until: Annotated[Moment, doc("When it expires.")]
    review_by: Annotated[date, doc("The day by which it has to be reviewed afterwards.")]
    reviewed: Annotated[PostIncidentReview | None, doc("The review; missing until then.")] = None


class StandingApproval(Record, frozen=True, kw_only=True, tag="standing-approval"):
    """A signed exception that approves promotions of one model to one environment in advance, until a stated time.

    It is in force once it is on the base branch and everybody in `people` has signed all of it (`mlgit standing-approval
    approve`). Only an auto-promotion may rest on it: the environment has `auto_promote: true`, and every gate passed.
    """

    written_by = "people"

    id: Annotated[PromotionId, doc("Its id: a ULID, which the signatures name.")]
    environment: Annotated[Name, doc("The environment.")]
    model: Annotated[Name, doc("The model.")]
    people: Annotated[
        list[Name],
        doc(
            "Who has to sign it, by their names in `.mlgit/roles.yaml`; as many, and with the roles, that the policy asks for.",
            min_length=1,
        ),
    ]
    until: Annotated[Moment, doc("When it expires; at most a year after it was made.")]
    max_promotions: Annotated[
        Annotated[int, doc("How many.", ge=1)] | None, doc("How many promotions may rest on it; any number if missing.")
    ] = None
    reason: Annotated[Text, doc("Why they need not be approved one by one.")]


class Retirement(Record, frozen=True, kw_only=True, tag="retirement"):
    """The end of a version's life; its record is kept."""

    written_by = "people"

    model: Annotated[Name, doc("The model.")]
    version: Annotated[int, doc("Label of the version.", ge=1)]
    digest: Annotated[Digest, doc("Digest of the version's record.")]
    reason: Annotated[Text, doc("Why.")]
    by: Annotated[Line, doc("Who decided it.")]
    on: Annotated[date, doc("From this day on.")]


class RoleHolder(Part, frozen=True, kw_only=True):
    """A person and what they may approve as."""

    emails: Annotated[list[Line], doc("Addresses in commits, and principals of signing keys.", min_length=1)]
    roles: Annotated[list[Name], doc("Roles.")] = []
    logins: Annotated[list[Line], doc("Names at the forge, in whatever case; reviews by these are this person's.")] = []
    bot: Annotated[bool, doc("Whether it is a program; programs never approve.")] = False


class Roles(Record, frozen=True, kw_only=True, tag="roles"):
    """`.mlgit/roles.yaml`: who is who. One person is one entry, however many addresses and keys they have."""

    written_by = "people"

    people: Annotated[dict[Name, RoleHolder], doc("People, by a short name.")]
