"""Merge rules for holds, rollbacks and overrides, and the rules for their files; time is a constant."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from mlgit.domain.codec import override_digest
from mlgit.domain.gates.budgets import Latency
from mlgit.domain.gates.integrity import Integrity
from mlgit.domain.gates.team import Exec
from mlgit.domain.merge_rules import check_at_apply, holds, overrides, rollback
from mlgit.domain.promotion_context import PromotionContext
from mlgit.domain.records import Deployment, Hold, Override, Policy, Version
from mlgit.domain.records.governance import PostIncidentReview, RoleHolder
from mlgit.domain.records.ledger import ObservedVersion, OtherSlots
from mlgit.domain.records.promotion import SlotAssignments
from mlgit.domain.rules import exceptions
from mlgit.errors import Location
from tests import samples
from tests.samples import NOW, ULID, sha

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
CANDIDATE = samples.version()
OTHER_ID = "01KJW6PM400000000000000001"


def context(**changes: Any) -> PromotionContext:
    fields: dict[str, Any] = {
        "manifest": samples.promotion(CANDIDATE),
        "version": CANDIDATE,
        "slot_versions": {CANDIDATE.version: CANDIDATE},
        "report": samples.gate_report(CANDIDATE),
        "previous": None,
        "champion": None,
        "policy": samples.policy(),
        "environment": samples.environment(),
        "problem": samples.problem(),
        "model": samples.model(),
        "contracts": {},
        "upstream_champions": {},
    }
    return PromotionContext(**fields | changes)


def hold(**changes: Any) -> Hold:
    fields: dict[str, Any] = {"schema": 1, "scope": "project", "reason": "year end", "by": "ada@acme.example"}
    return Hold(**fields | changes)


VERSION: dict[str, Any] = {"scope": "version", "model": "delay", "version": 1, "digest": CANDIDATE.digest}

HOLDS: list[tuple[str, dict[str, Any], dict[str, bool]]] = [
    ("the project", {}, {"promote": True, "retire": True, "ramp": True, "rollback": False}),
    ("here", {"scope": "environment", "environment": "production"}, {"promote": True, "rollback": False}),
    ("elsewhere", {"scope": "environment", "environment": "staging"}, {"promote": False}),
    ("the model", {"scope": "model", "model": "delay"}, {"promote": True, "rollback": False}),
    ("the model here", {"scope": "model", "model": "delay", "environment": "production"}, {"promote": True}),
    ("another model", {"scope": "model", "model": "churn"}, {"promote": False}),
    ("the version", VERSION, {"promote": True, "ramp": True, "rollback": True}),
    ("the version elsewhere", VERSION | {"environment": "staging"}, {"promote": False, "rollback": False}),
    ("another version", VERSION | {"digest": sha(99)}, {"promote": False, "rollback": False}),
    ("until later", {"until": NOW + HOUR}, {"promote": True}),
    ("until now", {"until": NOW}, {"promote": False}),
    ("the version until now", VERSION | {"until": NOW}, {"rollback": False}),
]


@pytest.mark.parametrize(("what", "fields", "expected"), HOLDS, ids=[what for what, _, _ in HOLDS])
def test_a_hold_blocks_changes(what: str, fields: Mapping[str, Any], expected: Mapping[str, bool]) -> None:
    for change, blocks in expected.items():
        found = holds.blocking_holds(
            [hold(**fields)], environment="production", model="delay", digests=[CANDIDATE.digest], change=change, at=NOW
        )
        assert bool(found) is blocks, (what, change)


def test_a_hold_on_any_slot_blocks_the_promotion_and_names_the_version() -> None:
    other = samples.version(2)
    slots = SlotAssignments(champion=samples.slot(CANDIDATE, traffic=90), challenger=samples.slot(other, traffic=10))
    manifest = samples.promotion(CANDIDATE, slots=slots)
    (finding,) = check_at_apply(manifest, {"bad": hold(**VERSION | {"version": 2, "digest": other.digest})}, NOW)
    assert (finding.id, finding.message) == ("version-held", "delay@2 is held")
    assert "mlgit hold lift bad" in finding.fix


@pytest.mark.parametrize("part", ["champion", "challenger", "shadow"])
def test_a_held_version_may_be_in_no_slot(part: str) -> None:
    slots = SlotAssignments(**{"champion": samples.slot(samples.version(2)), part: samples.slot(CANDIDATE)})
    (finding,) = check_at_apply(samples.promotion(slots=slots), {"bad": hold(**VERSION)}, NOW)
    assert finding.message == "delay@1 is held"


@pytest.mark.parametrize(
    ("fields", "change", "blocks"),
    [
        ({"scope": "environment", "environment": "production"}, "promote", True),
        ({"scope": "environment", "environment": "staging"}, "promote", False),
        ({"scope": "model", "model": "churn"}, "promote", False),
        ({}, "rollback", False),
        ({"until": NOW}, "promote", False),
        ({"until": NOW + HOUR}, "promote", True),
        (VERSION, "rollback", True),
    ],
)
def test_a_hold_blocks_a_merge_and_apply_alike(fields: Any, change: str, blocks: bool) -> None:
    manifest = samples.promotion(CANDIDATE, change=change)
    there = {"other": hold(scope="model", model="churn"), "one": hold(**fields)}
    now = check_at_apply(manifest, there, NOW)
    assert list(holds.check_holds(context(manifest=manifest, holds=there), NOW)) == now
    assert [finding.at for finding in now] == ([Location("holds/one.yaml")] if blocks else [])


@pytest.mark.parametrize(("until", "end"), [(None, ""), (NOW + HOUR, " (until 2026-03-04 13:30 UTC)")])
def test_a_hold_names_who_why_and_until_when(until: datetime | None, end: str) -> None:
    (finding,) = check_at_apply(samples.promotion(CANDIDATE), {"one": hold(until=until)}, NOW)
    assert finding.why == f"ada@acme.example: year end{end}"


# Rollbacks


def deployment(**changes: Any) -> Deployment:
    fields: dict[str, Any] = {
        "schema": 1,
        "environment": "production",
        "model": "delay",
        "seq": 1,
        "promotion": ULID,
        "status": "verified",
        "version": CANDIDATE.version,
        "digest": CANDIDATE.digest,
        "artifact": CANDIDATE.artifact.sha256,
        "target": {},
        "commit": "4be1" * 10,
        "at": NOW - DAY,
        "previous": None,
    }
    return Deployment(**fields | changes)


DEPLOYED: list[tuple[str, list[Deployment], bool]] = [
    ("it ran there", [deployment()], True),
    ("nothing was seen", [], False),
    ("it was blocked", [deployment(status="blocked")], False),
    ("it was degraded", [deployment(status="degraded")], False),
    ("it ran elsewhere", [deployment(environment="staging")], False),
    ("another model ran", [deployment(model="churn")], False),
    ("another version ran", [deployment(digest=sha(99))], False),
    ("it ran at this moment", [deployment(at=NOW)], True),
    ("it ran afterwards", [deployment(at=NOW + HOUR)], False),
    ("it answered a share", [deployment(traffic=10)], False),
    ("it ran, and was degraded later", [deployment(), deployment(seq=2, status="degraded", at=NOW - HOUR)], True),
]


@pytest.mark.parametrize(("what", "seen", "may"), DEPLOYED, ids=[what for what, _, _ in DEPLOYED])
def test_a_rollback_needs_a_version_that_was_verified_there(what: str, seen: list[Deployment], may: bool) -> None:
    manifest = samples.promotion(CANDIDATE, change="rollback", gates=None)
    judged = context(manifest=manifest, report=None, deployments={"production": seen})
    assert [one.id for one in rollback.check_rollback(judged, NOW)] == (
        [] if may else ["rollback-version-unverified"]
    ), what


def test_the_rollback_rule_does_not_apply_to_a_promotion() -> None:
    assert list(rollback.check_rollback(context(), NOW)) == []


OTHER = samples.version(2)


def beside(of: Version, traffic: int, slot: str = "challenger") -> dict[str, Any]:
    one = ObservedVersion(version=of.version, digest=of.digest, artifact=of.artifact.sha256, traffic=traffic)
    return {"beside": OtherSlots(**{slot: one})}


@pytest.mark.parametrize(
    ("seen", "named"),
    [
        ([deployment(**beside(OTHER, 10))], None),
        ([deployment(**beside(OTHER, 10)), deployment(seq=2)], None),
        ([deployment()], "delay@2 was never verified beside delay@1 in production"),
        ([deployment(**beside(OTHER, 20))], "delay@2 was never verified beside delay@1 in production"),
        (
            [deployment(**beside(OTHER, 10, "shadow"))],
            "delay@2 was never verified beside delay@1 in production",
        ),
        ([deployment(digest=OTHER.digest, version=2)], "delay@1 was never verified in production"),
    ],
)
def test_a_rollback_restores_only_versions_that_ran_together(seen: list[Deployment], named: str | None) -> None:
    slots = SlotAssignments(champion=samples.slot(CANDIDATE, traffic=90), challenger=samples.slot(OTHER, traffic=10))
    manifest = samples.promotion(slots=slots, change="rollback")
    judged = context(manifest=manifest, slot_versions={1: CANDIDATE, 2: OTHER}, deployments={"production": seen})
    assert [one.message for one in rollback.check_rollback(judged, NOW)] == ([] if named is None else [named])


def test_a_shadow_is_restored_with_the_champion_it_ran_beside() -> None:
    slots = SlotAssignments(champion=samples.slot(CANDIDATE), shadow=samples.slot(OTHER))
    manifest = samples.promotion(slots=slots, change="rollback")
    seen = {"production": [deployment(**beside(OTHER, 0, "shadow"))]}  # it answers nothing
    judged = context(manifest=manifest, slot_versions={1: CANDIDATE, 2: OTHER}, deployments=seen)
    assert list(rollback.check_rollback(judged, NOW)) == []


def test_a_rollback_may_leave_out_versions_beside_the_champion() -> None:
    manifest = samples.promotion(CANDIDATE, change="rollback")
    seen = {"production": [deployment(**beside(OTHER, 10))]}
    assert list(rollback.check_rollback(context(manifest=manifest, deployments=seen), NOW)) == []


ROLLBACK_HOLDS: list[tuple[str, dict[str, Any], str, bool]] = [
    ("on what runs, here, for good", {}, "rollback", True),
    ("with a promotion", {}, "promote", False),
    ("on another version", {"digest": sha(99)}, "rollback", False),
    ("on another label", {"version": 9}, "rollback", False),
    ("on another model", {"model": "churn"}, "rollback", False),
    ("elsewhere", {"environment": "staging"}, "rollback", False),
    ("everywhere", {"environment": None}, "rollback", False),
    ("on the model", {"scope": "model"}, "rollback", False),
    ("with an end", {"until": NOW + DAY}, "rollback", False),
]


@pytest.mark.parametrize(
    ("fields", "change", "is_it"), [one[1:] for one in ROLLBACK_HOLDS], ids=[one[0] for one in ROLLBACK_HOLDS]
)
def test_only_a_hold_on_the_replaced_version_belongs_to_a_rollback(
    fields: dict[str, Any], change: str, is_it: bool
) -> None:
    added = hold(**VERSION | {"environment": "production"} | fields)
    manifest = samples.promotion(samples.version(2), change=change)
    assert rollback.is_rollback_hold(added, manifest, CANDIDATE) is is_it


# Overrides


def override(**changes: Any) -> Override:
    fields: dict[str, Any] = {
        "schema": 1,
        "id": ULID,
        "environment": "production",
        "model": "delay",
        "version": CANDIDATE.version,
        "digest": CANDIDATE.digest,
        "waives": ["latency"],
        "incident": "INC-7",
        "people": ["ada", "bea"],
        "until": NOW + HOUR,
        "review_by": date(2026, 3, 10),
    }
    return Override(**fields | changes)


BOTH = {ULID: {"ada": NOW - HOUR, "bea": NOW - HOUR}}
POLICY = samples.policy(gates=[Integrity(), Latency()])
WAIVED = samples.gate_report(
    CANDIDATE, results=[replace(samples.gate_report().results[0], gate="latency", outcome="waived")]
)

IN_FORCE: list[tuple[str, Override | None, Mapping[str, Mapping[str, datetime]], Policy, str]] = [
    ("all is well", override(), BOTH, POLICY, ""),
    ("there is none", None, BOTH, POLICY, "there is none"),
    ("it waives another gate", override(waives=["size"]), BOTH, POLICY, "fix waives size"),
    ("it is for another version", override(digest=sha(99)), BOTH, POLICY, "there is none"),
    ("it is for another place", override(environment="staging"), BOTH, POLICY, "there is none"),
    ("it is for another model", override(model="churn"), BOTH, POLICY, "there is none"),
    ("it expires now", override(until=NOW), BOTH, POLICY, "expired at 2026-03-04 12:30 UTC"),
    ("nobody signed", override(), {}, POLICY, "not signed by ada, bea"),
    ("one signed", override(), {ULID: {"ada": NOW}}, POLICY, "not signed by bea"),
    ("one signed later", override(), {ULID: {"ada": NOW, "bea": NOW + HOUR}}, POLICY, "not signed by bea"),
    ("they signed another one", override(id=OTHER_ID), BOTH, POLICY, "not signed by ada, bea"),
    ("one is named twice", override(people=["ada", "ada"]), BOTH, POLICY, "a second person"),
    (
        "nobody may",
        override(),
        BOTH,
        replace(POLICY, never_waivable=("latency",)),
        "does not allow latency to be waived",
    ),
]


@pytest.mark.parametrize(("what", "one", "signatures", "policy", "why"), IN_FORCE, ids=[what for what, *_ in IN_FORCE])
def test_a_gate_is_waived_by_an_override_that_is_in_force(
    what: str, one: Override | None, signatures: Mapping[str, Mapping[str, datetime]], policy: Policy, why: str
) -> None:
    there = {} if one is None else {"fix": one}
    judged = context(report=WAIVED, overrides=there, signatures=signatures, policy=policy)
    found = list(overrides.check_waivers(judged, NOW))
    assert [finding.id for finding in found] == (["waiver-without-override"] if why else []), what
    assert why in "".join(finding.why for finding in found)


def test_never_waivable_kinds_apply_to_all_their_gates() -> None:
    policy = samples.policy(gates=[Exec(name="pii", command=("check",)), Latency()], never_waivable=("exec", "size"))
    one = override(waives=["exec:pii", "size", "latency"])
    waived = overrides.waivers(
        [one], BOTH, policy, environment="production", model="delay", digest=CANDIDATE.digest, at=NOW
    )
    assert waived == {"latency": "waived by ada and bea for INC-7, until 2026-03-04 13:30 UTC"}


def test_waivers_are_not_checked_without_a_version_or_a_report() -> None:
    for changes in ({"version": None}, {"report": None}):
        assert list(overrides.check_waivers(context(**{"report": WAIVED} | changes), NOW)) == []


def test_the_finding_names_why_each_override_does_not_apply() -> None:
    there = {"one": override(waives=["size", "drift"]), "two": override(people=["ada", "ada"])}
    (finding,) = overrides.check_waivers(context(report=WAIVED, overrides=there, signatures=BOTH, policy=POLICY), NOW)
    assert finding.why == "one waives size, drift; two is not signed by a second person"
    (finding,) = overrides.check_waivers(context(report=WAIVED, policy=POLICY), NOW)
    assert finding.why == "there is none for this version on the base branch before the promotion"


REVIEWS: list[tuple[str, Override, str, bool]] = [
    ("on the last day", override(review_by=NOW.date()), "promote", True),
    ("a day later", override(review_by=NOW.date() - DAY), "promote", False),
    ("a day later, for a rollback", override(review_by=NOW.date() - DAY), "rollback", True),
    ("elsewhere", override(review_by=NOW.date() - DAY, environment="staging"), "promote", True),
    (
        "reviewed",
        override(
            review_by=NOW.date() - DAY, reviewed=PostIncidentReview(by="cara", date=NOW.date(), outcome="no harm")
        ),
        "promote",
        True,
    ),
]


@pytest.mark.parametrize(("what", "one", "change", "may"), REVIEWS, ids=[what for what, *_ in REVIEWS])
def test_an_overdue_review_blocks_the_environment(what: str, one: Override, change: str, may: bool) -> None:
    judged = context(overrides={"fix": one}, manifest=samples.promotion(CANDIDATE, change=change))
    assert [found.id for found in overrides.check_override_reviews(judged, NOW)] == (
        [] if may else ["override-unreviewed"]
    ), what


def test_a_decision_depends_on_the_overrides_that_it_uses_and_no_other() -> None:
    plain = context().reads()
    assert context(overrides={"fix": override()}).reads() == plain, "nothing was waived"
    passed = replace(WAIVED, results=[replace(WAIVED.results[0], outcome="pass")])
    assert context(report=passed, overrides={"fix": override()}).reads() == context(report=passed).reads(), "it passed"
    other = override(id=OTHER_ID, waives=["size"])
    reads = context(report=WAIVED, overrides={"fix": override(), "other": other}).reads()
    assert {name: reads[name] for name in reads.keys() - plain.keys()} == {
        f"override-{ULID.lower()}": override_digest(override())
    }


def test_people_sign_everything_but_the_review() -> None:
    reviewed = override(reviewed=PostIncidentReview(by="cara", date=NOW.date(), outcome="no harm"))
    assert override_digest(reviewed) == override_digest(override())
    assert override_digest(override(until=NOW)) != override_digest(override())


# The files


FIELDS: list[tuple[str, dict[str, Any], list[str]]] = [
    ("a freeze of all", {}, []),
    ("of an environment", {"scope": "environment", "environment": "production"}, []),
    ("of no environment", {"scope": "environment"}, ["hold-scope-mismatch"]),
    ("of a project with a model", {"model": "delay"}, ["hold-scope-mismatch"]),
    ("of a model", {"scope": "model", "model": "delay", "environment": "production"}, []),
    ("of a model with a version", {"scope": "model", "model": "delay", "version": 1}, ["hold-scope-mismatch"]),
    ("of a version", VERSION, []),
    ("of a version without its digest", VERSION | {"digest": None}, ["hold-scope-mismatch"]),
    ("of a version with another digest", VERSION | {"digest": sha(99)}, ["slot-digest-mismatch"]),
    ("of a model that is not there", {"scope": "model", "model": "churn"}, ["model-unknown"]),
    ("where nothing is", {"scope": "environment", "environment": "prod"}, ["environment-unknown"]),
]


@pytest.mark.parametrize(("what", "fields", "expected"), FIELDS, ids=[what for what, _, _ in FIELDS])
def test_the_fields_of_a_hold_fit_its_scope(what: str, fields: Mapping[str, Any], expected: list[str]) -> None:
    found = exceptions.check_hold(
        "one", hold(**fields), environments=["production"], models=["delay"], digest=CANDIDATE.digest
    )
    assert [finding.id for finding in found] == expected, what


PEOPLE = {
    "ada": RoleHolder(emails=["ada@acme.example"]),
    "bea": RoleHolder(emails=["bea@acme.example"]),
    "robot": RoleHolder(emails=["robot@acme.example"], bot=True),
}

OVERRIDES: list[tuple[str, Override, list[str]]] = [
    ("all is well", override(), []),
    ("a program", override(people=["ada", "robot"]), ["override-people-invalid"]),
    ("nobody listed", override(people=["ada", "dora"]), ["override-people-invalid"]),
    ("one person twice", override(people=["ada", "ada"]), ["override-people-invalid"]),
    ("a gate that nobody may waive", override(waives=["integrity", "latency"]), ["waiver-not-allowed"]),
    ("a gate that is not asked", override(waives=["size"]), ["waiver-gate-unknown"]),
    ("another digest", override(digest=sha(99)), ["slot-digest-mismatch"]),
    ("a model that is not there", override(model="churn"), ["model-unknown"]),
    ("an environment that is not there", override(environment="prod"), ["environment-unknown"]),
]


@pytest.mark.parametrize(("what", "one", "expected"), OVERRIDES, ids=[what for what, _, _ in OVERRIDES])
def test_an_override_names_existing_things(what: str, one: Override, expected: list[str]) -> None:
    found = exceptions.check_override(
        "one",
        one,
        environments=["production"],
        policy=POLICY,
        models=["delay"],
        digest=CANDIDATE.digest,
        people=PEOPLE,
    )
    assert [finding.id for finding in found] == expected, what


def test_only_a_review_may_be_added_and_once() -> None:
    first, second = (
        override(reviewed=PostIncidentReview(by="cara", date=NOW.date(), outcome=outcome))
        for outcome in ("no harm", "much harm")
    )
    kept = [(override(), first, True), (first, first, True), (first, second, False), (first, override(), False)]
    for before, after, may in kept:
        found = exceptions.check_override_unchanged("one", before, after)
        assert [finding.id for finding in found] == ([] if may else ["override-changed"])
