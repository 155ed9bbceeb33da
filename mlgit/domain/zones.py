"""Time zones by their names in the IANA database (https://www.iana.org/time-zones), as the standard library reads it."""

from collections.abc import Iterator
from datetime import UTC, tzinfo
from typing import Final

from mlgit.domain import layout
from mlgit.domain.records.environment import Environment
from mlgit.errors import Finding, Location

_OF_THE_MACHINE: Final = frozenset({"localtime", "posixrules", "Factory"})
"""Names that the database of a machine may have for whatever its owner chose."""


def find_zone(name: str) -> tzinfo | None:
    """Return the zone of a name; None if there is none that is the same on every machine."""
    if name == "UTC":  # known without a database
        return UTC
    from zoneinfo import ZoneInfo  # noqa: PLC0415 - few projects name a zone, and the import is slow

    try:
        return None if name in _OF_THE_MACHINE else ZoneInfo(name)
    except (OSError, ValueError, LookupError):  # a folder, a path that leads elsewhere, no such file
        return None


def check_zones(environment: Environment) -> Iterator[Finding]:
    """Every zone that the windows of an environment name is one of the database."""
    for index, window in enumerate(environment.windows):
        for name, span in (("allow", window.allow), ("deny", window.deny)):
            if span is not None and find_zone(span.zone) is None:
                yield Finding(
                    "zone-unknown",
                    f"there is no time zone {span.zone}",
                    why="the IANA database of time zones has none of that name",
                    fix="name a place as Europe/Berlin or America/New_York, or UTC",
                    at=Location(layout.environment(environment.name), path=f"windows[{index}].{name}.zone"),
                )
