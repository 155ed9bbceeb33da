"""Merge rules for the manifest, its gate report and its version: one thing is wrong at a time; time is a constant."""

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
    GateVerdict(gate="model-safe", outcome="pass", message="skops"),
    GateVerdict(gate="integrity", outcome="pass", message="as recorded"),
    GateVerdict(gate="latency", outcome="fail", message="slow", severity="warn"),
]
BEFORE = samples.promotion(CHAMPION, promotion=samples.OLDER_ULID)
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)


def report(**changes: Any) -> GateReport:
    policy = PolicyRef(name="production", digest=digest(POLICY))
    compared = VersionPin(version=CHAMPION.version, digest=CHAMPION.digest)
    return samples.gate_report(CANDIDATE, **{"policy": policy, "results": PASSED, "champion": compared} | changes)


def manifest(named: GateReport | None = None, **changes: Any) -> Promotion:
    fields: dict[str, Any] = {
        "replaces": PromotionRef(promotion=BEFORE.promotion, digest=digest(BEFORE)),
        "baseline": VersionPin(version=CHAMPION.version, digest=CHAMPION.digest),
        "gates": ReportRef(report="gates.json", digest=digest(named or report())),
        "policy": PolicyRef(name="production", digest=digest(POLICY)),
    }
    return samples.promotion(CANDIDATE, **fields | changes)


def context(**changes: Any) -> PromotionContext:
    """Return a context without problems; by default the manifest names the report."""
    fields: dict[str, Any] = {
        "manifest": manifest(changes.get("report")),
        "version": CANDIDATE,
        "slot_versions": {CANDIDATE.version: CANDIDATE},
        "report": report(),
        "previous": BEFORE,
        "champion": CHAMPION,
        "policy": POLICY,
        "environment": samples.environment(),
        "problem": samples.problem(),
        "model": samples.model(),
        "contracts": {},
        "upstream_champions": {"staging": CANDIDATE},
    }
    return PromotionContext(**fields | changes)


def test_a_valid_promotion_has_no_findings() -> None:
    assert merge_rules.check(context(), NOW) == []
    assert merge_rules.check_waiting(context(), NOW) == []


def test_the_baseline_of_a_recertification_is_not_checked_here() -> None:
    other = VersionPin(version=9, digest=sha(9))
    assert [one.id for one in check_manifest(context(manifest=manifest(baseline=other)), NOW)] == ["promotion-stale"]
    assert list(check_manifest(context(manifest=manifest(baseline=other, change="recertify")), NOW)) == []


def test_a_decision_depends_on_every_record_of_the_context() -> None:
    judged = context(contracts={"flights": samples.dataset()})
    parts = ("manifest", "report", "version", "champion", "policy", "environment", "problem", "model", "contracts")
    assert judged.reads() == read_set(**{name: getattr(judged, name) for name in parts})


def test_the_context_of_a_retirement_has_neither_version_nor_report() -> None:
    judged = context(version=None, report=None, manifest=manifest(gates=None), overrides={"fix": override()})
    assert judged.overrides_of_version() == {}
    assert {judged.reads()[name] for name in ("version", "card", "report")} == {None}


# The gate report


def with_report(**changes: Any) -> PromotionContext:
    return context(report=report(**changes))


def with_results(*results: GateVerdict, outcome: str = "pass") -> PromotionContext:
    return with_report(results=list(results), outcome=outcome)


SAFE, INTEGRITY, LATENCY = PASSED
REPORTS: list[tuple[str, PromotionContext, list[str]]] = [
    ("it passed", context(), []),
    ("there is none", context(report=None), ["gate-report-missing"]),
    ("none is named", context(manifest=manifest(gates=None)), ["gate-report-missing"]),
    ("another is named", context(report=report(tool="mlgit 1"), manifest=manifest()), ["gate-report-mismatch"]),
    ("it is of another promotion", with_report(promotion=samples.OLDER_ULID), ["gate-report-mismatch"]),
    ("it is of another environment", with_report(environment="staging"), ["gate-report-mismatch"]),
    ("it is of another model", with_report(model="other"), ["gate-report-mismatch"]),
    ("it compared with another champion", with_report(champion=None), ["gate-report-mismatch"]),
    ("the problem changed since", context(problem=samples.problem(owner="@acme/new")), ["promotion-stale"]),
    ("a contract came since", context(contracts={"flights": samples.dataset()}), ["promotion-stale"]),
    ("it does not say what it read", with_report(reads={}), ["promotion-stale"]),
    ("it is of another version", with_report(candidate=VersionPin(version=2, digest=sha(9))), ["gate-report-mismatch"]),
    (
        "it is by another policy",
        with_report(policy=PolicyRef(name="production", digest=sha(9))),
        ["gate-report-mismatch"],
    ),
    (
        "it is by a policy of another name",
        with_report(policy=PolicyRef(name="a", digest=digest(POLICY))),
        ["gate-report-mismatch"],
    ),
    ("a gate was left out", with_results(SAFE, INTEGRITY), ["gates-failed"]),
    ("no gate was asked", with_results(), ["gates-failed"]),
    ("nobody looked into the file", with_results(INTEGRITY, LATENCY), ["gates-failed"]),
    (
        "the file was not looked into in vain",
        with_results(replace(SAFE, severity="warn"), INTEGRITY, LATENCY),
        ["gates-failed"],
    ),
    ("a gate was made light of", with_results(SAFE, replace(INTEGRITY, severity="warn"), LATENCY), ["gates-failed"]),
    ("gates were turned round", with_results(SAFE, LATENCY, INTEGRITY), ["gates-failed"]),
    ("a gate said no", with_results(SAFE, replace(INTEGRITY, outcome="fail"), LATENCY), ["gates-failed"]),
    ("a gate could not tell", with_results(SAFE, replace(INTEGRITY, outcome="error"), LATENCY), ["gates-failed"]),
    ("a gate waits", with_results(SAFE, replace(INTEGRITY, outcome="wait"), LATENCY), ["gates-failed"]),
    ("it says that it failed", with_results(*PASSED, outcome="fail"), ["gates-failed"]),
    ("nobody asks a rollback", context(report=None, manifest=manifest(gates=None, change="rollback")), []),
    ("nobody asks an end", context(report=None, version=None, manifest=manifest(gates=None, change="retire")), []),
]


@pytest.mark.parametrize(("judged", "found"), [one[1:] for one in REPORTS], ids=[one[0] for one in REPORTS])
def test_a_promotion_needs_a_report_of_its_own_in_which_all_gates_passed(
    judged: PromotionContext, found: list[str]
) -> None:
    findings = list(check_report(judged, NOW))
    assert [one.id for one in findings] == found
    assert all(one.at == Location("environments/production/delay.yaml", path="gates") for one in findings)


def test_the_finding_names_the_gates_that_did_not_pass() -> None:
    (finding,) = check_report(with_results(SAFE, replace(INTEGRITY, outcome="fail"), LATENCY, outcome="fail"), NOW)
    assert finding.why == "integrity: fail"
    (finding,) = check_report(with_results(SAFE, INTEGRITY), NOW)
    assert finding.why == (
        "the policy requires model-safe, integrity, latency; the report has model-safe, integrity, or another order or severity"
    )


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
def test_a_report_is_neither_expired_nor_from_the_future(age: timedelta, found: list[str]) -> None:
    findings = list(check_report(context(), NOW + age))
    assert [one.id for one in findings] == found
    assert all("2026-03-04 12:30 UTC" in one.why for one in findings)
    assert all(one.at == Location("environments/production/delay.yaml", path="gates") for one in findings)


# The manifest


MANIFESTS: list[tuple[str, PromotionContext, list[str]]] = [
    ("it fits", context(), []),
    ("it is the first", context(previous=None, champion=None, manifest=manifest(replaces=None, baseline=None)), []),
    ("something was there", context(manifest=manifest(replaces=None)), ["promotion-stale"]),
    ("nothing is there any more", context(previous=None), ["promotion-stale"]),
    ("what was there has changed", context(previous=replace(BEFORE, reason="edited")), ["promotion-stale"]),
    ("the policy has changed", context(policy=replace(POLICY, max_gate_age="99d")), ["promotion-stale"]),
    ("the champion is another", context(champion=samples.version(3)), ["promotion-stale"]),
    ("the champion is gone", context(champion=None), ["promotion-stale"]),
    ("a champion has come", context(manifest=manifest(baseline=None)), ["promotion-stale"]),
    ("the version is another", context(slot_versions={2: CHAMPION}), ["slot-digest-mismatch"]),
    ("the version is not there", context(slot_versions={}), ["version-unknown"]),
]


@pytest.mark.parametrize(("judged", "found"), [one[1:] for one in MANIFESTS], ids=[one[0] for one in MANIFESTS])
def test_a_manifest_fits_the_base_branch(judged: PromotionContext, found: list[str]) -> None:
    findings = list(check_manifest(judged, NOW))
    assert [one.id for one in findings] == found
    assert all(one.at is not None and one.at.file == "environments/production/delay.yaml" for one in findings)


@pytest.mark.parametrize(
    ("changes", "skipped"),
    [
        ({}, []),
        ({"upstream_champions": {}}, []),
        ({"upstream_champions": {"staging": None}}, ["staging"]),
        ({"upstream_champions": {"staging": CHAMPION}}, ["staging"]),
        ({"upstream_champions": {"dev": CANDIDATE, "staging": None}}, ["staging"]),
        ({"upstream_champions": {"dev": None, "staging": None}}, ["dev", "staging"]),
        ({"upstream_champions": {"staging": None}, "manifest": manifest(change="rollback")}, []),
        ({"upstream_champions": {"staging": None}, "version": None}, []),
    ],
)
def test_a_version_is_champion_of_earlier_environments_first(changes: Any, skipped: list[str]) -> None:
    assert [(one.id, one.message) for one in check_order(context(**changes))] == [
        ("environment-skipped", f"delay@2 has to be promoted to {name} before production") for name in skipped
    ]


@pytest.mark.parametrize(("champion", "runs"), [(None, "staging runs nothing"), (CHAMPION, "staging runs delay@1")])
def test_the_finding_of_a_skipped_environment_names_what_it_runs(champion: Any, runs: str) -> None:
    (finding,) = check_champion_upstream(CANDIDATE, "production", "staging", champion)
    assert finding.message == "delay@2 has to be promoted to staging before production"
    assert finding.why.startswith(runs)


# Retirement


def retired(at: datetime = NOW) -> Retirement:
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
        ({"retirements": {2: retired()}}, ["version-retired"]),
        ({"retirements": {2: retired(NOW - DAY)}}, ["version-retired"]),
        ({"retirements": {2: retired(NOW + DAY)}}, []),
        ({"retirements": {1: retired()}}, []),
        ({"retirements": {2: retired()}, "slot_versions": {}}, []),
        ({"retirements": {1: retired()}, "slot_versions": {1: CHAMPION, 2: CANDIDATE}}, ["version-retired"]),
    ],
)
def test_a_version_is_not_promoted_from_the_day_of_its_retirement(changes: Any, found: list[str]) -> None:
    assert [one.id for one in check_retirements(context(**changes), NOW)] == found


def test_the_finding_of_a_retirement_names_who_decided_it_and_why() -> None:
    (finding,) = check_not_retired(CANDIDATE, retired(), NOW)
    assert (finding.message, finding.why) == (
        "delay@2 has been retired since 2026-03-04",
        "ada@acme.example: unfair",
    )


# All together


def with_invalid_ramp() -> PromotionContext:
    plan = Ramp(steps=[10, 50], interval="1h")
    return context(manifest=manifest(ramp=plan), deployments={"production": []})


def two_changes() -> Promotion:
    """A manifest with a new champion, and the previous champion as shadow."""
    slots = SlotAssignments(champion=samples.slot(CANDIDATE), shadow=samples.slot(CHAMPION))
    return manifest(slots=slots)


WAIVED = report(results=[SAFE, replace(INTEGRITY, outcome="waived"), LATENCY])
UNKNOWN_STANDING_APPROVAL = StandingApprovalRef(id=samples.ULID, digest=samples.sha(98))
PROBLEMS: list[tuple[str, Callable[[], PromotionContext], set[str]]] = [
    (
        "a setting that is not kept",
        lambda: context(manifest=manifest(change="ramp")),
        {"setting-unsupported"},
    ),
    ("a hold", lambda: context(holds={"one": hold()}), {"change-frozen"}),
    ("an end", lambda: context(retirements={2: retired()}), {"version-retired"}),
    ("a manifest that is stale", lambda: context(previous=None), {"promotion-stale"}),
    ("an environment that was skipped", lambda: context(upstream_champions={"staging": None}), {"environment-skipped"}),
    (
        "two slots at once",
        lambda: context(manifest=two_changes(), slot_versions={1: CHAMPION, 2: CANDIDATE}),
        {"slot-changes-too-many"},
    ),
    (
        "a rollback to what never ran",
        lambda: context(manifest=manifest(change="rollback")),
        {"rollback-version-unverified"},
    ),
    (
        "an unknown standing approval",
        lambda: context(manifest=manifest(standing_approval=UNKNOWN_STANDING_APPROVAL)),
        {"standing-approval-invalid", "auto-promotion-not-allowed"},
    ),
    (
        "a recertification with changes",
        lambda: context(manifest=manifest(change="recertify")),
        {"recertification-with-changes"},
    ),
    ("an invalid ramp", with_invalid_ramp, {"ramp-steps-invalid", "ramp-unfinished"}),
    ("no report", lambda: context(report=None), {"gate-report-missing"}),
    ("a waiver without an override", lambda: context(report=WAIVED), {"waiver-without-override"}),
    (
        "a review that is due",
        lambda: context(overrides={"fix": override(review_by=NOW.date() - DAY)}),
        {"override-unreviewed"},
    ),
]


@pytest.mark.parametrize(("judged", "found"), [one[1:] for one in PROBLEMS], ids=[one[0] for one in PROBLEMS])
def test_each_rule_is_checked_before_a_merge(judged: Callable[[], PromotionContext], found: set[str]) -> None:
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
def test_what_passes_by_itself_is_reported_apart(changes: Any, found: set[str]) -> None:
    judged = context(**changes)
    assert {one.id for one in merge_rules.check_waiting(judged, NOW)} == found
    assert merge_rules.check(judged, NOW) == []


@pytest.mark.parametrize(("held", "found"), [(True, ["window-closed"]), (False, [])])
def test_a_rollback_waits_only_for_windows_that_apply_to_it(held: bool, found: list[str]) -> None:
    closed = samples.environment(windows=[ChangeWindow(deny=WeeklyHours(days=["wed"], rollback=held))])
    judged = context(environment=closed, manifest=manifest(change="rollback"))
    assert [one.id for one in merge_rules.check_waiting(judged, NOW)] == found
