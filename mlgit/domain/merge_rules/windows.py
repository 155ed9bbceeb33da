"""A change is let in while no denied span holds the moment and, where spans are allowed, one of them does.

A span is what a clock on a wall in its zone shows: an hour that is skipped when summer time begins is in no span, and of one
that comes twice when it ends, both are in the span or neither. The rules of zones are those of the IANA database, which the
standard library reads.
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
_SEARCHED: Final = timedelta(days=14)


def check_windows(case: PromotionContext, at: datetime) -> Iterator[Finding]:
    """The environment lets changes in at the moment."""
    yield from check_window(case.environment, case.manifest.change, at)


def check_window(environment: Environment, change: str, at: datetime) -> Iterator[Finding]:
    """An environment lets a kind of change in at a moment.

    Args:
        environment: the environment, with its windows.
        change: the kind of change; a rollback is held only to spans with `rollback: true`.
        at: the moment.
    """
    windows = _held_to(environment.windows, change)
    if is_open(windows, at):
        return
    until = next_opening(windows, at)
    when = f"until {utc_time_with_weekday(until)}" if until else "for the next fourteen days and longer"
    yield Finding(
        "window-closed",
        f"{environment.name} lets no change in {when}",
        why=f"it is {utc_time_with_weekday(at)}, and {_cause(windows, at)}",
        fix="run the command again then" if until else "the windows never open: change them",
        at=Location(layout.environment(environment.name), path="windows"),
    )


def is_open(windows: Sequence[ChangeWindow], at: datetime) -> bool:
    """Tell whether windows let a change in at a moment. A span whose zone is not known denies, and allows nothing."""
    return _Rules(windows).let_in(at)


def next_opening(windows: Sequence[ChangeWindow], at: datetime) -> datetime | None:
    """Return the first whole minute after a moment at which windows are open, in UTC; None if none is within a fortnight.

    Every minute is looked at, at most 20,160 of them: a zone may change its offset at any, and says so nowhere.
    """
    rules = _Rules(windows)
    start = at.astimezone(UTC).replace(second=0, microsecond=0)
    moments = (start + number * _MINUTE for number in range(1, _SEARCHED // _MINUTE + 1))
    return next((moment for moment in moments if rules.let_in(moment)), None)


class _Hours(NamedTuple):
    """A span, as the minutes of a week that it holds, counted from Monday 00:00 in its zone."""

    span: WeeklyHours
    zone: tzinfo | None
    minutes: frozenset[int]

    def hold(self, at: datetime) -> bool | None:
        """Tell whether they hold a moment; None where the zone is not known."""
        if self.zone is None:
            return None
        shown = at.astimezone(self.zone)
        return shown.weekday() * _DAY + shown.hour * _HOUR + shown.minute in self.minutes


class _Rules:
    """Windows, ready to be asked often."""

    def __init__(self, windows: Sequence[ChangeWindow]) -> None:
        self.allowed = [_hours(window.allow) for window in windows if window.allow is not None]
        self.denied = [_hours(window.deny) for window in windows if window.deny is not None]

    def let_in(self, at: datetime) -> bool:
        return self.denied_by(at) is None and (not self.allowed or any(hours.hold(at) for hours in self.allowed))

    def denied_by(self, at: datetime) -> WeeklyHours | None:
        return next((hours.span for hours in self.denied if hours.hold(at) is not False), None)


def _hours(span: WeeklyHours) -> _Hours:
    start = _minute_of_day(span.from_)
    length = _DAY - start if span.to is None else (_minute_of_day(span.to) - start) % _DAY or _DAY
    begins = (_DAYS.index(day) * _DAY + start for day in span.days)
    return _Hours(span, zones.find_zone(span.zone), frozenset((at + n) % _WEEK for at in begins for n in range(length)))


def _minute_of_day(clock: str) -> int:
    return int(clock[:2]) * _HOUR + int(clock[3:])


def _held_to(windows: Sequence[ChangeWindow], change: str) -> Sequence[ChangeWindow]:
    """Return what a kind of change is held to."""
    if change != "rollback":
        return windows

    def held(span: WeeklyHours | None) -> WeeklyHours | None:
        return span if span is not None and span.rollback else None

    return [ChangeWindow(allow=held(window.allow), deny=held(window.deny)) for window in windows]


def _cause(windows: Sequence[ChangeWindow], at: datetime) -> str:
    """Say which spans keep changes out at a moment."""
    denied = _Rules(windows).denied_by(at)
    if denied is not None:
        return f"denied are {_words(denied)}"
    return "allowed are " + "; ".join(_words(window.allow) for window in windows if window.allow is not None)


def _words(span: WeeklyHours) -> str:
    return f"{', '.join(span.days)} from {span.from_} to {span.to or '24:00'} {span.zone}"
