"""The system's time."""

from datetime import UTC, datetime


class SystemClock:
    """The time of this machine, in UTC (see `ops.kernel.ports.Clock`)."""

    def now(self) -> datetime:
        """Return the time."""
        return datetime.now(UTC)
