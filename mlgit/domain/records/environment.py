"""`environments/<environment>/environment.yaml`: where versions run."""

from typing import Annotated, Literal

import msgspec

from mlgit.domain.names import Duration, Line, Name
from mlgit.domain.records.base import Part, Record, doc

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
ClockTime = Annotated[str, msgspec.Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$(?!\n)")]


class DirectoryTarget(Part, frozen=True, kw_only=True, tag_field="type", tag="directory"):
    """A folder with one folder a release, and a link `current` that is switched atomically."""

    path: Annotated[Line, doc("The folder; relative to the root of the repository, or absolute.")]


class NoTarget(Part, frozen=True, kw_only=True, tag_field="type", tag="none"):
    """Somebody else brings the version to where it runs."""


class Span(Part, frozen=True, kw_only=True):
    """Hours of some days, as a clock on a wall in the zone shows them."""

    days: Annotated[list[Weekday], doc("Days of the week, in the zone, on which it begins.", min_length=1)]
    from_: Annotated[ClockTime, doc("Start, HH:MM.")] = msgspec.field(default="00:00", name="from")
    to: Annotated[
        ClockTime | None,
        doc("End, HH:MM, no longer in it; of the next day if not after `from`; the end of the day if missing."),
    ] = None
    zone: Annotated[Line, doc("Time zone of the IANA database, for example Europe/Berlin.")] = "UTC"
    rollback: Annotated[bool, doc("Whether rollbacks are held to it too.")] = False


class Window(Part, frozen=True, kw_only=True):
    """When changes are let in, or kept out."""

    allow: Annotated[Span | None, doc("Changes only then.")] = None
    deny: Annotated[Span | None, doc("No changes then.")] = None


class Soak(Part, frozen=True, kw_only=True):
    """Healthy time elsewhere that must come first."""

    in_: Annotated[Name, doc("The environment to be healthy in.")] = msgspec.field(name="in")
    for_: Annotated[Duration, doc("For how long, without a break.")] = msgspec.field(name="for")
    max_gap: Annotated[Duration | None, doc("How long nobody may have looked; any time if missing.")] = None


class Environment(Record, frozen=True, kw_only=True, tag="environment"):
    """A place where versions run, what must come before, and the policy that guards it."""

    written_by = "people"

    name: Annotated[Name, doc("Name of the environment.")]
    policy: Annotated[Name, doc("The policy that guards it.")]
    target: Annotated[DirectoryTarget | NoTarget, doc("What runs the versions.")]
    after: Annotated[list[Name], doc("Environments that a version must run in first.")] = []
    soak: Annotated[Soak | None, doc("Healthy time that must come first.")] = None
    windows: Annotated[list[Window], doc("When changes are let in.")] = []
    auto_promote: Annotated[
        bool, doc("Whether `mlgit auto-promote` promotes what passes, where people agreed to that in advance.")
    ] = False
