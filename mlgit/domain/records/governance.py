"""What people decide beside promotions: holds, overrides, retirements; and who may decide: roles."""

from datetime import date
from typing import Annotated, Literal

from mlgit.domain.names import Digest, Line, Name, PromotionId, Text
from mlgit.domain.records.base import Moment, Part, Record, doc
from mlgit.domain.records.gatereport import GateId


class Hold(Record, frozen=True, kw_only=True, tag="hold"):
    """Something that may not change, or may not come back, until the hold is lifted.

    A hold on a version keeps that version out, whatever brings it. One on a model, an environment or the project is a
    freeze: it stops every change but a rollback.
    """

    written_by = "people"

    scope: Annotated[Literal["project", "environment", "model", "version"], doc("What is held.")]
    environment: Annotated[Name | None, doc("The environment; all if missing.")] = None
    model: Annotated[Name | None, doc("The model; all if missing.")] = None
    version: Annotated[
        Annotated[int, doc("Label.", ge=1)] | None, doc("Label of the version that may not come back.")
    ] = None
    digest: Annotated[Digest | None, doc("Digest of that version's record.")] = None
    reason: Annotated[Text, doc("Why.")]
    by: Annotated[Line, doc("Who decided it.")]
    until: Annotated[Moment | None, doc("When it ends by itself; never if missing.")] = None


class Review(Part, frozen=True, kw_only=True):
    """What came of looking back upon an override."""

    by: Annotated[Line, doc("Who looked back.")]
    on: Annotated[date, doc("When.")]
    outcome: Annotated[Text, doc("What was found, and what is done about it.", min_length=1)]


class Override(Record, frozen=True, kw_only=True, tag="override"):
    """Gates that are waived once, in the open, for a stated time and a single version.

    It holds once it is on the base branch and everybody in `people` has agreed to it (`mlgit override approve`). What they
    agree to is all of it but `reviewed`.
    """

    written_by = "people"

    override: Annotated[PromotionId, doc("Its id: a ULID, which the signatures of its people name.")]
    environment: Annotated[Name, doc("The environment.")]
    model: Annotated[Name, doc("The model.")]
    version: Annotated[int, doc("Label of the version that it is for.", ge=1)]
    digest: Annotated[Digest, doc("Digest of that version's record.")]
    waives: Annotated[list[GateId], doc("The gates that are waived.", min_length=1)]
    incident: Annotated[Line, doc("The incident that makes it necessary.")]
    people: Annotated[list[Name], doc("Who decides it, as `.mlgit/roles.yaml` calls them; at least two.", min_length=2)]
    expires: Annotated[Moment, doc("When it stops to hold.")]
    review_by: Annotated[date, doc("Until when it must have been looked back upon.")]
    reviewed: Annotated[Review | None, doc("The look back; missing until then.")] = None


class StandingApproval(Record, frozen=True, kw_only=True, tag="standing"):
    """Promotions of one model to one environment that are agreed to in advance, for a stated time.

    It holds once it is on the base branch and everybody in `people` has signed it (`mlgit standing-approval approve`). Only plain
    promotions may rest on it, where the environment has `auto_promote: true` and every gate passed.
    """

    written_by = "people"

    standing: Annotated[PromotionId, doc("Its id: a ULID, which the signatures of its people name.")]
    environment: Annotated[Name, doc("The environment.")]
    model: Annotated[Name, doc("The model.")]
    people: Annotated[
        list[Name],
        doc("Who agrees, as `.mlgit/roles.yaml` calls them; as many, and as what, as the policy asks.", min_length=1),
    ]
    until: Annotated[Moment, doc("When it stops to hold; at most a year after it was made.")]
    most: Annotated[
        Annotated[int, doc("How many.", ge=1)] | None, doc("How many promotions may rest on it; any number if missing.")
    ] = None
    reason: Annotated[Text, doc("Why they need not be agreed to one by one.")]


class Retirement(Record, frozen=True, kw_only=True, tag="retirement"):
    """The end of a version's life; its record stays for ever."""

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
