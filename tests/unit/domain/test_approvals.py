"""Who agreed, who counts, who is missing: the cases that people argue about. `tests/laws` has what always holds."""

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from mlgit.domain.approvals import ApprovalRequirement, ApprovalResult, People, SignedVote, count_votes, people_needed
from mlgit.domain.gates.base import RiskCondition
from mlgit.domain.records.governance import RoleHolder
from mlgit.domain.records.policy import ApprovalRule, RoleRequirement
from mlgit.domain.records.problem import Risk
from tests import samples

DECISION = samples.sha(1)
DIRECTORY = People(samples.roles())


def said(by: str, minute: int = 0, *, key: str | None = "", reason: str = "", **changes: Any) -> SignedVote:
    """Return a word of somebody; signed with a key of their own unless a test says otherwise."""
    at = samples.NOW + timedelta(minutes=minute)
    approval = samples.approval(**{"by": by, "at": at, "decision": DECISION} | changes)
    return SignedVote(approval, samples.sha(1000 + minute), f"SHA256:{by}" if key == "" else key, reason)


def tally(
    *found: SignedVote, rule: ApprovalRule | None = None, directory: People = DIRECTORY, **changes: Any
) -> ApprovalResult:
    settings: dict[str, Any] = {"decision": DECISION, "risk": "low", "excluded": {}} | changes
    return count_votes(found, rule=rule or ApprovalRule(), directory=directory, **settings)


def people(result: ApprovalResult) -> list[str]:
    return [approval.person for approval in result.counted]


def reasons(result: ApprovalResult) -> dict[str, str]:
    return {one.person: one.reason for one in result.uncounted}


def test_an_approval_counts_with_roles_key_and_digest() -> None:
    result = tally(said("bea@acme.example"))
    (counted,) = result.counted
    assert (counted.person, counted.roles, counted.key) == ("bea", ["risk", "ml-reviewer"], "SHA256:bea@acme.example")
    assert counted.approval == samples.sha(1000)
    assert result.complete
    assert result.needed == 1


def test_nothing_is_missing_where_nobody_is_asked() -> None:
    assert tally(rule=ApprovalRule(min=0)).complete


@pytest.mark.parametrize(
    ("second", "counts"),
    [
        (said("bea@acme.example", 1, verdict="reject"), False),
        (said("bea@acme.example", -1, verdict="reject"), True),
        (said("bea@home.example", 1, verdict="reject"), False),
        (said("bea@acme.example", 1, verdict="reject", key=None, reason="no signature"), True),
        (said("BEA@Acme.Example", 1, verdict="reject"), False),
        (said("bea@acme.example", 1, decision=samples.sha(2)), False),
        (said("bea@acme.example", -1, decision=samples.sha(2)), True),
        (said("bea@acme.example", 0, verdict="reject"), False),
    ],
    ids=[
        "rejects later",
        "rejected before",
        "rejects as herself elsewhere",
        "rejects without a signature",
        "in capitals",
        "another decision later",
        "another decision before",
        "both in one moment",
    ],
)
def test_the_latest_word_that_is_signed_stands(second: SignedVote, counts: bool) -> None:
    first = said("bea@acme.example")
    assert people(tally(first, second)) == people(tally(second, first)) == (["bea"] if counts else [])


def test_of_two_words_of_one_moment_the_same_stands_in_whatever_order_they_are_found() -> None:
    one, other = said("bea@acme.example"), said("bea@home.example", 1)
    twin = replace(other, approval=replace(other.approval, at=one.approval.at))
    assert [counted.approval for counted in tally(one, twin).counted] == [samples.sha(1001)]
    assert tally(one, twin) == tally(twin, one)


def test_a_rejection_is_missing_until_it_is_taken_back() -> None:
    rejected = said("bea@acme.example", verdict="reject")
    others = said("ada@acme.example"), said("carl@acme.example")
    result = tally(rejected, *others)
    assert not result.complete
    assert result.missing == ["bea rejected it; they can approve it later, or a new promotion is made"]
    assert reasons(result) == {"bea": "rejected it"}
    assert tally(rejected, *others, said("bea@acme.example", 1)).complete


def test_a_stale_rejection_does_not_stand_in_the_way() -> None:
    result = tally(said("bea@acme.example", verdict="reject", decision=samples.sha(2)), said("ada@acme.example"))
    assert result.complete
    assert reasons(result)["bea"].startswith("stale")


@pytest.mark.parametrize("verdict", ["approve", "reject"])
def test_the_word_of_somebody_excluded_does_not_count_either_way(verdict: str) -> None:
    result = tally(said("bea@home.example", verdict=verdict), excluded={"bea": "trained the version"})
    assert people(result) == []
    assert reasons(result) == {"bea": "trained the version"}
    assert result.missing == ["1 more approval (0 of 1 so far; ada may)"]
    assert result.may == ["ada"]


def test_a_program_does_not_approve() -> None:
    result = tally(said("robot@acme.example"), rule=ApprovalRule(min=0, roles={"risk": 1}))
    assert reasons(result) == {"robot": "a program does not approve"}
    assert result.missing == ["1 more approval as risk (0 of 1 so far; bea may)"]


def test_a_bad_signature_says_why_and_counts_nothing() -> None:
    result = tally(said("bea@acme.example", key=None, reason="the signature is by ada@acme.example"))
    assert reasons(result) == {"bea": "the signature is by ada@acme.example"}
    assert not result.complete


def test_two_addresses_of_one_person_are_one_person() -> None:
    result = tally(said("bea@acme.example"), said("bea@home.example", 1), rule=ApprovalRule(min=2))
    assert people(result) == ["bea"]
    assert result.missing == ["1 more approval (1 of 2 so far; ada may)"]


@pytest.mark.parametrize("directory", [DIRECTORY, People(samples.roles(zoe=RoleHolder(emails=["zoe@acme.example"])))])
def test_two_addresses_of_one_key_count_once_even_for_somebody_not_listed(directory: People) -> None:
    found = [said("ivy@acme.example", key="SHA256:one"), said("ivy@home.example", 1, key="SHA256:one")]
    result = tally(*found, rule=ApprovalRule(min=2), directory=directory)
    assert people(result) == ["ivy@acme.example"]
    assert reasons(result) == {"ivy@home.example": "signed with the key of ivy@acme.example, which counts once"}
    assert not result.complete


def test_somebody_not_listed_counts_without_roles() -> None:
    result = tally(said("Ivy@Acme.example"), rule=ApprovalRule(min=1, roles={"risk": 1}))
    assert people(result) == ["ivy@acme.example"]
    assert result.missing == ["1 more approval as risk (0 of 1 so far; bea may)"]


def test_an_address_that_reads_like_a_short_name_is_not_that_person() -> None:
    result = tally(said("bea"), rule=ApprovalRule(min=1, roles={"risk": 1}))
    assert people(result) == ["<bea>"]
    assert result.missing == ["1 more approval as risk (0 of 1 so far; bea may)"]


@pytest.mark.parametrize(
    ("rule", "risk", "missing"),
    [
        (ApprovalRule(min=3), "low", ["1 more approval (2 of 3 so far; carl may)"]),
        (ApprovalRule(min=2), "low", []),
        (ApprovalRule(min=0, roles={"ml-reviewer": 2}), "low", []),
        (
            ApprovalRule(min=0, roles={"ml-reviewer": 3}),
            "low",
            ["1 more approval as ml-reviewer (2 of 3 so far; nobody who is listed may)"],
        ),
        (ApprovalRule(min=0, roles={"risk": 1, "ml-reviewer": 1}), "low", []),
        (ApprovalRule(min=0, roles={"legal": 1}), "low", ["1 more approval as legal (0 of 1 so far; carl may)"]),
        (ApprovalRule(min=0, roles={"legal": RoleRequirement(when=RiskCondition(risk="high"))}), "low", []),
        (ApprovalRule(min=0, roles={"legal": RoleRequirement(when=RiskCondition(risk="high"))}), "medium", []),
        (
            ApprovalRule(min=0, roles={"risk": RoleRequirement(when=RiskCondition(risk="high")), "legal": 1}),
            "low",
            ["1 more approval as legal (0 of 1 so far; carl may)"],
        ),
        (
            ApprovalRule(min=0, roles={"legal": RoleRequirement(min=2, when=RiskCondition(risk="high"))}),
            "high",
            ["2 more approvals as legal (0 of 2 so far; carl may)"],
        ),
        (
            ApprovalRule(min=3, roles={"legal": RoleRequirement()}),
            "low",
            ["1 more approval (2 of 3 so far; carl may)", "1 more approval as legal (0 of 1 so far; carl may)"],
        ),
    ],
)
def test_what_is_missing_is_said_with_who_can_supply_it(rule: ApprovalRule, risk: str, missing: list[str]) -> None:
    people = samples.roles().people | {"carl": RoleHolder(emails=["carl@acme.example"], roles=["legal"])}
    found = said("ada@acme.example"), said("bea@acme.example")
    result = tally(*found, rule=rule, risk=risk, directory=People(samples.roles(**people)))
    assert result.missing == missing
    assert result.complete == (not missing)


def test_who_may_still_approve_is_listed_without_programs_and_the_excluded() -> None:
    result = tally(said("ada@acme.example", verdict="reject"), excluded={"bea": "trained the version"})
    assert result.may == ["ada"]  # for a rejection can be taken back
    assert tally(excluded={"ada": "author", "bea": "trainer"}).may == []


def test_people_are_listed_by_name_however_the_file_has_them() -> None:
    people = [("zoe", False), ("ada", False), ("robot", True)]
    directory = People(
        samples.roles(
            **{name: RoleHolder(emails=[f"{name}@acme.example"], roles=["risk"], bot=bot) for name, bot in people}
        )
    )
    assert directory.people() == ["ada", "zoe"]


def test_the_directory_knows_who_is_who() -> None:
    assert DIRECTORY.person("BEA@home.example") == "bea"
    assert DIRECTORY.person("Nobody@Acme.example") == "nobody@acme.example"
    assert DIRECTORY.roles("nobody@acme.example") == []
    assert DIRECTORY.is_bot("robot")
    assert not DIRECTORY.is_bot("bea")
    assert not DIRECTORY.is_bot("nobody@acme.example")


def test_every_need_is_told_met_or_not() -> None:
    rule = ApprovalRule(
        min=2, roles={"risk": 1, "ml-reviewer": RoleRequirement(min=1, when=RiskCondition(risk="high"))}
    )
    result = tally(said("ada@acme.example"), rule=rule, risk="low")
    assert result.needs == [ApprovalRequirement(None, 2, ["ada"], ["bea"]), ApprovalRequirement("risk", 1, [], ["bea"])]
    assert [need.lacks for need in result.needs] == [1, 1]
    assert result.needed == 2
    assert result.missing == [str(need) for need in result.needs]
    high = tally(said("ada@acme.example"), rule=rule, risk="high")
    assert [need.role for need in high.needs] == [None, "risk", "ml-reviewer"]


def test_a_need_names_everybody_who_may() -> None:
    assert tally(rule=ApprovalRule(min=2)).missing == ["2 more approvals (0 of 2 so far; ada, bea may)"]


def test_more_than_enough_lacks_nothing() -> None:
    result = tally(said("ada@acme.example"), said("bea@acme.example"))
    assert [(need.needed, need.lacks) for need in result.needs] == [(1, 0)]
    assert result.missing == []


def test_what_is_not_counted_is_told_by_the_digest_of_its_file() -> None:
    found = [
        said("bea@acme.example", decision=samples.sha(2)),
        said("robot@acme.example", 1),
        said("ada@acme.example", 2, key=None),
        said("dan@acme.example", 3, verdict="reject"),
        said("ivy@acme.example", 4, key="SHA256:one"),
        said("ivy@home.example", 5, key="SHA256:one"),
    ]
    assert [one.approval for one in tally(*found).uncounted] == [
        samples.sha(1002),
        samples.sha(1000),
        samples.sha(1001),
        samples.sha(1003),
        samples.sha(1005),
    ]


@pytest.mark.parametrize(
    ("rule", "risk", "needed"),
    [
        (ApprovalRule(), "low", 1),
        (ApprovalRule(min=0), "low", 0),
        (ApprovalRule(min=0, roles={"reviewer": 2, "owner": 1}), "low", 2),
        (ApprovalRule(min=3, roles={"reviewer": 2}), "low", 3),
        (ApprovalRule(min=0, roles={"risk": RoleRequirement(min=2, when=RiskCondition(risk="high"))}), "low", 0),
        (ApprovalRule(min=0, roles={"risk": RoleRequirement(min=2, when=RiskCondition(risk="high"))}), "high", 2),
    ],
)
def test_how_many_people_a_rule_asks_for_at_the_least(rule: ApprovalRule, risk: Risk, needed: int) -> None:
    assert people_needed(rule, risk) == needed
