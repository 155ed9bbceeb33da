"""Healthy time: what counts, what breaks it, and when it is enough."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from mlgit.domain.merge_rules.soak import check_soak, check_upstream, healthy_period
from mlgit.domain.names import new_promotion_id
from mlgit.domain.promotion_context import PromotionContext
from mlgit.domain.records import Deployment
from mlgit.domain.records.environment import Soak
from mlgit.errors import Location
from tests import samples

ONE, TWO = samples.version(1), samples.version(2)
NOON = samples.NOW
HOUR = timedelta(hours=1)
EARLY = new_promotion_id(NOON - timedelta(days=30), entropy=0)


def entry(hours: float, status: Any = "verified", of: Any = TWO, **changes: Any) -> Deployment:
    """What was seen so many hours after noon."""
    return Deployment(
        **{
            "schema": 1,
            "environment": "staging",
            "model": "delay",
            "seq": 1,
            "promotion": EARLY,
            "status": status,
            "version": of.version,
            "digest": of.digest,
            "artifact": of.artifact.sha256,
            "target": {},
            "commit": "4be1" * 10,
            "at": NOON + hours * HOUR,
            "previous": None,
        }
        | changes
    )


def since(entries: Sequence[Deployment], hours: float, gap: float | None = None) -> float | None:
    """The hours after noon at which the run began that holds at so many hours after noon."""
    run = healthy_period(entries, TWO.digest, NOON + hours * HOUR, max_gap=None if gap is None else gap * HOUR)
    return None if run is None else (run.since - NOON) / HOUR


RUNS: list[tuple[str, list[Deployment], float, float | None, float | None]] = [
    ("nothing was seen", [], 9, None, None),
    ("seen once", [entry(0)], 9, None, 0),
    ("seen again", [entry(0), entry(3)], 9, None, 0),
    ("seen at this moment", [entry(9)], 9, None, 9),
    ("seen later only", [entry(10)], 9, None, None),
    ("what is seen later does not count", [entry(0), entry(10, "degraded")], 9, None, 0),
    ("degraded", [entry(0), entry(3, "degraded")], 9, None, None),
    ("well again", [entry(0), entry(3, "degraded"), entry(5)], 9, None, 5),
    ("degraded, and nothing known of what ran", [entry(0), entry(3, "degraded", digest=None)], 9, None, None),
    ("another version", [entry(0), entry(3, of=ONE)], 9, None, None),
    ("back after another version", [entry(0), entry(3, of=ONE), entry(5)], 9, None, 5),
    ("a refusal that left it running", [entry(0), entry(3, "blocked")], 9, None, 0),
    ("a refusal that found something else", [entry(0), entry(3, "blocked", of=ONE)], 9, None, None),
    ("a refusal that found nothing", [entry(0), entry(3, "blocked", digest=None)], 9, None, None),
    ("a refusal is no sighting", [entry(0, "blocked")], 9, None, None),
    ("time went back", [entry(4), entry(2)], 9, None, None),
    ("time went back, and on", [entry(4), entry(2), entry(5)], 9, None, 5),
    ("older than its promotion", [entry(0, promotion=new_promotion_id(NOON + 6 * HOUR, entropy=0))], 9, None, 6),
    ("a share of the requests is not enough", [entry(0, traffic=50)], 9, None, None),
    ("all of them, after a share", [entry(0, traffic=50), entry(3)], 9, None, 3),
    ("a share, after all of them", [entry(0), entry(3, traffic=50)], 9, None, None),
    ("seen twice in one moment", [entry(0), entry(3), entry(3)], 9, None, 0),
    ("well again in the same moment", [entry(3, "degraded"), entry(3)], 9, None, 3),
    ("a gap that may be", [entry(0), entry(2), entry(4)], 6, 2, 0),
    ("a gap in between", [entry(0), entry(3), entry(5)], 6, 2, 3),
    ("a gap at the end", [entry(0), entry(2)], 5, 2, None),
    ("a long time without a limit", [entry(0)], 10_000, None, 0),
]


@pytest.mark.parametrize(
    ("entries", "hours", "gap", "expected"), [case[1:] for case in RUNS], ids=[case[0] for case in RUNS]
)
def test_a_period_is_ended_by_whatever_is_not_healthy(
    entries: list[Deployment], hours: float, gap: float | None, expected: float | None
) -> None:
    assert since(entries, hours, gap) == expected


def context(entries: Sequence[Deployment], **changes: Any) -> PromotionContext:
    fields: dict[str, Any] = {
        "manifest": samples.promotion(TWO),
        "version": TWO,
        "slot_versions": {2: TWO},
        "report": None,
        "previous": None,
        "champion": None,
        "policy": samples.policy(),
        "environment": samples.environment(soak=Soak(in_="staging", for_="72h")),
        "problem": samples.problem(),
        "model": samples.model(),
        "contracts": {},
        "upstream_champions": {"staging": TWO},
        "deployments": {"production": [], "staging": entries},
    }
    return PromotionContext(**fields | changes)


@pytest.mark.parametrize(("hours", "found"), [(71.99, ["soak-too-short"]), (72, []), (100, [])])
def test_a_soak_is_complete_when_the_time_is_over_and_not_before(hours: float, found: list[str]) -> None:
    assert [one.id for one in check_soak(context([entry(0)]), NOON + hours * HOUR)] == found


@pytest.mark.parametrize(
    ("gap", "hours", "said"),
    [
        ("24h", 72, []),
        ("24h", 96, []),
        ("24h", 96.01, ["is not healthy"]),
        ("11h", 72, ["has soaked in staging for 0m"]),
        (None, 999, []),
    ],
)
def test_a_soak_is_ended_by_too_long_a_time_without_observations(
    gap: str | None, hours: float, said: list[str]
) -> None:
    watched = samples.environment(soak=Soak(in_="staging", for_="48h", max_gap=gap))
    judged = context([entry(12 * number) for number in range(7)], environment=watched)
    findings = list(check_soak(judged, NOON + hours * HOUR))
    assert len(findings) == len(said)
    assert all(words in one.message for words, one in zip(said, findings, strict=True))
    assert all(one.why.endswith("at least every 24h") for one in findings if "is not healthy" in one.message)


def test_a_short_soak_names_its_length_and_when_it_is_complete() -> None:
    (finding,) = check_soak(context([entry(0), entry(20)]), NOON + 25.5 * HOUR)
    assert finding.message == "delay@2 has soaked in staging for 1d 1h 30m of 72h"
    assert "at 2026-03-07 12:30 UTC or later" in finding.fix
    assert finding.at == Location("environments/production/environment.yaml", path="soak")
    assert "last at 2026-03-05 08:30 UTC" in finding.why


def test_a_version_that_does_not_soak_names_the_last_entry() -> None:
    (finding,) = check_soak(context([entry(0), entry(20, "degraded")]), NOON + 100 * HOUR)
    assert finding.message == "delay@2 is not healthy in staging, where it has to soak for 72h"
    version = f"the version with digest {TWO.digest[7:19]}"
    assert finding.why == f"the last entry of staging, of 2026-03-05 08:30 UTC, has {version}, degraded"
    (finding,) = check_soak(context([entry(0, "blocked", digest=None)]), NOON)
    assert finding.why == "the last entry of staging, of 2026-03-04 12:30 UTC, has no version, blocked"
    (finding,) = check_soak(context([entry(0, "degraded"), entry(99)]), NOON + HOUR)
    assert finding.why == f"the last entry of staging, of 2026-03-04 12:30 UTC, has {version}, degraded", (
        "later ones are not used"
    )
    (finding,) = check_soak(context([]), NOON)
    assert finding.why == "the ledger has no entry of staging up to 2026-03-04 12:30 UTC"
    assert finding.at == Location("environments/production/environment.yaml", path="soak")


@pytest.mark.parametrize(
    ("hours", "duration"),
    [(0, "0m"), (1 / 60, "1m"), (23, "23h"), (24, "1d"), (60, "2d 12h"), (71 + 59 / 60, "2d 23h 59m")],
)
def test_durations_are_in_days_hours_and_minutes(hours: float, duration: str) -> None:
    (finding,) = check_soak(context([entry(0)]), NOON + hours * HOUR)
    assert f"in staging for {duration} of 72h" in finding.message
    unborn = entry(0, promotion=new_promotion_id(NOON + 999 * HOUR, entropy=0))
    (finding,) = check_soak(context([unborn]), NOON + hours * HOUR)
    assert "in staging for 0m of 72h" in finding.message, "no period starts before the promotion"


@pytest.mark.parametrize(
    ("later", "minute"),
    [
        (timedelta(0), "12:30"),
        (timedelta(microseconds=1), "12:31"),
        (timedelta(seconds=1), "12:31"),
        (timedelta(minutes=1), "12:31"),
    ],
)
def test_the_time_of_completion_is_rounded_up_to_a_minute(later: timedelta, minute: str) -> None:
    (finding,) = check_soak(context([replace(entry(0), at=NOON + later)]), NOON + HOUR)
    assert f"again at 2026-03-07 {minute} UTC or later" in finding.fix


@pytest.mark.parametrize("change", ["rollback", "retire"])
def test_rollbacks_and_retirements_wait_for_nothing(change: Any) -> None:
    without = context([], manifest=samples.promotion(TWO, change=change))
    assert list(check_soak(without, NOON)) == list(check_upstream(without, NOON)) == []


def test_nothing_is_waited_for_without_a_version_or_a_soak() -> None:
    nothing = context([], version=None)
    assert list(check_soak(nothing, NOON)) == list(check_upstream(nothing, NOON)) == []
    assert list(check_soak(context([], environment=samples.environment()), NOON)) == []


@pytest.mark.parametrize(
    ("deployments", "found"),
    [
        ({"staging": [entry(0)]}, []),
        ({"staging": [entry(0), entry(1, "blocked")]}, []),
        ({"staging": []}, ["upstream-environment-unverified"]),
        ({"staging": [entry(0, of=ONE)]}, ["upstream-environment-unverified"]),
        ({"staging": [entry(0), entry(1, "degraded")]}, ["upstream-environment-unverified"]),
        ({"staging": [entry(9)]}, ["upstream-environment-unverified"]),
        ({}, []),  # it has no target, so nothing can be observed there
    ],
)
def test_earlier_environments_have_verified_the_version(
    deployments: dict[str, list[Deployment]], found: list[str]
) -> None:
    findings = list(check_upstream(context([], deployments=deployments), NOON + 2 * HOUR))
    assert [one.id for one in findings] == found
    assert all(one.message == "delay@2 is not verified in staging" for one in findings)


ENTRIES = st.lists(
    st.tuples(
        st.integers(0, 40),
        st.sampled_from(["verified", "verified", "degraded", "blocked"]),
        st.sampled_from([ONE, TWO]),
    ).map(lambda parts: entry(*parts)),
    max_size=12,
)


@given(ENTRIES, st.integers(0, 60))
def test_a_period_starts_with_a_verified_entry_and_has_only_healthy_ones_after_it(
    entries: list[Deployment], hours: int
) -> None:
    """Compare with a slow implementation: the earliest entry from which on all are healthy, up to that time."""
    at = NOON + hours * HOUR
    times = [one.at for one in entries]
    in_order = [all(earlier <= one.at for earlier in times[:index]) for index, one in enumerate(entries)]
    there = [(one, orderly) for one, orderly in zip(entries, in_order, strict=True) if one.at <= at]
    well = [one.digest == TWO.digest and one.status != "degraded" and orderly for one, orderly in there]
    starts = [one.at for index, (one, _) in enumerate(there) if one.status == "verified" and all(well[index:])]
    run = healthy_period(entries, TWO.digest, at)
    assert (run and run.since) == (starts[0] if starts else None)


@given(ENTRIES, st.integers(0, 40), st.integers(1, 10))
def test_a_limit_to_gaps_never_makes_a_period_longer(entries: list[Deployment], hours: int, gap: int) -> None:
    at = NOON + hours * HOUR
    free, held = healthy_period(entries, TWO.digest, at), healthy_period(entries, TWO.digest, at, max_gap=gap * HOUR)
    assert held is None or (free is not None and free.since <= held.since)


def test_a_version_is_identified_by_its_digest() -> None:
    assert since([replace(entry(0), version=1)], 9) == 0
    assert since([replace(entry(0), digest=samples.sha(9))], 9) is None


def test_an_entry_from_the_future_hides_no_entry_after_it() -> None:
    entries = [entry(0), entry(100), entry(2, "degraded")]
    assert since(entries[:1], 3) == 0
    assert since(entries, 3) is None
