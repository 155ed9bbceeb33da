"""The steps of a ramp: which share a version is to answer at a moment, and when the next one is due."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlgit.domain.merge_rules.ramp import RampStep, check_ramp, check_ramp_plan, ramp_step
from mlgit.domain.records import Deployment
from mlgit.domain.records.promotion import Ramp, SlotAssignments, VersionPin
from mlgit.errors import Location
from tests import samples
from tests.unit.domain.test_soak import HOUR, NOON, ONE, TWO, context, entry

PLAN = Ramp(steps=[10, 50, 100], interval="24h")
BASELINE = VersionPin(version=1, digest=ONE.digest)


def seen(hours: float, share: int | None, status: Any = "verified", promotion: str = samples.ULID) -> Deployment:
    """What was seen so many hours after noon, of a version that answers a share of the requests."""
    return entry(hours, status, promotion=promotion, traffic=share)


STEPS: list[tuple[str, list[Deployment], float, RampStep]] = [
    ("nothing was seen", [], 0, RampStep(10)),
    ("of another promotion", [seen(0, 50, promotion=samples.OLDER_ULID)], 99, RampStep(10)),
    ("the first step", [seen(0, 10)], 23.9, RampStep(10, 10, NOON + 24 * HOUR)),
    ("is over", [seen(0, 10)], 24, RampStep(50, 10)),
    ("however late", [seen(0, 10)], 900, RampStep(50, 10)),
    ("counted from the first look", [seen(0, 10), seen(20, 10)], 24, RampStep(50, 10)),
    ("the second step", [seen(0, 10), seen(24, 50)], 30, RampStep(50, 50, NOON + 48 * HOUR)),
    ("has a time of its own", [seen(0, 10), seen(24, 50)], 48, RampStep(100, 50)),
    ("the last step", [seen(0, 10), seen(24, 50), seen(48, None)], 900, RampStep(100, 100)),
    ("degraded", [seen(0, 10), seen(9, 10, "degraded")], 900, RampStep(10, 10, paused=True)),
    ("well again", [seen(0, 10), seen(9, 10, "degraded"), seen(20, 10)], 30, RampStep(10, 10, NOON + 44 * HOUR)),
    ("well again for long", [seen(0, 10), seen(9, 10, "degraded"), seen(20, 10)], 44, RampStep(50, 10)),
    ("another promotion in between", [seen(0, 10), seen(9, None, promotion=samples.OLDER_ULID)], 24, RampStep(10)),
    ("a refusal leaves it", [seen(0, 10), seen(9, None, "blocked", samples.OLDER_ULID)], 24, RampStep(50, 10)),
    ("a share of nobody's plan", [seen(0, 33)], 24, RampStep(50, 33)),
]


@pytest.mark.parametrize(("entries", "hours", "expected"), [one[1:] for one in STEPS], ids=[one[0] for one in STEPS])
def test_a_step_lasts_as_long_as_the_plan_says(entries: list[Deployment], hours: float, expected: RampStep) -> None:
    assert ramp_step(PLAN, entries, samples.ULID, NOON + hours * HOUR) == expected


@given(st.lists(st.tuples(st.integers(1, 30), st.booleans()), max_size=30))
def test_a_share_grows_by_one_step_at_a_time_and_only_after_its_time(looks: list[tuple[int, bool]]) -> None:
    """Apply and observe, at any times: no step is skipped, and each was well for a day without a break."""
    entries: list[Deployment] = []
    at, well_since, last = NOON, NOON, 0
    for hours, looked_well in looks:
        at += hours * HOUR
        now = ramp_step(PLAN, entries, samples.ULID, at)
        well = looked_well or now.traffic != last  # what apply has just switched to was verified
        if now.traffic != last:
            assert PLAN.steps.index(now.traffic) == (PLAN.steps.index(last) + 1 if last else 0)
            assert not last or at - well_since >= timedelta(hours=24)
            last, well_since = now.traffic, at
        elif not well:
            well_since = at + timedelta(days=9_999)
        elif well_since > at:
            well_since = at
        status = "verified" if well else "degraded"
        entries.append(seen((at - NOON) / HOUR, None if last == 100 else last, status))


@pytest.mark.parametrize(
    ("steps", "changes", "found"),
    [
        ([10, 50, 100], {}, []),
        ([100], {}, []),
        ([10, 50], {}, ["ramp-steps-invalid"]),
        ([50, 10, 100], {}, ["ramp-steps-invalid"]),
        ([10, 10, 100], {}, ["ramp-steps-invalid"]),
        ([10, 100], {"baseline": None}, ["ramp-without-champion"]),
        ([10, 100], {"change": "rollback"}, ["ramp-without-champion"]),
    ],
)
def test_a_ramp_leads_to_all_of_the_requests_from_another_version(
    steps: list[int], changes: Any, found: list[str]
) -> None:
    manifest = samples.promotion(TWO, **{"baseline": BASELINE, "ramp": Ramp(steps=steps, interval="1h")} | changes)
    findings = list(check_ramp_plan(manifest))
    assert [one.id for one in findings] == found
    assert all(one.at == Location("environments/production/delay.yaml", path="ramp") for one in findings)


@pytest.mark.parametrize(
    ("entries", "found"),
    [
        ([entry(0, of=ONE)], []),
        ([entry(0, of=ONE, traffic=50)], ["ramp-unfinished"]),
        ([entry(0, of=ONE, traffic=50), entry(1, of=ONE)], []),
        ([entry(0, of=ONE), entry(1, "degraded", of=ONE)], ["ramp-unfinished"]),
        ([], ["ramp-unfinished"]),
    ],
)
def test_no_ramp_starts_while_the_champion_is_on_one(entries: Sequence[Deployment], found: list[str]) -> None:
    manifest = samples.promotion(TWO, baseline=BASELINE, ramp=PLAN)
    judged = context([], manifest=manifest, champion=ONE, deployments={"production": entries})
    assert [one.id for one in check_ramp(judged, NOON + 9 * HOUR)] == found
    unobserved = context([], manifest=manifest, champion=ONE, deployments={})
    (finding,) = check_ramp(unobserved, NOON)
    assert finding.message == "delay@1 has not been observed with all of the requests in production"
    plain = context([], manifest=samples.promotion(TWO, baseline=BASELINE), champion=ONE)
    assert list(check_ramp(plain, NOON)) == []


def test_a_ramp_excludes_a_challenger_and_needs_a_new_champion() -> None:
    crowded = SlotAssignments(
        champion=samples.slot(TWO, traffic=90), challenger=samples.slot(samples.version(3), traffic=10)
    )
    found = check_ramp_plan(samples.promotion(slots=crowded, baseline=BASELINE, ramp=PLAN))
    assert [one.id for one in found] == ["ramp-challenger-conflict"]
    found = check_ramp_plan(samples.promotion(ONE, baseline=BASELINE, ramp=PLAN))
    assert [one.id for one in found] == ["ramp-without-champion"]
