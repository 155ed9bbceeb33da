"""Future times, as people state them: a time, or how long from now."""

from datetime import UTC, datetime, timedelta

from mlgit.errors import usage_error


def future_time(stated: datetime | timedelta, now: datetime) -> datetime:
    """Return a time that was stated as such, or as how long it is until then, in UTC and to the second.

    Raises:
        UsageError: it is over (`time-in-past`), or later than any date (`time-out-of-range`).
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
            f"{time:%Y-%m-%d %H:%M} UTC is in the past",
            fix="state a future time, or how long from now, such as 4h",
        )
    return time
