"""Counting of approvals: the cases that people argue about. `tests/laws` has what always holds."""

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from mlgit.domain.approvals import ApprovalRequirement, ApprovalResult, People, SignedVote, count_votes, people_needed
from mlgit.domain.authorship import UNSIGNED, UnknownAuthor, describe_unknown
from mlgit.domain.gates.base import RiskCondition
from mlgit.domain.records.governance import RoleHolder, Roles
from mlgit.domain.records.policy import ApprovalRule, RoleRequirement
from mlgit.domain.records.problem import Risk
from tests import samples

DECISION = samples.sha(1)
PEOPLE = People(samples.roles())
NOBODY = People(Roles(schema=1, people={}))


def vote(by: str, minute: int = 0, *, key: str | None = "", reason: str = "", **changes: Any) -> SignedVote:
    """Return a person's vote, by default signed with a key of their own."""
    at = samples.NOW + timedelta(minutes=minute)
    approval = samples.approval(**{"by": by, "at": at, "decision": DECISION} | changes)
    return SignedVote(approval, samples.sha(1000 + minute), f"SHA256:{by}" if key == "" else key, reason)


def count(
    *votes: SignedVote, rule: ApprovalRule | None = None, people: People = PEOPLE, **changes: Any
) -> ApprovalResult:
    settings: dict[str, Any] = {"decision": DECISION, "risk": "low", "excluded": {}} | changes
    return count_votes(votes, rule=rule or ApprovalRule(), people=people, **settings)


def counted_people(result: ApprovalResult) -> list[str]:
    return [approval.person for approval in result.counted]


def reasons(result: ApprovalResult) -> dict[str, str]:
    return {vote.person: vote.reason for vote in result.uncounted}


def test_an_approval_counts_with_roles_key_and_digest() -> None:
    result = count(vote("bea@acme.example"))
    (counted,) = result.counted
    assert (counted.person, counted.roles, counted.key) == ("bea", ["risk", "ml-reviewer"], "SHA256:bea@acme.example")
    assert counted.approval == samples.sha(1000)
    assert result.complete
    assert result.needed == 1


def test_nothing_is_missing_if_no_approval_is_required() -> None:
    assert count(rule=ApprovalRule(min=0)).complete


@pytest.mark.parametrize(
    ("second", "counts"),
    [
        (vote("bea@acme.example", 1, verdict="reject"), False),
        (vote("bea@acme.example", -1, verdict="reject"), True),
        (vote("bea@home.example", 1, verdict="reject"), False),
        (vote("bea@acme.example", 1, verdict="reject", key=None, reason="no signature"), True),
        (vote("BEA@Acme.Example", 1, verdict="reject"), False),
        (vote("bea@acme.example", 1, decision=samples.sha(2)), False),
        (vote("bea@acme.example", -1, decision=samples.sha(2)), True),
        (vote("bea@acme.example", 0, verdict="reject"), False),
    ],
    ids=[
        "rejects later",
        "rejected before",
        "rejects as herself elsewhere",
        "rejects without a signature",
        "in capitals",
        "another decision later",
        "another decision before",
        "both at one time",
    ],
)
def test_the_latest_signed_vote_counts(second: SignedVote, counts: bool) -> None:
    first = vote("bea@acme.example")
    assert counted_people(count(first, second)) == counted_people(count(second, first)) == (["bea"] if counts else [])


def test_of_two_votes_at_one_time_the_same_counts_in_either_order() -> None:
    one, other = vote("bea@acme.example"), vote("bea@home.example", 1)
    twin = replace(other, approval=replace(other.approval, at=one.approval.at))
    assert [counted.approval for counted in count(one, twin).counted] == [samples.sha(1001)]
    assert count(one, twin) == count(twin, one)


def test_a_rejection_blocks_until_the_person_approves() -> None:
    rejected = vote("bea@acme.example", verdict="reject")
    others = [vote("ada@acme.example")]
    result = count(rejected, *others)
    assert not result.complete
    assert result.missing == [
        "the approval of bea, who rejected it (they can approve it later, or a new promotion is made)"
    ]
    assert reasons(result) == {"bea": "rejected it"}
    assert count(rejected, *others, vote("bea@acme.example", 1)).complete


def test_a_stale_rejection_does_not_block() -> None:
    result = count(vote("bea@acme.example", verdict="reject", decision=samples.sha(2)), vote("ada@acme.example"))
    assert result.complete
    assert reasons(result)["bea"].startswith("stale")


@pytest.mark.parametrize("verdict", ["approve", "reject"])
def test_the_vote_of_an_excluded_person_does_not_count_either_way(verdict: str) -> None:
    result = count(vote("bea@home.example", verdict=verdict), excluded={"bea": "trained the version"})
    assert counted_people(result) == []
    assert reasons(result) == {"bea": "trained the version"}
    assert result.missing == ["1 more approval (0 of 1 so far; ada may)"]
    assert result.may_approve == ["ada"]


def test_a_program_does_not_approve() -> None:
    result = count(vote("robot@acme.example"), rule=ApprovalRule(min=0, roles={"risk": 1}))
    assert reasons(result) == {"robot": "a program does not approve"}
    assert result.missing == ["1 more approval as risk (0 of 1 so far; bea may)"]


def test_an_invalid_signature_does_not_count_and_has_a_reason() -> None:
    result = count(vote("bea@acme.example", key=None, reason="the signature is by ada@acme.example"))
    assert reasons(result) == {"bea": "the signature is by ada@acme.example"}
    assert not result.complete


def test_two_addresses_of_one_person_are_one_person() -> None:
    result = count(vote("bea@acme.example"), vote("bea@home.example", 1), rule=ApprovalRule(min=2))
    assert counted_people(result) == ["bea"]
    assert result.missing == ["1 more approval (1 of 2 so far; ada may)"]


def test_two_addresses_of_one_key_count_once_where_nobody_is_listed() -> None:
    votes = [vote("ivy@acme.example", key="SHA256:one"), vote("ivy@home.example", 1, key="SHA256:one")]
    result = count(*votes, rule=ApprovalRule(min=2), people=NOBODY)
    assert counted_people(result) == ["ivy@acme.example"]
    assert reasons(result) == {"ivy@home.example": "signed with the key of ivy@acme.example, which counts once"}
    assert not result.complete


def test_a_person_counts_without_roles_where_nobody_is_listed() -> None:
    result = count(vote("Ivy@Acme.example"), rule=ApprovalRule(min=1, roles={"risk": 1}), people=NOBODY)
    assert counted_people(result) == ["ivy@acme.example"]
    assert result.missing == ["1 more approval as risk (0 of 1 so far; nobody who is listed may)"]


def test_a_person_who_is_not_listed_does_not_count_where_others_are() -> None:
    result = count(vote("ivy@acme.example"))
    assert reasons(result) == {"ivy@acme.example": "no entry of .mlgit/roles.yaml has this address"}
    assert not result.complete


def test_an_address_that_equals_a_short_name_is_not_that_person() -> None:
    result = count(vote("bea"), rule=ApprovalRule(min=1, roles={"risk": 1}))
    assert reasons(result) == {"<bea>": "no entry of .mlgit/roles.yaml has this address"}
    assert len(result.missing) == 2


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
def test_missing_approvals_name_who_may_approve(rule: ApprovalRule, risk: str, missing: list[str]) -> None:
    people = samples.roles().people | {"carl": RoleHolder(emails=["carl@acme.example"], roles=["legal"])}
    votes = vote("ada@acme.example"), vote("bea@acme.example")
    result = count(*votes, rule=rule, risk=risk, people=People(samples.roles(**people)))
    assert result.missing == missing
    assert result.complete == (not missing)


def test_may_approve_lists_nobody_excluded_and_no_program() -> None:
    result = count(vote("ada@acme.example", verdict="reject"), excluded={"bea": "trained the version"})
    assert result.may_approve == ["ada"]  # for a rejection can be taken back
    assert count(excluded={"ada": "author", "bea": "trainer"}).may_approve == []


def test_people_are_sorted_by_name() -> None:
    entries = [("zoe", False), ("ada", False), ("robot", True)]
    people = People(
        samples.roles(
            **{name: RoleHolder(emails=[f"{name}@acme.example"], roles=["risk"], bot=bot) for name, bot in entries}
        )
    )
    assert people.people() == ["ada", "zoe"]


def test_people_are_found_by_address() -> None:
    assert PEOPLE.person("BEA@home.example") == "bea"
    assert PEOPLE.person("Nobody@Acme.example") == "nobody@acme.example"
    assert PEOPLE.roles("nobody@acme.example") == []
    assert PEOPLE.is_bot("robot")
    assert not PEOPLE.is_bot("bea")
    assert not PEOPLE.is_bot("nobody@acme.example")


def test_every_requirement_is_listed_whether_met_or_not() -> None:
    rule = ApprovalRule(
        min=2, roles={"risk": 1, "ml-reviewer": RoleRequirement(min=1, when=RiskCondition(risk="high"))}
    )
    result = count(vote("ada@acme.example"), rule=rule, risk="low")
    assert result.requirements == [
        ApprovalRequirement(None, 2, ["ada"], ["bea"]),
        ApprovalRequirement("risk", 1, [], ["bea"]),
    ]
    assert [need.missing for need in result.requirements] == [1, 1]
    assert result.needed == 2
    assert result.missing == [str(need) for need in result.requirements]
    high = count(vote("ada@acme.example"), rule=rule, risk="high")
    assert [need.role for need in high.requirements] == [None, "risk", "ml-reviewer"]


def test_a_requirement_names_everybody_who_may_approve() -> None:
    assert count(rule=ApprovalRule(min=2)).missing == ["2 more approvals (0 of 2 so far; ada, bea may)"]


def test_more_approvals_than_required_are_complete() -> None:
    result = count(vote("ada@acme.example"), vote("bea@acme.example"))
    assert [(need.needed, need.missing) for need in result.requirements] == [(1, 0)]
    assert result.missing == []


def test_uncounted_votes_have_the_digest_of_their_file() -> None:
    votes = [
        vote("bea@acme.example", decision=samples.sha(2)),
        vote("robot@acme.example", 1),
        vote("ada@acme.example", 2, key=None),
        vote("dan@acme.example", 3, verdict="reject"),
        vote("ivy@acme.example", 4, key="SHA256:one"),
        vote("ivy@home.example", 5, key="SHA256:one"),
    ]
    assert [vote.approval for vote in count(*votes).uncounted] == [
        samples.sha(1002),
        samples.sha(1000),
        samples.sha(1001),
        samples.sha(1003),
        samples.sha(1004),
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
def test_least_number_of_people_that_a_rule_requires(rule: ApprovalRule, risk: Risk, needed: int) -> None:
    assert people_needed(rule, risk) == needed


# Unknown authors

UNSIGNED_COMMIT = UnknownAuthor("1" * 40, "proposal", UNSIGNED)
NOTE = "1 commit is unsigned: its author cannot be told, so one more approval is needed"


def test_a_commit_by_an_unknown_author_needs_one_more_approval() -> None:
    result = count(vote("bea@acme.example"), unknown=[UNSIGNED_COMMIT])
    assert (result.needed, result.unknown_authors) == (2, [UNSIGNED_COMMIT])
    assert result.missing == [f"1 more approval (1 of 2 so far; ada may; {NOTE})"]
    assert count(vote("bea@acme.example"), vote("ada@acme.example"), unknown=[UNSIGNED_COMMIT]).complete


def test_any_number_of_such_commits_needs_one_more() -> None:
    result = count(unknown=[UNSIGNED_COMMIT, UnknownAuthor("2" * 40, "lineage", UNSIGNED)])
    assert result.needed == 2
    assert "2 commits are unsigned: their authors cannot be told" in result.missing[0]


def test_each_role_needs_one_more_too() -> None:
    rule = ApprovalRule(min=1, roles={"risk": 1})
    result = count(vote("bea@acme.example"), vote("ada@acme.example"), rule=rule, unknown=[UNSIGNED_COMMIT])
    assert [(need.role, need.needed, need.missing) for need in result.requirements] == [(None, 2, 0), ("risk", 2, 1)]


def test_where_no_approval_is_required_none_is_added() -> None:
    assert count(rule=ApprovalRule(min=0), unknown=[UNSIGNED_COMMIT]).complete


def test_a_policy_may_refuse_unknown_authors() -> None:
    both = vote("bea@acme.example"), vote("ada@acme.example")
    result = count(*both, unknown=[UNSIGNED_COMMIT], refuse_unknown=True)
    assert result.missing == [
        "a known author of each commit (the policy refuses others): 111111111111 (proposal): it is not signed"
    ]
    assert count(*both, refuse_unknown=True).complete


@pytest.mark.parametrize(
    ("reasons", "expected"),
    [
        ([], ""),
        (["the key is not listed"], "1 commit has no signature that counts: its author cannot be told"),
        ([UNSIGNED, "the key is not listed"], "2 commits have no signature that counts: their authors cannot be told"),
    ],
)
def test_why_one_more_is_needed_in_a_sentence(reasons: list[str], expected: str) -> None:
    unknown = [UnknownAuthor(str(n) * 40, "proposal", reason) for n, reason in enumerate(reasons)]
    assert describe_unknown(unknown).startswith(expected)
