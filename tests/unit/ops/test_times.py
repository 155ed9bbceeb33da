"""Future times, as people state them."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from mlgit.errors import UsageError
from mlgit.ops.kernel.times import future_time
from tests.samples import NOW

WEST = timezone(timedelta(hours=-5))
STATED: list[tuple[datetime | timedelta, datetime]] = [
    (timedelta(hours=4), NOW + timedelta(hours=4)),
    (NOW + timedelta(seconds=1, microseconds=999), NOW + timedelta(seconds=1)),
    ((NOW + timedelta(days=1)).astimezone(WEST), NOW + timedelta(days=1)),
]


@pytest.mark.parametrize(("stated", "expected"), STATED, ids=["a duration", "to the second", "another zone"])
def test_a_future_time_is_in_utc_and_to_the_second(stated: datetime | timedelta, expected: datetime) -> None:
    time = future_time(stated, NOW.replace(microsecond=0))
    assert (time, time.tzinfo, time.microsecond) == (expected.replace(microsecond=0), UTC, 0)


@pytest.mark.parametrize(
    ("stated", "finding"),
    [
        (NOW, "time-in-past"),
        (NOW - timedelta(days=1), "time-in-past"),
        (timedelta(), "time-in-past"),
        (timedelta.max, "time-out-of-range"),
    ],
    ids=["now", "yesterday", "no time at all", "after the last date"],
)
def test_a_time_that_is_not_in_the_future_is_refused(stated: datetime | timedelta, finding: str) -> None:
    with pytest.raises(UsageError) as refusal:
        future_time(stated, NOW)
    assert [one.id for one in refusal.value.findings] == [finding]
