"""Standing approvals, judged on records that were put together by hand; time is a constant."""

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
from tests.unit.domain.test_merge_rules_promotion import case

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


def earlier(number: int, **changes: Any) -> Promotion:
    """A promotion that was there before, which rested on the same standing approval."""
    return manifest(promotion=new_promotion_id(MADE + number * DAY, number), **changes)


# Whether it holds

TWICE = [earlier(2), earlier(3), earlier(3)]
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
    ("others rested on another one", {"max_promotions": 1}, signed(), [earlier(2, standing_approval=None)], "in-force"),
    ("an edit is no new start", {"max_promotions": 2, "reason": "edited"}, signed(), TWICE, "used-up"),
]


@pytest.mark.parametrize(("what", "fields", "signatures", "past", "state"), STATES, ids=[one[0] for one in STATES])
def test_a_standing_approval_is(what: str, fields: Any, signatures: Any, past: list[Promotion], state: str) -> None:
    assert rules.state_of(standing(**fields), signatures, past, NOW) == state, what


@pytest.mark.parametrize(
    ("until", "end"),
    [
        (MADE + 366 * DAY, MADE + 366 * DAY),
        (MADE + 367 * DAY, MADE + 366 * DAY),
        (datetime.max.replace(tzinfo=NOW.tzinfo), MADE + 366 * DAY),
    ],
)
def test_none_holds_for_more_than_a_year(until: datetime, end: datetime) -> None:
    assert expiry(standing(until=until)) == end


def test_an_id_from_beyond_the_calendar_is_no_longer_year() -> None:
    one = standing(id="7ZZZZZZZZZZZZZZZZZZZZZZZZZ")
    assert expiry(one) == one.until


CARRIES: list[tuple[str, StandingApproval | None, Any, list[Promotion], list[str], str]] = [
    ("in force", standing(), signed(), [], [], ""),
    ("not there", None, signed(), [], ["standing-approval-invalid"], "none of that id and digest"),
    ("elsewhere", standing(environment="staging"), signed(), [], ["standing-approval-invalid"], "delay in staging"),
    ("another model", standing(model="churn"), signed(), [], ["standing-approval-invalid"], "churn in production"),
    ("expired", standing(until=NOW), signed(), [], ["standing-approval-invalid"], "expired at"),
    ("used up", standing(max_promotions=1), signed(), [earlier(2)], ["standing-approval-invalid"], "allows at most 1"),
    ("used by itself", standing(max_promotions=1), signed(), [manifest()], [], ""),
    ("unsigned", standing(), {}, [], ["standing-approval-unsigned"], "ada, bea had not"),
]


@pytest.mark.parametrize(
    ("what", "there", "signatures", "past", "found", "why"), CARRIES, ids=[one[0] for one in CARRIES]
)
def test_a_promotion_rests_on_one_that_is(
    what: str, there: StandingApproval | None, signatures: Any, past: list[Promotion], found: list[str], why: str
) -> None:
    findings = list(rules.check_in_force(manifest(), there, signatures, past, NOW))
    assert [(one.id, one.at) for one in findings] == [(id_, WHERE) for id_ in found], what
    assert all(why in one.why for one in findings)


# What may rest on it

ROLLBACK = earlier(2, change="rollback", baseline=VersionPin(version=2, digest=CANDIDATE.digest))
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
    ("what was rolled back", {}, {"past": [ROLLBACK]}, "delay@2 was rolled back there before"),
    ("after a rollback of another", {}, {"past": [earlier(2, change="rollback")]}, ""),
    *(
        (f"a gate that says {outcome}", {}, {"answers": [("size", outcome)]}, why)
        for outcome, why in {
            "pass": "",
            "skip": "",
            "fail": "size answered fail",
            "waived": "size answered waived",
            "wait": "size answered wait",
            "error": "size answered error",
        }.items()
    ),
    ("a gate that only warns", {}, {"answers": [("size", "fail")], "severity": "warn"}, "size answered fail"),
]


@pytest.mark.parametrize(("what", "fields", "around", "why"), FIT, ids=[one[0] for one in FIT])
def test_only_a_plain_promotion_with_every_gate_passed_may_rest_on_one(
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
            earlier=around.get("past", []),
        )
    )
    assert [one.id for one in findings] == (["auto-promotion-not-allowed"] if why else []), what
    assert all(why in one.why for one in findings)


# A whole promotion

FAILED = [GateVerdict(gate="size", outcome="fail", message="")]
CASES: list[tuple[str, dict[str, Any], list[str]]] = [
    ("all is well", {}, []),
    ("it rests on none", {"manifest": manifest(standing_approval=None), "standing": None}, []),
    ("there is none", {"standing": None}, ["standing-approval-invalid"]),
    ("it has expired", {"standing": standing(until=NOW)}, ["standing-approval-invalid"]),
    ("it is used up", {"standing": standing(max_promotions=1), "past": [earlier(2)]}, ["standing-approval-invalid"]),
    ("nobody signed", {"signatures": {}}, ["standing-approval-unsigned"]),
    ("no version comes in", {"version": None}, ["auto-promotion-not-allowed"]),
    ("the champion is newer", {"champion": samples.version(3)}, ["auto-promotion-not-allowed"]),
    ("a gate failed", {"report": samples.gate_report(CANDIDATE, results=FAILED)}, ["auto-promotion-not-allowed"]),
]


def resting(**changes: Any) -> PromotionContext:
    """Return a case of a promotion that rests on a standing approval, and that nothing stands against."""
    fields: dict[str, Any] = {
        "manifest": manifest(),
        "version": CANDIDATE,
        "champion": OLDER,
        "report": samples.gate_report(CANDIDATE, results=[GateVerdict(gate="size", outcome="pass", message="")]),
        "environment": samples.environment(auto_promote=True),
        "standing": standing(),
        "signatures": signed(),
        "past": [],
    }
    return case(**fields | changes)


@pytest.mark.parametrize(("what", "changes", "found"), CASES, ids=[one[0] for one in CASES])
def test_a_case_holds_what_is_asked(what: str, changes: dict[str, Any], found: list[str]) -> None:
    assert [one.id for one in rules.check_standing(resting(**changes), NOW)] == found, what


def test_a_decision_reads_the_standing_approval_that_the_manifest_names() -> None:
    name = f"standing-approval-{ID.lower()}"
    assert resting().reads()[name] == digest(standing())
    assert resting(standing=None).reads()[name] is None
    assert name not in resting(manifest=manifest(standing_approval=None)).reads()


# Whose word it is


def test_a_word_in_advance_counts_for_the_decision_but_not_of_who_is_excluded() -> None:
    given = digest(standing())
    said = [
        SignedVote(samples.approval(promotion=ID, decision=given, by=f"{name}@acme.example"), sha(index), f"key {name}")
        for index, name in enumerate(("ada", "bea"))
    ]
    fields: dict[str, Any] = {
        "decision": sha(90),
        "rule": ApprovalRule(min=2),
        "risk": "high",
        "people": People(samples.roles()),
    }
    tally = count_votes(said, excluded={}, standing_approval=given, **fields)
    assert ([one.person for one in tally.counted], tally.missing) == (["ada", "bea"], [])
    tally = count_votes(said, excluded={"ada": "trained the version"}, standing_approval=given, **fields)
    assert [one.person for one in tally.counted] == ["bea"]
    assert [one.reason for one in tally.uncounted] == ["trained the version"]
    assert not tally.complete
    assert count_votes(said, excluded={}, **fields).counted == [], (
        "without the standing approval they agreed to something else"
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
def test_a_file_says(what: str, fields: dict[str, Any], risk: Any, found: list[tuple[str, str | None]]) -> None:
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
