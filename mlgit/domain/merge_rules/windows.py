"""Rules for windows: a change is allowed outside of every `deny` window and, if there are `allow` windows, inside one of them.

Windows are in local time of their zone: the hour that is skipped when daylight saving time starts is in none, and the hour that
is repeated when it ends is in a window both times or not at all. Zones are from the IANA database.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final, NamedTuple, get_args

from mlgit.domain import layout, zones
from mlgit.domain.formatting import utc_time_with_weekday
from mlgit.domain.promotion_context import PromotionContext
from mlgit.domain.records.environment import ChangeWindow, Environment, Weekday, WeeklyHours
from mlgit.errors import Finding, Location

_DAYS: Final = get_args(Weekday)
_HOUR, _DAY, _WEEK = 60, 1440, 10_080  # in minutes
_MINUTE: Final = timedelta(minutes=1)
_SEARCH_LIMIT: Final = timedelta(days=14)


def check_windows(context: PromotionContext, at: datetime) -> Iterator[Finding]:
    """Check that the windows of the environment allow the change."""
    yield from check_window(context.environment, context.manifest.change, at)


def check_window(environment: Environment, change: str, at: datetime) -> Iterator[Finding]:
    """Check that the windows of an environment allow a kind of change at a time.

    Args:
        environment: the environment, with its windows.
        change: the kind of change; only windows with `rollback: true` apply to a rollback.
        at: the time.
    """
    windows = _applicable(environment.windows, change)
    if is_open(windows, at):
        return
    until = next_opening(windows, at)
    when = f"until {utc_time_with_weekday(until)}" if until else "for at least fourteen days"
    yield Finding(
        "window-closed",
        f"{environment.name} allows no changes {when}",
        why=f"it is {utc_time_with_weekday(at)}, and {_cause(windows, at)}",
        fix="run the command again then" if until else "change the windows",
        at=Location(layout.environment(environment.name), path="windows"),
    )


def is_open(windows: Sequence[ChangeWindow], at: datetime) -> bool:
    """Return whether windows allow a change at a time. A window in an unknown zone always denies, and never allows."""
    return _WindowRules(windows).allow(at)


def next_opening(windows: Sequence[ChangeWindow], at: datetime) -> datetime | None:
    """Return the first whole minute after a time at which windows are open, in UTC; None if there is none in fourteen days.

    Tries every minute, at most 20,160 of them: a zone can change its offset at any minute, and has no list of these changes.
    """
    rules = _WindowRules(windows)
    start = at.astimezone(UTC).replace(second=0, microsecond=0)
    minutes = (start + number * _MINUTE for number in range(1, _SEARCH_LIMIT // _MINUTE + 1))
    return next((minute for minute in minutes if rules.allow(minute)), None)


class _Hours(NamedTuple):
    """A window as the minutes of a week that it contains, counted from Monday 00:00 in its zone."""

    window: WeeklyHours
    zone: tzinfo | None
    minutes: frozenset[int]

    def contain(self, at: datetime) -> bool | None:
        """Return whether they contain a time; None if the zone is unknown."""
        if self.zone is None:
            return None
        local = at.astimezone(self.zone)
        return local.weekday() * _DAY + local.hour * _HOUR + local.minute in self.minutes


class _WindowRules:
    """Windows, prepared for many queries."""

    def __init__(self, windows: Sequence[ChangeWindow]) -> None:
        self.allowed = [_hours(window.allow) for window in windows if window.allow is not None]
        self.denied = [_hours(window.deny) for window in windows if window.deny is not None]

    def allow(self, at: datetime) -> bool:
        return self.denied_by(at) is None and (not self.allowed or any(hours.contain(at) for hours in self.allowed))

    def denied_by(self, at: datetime) -> WeeklyHours | None:
        return next((hours.window for hours in self.denied if hours.contain(at) is not False), None)


def _hours(window: WeeklyHours) -> _Hours:
    start = _minute_of_day(window.from_)
    length = _DAY - start if window.to is None else (_minute_of_day(window.to) - start) % _DAY or _DAY
    begins = (_DAYS.index(day) * _DAY + start for day in window.days)
    return _Hours(
        window, zones.find_zone(window.zone), frozenset((at + n) % _WEEK for at in begins for n in range(length))
    )


def _minute_of_day(clock: str) -> int:
    return int(clock[:2]) * _HOUR + int(clock[3:])


def _applicable(windows: Sequence[ChangeWindow], change: str) -> Sequence[ChangeWindow]:
    """Return the windows that apply to a kind of change."""
    if change != "rollback":
        return windows

    def with_rollback(window: WeeklyHours | None) -> WeeklyHours | None:
        return window if window is not None and window.rollback else None

    return [ChangeWindow(allow=with_rollback(window.allow), deny=with_rollback(window.deny)) for window in windows]


def _cause(windows: Sequence[ChangeWindow], at: datetime) -> str:
    """Describe the windows that prevent a change at a time."""
    denied = _WindowRules(windows).denied_by(at)
    if denied is not None:
        return f"changes are denied {_format(denied)}"
    return "changes are allowed only " + "; ".join(
        _format(window.allow) for window in windows if window.allow is not None
    )


def _format(window: WeeklyHours) -> str:
    return f"{', '.join(window.days)} from {window.from_} to {window.to or '24:00'} {window.zone}"
