"""Merge rules for standing approvals, and the rules for their files; time is a constant."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from mlgit.domain.approvals import People, SignedVote, count_votes
from mlgit.domain.codec import digest
from mlgit.domain.gates.base import RiskCondition
from mlgit.domain.merge_rules import standing_approvals as rules
from mlgit.domain.names import new_promotion_id
from mlgit.domain.promotion_context import PromotionContext
from mlgit.domain.records import Promotion, StandingApproval
from mlgit.domain.records.gatereport import GateVerdict
from mlgit.domain.records.governance import RoleHolder
from mlgit.domain.records.policy import ApprovalRule, ApprovalRules, RoleRequirement
from mlgit.domain.records.promotion import Ramp, SlotAssignments, StandingApprovalRef, VersionPin
from mlgit.domain.rules import exceptions
from mlgit.domain.signed_exceptions import expiry
from mlgit.errors import Location
from tests import samples
from tests.samples import NOW, sha
from tests.unit.domain.test_merge_rules_promotion import context

DAY = timedelta(days=1)
MADE = NOW - 10 * DAY
ID = new_promotion_id(MADE, 1)
CANDIDATE, OLDER = samples.version(2), samples.version(1)
WHERE = Location("environments/production/delay.yaml", path="standing_approval")
PEOPLE = {
    "ada": RoleHolder(emails=["ada@acme.example"], roles=["ml-reviewer"]),
    "bea": RoleHolder(emails=["bea@acme.example"], roles=["risk"]),
    "robot": RoleHolder(emails=["robot@acme.example"], bot=True),
}


def standing(**changes: Any) -> StandingApproval:
    fields: dict[str, Any] = {
        "schema": 1,
        "id": ID,
        "environment": "production",
        "model": "delay",
        "people": ["ada", "bea"],
        "until": MADE + 90 * DAY,
        "reason": "weekly retrain",
    }
    return StandingApproval(**fields | changes)


def signed(ada: datetime = MADE + DAY, bea: datetime = MADE + DAY) -> dict[str, dict[str, datetime]]:
    return {ID: {"ada": ada, "bea": bea}}


def ref(of: StandingApproval) -> StandingApprovalRef:
    return StandingApprovalRef(id=of.id, digest=digest(of))


def manifest(**changes: Any) -> Promotion:
    return samples.promotion(CANDIDATE, **{"standing_approval": ref(standing())} | changes)


def earlier_promotion(number: int, **changes: Any) -> Promotion:
    """An earlier promotion that used the same standing approval."""
    return manifest(promotion=new_promotion_id(MADE + number * DAY, number), **changes)


# Whether it is in force

TWICE = [earlier_promotion(2), earlier_promotion(3), earlier_promotion(3)]
STATES: list[tuple[str, dict[str, Any], dict[str, Any], list[Promotion], str]] = [
    ("it is signed and goes on", {}, signed(), [], "in-force"),
    ("it ends now", {"until": NOW}, signed(), [], "expired"),
    ("it ends in a moment", {"until": NOW + timedelta(seconds=1)}, signed(), [], "in-force"),
    ("nobody signed", {}, {}, [], "unsigned"),
    ("one did not sign", {}, {ID: {"ada": MADE}}, [], "unsigned"),
    ("one signs later", {}, signed(bea=NOW + DAY), [], "unsigned"),
    ("one signs now", {}, signed(bea=NOW), [], "in-force"),
    ("one is left", {"max_promotions": 3}, signed(), TWICE, "in-force"),
    ("none is left", {"max_promotions": 2}, signed(), TWICE, "used-up"),
    (
        "others used another one",
        {"max_promotions": 1},
        signed(),
        [earlier_promotion(2, standing_approval=None)],
        "in-force",
    ),
    ("an edit is no new start", {"max_promotions": 2, "reason": "edited"}, signed(), TWICE, "used-up"),
]


@pytest.mark.parametrize(("what", "fields", "signatures", "history", "state"), STATES, ids=[one[0] for one in STATES])
def test_state_of_a_standing_approval(
    what: str, fields: Any, signatures: Any, history: list[Promotion], state: str
) -> None:
    assert rules.state_of(standing(**fields), signatures, history, NOW) == state, what


@pytest.mark.parametrize(
    ("until", "end"),
    [
        (MADE + 366 * DAY, MADE + 366 * DAY),
        (MADE + 367 * DAY, MADE + 366 * DAY),
        (datetime.max.replace(tzinfo=NOW.tzinfo), MADE + 366 * DAY),
    ],
)
def test_none_is_in_force_for_more_than_a_year(until: datetime, end: datetime) -> None:
    assert expiry(standing(until=until)) == end


def test_an_id_with_the_largest_possible_time_does_not_overflow() -> None:
    one = standing(id="7ZZZZZZZZZZZZZZZZZZZZZZZZZ")
    assert expiry(one) == one.until


IN_FORCE: list[tuple[str, StandingApproval | None, Any, list[Promotion], list[str], str]] = [
    ("in force", standing(), signed(), [], [], ""),
    ("not there", None, signed(), [], ["standing-approval-invalid"], "none with that id and digest"),
    ("elsewhere", standing(environment="staging"), signed(), [], ["standing-approval-invalid"], "delay in staging"),
    ("another model", standing(model="churn"), signed(), [], ["standing-approval-invalid"], "churn in production"),
    ("expired", standing(until=NOW), signed(), [], ["standing-approval-invalid"], "expired at"),
    (
        "used up",
        standing(max_promotions=1),
        signed(),
        [earlier_promotion(2)],
        ["standing-approval-invalid"],
        "allows 1 promotion,",
    ),
    ("used by itself", standing(max_promotions=1), signed(), [manifest()], [], ""),
    ("unsigned", standing(), {}, [], ["standing-approval-unsigned"], "ada, bea had not"),
]


@pytest.mark.parametrize(
    ("what", "existing", "signatures", "history", "found", "why"), IN_FORCE, ids=[one[0] for one in IN_FORCE]
)
def test_a_promotion_needs_a_standing_approval_in_force(
    what: str, existing: StandingApproval | None, signatures: Any, history: list[Promotion], found: list[str], why: str
) -> None:
    findings = list(rules.check_in_force(manifest(), existing, signatures, history, NOW))
    assert [(one.id, one.at) for one in findings] == [(id_, WHERE) for id_ in found], what
    assert all(why in one.why for one in findings)


# What it covers

ROLLBACK = earlier_promotion(2, change="rollback", baseline=VersionPin(version=2, digest=CANDIDATE.digest))
FIT: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    ("a plain promotion", {}, {}, ""),
    ("the first one", {}, {"champion": None}, ""),
    ("a rollback", {"change": "rollback"}, {}, "it is a rollback"),
    ("a ramp", {"ramp": Ramp(steps=[50, 100], interval="1h")}, {}, "it is a ramp"),
    (
        "a challenger",
        {"slots": SlotAssignments(champion=samples.slot(CANDIDATE), challenger=samples.slot(OLDER))},
        {},
        "beside the champion",
    ),
    (
        "a shadow",
        {"slots": SlotAssignments(champion=samples.slot(CANDIDATE), shadow=samples.slot(OLDER))},
        {},
        "beside",
    ),
    ("no such environment", {}, {"environment": samples.environment()}, "no auto_promote: true"),
    ("an older one", {}, {"champion": samples.version(3)}, "older than the champion, delay@3"),
    ("the champion itself", {}, {"champion": CANDIDATE}, ""),
    (
        "what was rolled back",
        {},
        {"manifest_history": [ROLLBACK]},
        "delay@2 was rolled back in this environment before",
    ),
    ("after a rollback of another", {}, {"manifest_history": [earlier_promotion(2, change="rollback")]}, ""),
    *(
        (f"a gate that says {outcome}", {}, {"answers": [("size", outcome)]}, why)
        for outcome, why in {
            "pass": "",
            "skip": "",
            "fail": "gate size: fail",
            "waived": "gate size: waived",
            "wait": "gate size: wait",
            "error": "gate size: error",
        }.items()
    ),
    ("a gate that only warns", {}, {"answers": [("size", "fail")], "severity": "warn"}, "gate size: fail"),
]


@pytest.mark.parametrize(("what", "fields", "around", "why"), FIT, ids=[one[0] for one in FIT])
def test_it_covers_only_a_plain_promotion_with_every_gate_passed(
    what: str, fields: dict[str, Any], around: dict[str, Any], why: str
) -> None:
    severity = around.get("severity", "block")
    results = [
        GateVerdict(gate=gate, outcome=outcome, message="", severity=severity)
        for gate, outcome in around.get("answers", [("integrity", "pass")])
    ]
    findings = list(
        rules.check_eligible(
            manifest(**fields),
            environment=around.get("environment", samples.environment(auto_promote=True)),
            version=CANDIDATE,
            champion=around.get("champion", OLDER),
            report=samples.gate_report(CANDIDATE, results=results),
            history=around.get("manifest_history", []),
        )
    )
    assert [one.id for one in findings] == (["auto-promotion-not-allowed"] if why else []), what
    assert all(why in one.why for one in findings)


# A whole promotion

FAILED = [GateVerdict(gate="size", outcome="fail", message="")]
CASES: list[tuple[str, dict[str, Any], list[str]]] = [
    ("all is well", {}, []),
    ("it uses none", {"manifest": manifest(standing_approval=None), "standing_approval": None}, []),
    ("there is none", {"standing_approval": None}, ["standing-approval-invalid"]),
    ("it has expired", {"standing_approval": standing(until=NOW)}, ["standing-approval-invalid"]),
    (
        "it is used up",
        {"standing_approval": standing(max_promotions=1), "manifest_history": [earlier_promotion(2)]},
        ["standing-approval-invalid"],
    ),
    ("nobody signed", {"signatures": {}}, ["standing-approval-unsigned"]),
    ("no version comes in", {"version": None}, ["auto-promotion-not-allowed"]),
    ("the champion is newer", {"champion": samples.version(3)}, ["auto-promotion-not-allowed"]),
    ("a gate failed", {"report": samples.gate_report(CANDIDATE, results=FAILED)}, ["auto-promotion-not-allowed"]),
]


def covered(**changes: Any) -> PromotionContext:
    """Return a context without problems of a promotion that uses a standing approval."""
    fields: dict[str, Any] = {
        "manifest": manifest(),
        "version": CANDIDATE,
        "champion": OLDER,
        "report": samples.gate_report(CANDIDATE, results=[GateVerdict(gate="size", outcome="pass", message="")]),
        "environment": samples.environment(auto_promote=True),
        "standing_approval": standing(),
        "signatures": signed(),
        "manifest_history": [],
    }
    return context(**fields | changes)


@pytest.mark.parametrize(("what", "changes", "found"), CASES, ids=[one[0] for one in CASES])
def test_the_standing_approval_of_a_promotion_is_checked(what: str, changes: dict[str, Any], found: list[str]) -> None:
    assert [one.id for one in rules.check_standing(covered(**changes), NOW)] == found, what


def test_a_decision_depends_on_the_standing_approval_that_the_manifest_names() -> None:
    name = f"standing-approval-{ID.lower()}"
    assert covered().reads()[name] == digest(standing())
    assert covered(standing_approval=None).reads()[name] is None
    assert name not in covered(manifest=manifest(standing_approval=None)).reads()


# Whose approval it is


def test_it_approves_the_decision_but_not_for_excluded_people() -> None:
    given = digest(standing())
    votes = [
        SignedVote(samples.approval(promotion=ID, decision=given, by=f"{name}@acme.example"), sha(index), f"key {name}")
        for index, name in enumerate(("ada", "bea"))
    ]
    fields: dict[str, Any] = {
        "decision": sha(90),
        "rule": ApprovalRule(min=2),
        "risk": "high",
        "people": People(samples.roles()),
    }
    result = count_votes(votes, excluded={}, standing_approval=given, **fields)
    assert ([one.person for one in result.counted], result.missing) == (["ada", "bea"], [])
    result = count_votes(votes, excluded={"ada": "trained the version"}, standing_approval=given, **fields)
    assert [one.person for one in result.counted] == ["bea"]
    assert [one.reason for one in result.uncounted] == ["trained the version"]
    assert not result.complete
    assert count_votes(votes, excluded={}, **fields).counted == [], (
        "without the standing approval they approved something else"
    )


# The file

RULE = ApprovalRules(
    promote=ApprovalRule(min=2, roles={"risk": RoleRequirement(min=1, when=RiskCondition(risk="high"))})
)
FILES: list[tuple[str, dict[str, Any], str, list[tuple[str, str | None]]]] = [
    ("as it should be", {}, "high", []),
    (
        "nobody of a role",
        {"people": ["ada", "cara"]},
        "low",
        [("standing-approval-people-invalid", "people[1]"), ("standing-approval-people-invalid", "people")],
    ),
    ("too few", {"people": ["bea"]}, "high", [("standing-approval-people-invalid", "people")]),
    (
        "one person twice",
        {"people": ["bea", "bea"]},
        "high",
        [("standing-approval-people-invalid", "people[1]"), ("standing-approval-people-invalid", "people")],
    ),
    (
        "a role is missing",
        {"people": ["ada"]},
        "high",
        [("standing-approval-people-invalid", "people"), ("standing-approval-people-invalid", "people")],
    ),
    ("a program", {"people": ["ada", "bea", "robot"]}, "high", [("standing-approval-people-invalid", "people[2]")]),
    ("more than a year", {"until": MADE + 367 * DAY}, "high", [("standing-approval-too-long", "until")]),
    ("an end before the beginning", {"until": MADE}, "high", [("standing-approval-too-long", "until")]),
    ("an environment that is not there", {"environment": "prod"}, "high", [("environment-unknown", "environment")]),
    ("a model that is not there", {"model": "dalay"}, "high", [("model-unknown", "model")]),
]


@pytest.mark.parametrize(("what", "fields", "risk", "found"), FILES, ids=[one[0] for one in FILES])
def test_findings_of_a_file(what: str, fields: dict[str, Any], risk: Any, found: list[tuple[str, str | None]]) -> None:
    findings = exceptions.check_standing_approval(
        "weekly",
        standing(**fields),
        environments=["production"],
        models=["delay"],
        policy=samples.policy(approvals=RULE),
        risk=risk,
        people=PEOPLE,
    )
    assert [(one.id, one.at and one.at.path) for one in findings] == found, what
