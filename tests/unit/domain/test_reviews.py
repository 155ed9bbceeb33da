"""Reviews as votes: whose they are, for which decision, and which is the last."""

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from mlgit.domain import reviews
from mlgit.domain.approvals import STALE, ApprovalResult, People, SignedVote, count_votes
from mlgit.domain.records.governance import RoleHolder, Roles
from mlgit.domain.records.ledger import Reviews, SubmittedReview
from mlgit.domain.records.policy import ApprovalRule
from tests import samples

DECISION, OTHER = samples.sha(1), samples.sha(2)
HEAD, OLDER = "a" * 40, "b" * 40
ROLES = Roles(
    schema=1,
    people={
        "ada": RoleHolder(emails=["ada@acme.example"], logins=["Ada-L"]),
        "bea": RoleHolder(emails=["bea@acme.example"], logins=["bea-b", "bea-home"], roles=["risk"]),
        "robot": RoleHolder(emails=["robot@acme.example"], logins=["ci[bot]"], bot=True),
    },
)
PEOPLE = People(ROLES)
UNLISTED = "no entry of .mlgit/roles.yaml has this login"
NOT_HERE = f"the reviewed commit {OLDER[:12]} is not here or proposes something else"


def given(login: str | None, verdict: Any = "approve", minute: int = 0, **changes: Any) -> SubmittedReview:
    settings: dict[str, Any] = {
        "commit": HEAD,
        "decision": DECISION,
        "at": samples.NOW + timedelta(minutes=minute),
    } | changes
    return SubmittedReview(id=100 + minute, login=login, verdict=verdict, **settings)


def told(*found: SubmittedReview, **changes: Any) -> Reviews:
    settings: dict[str, Any] = {"author": "ada-l", "by": "ada-l", "at": samples.NOW} | changes
    return Reviews(
        schema=1,
        promotion=samples.approval().promotion,
        environment="production",
        model="churn",
        forge="github",
        repository="acme/churn",
        pull_request=7,
        url="https://forge.example/acme/churn/pull/7",
        branch="mlgit/promote/production/churn",
        base="main",
        head=HEAD,
        reviews=list(found),
        **settings,
    )


def tally(*words: Any, **excluded: str) -> ApprovalResult:
    rule = ApprovalRule(min=1)
    return count_votes(words, decision=DECISION, rule=rule, risk="low", people=PEOPLE, excluded=excluded)


def test_a_counted_review_has_roles_and_a_reference() -> None:
    (word,) = reviews.review_votes(told(given("BEA-B")))
    (counted,) = tally(word).counted
    assert counted.approval == word.digest
    assert (counted.person, counted.roles, counted.key) == ("bea", ["risk"], None)
    assert counted.review == counted.source == "review 100 of acme/churn#7"


@pytest.mark.parametrize(
    ("found", "counted", "reasons"),
    [
        ([given("bea-b"), given("bea-b", "comment", 1)], ["bea"], []),
        ([given("bea-b"), given("bea-b", "reject", 1)], [], ["rejected it"]),
        ([given("bea-b", "reject"), given("bea-home", minute=1)], ["bea"], []),
        ([given("bea-b"), given("bea-b", "dismissed", 1)], [], ["the review was dismissed"]),
        ([given("bea-b", decision=OTHER)], [], [STALE]),
        ([given("bea-b"), given("bea-b", minute=1, decision=OTHER)], [], [STALE]),
        ([given("bea-b", commit=OLDER, decision=None)], [], [NOT_HERE]),
        # Somebody's last word is unknown: what they said before it may be what they took back.
        ([given("bea-b"), given("bea-b", "reject", 1, commit=OLDER, decision=None)], [], [NOT_HERE]),
        ([given("bea-b", commit=None, decision=None)], [], ["the forge no longer knows which commit was reviewed"]),
        ([given("mallory")], [], [UNLISTED]),
        ([given("bea")], [], [UNLISTED]),
        ([given("bea-b"), given("mallory", "reject", 1)], ["bea"], [UNLISTED]),
        ([given(None)], [], ["its account is gone"]),
        ([given("ci[bot]")], [], ["a program does not approve"]),
    ],
)
def test_who_is_counted_and_why_not(found: list[SubmittedReview], counted: list[str], reasons: list[str]) -> None:
    result = tally(*reviews.review_votes(told(*found)))
    assert [one.person for one in result.counted] == counted
    assert [one.reason for one in result.uncounted] == reasons
    assert result.complete is bool(counted)


def test_an_unlisted_login_stands_for_itself() -> None:
    people = People(ROLES)
    assert people.reviewer("ada-l") == "ada"
    assert people.reviewer("Mallory") == "@mallory"


def test_a_person_counts_once_with_a_signature_and_a_review() -> None:
    approval = samples.approval(by="bea@acme.example", decision=DECISION, at=samples.NOW)
    signed = SignedVote(approval, samples.sha(9), "SHA256:bea")
    for minute, proof in ((1, "review 101 of acme/churn#7"), (-1, "SHA256:bea")):
        (counted,) = tally(signed, *reviews.review_votes(told(given("bea-b", minute=minute)))).counted
        assert counted.source == proof
    assert (
        tally(signed, *reviews.review_votes(told(given("bea-b", "reject", 1))))
        .missing[0]
        .startswith("the approval of bea, who rejected it")
    )


def test_a_person_is_excluded_by_login_as_well() -> None:
    assert (
        tally(*reviews.review_votes(told(given("bea-b"))), bea="trained the version").uncounted[0].reason
        == "trained the version"
    )


def test_a_present_commit_decides_and_a_recorded_decision_only_if_trusted() -> None:
    stated = told(given("ada-l", commit=HEAD), given("bea-b", minute=1, commit=OLDER))
    strict = reviews.with_decisions(stated, {HEAD: OTHER}, trust_recorded=False)
    assert [one.decision for one in strict.reviews] == [OTHER, None]
    believed = reviews.with_decisions(stated, {HEAD: None}, trust_recorded=True)
    assert [one.decision for one in believed.reviews] == [None, DECISION]


def test_the_digest_of_a_review_does_not_depend_on_the_decision() -> None:
    one, other = (reviews.review_votes(told(given("bea-b", decision=decision)))[0] for decision in (DECISION, OTHER))
    assert one.digest == other.digest
    assert reviews.review_votes(told(given("bea-b", "reject")))[0].digest != one.digest


def test_reviewed_commits_are_the_head_and_those_with_votes() -> None:
    found = told(given("ada-l", "comment", commit="c" * 40), given("bea-b", minute=1, commit=OLDER))
    assert reviews.reviewed_commits(found) == [HEAD, OLDER]


def test_records_by_different_people_can_have_the_same_content() -> None:
    one = told(given("bea-b"))
    assert reviews.same_content(one, replace(one, by="bea-b", at=samples.NOW + timedelta(days=1)))
    assert not reviews.same_content(one, told(given("bea-b", "dismissed")))
