"""How times, numbers, sizes and lists of names are written for people, in every message, table and page.

Everything here is pure and returns plain text. Times are always in UTC, so that two people read the same.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Final

NAMES_LISTED: Final = 3
"""How many names a sentence lists before it counts the others."""


def utc_date(day: date | None, missing: str = "-") -> str:
    """Return `2026-03-04`: of a time, its day in UTC."""
    if day is None:
        return missing
    return f"{day.astimezone(UTC) if isinstance(day, datetime) else day:%Y-%m-%d}"


def utc_minute(time: datetime | None, missing: str = "-") -> str:
    """Return `2026-03-04 12:30`, for a column whose header names UTC."""
    return missing if time is None else f"{time.astimezone(UTC):%Y-%m-%d %H:%M}"


def utc_time(time: datetime | None, missing: str = "-") -> str:
    """Return `2026-03-04 12:30 UTC`."""
    return missing if time is None else f"{utc_minute(time)} UTC"


def utc_time_with_seconds(time: datetime) -> str:
    """Return `2026-03-04 12:30:05 UTC`, where the order of two times within a minute matters."""
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def utc_time_with_weekday(time: datetime) -> str:
    """Return `Wed 2026-03-04 12:30 UTC`, where a rule depends on the day of the week."""
    return f"{time.astimezone(UTC):%a %Y-%m-%d %H:%M} UTC"


def utc_timestamp(time: datetime) -> str:
    """Return `2026-03-04T12:30:05Z`, for programs."""
    return f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def metric_value(value: float | None) -> str:
    """Return a metric with four decimals; a dash where there is none."""
    return "-" if value is None else f"{value:.4f}"


def metric_gain(value: float | None) -> str:
    """Return a difference of metrics with its sign; a dash where there is none."""
    return "-" if value is None else f"{value:+.4f}"


def percent(share: float) -> str:
    """Return `95%` for 0.95."""
    return f"{100 * share:.4g}%"


def confidence_interval(level: float, low: float, high: float) -> str:
    """Return `95%: +0.0040 to +0.0140`, the interval of a gain at a confidence level."""
    return f"{percent(level)}: {metric_gain(low)} to {metric_gain(high)}"


def size(count: int) -> str:
    """Return a number of bytes in the unit that fits: `512 bytes`, `210.5 kB`, `1.2 MB`, `3.0 GB`."""
    for unit, length in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= length:
            return f"{count / length:.1f} {unit}"
    return f"{count} bytes"


def plural(count: int, singular: str, plural_form: str | None = None) -> str:
    """Return `1 error`, `2 errors`."""
    return f"{count:,} {singular if count == 1 else plural_form or singular + 's'}"


def first_names(names: Sequence[str]) -> str:
    """Return `a, b, c and 4 more`: the first names, and how many others there are."""
    more = f" and {len(names) - NAMES_LISTED} more" if len(names) > NAMES_LISTED else ""
    return ", ".join(names[:NAMES_LISTED]) + more


def metric_range(low: float | None, high: float | None) -> str:
    """Return in words which values a metric can have: `from 0 to 1`, `at least 0`, `at most 1`."""
    if low is None:
        return "any number" if high is None else f"at most {high:g}"
    return f"at least {low:g}" if high is None else f"from {low:g} to {high:g}"


def short_version(version: str | None, model: str) -> str:
    """Return the number of a version of a model that is named beside it, for narrow tables; `none` without one."""
    return "none" if version is None else version.removeprefix(f"{model}@")
