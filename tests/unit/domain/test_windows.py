"""Windows: every edge, over midnight and both changes of daylight saving time, compared with a slow implementation."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlgit.domain.merge_rules.windows import check_window, is_open, next_opening
from mlgit.domain.records.environment import ChangeWindow, WeeklyHours
from mlgit.domain.zones import check_zones
from mlgit.errors import Location
from tests import samples

DAYS: Any = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
BERLIN = ZoneInfo("Europe/Berlin")


def moment(text: str, zone: Any = UTC, *, fold: int = 0) -> datetime:
    """Read `2026-03-06 14:00` as a clock in a zone shows it; `fold=1` is the second time of an hour that comes twice."""
    return datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold).astimezone(UTC)


def deny(**hours: Any) -> ChangeWindow:
    return ChangeWindow(deny=WeeklyHours(**{"days": DAYS} | hours))


def allow(**hours: Any) -> ChangeWindow:
    return ChangeWindow(allow=WeeklyHours(**{"days": DAYS} | hours))


# 2026-03-06 is a Friday.
EDGES: list[tuple[str, ChangeWindow, str, bool]] = [
    ("before a deny window", deny(days=["fri"], from_="14:00"), "2026-03-06 13:59:59", True),
    ("at its first moment", deny(days=["fri"], from_="14:00"), "2026-03-06 14:00", False),
    ("at the end of the day", deny(days=["fri"], from_="14:00"), "2026-03-06 23:59:59", False),
    ("at midnight", deny(days=["fri"], from_="14:00"), "2026-03-07 00:00", True),
    ("at the stated end", deny(days=["fri"], from_="14:00", to="16:30"), "2026-03-06 16:30", True),
    ("just before the stated end", deny(days=["fri"], from_="14:00", to="16:30"), "2026-03-06 16:29:59", False),
    ("on another day", deny(days=["fri"]), "2026-03-05 12:00", True),
    ("the evening of a night", deny(days=["fri"], from_="22:00", to="06:00"), "2026-03-06 22:00", False),
    ("the morning after", deny(days=["fri"], from_="22:00", to="06:00"), "2026-03-07 05:59", False),
    ("the end of the night", deny(days=["fri"], from_="22:00", to="06:00"), "2026-03-07 06:00", True),
    ("the morning before", deny(days=["fri"], from_="22:00", to="06:00"), "2026-03-06 05:59", True),
    ("the next evening", deny(days=["fri"], from_="22:00", to="06:00"), "2026-03-07 22:00", True),
    ("a night that ends at midnight", deny(days=["fri"], from_="22:00", to="00:00"), "2026-03-07 00:00", True),
    ("a night from Sunday to Monday", deny(days=["sun"], from_="22:00", to="06:00"), "2026-03-09 05:59", False),
    ("a window round the clock", deny(days=["fri"], from_="12:00", to="12:00"), "2026-03-07 11:59", False),
    ("the end of a window round the clock", deny(days=["fri"], from_="12:00", to="12:00"), "2026-03-07 12:00", True),
    ("an allow window", allow(days=["fri"], from_="09:00", to="17:00"), "2026-03-06 09:00", True),
    ("before an allow window", allow(days=["fri"], from_="09:00", to="17:00"), "2026-03-06 08:59", False),
    ("after an allow window", allow(days=["fri"], from_="09:00", to="17:00"), "2026-03-06 17:00", False),
    ("the local day, not that of UTC", deny(days=["sat"], zone="Asia/Tokyo"), "2026-03-06 15:00", False),
    ("still Friday in Tokyo", deny(days=["sat"], zone="Asia/Tokyo"), "2026-03-06 14:59", True),
    ("still Friday in Honolulu", deny(days=["fri"], zone="Pacific/Honolulu"), "2026-03-07 09:59", False),
]


@pytest.mark.parametrize(("window", "at", "opened"), [case[1:] for case in EDGES], ids=[case[0] for case in EDGES])
def test_a_window_starts_and_ends_to_the_minute(window: ChangeWindow, at: str, opened: bool) -> None:
    assert is_open([window], moment(at)) is opened


# In Berlin 02:00 is skipped on 2026-03-29 (01:59 is followed by 03:00), and comes twice on 2026-10-25.
CHANGES: list[tuple[str, ChangeWindow, str, int, bool]] = [
    ("before the skipped hour", deny(from_="02:00", to="03:00"), "2026-03-29 01:59", 0, True),
    ("after the skipped hour", deny(from_="02:00", to="03:00"), "2026-03-29 03:00", 0, True),
    ("a window that ends in it", deny(from_="01:00", to="02:30"), "2026-03-29 01:59", 0, False),
    ("has ended after it", deny(from_="01:00", to="02:30"), "2026-03-29 03:00", 0, True),
    ("a window that begins in it", deny(from_="02:30", to="04:00"), "2026-03-29 03:00", 0, False),
    ("a night over it", deny(days=["sat"], from_="22:00", to="06:00"), "2026-03-29 05:59", 0, False),
    ("ends by the clock", deny(days=["sat"], from_="22:00", to="06:00"), "2026-03-29 06:00", 0, True),
    ("the first time of a doubled hour", deny(from_="02:00", to="03:00"), "2026-10-25 02:30", 0, False),
    ("the second time of it", deny(from_="02:00", to="03:00"), "2026-10-25 02:30", 1, False),
    ("the first half, the first time", deny(from_="02:00", to="02:30"), "2026-10-25 02:29", 0, False),
    ("the second half, in between", deny(from_="02:00", to="02:30"), "2026-10-25 02:30", 0, True),
    ("the first half, the second time", deny(from_="02:00", to="02:30"), "2026-10-25 02:29", 1, False),
    ("a night over a doubled hour", deny(days=["sat"], from_="22:00", to="06:00"), "2026-10-25 05:59", 0, False),
    ("ends by the clock then too", deny(days=["sat"], from_="22:00", to="06:00"), "2026-10-25 06:00", 0, True),
]


@pytest.mark.parametrize(
    ("window", "at", "fold", "opened"), [case[1:] for case in CHANGES], ids=[case[0] for case in CHANGES]
)
def test_a_window_is_in_local_time(window: ChangeWindow, at: str, fold: int, opened: bool) -> None:
    span = window.deny
    assert span is not None
    windows = [ChangeWindow(deny=WeeklyHours(days=span.days, from_=span.from_, to=span.to, zone="Europe/Berlin"))]
    assert is_open(windows, moment(at, BERLIN, fold=fold)) is opened


@pytest.mark.parametrize(
    ("windows", "opened"),
    [
        ([], True),
        ([ChangeWindow()], True),
        ([allow(days=["fri"])], True),
        ([allow(days=["sat"])], False),
        ([allow(days=["sat"]), allow(days=["fri"])], True),
        ([allow(days=["fri"]), deny(from_="12:00", to="13:00")], False),
        ([ChangeWindow(allow=WeeklyHours(days=["fri"]), deny=WeeklyHours(days=["fri"], from_="13:00"))], True),
        ([deny(days=["sat"]), deny(days=["fri"])], False),
        ([deny(zone="Europe/Atlantis")], False),
        ([allow(zone="Europe/Atlantis")], False),
        ([allow(zone="Europe/Atlantis"), allow()], True),
    ],
)
def test_open_outside_of_every_deny_and_inside_of_one_allow(windows: list[ChangeWindow], opened: bool) -> None:
    assert is_open(windows, moment("2026-03-06 12:30")) is opened


def test_a_closed_window_names_until_when_and_why() -> None:
    environment = samples.environment(windows=[deny(days=["fri", "sat", "sun"], from_="14:00", zone="Europe/Berlin")])
    (finding,) = check_window(environment, "promote", moment("2026-03-06 15:30", BERLIN))
    assert finding.id == "window-closed"
    assert "until Fri 2026-03-06 23:00 UTC" in finding.message
    assert (
        finding.why
        == "it is Fri 2026-03-06 14:30 UTC, and changes are denied fri, sat, sun from 14:00 to 24:00 Europe/Berlin"
    )
    assert finding.at == Location("environments/production/environment.yaml", path="windows")
    assert list(check_window(environment, "promote", moment("2026-03-06 13:59", BERLIN))) == []


def test_a_window_that_never_opens_says_so() -> None:
    (finding,) = check_window(samples.environment(windows=[deny()]), "promote", moment("2026-03-06 15:30"))
    assert finding.message == "production allows no changes for at least fourteen days"


def test_a_closed_window_names_the_allowed_hours() -> None:
    windows = [allow(days=["sat"]), deny(days=["mon"]), allow(days=["sun"], to="12:00")]
    (finding,) = check_window(samples.environment(windows=windows), "promote", moment("2026-03-06 15:30"))
    assert finding.why.endswith("and changes are allowed only sat from 00:00 to 24:00 UTC; sun from 00:00 to 12:00 UTC")


def test_the_opening_is_looked_for_within_a_fortnight() -> None:
    at = moment("2026-03-06 15:30")
    for later in (timedelta(0), timedelta(seconds=30), timedelta(microseconds=1)):
        assert next_opening([allow(days=["fri"], to="15:30")], at + later) == moment("2026-03-13 00:00")
    assert next_opening([deny()], at) is None


@pytest.mark.parametrize(
    ("windows", "opened"),
    [
        ([deny()], True),
        ([deny(rollback=True)], False),
        ([allow(days=["sat"])], True),
        ([allow(days=["sat"], rollback=True)], False),
        ([deny(), deny(days=["sat"], rollback=True)], True),
    ],
)
def test_a_rollback_is_let_through_unless_a_span_holds_it_too(windows: list[ChangeWindow], opened: bool) -> None:
    environment = samples.environment(windows=windows)
    assert (not list(check_window(environment, "rollback", moment("2026-03-06 12:00")))) is opened
    assert len(list(check_window(environment, "promote", moment("2026-03-06 12:00")))) == 1


@pytest.mark.parametrize(
    "zone", ["Europe/Atlantis", "Europe", "CEST", "../../etc/passwd", "/etc/localtime", "localtime", "a" * 500]
)
def test_a_zone_that_nobody_knows_is_found(zone: str) -> None:
    environment = samples.environment(
        windows=[
            ChangeWindow(),
            ChangeWindow(allow=WeeklyHours(days=["fri"]), deny=WeeklyHours(days=["fri"], zone=zone)),
        ]
    )
    (finding,) = check_zones(environment)
    assert (finding.id, finding.at) == (
        "time-zone-unknown",
        Location("environments/production/environment.yaml", path="windows[1].deny.zone"),
    )


CLOCKS = st.builds("{:02}:{:02}".format, st.integers(0, 23), st.sampled_from([0, 1, 15, 30, 59]))
ZONES = st.sampled_from(
    ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Africa/Casablanca"]
)
SPANS = st.builds(
    WeeklyHours,
    days=st.lists(st.sampled_from(DAYS), min_size=1, max_size=4),
    from_=CLOCKS,
    to=st.none() | CLOCKS,
    zone=ZONES,
)
WINDOWS = st.lists(st.builds(ChangeWindow, allow=st.none() | SPANS, deny=st.none() | SPANS), max_size=3)
# Around the days on which those zones change their clocks in 2026, and at any other time of the year.
MOMENTS = st.one_of(
    st.sampled_from(
        [
            date(2026, 3, 8),
            date(2026, 3, 29),
            date(2026, 4, 5),
            date(2026, 10, 4),
            date(2026, 10, 25),
            date(2026, 11, 1),
        ]
    ),
    st.dates(date(2026, 1, 1), date(2026, 12, 31)),
).flatmap(lambda day: st.integers(-1500, 1500).map(lambda n: datetime.combine(day, time(), UTC) + timedelta(minutes=n)))


def shown(span: WeeklyHours, around: datetime) -> set[datetime]:
    """Every minute that a span has on a wall calendar, of three weeks around a moment: each day written out."""
    found: set[datetime] = set()
    for offset in range(-4, 18):
        day = around.date() + timedelta(days=offset)
        if DAYS[day.weekday()] not in span.days:
            continue
        minute = datetime.combine(day, time.fromisoformat(span.from_))
        end = (
            datetime.combine(day + timedelta(days=1), time())
            if span.to is None
            else datetime.combine(day, time.fromisoformat(span.to))
        )
        end += timedelta(days=1) if end <= minute else timedelta()
        while minute < end:
            found.add(minute)
            minute += timedelta(minutes=1)
    return found


def minutes(windows: list[ChangeWindow], at: datetime, number: int) -> list[bool]:
    """Whether windows are open at a moment and in the minutes after it, by looking each up in the calendars."""
    allowed = [(ZoneInfo(one.allow.zone), shown(one.allow, at)) for one in windows if one.allow]
    denied = [(ZoneInfo(one.deny.zone), shown(one.deny, at)) for one in windows if one.deny]

    def has(calendar: tuple[ZoneInfo, set[datetime]], moment: datetime) -> bool:
        return moment.astimezone(calendar[0]).replace(tzinfo=None, fold=0) in calendar[1]

    return [
        not any(has(one, moment) for one in denied) and (not allowed or any(has(one, moment) for one in allowed))
        for moment in (at + timedelta(minutes=n) for n in range(number))
    ]


@given(WINDOWS, MOMENTS)
def test_it_is_open_when_the_calendars_say_so(windows: list[ChangeWindow], at: datetime) -> None:
    assert [is_open(windows, at + timedelta(minutes=n)) for n in range(0, 180, 7)] == minutes(windows, at, 180)[::7]


@given(WINDOWS, MOMENTS)
def test_it_opens_at_the_first_minute_that_the_calendars_have_open(windows: list[ChangeWindow], at: datetime) -> None:
    found = next_opening(windows, at)
    looked = 1 + (14 * 24 * 60 if found is None else (found - at) // timedelta(minutes=1))
    assert looked <= 1 + 14 * 24 * 60
    states = minutes(windows, at, looked)
    assert states[1:].index(True) + 2 == looked if found is not None else not any(states[1:])
