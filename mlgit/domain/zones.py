"""Time zones by their names in the IANA database (https://www.iana.org/time-zones), from the standard library."""

from collections.abc import Iterator
from datetime import UTC, tzinfo
from typing import Final

from mlgit.domain import layout
from mlgit.domain.records.environment import Environment
from mlgit.errors import Finding, Location

_LOCAL_ZONES: Final = frozenset({"localtime", "posixrules", "Factory"})
"""Names in the database that depend on the configuration of the machine."""


def find_zone(name: str) -> tzinfo | None:
    """Return the zone of a name; None if it does not exist or depends on the machine."""
    if name == "UTC":  # needs no database
        return UTC
    from zoneinfo import ZoneInfo  # noqa: PLC0415 - few projects name a zone, and the import is slow

    try:
        return None if name in _LOCAL_ZONES else ZoneInfo(name)
    except (OSError, ValueError, LookupError):  # a folder, an unsafe path, no such file
        return None


def check_zones(environment: Environment) -> Iterator[Finding]:
    """Check that the database has every zone in the windows of an environment."""
    for index, window in enumerate(environment.windows):
        for name, span in (("allow", window.allow), ("deny", window.deny)):
            if span is not None and find_zone(span.zone) is None:
                yield Finding(
                    "time-zone-unknown",
                    f"there is no time zone {span.zone}",
                    why="the IANA database of time zones has none of that name",
                    fix="name a place as Europe/Berlin or America/New_York, or UTC",
                    at=Location(layout.environment(environment.name), path=f"windows[{index}].{name}.zone"),
                )
