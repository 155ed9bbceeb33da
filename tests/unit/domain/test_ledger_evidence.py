"""Which entries of a deployment log are evidence."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mlgit.domain.ledger_evidence import proven_entries
from mlgit.domain.records import Deployment

START = datetime(2026, 3, 1, tzinfo=UTC)
ONE, TWO = (f"sha256:{letter * 64}" for letter in "12")


def entry(number: int, status: str = "verified", digest: str = ONE, **changes: Any) -> Deployment:
    fields: dict[str, Any] = {
        "schema": 1,
        "environment": "staging",
        "model": "delay",
        "seq": number,
        "promotion": "01JD8ZK3M90000000000000000",
        "status": status,
        "version": 1,
        "digest": digest,
        "artifact": ONE,
        "target": {},
        "commit": "a" * 40,
        "at": START + timedelta(minutes=number),
        "previous": None,
    }
    return Deployment(**{**fields, **changes})


def unsigned(*numbers: int) -> Callable[[Deployment], str | None]:
    return lambda one: "nobody signed it" if one.seq in numbers else None


@pytest.mark.parametrize(
    ("log", "without", "expected"),
    [
        ([entry(1), entry(2)], (), ["1 verified", "2 verified"]),
        ([entry(1), entry(2)], (2,), ["1 verified"]),  # it only repeats
        ([entry(1), entry(2, digest=TWO)], (2,), ["1 verified", "2 degraded"]),  # something may have changed
        ([entry(1), entry(2, traffic=10)], (2,), ["1 verified", "2 degraded"]),
        ([entry(1)], (1,), ["1 degraded"]),
        ([entry(1), entry(2, "degraded"), entry(3)], (3,), ["1 verified", "2 degraded", "3 degraded"]),
        ([entry(1), entry(2, "degraded"), entry(3, "blocked")], (2, 3), ["1 verified", "2 degraded", "3 blocked"]),
        ([entry(1), entry(2), entry(3)], (1,), ["1 degraded", "2 verified", "3 verified"]),
    ],
)
def test_what_nobody_signed_proves_nothing_and_what_contradicts_counts(
    log: list[Deployment], without: tuple[int, ...], expected: list[str]
) -> None:
    assert [f"{one.seq} {one.status}" for one in proven_entries(log, unsigned(*without))] == expected


def test_an_entry_that_does_not_count_says_why() -> None:
    assert [one.message for one in proven_entries([entry(1)], unsigned(1))] == ["nobody signed it"]
