"""A manifest, its gate report and its version, judged before a merge: one thing is wrong at a time; time is a constant."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from mlgit.domain import merge_rules
from mlgit.domain.codec import digest
from mlgit.domain.decision import read_set
from mlgit.domain.gates.budgets import Latency
from mlgit.domain.gates.integrity import Integrity
from mlgit.domain.merge_rules.gates import check_report
from mlgit.domain.merge_rules.manifest import check_champion_upstream, check_manifest, check_order
from mlgit.domain.merge_rules.retirement import check_not_retired, check_retirements
from mlgit.domain.promotion_context import PromotionContext
from mlgit.domain.records import GateReport, Promotion
from mlgit.domain.records.environment import ChangeWindow, Soak, WeeklyHours
from mlgit.domain.records.gatereport import GateVerdict
from mlgit.domain.records.governance import Retirement
from mlgit.domain.records.promotion import (
    PolicyRef,
    PromotionRef,
    Ramp,
    ReportRef,
    SlotAssignments,
    StandingApprovalRef,
    VersionPin,
)
from mlgit.errors import Location
from tests import samples
from tests.samples import NOW, sha
from tests.unit.domain.test_merge_rules_exceptions import hold, override

CANDIDATE, CHAMPION = samples.version(2), samples.version(1)
POLICY = samples.policy(gates=[Integrity(), Latency(severity="warn")], max_gate_age="14d")
PASSED = [
    GateVerdict(gate="integrity", outcome="pass", message="as recorded"),
    GateVerdict(gate="latency", outcome="fail", message="slow", severity="warn"),
]
BEFORE = samples.promotion(CHAMPION, promotion=samples.OLDER_ULID)
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)


def report(**changes: Any) -> GateReport:
    policy = PolicyRef(name="production", digest=digest(POLICY))
    return samples.gate_report(CANDIDATE, **{"policy": policy, "results": PASSED} | changes)


def manifest(named: GateReport | None = None, **changes: Any) -> Promotion:
    fields: dict[str, Any] = {
        "replaces": PromotionRef(promotion=BEFORE.promotion, digest=digest(BEFORE)),
        "baseline": VersionPin(version=CHAMPION.version, digest=CHAMPION.digest),
        "gates": ReportRef(report="gates.json", digest=digest(named or report())),
        "policy": PolicyRef(name="production", digest=digest(POLICY)),
    }
    return samples.promotion(CANDIDATE, **fields | changes)


def case(**changes: Any) -> PromotionContext:
    """Return a case that nothing stands against; the manifest names the report, unless a test says otherwise."""
    fields: dict[str, Any] = {
        "manifest": manifest(changes.get("report")),
        "version": CANDIDATE,
        "slots": {CANDIDATE.version: CANDIDATE},
        "report": report(),
        "before": BEFORE,
        "champion": CHAMPION,
        "policy": POLICY,
        "environment": samples.environment(),
        "problem": samples.problem(),
        "model": samples.model(),
        "contracts": {},
        "earlier": {"staging": CANDIDATE},
    }
    return PromotionContext(**fields | changes)


def test_nothing_stands_against_a_sound_promotion() -> None:
    assert merge_rules.check(case(), NOW) == []
    assert merge_rules.check_waiting(case(), NOW) == []


def test_what_a_recertification_is_compared_with_is_asked_elsewhere() -> None:
    other = VersionPin(version=9, digest=sha(9))
    assert [one.id for one in check_manifest(case(manifest=manifest(baseline=other)), NOW)] == ["promotion-stale"]
    assert list(check_manifest(case(manifest=manifest(baseline=other, change="recertify")), NOW)) == []


def test_a_decision_reads_all_that_a_case_holds() -> None:
    judged = case(contracts={"flights": samples.dataset()})
    parts = ("manifest", "report", "version", "champion", "policy", "environment", "problem", "model", "contracts")
    assert judged.reads() == read_set(**{name: getattr(judged, name) for name in parts})


def test_a_case_of_an_end_has_neither_version_nor_report() -> None:
    judged = case(version=None, report=None, manifest=manifest(gates=None), overrides={"fix": override()})
    assert judged.overrides_of_version() == {}
    assert {judged.reads()[name] for name in ("version", "card", "report")} == {None}


# The gate report


def about(**changes: Any) -> PromotionContext:
    return case(report=report(**changes))


def saying(*results: GateVerdict, outcome: str = "pass") -> PromotionContext:
    return about(results=list(results), outcome=outcome)


INTEGRITY, LATENCY = PASSED
REPORTS: list[tuple[str, PromotionContext, list[str]]] = [
    ("it passed", case(), []),
    ("there is none", case(report=None), ["gate-report-missing"]),
    ("none is named", case(manifest=manifest(gates=None)), ["gate-report-missing"]),
    ("another is named", case(report=report(tool="mlgit 1"), manifest=manifest()), ["gate-report-mismatch"]),
    ("it is of another promotion", about(promotion=samples.OLDER_ULID), ["gate-report-mismatch"]),
    ("it is of another version", about(candidate=VersionPin(version=2, digest=sha(9))), ["gate-report-mismatch"]),
    ("it is by another policy", about(policy=PolicyRef(name="production", digest=sha(9))), ["gate-report-mismatch"]),
    (
        "it is by a policy of another name",
        about(policy=PolicyRef(name="a", digest=digest(POLICY))),
        ["gate-report-mismatch"],
    ),
    ("a gate was left out", saying(INTEGRITY), ["gates-failed"]),
    ("no gate was asked", saying(), ["gates-failed"]),
    ("a gate was made light of", saying(replace(INTEGRITY, severity="warn"), LATENCY), ["gates-failed"]),
    ("gates were turned round", saying(LATENCY, INTEGRITY), ["gates-failed"]),
    ("a gate said no", saying(replace(INTEGRITY, outcome="fail"), LATENCY), ["gates-failed"]),
    ("a gate could not tell", saying(replace(INTEGRITY, outcome="error"), LATENCY), ["gates-failed"]),
    ("a gate waits", saying(replace(INTEGRITY, outcome="wait"), LATENCY), ["gates-failed"]),
    ("it says that it failed", saying(*PASSED, outcome="fail"), ["gates-failed"]),
    ("nobody asks a rollback", case(report=None, manifest=manifest(gates=None, change="rollback")), []),
    ("nobody asks an end", case(report=None, version=None, manifest=manifest(gates=None, change="retire")), []),
]


@pytest.mark.parametrize(("judged", "found"), [one[1:] for one in REPORTS], ids=[one[0] for one in REPORTS])
def test_a_promotion_rests_on_a_report_of_its_own_that_says_yes(judged: PromotionContext, found: list[str]) -> None:
    findings = list(check_report(judged, NOW))
    assert [one.id for one in findings] == found
    assert all(one.at == Location("environments/production/delay.yaml", path="gates") for one in findings)


def test_a_report_that_says_no_tells_which_gates_refuse() -> None:
    (finding,) = check_report(saying(replace(INTEGRITY, outcome="fail"), LATENCY, outcome="fail"), NOW)
    assert finding.why == "integrity: fail"
    (finding,) = check_report(saying(INTEGRITY), NOW)
    assert finding.why.startswith("asked were integrity, latency; answered integrity, not all with the weight")


@pytest.mark.parametrize(
    ("age", "found"),
    [
        (timedelta(0), []),
        (14 * DAY, []),
        (14 * DAY + timedelta(microseconds=1), ["gate-report-expired"]),
        (-5 * MINUTE, []),
        (-5 * MINUTE - timedelta(microseconds=1), ["gate-report-in-future"]),
    ],
)
def test_a_report_is_neither_old_nor_from_the_future(age: timedelta, found: list[str]) -> None:
    findings = list(check_report(case(), NOW + age))
    assert [one.id for one in findings] == found
    assert all("2026-03-04 12:30 UTC" in one.why for one in findings)
    assert all(one.at == Location("environments/production/delay.yaml", path="gates") for one in findings)


# The manifest


MANIFESTS: list[tuple[str, PromotionContext, list[str]]] = [
    ("it fits", case(), []),
    ("it is the first", case(before=None, champion=None, manifest=manifest(replaces=None, baseline=None)), []),
    ("something was there", case(manifest=manifest(replaces=None)), ["promotion-stale"]),
    ("nothing is there any more", case(before=None), ["promotion-stale"]),
    ("what was there has changed", case(before=replace(BEFORE, reason="edited")), ["promotion-stale"]),
    ("the policy has changed", case(policy=replace(POLICY, max_gate_age="99d")), ["promotion-stale"]),
    ("the champion is another", case(champion=samples.version(3)), ["promotion-stale"]),
    ("the champion is gone", case(champion=None), ["promotion-stale"]),
    ("a champion has come", case(manifest=manifest(baseline=None)), ["promotion-stale"]),
    ("the version is another", case(slots={2: CHAMPION}), ["slot-digest-mismatch"]),
    ("the version is not there", case(slots={}), ["version-unknown"]),
]


@pytest.mark.parametrize(("judged", "found"), [one[1:] for one in MANIFESTS], ids=[one[0] for one in MANIFESTS])
def test_a_manifest_says_what_is_so(judged: PromotionContext, found: list[str]) -> None:
    findings = list(check_manifest(judged, NOW))
    assert [one.id for one in findings] == found
    assert all(one.at is not None and one.at.file == "environments/production/delay.yaml" for one in findings)


@pytest.mark.parametrize(
    ("changes", "skipped"),
    [
        ({}, []),
        ({"earlier": {}}, []),
        ({"earlier": {"staging": None}}, ["staging"]),
        ({"earlier": {"staging": CHAMPION}}, ["staging"]),
        ({"earlier": {"dev": CANDIDATE, "staging": None}}, ["staging"]),
        ({"earlier": {"dev": None, "staging": None}}, ["dev", "staging"]),
        ({"earlier": {"staging": None}, "manifest": manifest(change="rollback")}, []),
        ({"earlier": {"staging": None}, "version": None}, []),
    ],
)
def test_a_version_is_champion_first_where_it_has_to_run_first(changes: Any, skipped: list[str]) -> None:
    assert [(one.id, one.message) for one in check_order(case(**changes))] == [
        ("environment-skipped", f"delay@2 is to run in {name} before production") for name in skipped
    ]


@pytest.mark.parametrize(("champion", "runs"), [(None, "staging runs nothing"), (CHAMPION, "staging runs delay@1")])
def test_an_environment_that_was_skipped_says_what_it_runs(champion: Any, runs: str) -> None:
    (finding,) = check_champion_upstream(CANDIDATE, "production", "staging", champion)
    assert finding.message == "delay@2 is to run in staging before production"
    assert finding.why.startswith(runs)


# The end of a life


def ended(at: datetime = NOW) -> Retirement:
    return Retirement(
        schema=1,
        model="delay",
        version=2,
        digest=CANDIDATE.digest,
        reason="unfair",
        by="ada@acme.example",
        since=at.date(),
    )


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({}, []),
        ({"retirements": {2: ended()}}, ["version-retired"]),
        ({"retirements": {2: ended(NOW - DAY)}}, ["version-retired"]),
        ({"retirements": {2: ended(NOW + DAY)}}, []),
        ({"retirements": {1: ended()}}, []),
        ({"retirements": {2: ended()}, "slots": {}}, []),
        ({"retirements": {1: ended()}, "slots": {1: CHAMPION, 2: CANDIDATE}}, ["version-retired"]),
    ],
)
def test_a_version_is_not_promoted_from_the_day_on_which_its_life_ends(changes: Any, found: list[str]) -> None:
    assert [one.id for one in check_retirements(case(**changes), NOW)] == found


def test_the_end_of_a_life_is_told_with_who_decided_it_and_why() -> None:
    (finding,) = check_not_retired(CANDIDATE, ended(), NOW)
    assert (finding.message, finding.why) == (
        "delay@2 is retired since 2026-03-04",
        "ada@acme.example: unfair",
    )


# All together


def unfit() -> PromotionContext:
    plan = Ramp(steps=[10, 50], interval="1h")
    return case(manifest=manifest(ramp=plan), deployments={"production": []})


def crowded() -> Promotion:
    """A manifest that brings a new champion, and what was champion into another slot."""
    slots = SlotAssignments(champion=samples.slot(CANDIDATE), shadow=samples.slot(CHAMPION))
    return manifest(slots=slots)


WAIVED = report(results=[replace(INTEGRITY, outcome="waived"), LATENCY])
NOBODYS = StandingApprovalRef(id=samples.ULID, digest=samples.sha(98))
AGAINST: list[tuple[str, Callable[[], PromotionContext], set[str]]] = [
    (
        "a setting that is not kept",
        lambda: case(manifest=manifest(change="ramp")),
        {"setting-unsupported"},
    ),
    ("a hold", lambda: case(holds={"one": hold()}), {"change-frozen"}),
    ("an end", lambda: case(retirements={2: ended()}), {"version-retired"}),
    ("a manifest that is stale", lambda: case(before=None), {"promotion-stale"}),
    ("an environment that was skipped", lambda: case(earlier={"staging": None}), {"environment-skipped"}),
    (
        "two slots at once",
        lambda: case(manifest=crowded(), slots={1: CHAMPION, 2: CANDIDATE}),
        {"slot-changes-too-many"},
    ),
    ("a way back to nowhere", lambda: case(manifest=manifest(change="rollback")), {"rollback-version-unverified"}),
    (
        "words that nobody gave",
        lambda: case(manifest=manifest(standing_approval=NOBODYS)),
        {"standing-approval-invalid", "auto-promotion-not-allowed"},
    ),
    (
        "an agreement to something else",
        lambda: case(manifest=manifest(change="recertify")),
        {"recertification-with-changes"},
    ),
    ("a ramp that leads nowhere", unfit, {"ramp-steps-invalid", "ramp-unfinished"}),
    ("no report", lambda: case(report=None), {"gate-report-missing"}),
    ("a waiver of nobody", lambda: case(report=WAIVED), {"waiver-without-override"}),
    (
        "a review that is due",
        lambda: case(overrides={"fix": override(review_by=NOW.date() - DAY)}),
        {"override-unreviewed"},
    ),
]


@pytest.mark.parametrize(("judged", "found"), [one[1:] for one in AGAINST], ids=[one[0] for one in AGAINST])
def test_each_condition_is_asked_before_a_merge(judged: Callable[[], PromotionContext], found: set[str]) -> None:
    assert {one.id for one in merge_rules.check(judged(), NOW)} == found
    assert merge_rules.check_waiting(judged(), NOW) == [], "none of these passes by itself"


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"environment": samples.environment(soak=Soak(in_="staging", for_="72h"))}, {"soak-too-short"}),
        ({"deployments": {"staging": []}}, {"upstream-environment-unverified"}),
        (
            {"environment": samples.environment(windows=[ChangeWindow(deny=WeeklyHours(days=["wed"]))])},
            {"window-closed"},
        ),
    ],
)
def test_what_passes_by_itself_is_told_apart(changes: Any, found: set[str]) -> None:
    judged = case(**changes)
    assert {one.id for one in merge_rules.check_waiting(judged, NOW)} == found
    assert merge_rules.check(judged, NOW) == []


@pytest.mark.parametrize(("held", "found"), [(True, ["window-closed"]), (False, [])])
def test_a_way_back_waits_only_for_windows_that_hold_it(held: bool, found: list[str]) -> None:
    closed = samples.environment(windows=[ChangeWindow(deny=WeeklyHours(days=["wed"], rollback=held))])
    judged = case(environment=closed, manifest=manifest(change="rollback"))
    assert [one.id for one in merge_rules.check_waiting(judged, NOW)] == found
