"""What runs is agreed to again: when that is due, and what it is judged on; time is a constant."""

from datetime import timedelta
from typing import Any

import pytest

from mlgit.domain.codec import digest
from mlgit.domain.merge_rules import recertify as rules
from mlgit.domain.names import new_promotion_id
from mlgit.domain.promotion_context import PromotionContext
from mlgit.domain.records import Deployment, Promotion, Version
from mlgit.domain.records.promotion import (
    PromotionRef,
    Ramp,
    SlotAssignments,
    StandingApprovalRef,
    VersionPin,
)
from tests import samples
from tests.samples import NOW, sha
from tests.unit.domain.test_soak import entry

DAY = timedelta(days=1)
FIRST, SECOND, THIRD = (samples.version(number) for number in (1, 2, 3))
LIMIT = samples.policy(recertify="30d")


def pin(version: Version | None) -> VersionPin | None:
    return None if version is None else VersionPin(version=version.version, digest=version.digest)


def made(days: int, of: Version = SECOND, against: Version | None = FIRST, **changes: Any) -> Promotion:
    """A promotion that was made some days ago, and compared with another version."""
    fields: dict[str, Any] = {"promotion": new_promotion_id(NOW - days * DAY, days), "baseline": pin(against)}
    return samples.promotion(of, **fields | changes)


# When it is due

ON_OLD_WORDS = made(1, standing_approval=StandingApprovalRef(id=new_promotion_id(NOW - 40 * DAY, 1), digest=sha(9)))
AGES: list[tuple[str, Promotion, str | None]] = [
    ("made today", made(0), "good"),
    ("made sixteen days ago", made(16), "due"),
    ("made fifteen days ago", made(15), "good"),
    ("made thirty days ago", made(30), "overdue"),
    ("made yesterday, on words of forty days ago", ON_OLD_WORDS, "overdue"),
    ("nothing runs", made(90, slots=SlotAssignments(champion=None)), None),
]


@pytest.mark.parametrize(("what", "manifest", "state"), AGES, ids=[one[0] for one in AGES])
def test_what_runs_is_agreed_to_again_in_time(what: str, manifest: Promotion, state: str | None) -> None:
    found = rules.approval_age(LIMIT, manifest, NOW)
    assert (None if found is None else found.state) == state, what
    assert rules.approval_age(samples.policy(), manifest, NOW) is None, "the policy sets no limit"


def test_until_when_approvals_are_good_is_told() -> None:
    found = rules.approval_age(LIMIT, made(16), NOW)
    assert found is not None
    assert found.until == NOW + 14 * DAY


# What it is compared with

BESIDE = SlotAssignments(champion=samples.slot(SECOND), shadow=samples.slot(THIRD))
HISTORIES: list[tuple[str, list[Promotion], Version | None]] = [
    ("nothing was there", [], None),
    ("the first one", [made(9, against=None)], None),
    ("it took the place of another", [made(9, FIRST, None), made(8)], FIRST),
    ("it was agreed to again before", [made(8), made(5, change="recertify")], FIRST),
    ("something changed beside it", [made(8), made(5, slots=BESIDE, against=SECOND)], FIRST),
    ("it came back", [made(8), made(7, THIRD, SECOND), made(6, change="rollback", against=THIRD)], FIRST),
    ("it was promoted twice", [made(8), made(7, THIRD, SECOND), made(6, against=THIRD)], THIRD),
    ("it has left", [made(8), made(7, THIRD, SECOND)], FIRST),
    ("another one ran since", [made(8), made(7, THIRD, FIRST)], FIRST),
    ("nothing runs", [made(8, against=THIRD), made(7, slots=SlotAssignments(champion=None), against=FIRST)], THIRD),
]


@pytest.mark.parametrize(("what", "history", "baseline"), HISTORIES, ids=[one[0] for one in HISTORIES])
def test_the_baseline_is_that_of_the_promotion(what: str, history: list[Promotion], baseline: Version | None) -> None:
    assert rules.baseline_when_promoted(SECOND.digest, history) == pin(baseline), what


# What it may say

BEFORE = made(20)
RAMP = Ramp(steps=[50, 100], interval="1h")


def seen(of: Version) -> dict[str, list[Deployment]]:
    """The deployment log of production, with one version that answers all of the requests."""
    return {"production": [entry(-99, of=of)]}


SAID: list[tuple[str, dict[str, Any], dict[str, Any], list[str]]] = [
    ("the same again", {}, {}, []),
    ("a promotion is judged elsewhere", {"change": "promote", "baseline": None}, {}, []),
    ("another version", {"slots": SlotAssignments(champion=samples.slot(THIRD))}, {}, ["recertification-with-changes"]),
    ("another slot", {"slots": BESIDE}, {}, ["recertification-with-changes"]),
    ("no version", {"slots": SlotAssignments(champion=None)}, {}, ["recertification-with-changes"]),
    ("a ramp", {"ramp": RAMP}, {}, ["recertification-with-changes"]),
    ("nothing runs", {}, {"previous": None}, ["recertification-with-changes"]),
    ("against itself", {"baseline": pin(SECOND)}, {}, ["recertification-baseline-mismatch"]),
    ("against nothing", {"baseline": None}, {}, ["recertification-baseline-mismatch"]),
    ("while it takes over", {}, {"previous": made(20, ramp=RAMP)}, ["ramp-unfinished"]),
    (
        "while another one answers all",
        {},
        {"previous": made(20, ramp=RAMP), "deployments": seen(THIRD)},
        ["ramp-unfinished"],
    ),
    ("once it has taken over", {}, {"previous": made(20, ramp=RAMP), "deployments": seen(SECOND)}, []),
]


@pytest.mark.parametrize(("what", "fields", "around", "found"), SAID, ids=[one[0] for one in SAID])
def test_findings_of_a_recertification(
    what: str, fields: dict[str, Any], around: dict[str, Any], found: list[str]
) -> None:
    replaces = PromotionRef(promotion=BEFORE.promotion, digest=digest(BEFORE))
    said: dict[str, Any] = {"change": "recertify", "replaces": replaces} | fields
    manifest = made(0, **said)
    given: dict[str, Any] = {
        "manifest": manifest,
        "version": SECOND,
        "slot_versions": {2: SECOND},
        "report": samples.gate_report(SECOND),
        "previous": BEFORE,
        "champion": SECOND,
        "policy": LIMIT,
        "environment": samples.environment(),
        "problem": samples.problem(),
        "model": samples.model(),
        "contracts": {},
        "upstream_champions": {},
        "manifest_history": [BEFORE],
    }
    context = PromotionContext(**given | around)
    findings = list(rules.check_recertify(context, NOW))
    assert [one.id for one in findings] == found, what
    assert {one.at.file for one in findings if one.at} <= {"environments/production/delay.yaml"}
    assert all(one.at is not None for one in findings)
