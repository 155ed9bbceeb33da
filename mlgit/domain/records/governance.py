"""What people decide beside promotions: holds, overrides, retirements; and who may decide: roles."""

from datetime import date
from typing import Annotated, Literal

from mlgit.domain.names import Digest, Line, Name, Text
from mlgit.domain.records.base import Moment, Part, Record, doc


class Hold(Record, frozen=True, kw_only=True, tag="hold"):
    """Something that may not change, or may not come back, until the hold is lifted."""

    written_by = "people"

    scope: Annotated[Literal["project", "environment", "model", "version"], doc("What is held.")]
    environment: Annotated[Name | None, doc("The environment; all if missing.")] = None
    model: Annotated[Name | None, doc("The model; all if missing.")] = None
    digest: Annotated[Digest | None, doc("The version that may not come back.")] = None
    reason: Annotated[Text, doc("Why.")]
    by: Annotated[Line, doc("Who decided it.")]
    until: Annotated[Moment | None, doc("When it ends by itself.")] = None


class Override(Record, frozen=True, kw_only=True, tag="override"):
    """Gates that are waived once, in the open, for a stated time."""

    written_by = "people"

    environment: Annotated[Name, doc("The environment.")]
    model: Annotated[Name, doc("The model.")]
    digest: Annotated[Digest, doc("The version that it is for.")]
    waives: Annotated[list[Name], doc("The gates that are waived.", min_length=1)]
    incident: Annotated[Line, doc("The incident that makes it necessary.")]
    people: Annotated[list[Line], doc("Who decided it; at least two.", min_length=2)]
    expires: Annotated[Moment, doc("When it stops to hold.")]
    review_by: Annotated[date, doc("Until when it must have been looked back upon.")]


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
    bot: Annotated[bool, doc("Whether it is a program; programs never approve.")] = False


class Roles(Record, frozen=True, kw_only=True, tag="roles"):
    """`.mlgit/roles.yaml`: who is who. One person is one entry, however many addresses and keys they have."""

    written_by = "people"

    people: Annotated[dict[Name, RoleHolder], doc("People, by a short name.")]
