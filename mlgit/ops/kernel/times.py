"""Times in the future, as people state them: a point in time, or a duration from now."""

from datetime import UTC, datetime, timedelta

from mlgit.domain.formatting import utc_time
from mlgit.errors import usage_error


def future_time(stated: datetime | timedelta, now: datetime) -> datetime:
    """Return a stated time, or the time after a stated duration, in UTC and without fractions of a second.

    Raises:
        UsageError: the time is not in the future (`time-in-past`), or later than a date can be (`time-out-of-range`).
    """
    try:
        time = (now + stated if isinstance(stated, timedelta) else stated).astimezone(UTC).replace(microsecond=0)
    except OverflowError as error:
        raise usage_error(
            "time-out-of-range", "the time is too far in the future", fix="state an earlier one"
        ) from error
    if time <= now:
        raise usage_error(
            "time-in-past",
            f"{utc_time(time)} is in the past",
            fix="state a future time, or how long from now, such as 4h",
        )
    return time
