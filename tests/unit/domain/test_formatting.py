"""Times, numbers, sizes and names are written one way, whatever the zone of a time."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from mlgit.domain import formatting

TIME = datetime(2026, 3, 4, 0, 30, 5, tzinfo=timezone(timedelta(hours=2)))  # 2026-03-03 22:30:05 in UTC


@pytest.mark.parametrize(
    ("formatted", "text"),
    [
        (formatting.utc_date, "2026-03-03"),
        (formatting.utc_minute, "2026-03-03 22:30"),
        (formatting.utc_time, "2026-03-03 22:30 UTC"),
        (formatting.utc_time_with_seconds, "2026-03-03 22:30:05 UTC"),
        (formatting.utc_time_with_weekday, "Tue 2026-03-03 22:30 UTC"),
        (formatting.utc_timestamp, "2026-03-03T22:30:05Z"),
    ],
)
def test_a_time_is_written_in_utc(formatted: Callable[[datetime], str], text: str) -> None:
    assert formatted(TIME) == text
    assert formatted(TIME.astimezone(UTC)) == text


def test_a_missing_time_or_number_is_a_dash_unless_another_word_is_given() -> None:
    assert formatting.utc_date(date(2026, 3, 4)) == "2026-03-04"
    assert [formatting.utc_date(None), formatting.utc_minute(None), formatting.utc_time(None)] == ["-"] * 3
    assert formatting.utc_time(None, "unknown") == "unknown"
    assert [formatting.metric_value(None), formatting.metric_gain(None)] == ["-"] * 2


def test_metrics_have_four_decimals_and_gains_a_sign() -> None:
    assert formatting.metric_value(0.87104) == "0.8710"
    assert [formatting.metric_gain(0.009), formatting.metric_gain(-0.009)] == ["+0.0090", "-0.0090"]
    assert [formatting.percent(0.95), formatting.percent(0.9999)] == ["95%", "99.99%"]
    assert formatting.confidence_interval(0.95, 0.004, 0.014) == "95%: +0.0040 to +0.0140"


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 bytes"), (999, "999 bytes"), (1000, "1.0 kB"), (1_250_000, "1.2 MB"), (3 * 10**9, "3.0 GB")],
)
def test_sizes_have_the_unit_that_fits(count: int, text: str) -> None:
    assert formatting.size(count) == text


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 errors"), (1, "1 error"), (2, "2 errors"), (12345, "12,345 errors")]
)
def test_numbers_of_things(count: int, text: str) -> None:
    assert formatting.plural(count, "error") == text
    assert formatting.plural(2, "policy", "policies") == "2 policies"


def test_a_sentence_lists_three_names_and_counts_the_others() -> None:
    assert formatting.first_names(["a", "b", "c"]) == "a, b, c"
    assert formatting.first_names(["a", "b", "c", "d", "e"]) == "a, b, c and 2 more"
    assert formatting.first_names([]) == ""
