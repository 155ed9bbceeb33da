"""Moments to come, as people name them: a time, or how long from now."""

from datetime import UTC, datetime, timedelta

from mlgit.domain.formatting import utc_time
from mlgit.errors import usage_error


def future_time(named: datetime | timedelta, now: datetime) -> datetime:
    """Return a moment that was named as itself or by how long it is until then, in UTC, to the second.

    Raises:
        Misuse: it is over already (`moment-past`), or beyond the calendar (`moment-far`).
    """
    try:
        moment = (now + named if isinstance(named, timedelta) else named).astimezone(UTC).replace(microsecond=0)
    except OverflowError as error:
        raise usage_error("moment-far", "that moment is beyond the calendar", fix="name an earlier one") from error
    if moment <= now:
        raise usage_error("moment-past", f"{utc_time(moment)} is over", fix="name a moment to come, or a time as 4h")
    return moment
