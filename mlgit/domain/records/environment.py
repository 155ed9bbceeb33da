"""`environments/<environment>/environment.yaml`: where versions run."""

from typing import Annotated, Literal

import msgspec

from mlgit.domain.names import Duration, Line, Name
from mlgit.domain.records.base import Record, RecordPart, describe

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
ClockTime = Annotated[str, msgspec.Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$(?!\n)")]


class DirectoryTargetSpec(RecordPart, frozen=True, kw_only=True, tag_field="type", tag="directory"):
    """A folder that contains a folder for each release, and a link `current` that is switched atomically."""

    path: Annotated[Line, describe("The folder; relative to the root of the repository, or absolute.")]


class NoTargetSpec(RecordPart, frozen=True, kw_only=True, tag_field="type", tag="none"):
    """Versions are deployed by something other than mlgit."""


TargetSpec = DirectoryTargetSpec | NoTargetSpec
"""Every kind of target; `mlgit.edges.targets` has the module of each."""


class WeeklyHours(RecordPart, frozen=True, kw_only=True):
    """Hours on some days of the week, in the local time of a zone."""

    days: Annotated[list[Weekday], describe("Days of the week on which it starts, in the zone.", min_length=1)]
    from_: Annotated[ClockTime, describe("Start, HH:MM.")] = msgspec.field(default="00:00", name="from")
    to: Annotated[
        ClockTime | None,
        describe("End (exclusive), HH:MM; on the next day if not after `from`; the end of the day if missing."),
    ] = None
    zone: Annotated[Line, describe("Time zone of the IANA database, for example Europe/Berlin.")] = "UTC"
    rollback: Annotated[bool, describe("Whether it applies to rollbacks too.")] = False


class ChangeWindow(RecordPart, frozen=True, kw_only=True):
    """When changes are allowed or denied."""

    allow: Annotated[WeeklyHours | None, describe("Changes only during these hours.")] = None
    deny: Annotated[WeeklyHours | None, describe("No changes during these hours.")] = None


class Soak(RecordPart, frozen=True, kw_only=True):
    """Time that a version must run in another environment without problems before a promotion."""

    in_: Annotated[Name, describe("Name of the other environment.")] = msgspec.field(name="in")
    for_: Annotated[Duration, describe("How long it must run without interruption.")] = msgspec.field(name="for")
    max_gap: Annotated[Duration | None, describe("Maximum time between two observations; no limit if missing.")] = None


class Environment(Record, frozen=True, kw_only=True, tag="environment"):
    """A place where versions run, with its policy and what a version must pass before it."""

    written_by = "people"

    name: Annotated[Name, describe("Name of the environment.")]
    policy: Annotated[Name, describe("Name of its policy.")]
    target: Annotated[TargetSpec, describe("Where and how versions are deployed.")]
    after: Annotated[list[Name], describe("Environments in which a version must run first.")] = []
    soak: Annotated[Soak | None, describe("Time that a version must run elsewhere first.")] = None
    windows: Annotated[list[ChangeWindow], describe("When changes are allowed.")] = []
    auto_promote: Annotated[
        bool, describe("Whether `mlgit auto-promote` promotes versions that pass, under a standing approval.")
    ] = False
