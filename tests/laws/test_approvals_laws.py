"""Properties of counting votes: nobody counts twice or without permission, and another approval never makes it incomplete."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from mlgit.domain.approvals import ApprovalResult, People, SignedVote, count_votes
from mlgit.domain.gates.base import RiskCondition
from mlgit.domain.records.governance import RoleHolder
from mlgit.domain.records.policy import ApprovalRule, RoleRequirement
from tests import samples

TODAY, STALE = samples.sha(1), samples.sha(2)
PEOPLE = People(
    samples.roles(
        ada=RoleHolder(emails=["ada@acme.example"], roles=["ml"]),
        bea=RoleHolder(emails=["bea@acme.example", "Bea@home.example"], roles=["ml", "risk"]),
        carl=RoleHolder(emails=["carl@acme.example"], roles=["risk"]),
        robot=RoleHolder(emails=["robot@acme.example"], roles=["ml", "risk"], bot=True),
    )
)
KEYS = {
    "ada@acme.example": ["a"],
    "bea@acme.example": ["b1", "b2"],
    "bea@home.example": ["b2"],
    "BEA@HOME.example": ["b1"],
    "carl@acme.example": ["c"],
    "robot@acme.example": ["r"],
    "dan@acme.example": ["d"],  # not listed
    "ivy@acme.example": ["i"],  # not listed, with one key for two addresses
    "ivy@home.example": ["i"],
    "ada": ["x"],  # somebody else, whose address is a short name
}
PERSONS = sorted({PEOPLE.person(email) for email in KEYS})


@st.composite
def votes(draw: st.DrawFn) -> SignedVote:
    """A vote of a person, signed with one of their keys or not at all."""
    email = draw(st.sampled_from(sorted(KEYS)))
    return signed(
        email,
        minute=draw(st.integers(0, 5)),
        verdict=draw(st.sampled_from(["approve", "approve", "reject"])),
        decision=draw(st.sampled_from([TODAY, TODAY, STALE])),
        key=draw(st.sampled_from([*KEYS[email], *KEYS[email], None])),
        number=draw(st.integers(10, 10_000)),
    )


def signed(email: str, *, minute: int, verdict: str, decision: str, key: str | None, number: int) -> SignedVote:
    at = samples.NOW + timedelta(minutes=minute)
    approval = samples.approval(by=email, at=at, verdict=verdict, decision=decision)
    return SignedVote(approval, samples.sha(number), key, "" if key else "the signature proves nothing")


VOTES = st.lists(votes(), max_size=8, unique_by=lambda vote: vote.digest)
NEEDS = st.integers(1, 2) | st.builds(
    RoleRequirement, min=st.integers(1, 2), when=st.none() | st.just(RiskCondition(risk="high"))
)
RULES = st.builds(ApprovalRule, min=st.integers(0, 3), roles=st.dictionaries(st.sampled_from(["ml", "risk"]), NEEDS))
EXCLUDED = st.dictionaries(st.sampled_from(PERSONS), st.just("author of the promotion"), max_size=3)
RISKS = st.sampled_from(["low", "high"])


def tally(votes: list[SignedVote], rule: ApprovalRule, excluded: Mapping[str, str], risk: Any) -> ApprovalResult:
    return count_votes(votes, decision=TODAY, rule=rule, risk=risk, people=PEOPLE, excluded=excluded)


def may_approve(email: str, excluded: Mapping[str, str]) -> bool:
    person = PEOPLE.person(email)
    return person not in excluded and not PEOPLE.is_bot(person) and PEOPLE.is_email(email)


@given(VOTES, RULES, EXCLUDED, RISKS)
def test_counted_people_may_approve_and_last_approved_this_decision_with_a_signature(
    votes: list[SignedVote], rule: ApprovalRule, excluded: dict[str, str], risk: str
) -> None:
    result = tally(votes, rule, excluded, risk)
    for counted in result.counted:
        (vote,) = (vote for vote in votes if vote.digest == counted.approval)
        theirs = [other for other in votes if other.key and PEOPLE.person(other.approval.by) == counted.person]
        assert PEOPLE.person(vote.approval.by) == counted.person
        assert (vote.approval.decision, vote.approval.verdict, vote.key) == (TODAY, "approve", counted.key)
        assert vote.approval.at == max(other.approval.at for other in theirs)
        assert may_approve(vote.approval.by, excluded)
        assert counted.roles == PEOPLE.roles(counted.person)


@given(VOTES, RULES, EXCLUDED, RISKS)
def test_nobody_counts_twice_with_several_addresses_or_keys(
    votes: list[SignedVote], rule: ApprovalRule, excluded: dict[str, str], risk: str
) -> None:
    counted = tally(votes, rule, excluded, risk).counted
    assert len({one.person for one in counted}) == len({one.key for one in counted}) == len(counted)


@given(VOTES, RULES, EXCLUDED, RISKS)
def test_complete_exactly_when_requirements_are_met_and_nobody_rejects(
    votes: list[SignedVote], rule: ApprovalRule, excluded: dict[str, str], risk: str
) -> None:
    result = tally(votes, rule, excluded, risk)
    requirements = {
        role: stated if isinstance(stated, RoleRequirement) else RoleRequirement(min=stated)
        for role, stated in rule.roles.items()
    }
    required = {role: need.min for role, need in requirements.items() if need.when is None or need.when.risk == risk}
    is_rejected = any(vote.reason == "rejected it" for vote in result.uncounted)
    are_met = len(result.counted) >= rule.min and all(
        sum(role in approval.roles for approval in result.counted) >= least for role, least in required.items()
    )
    assert result.complete == (are_met and not is_rejected)


@given(st.data(), VOTES, RULES, EXCLUDED, RISKS)
def test_the_order_of_votes_does_not_matter(
    data: st.DataObject, votes: list[SignedVote], rule: ApprovalRule, excluded: dict[str, str], risk: str
) -> None:
    shuffled = data.draw(st.permutations(votes))
    assert tally(shuffled, rule, excluded, risk) == tally(votes, rule, excluded, risk)


@given(VOTES, votes(), RULES, EXCLUDED, RISKS)
def test_another_approval_never_makes_it_incomplete(
    votes: list[SignedVote], vote: SignedVote, rule: ApprovalRule, excluded: dict[str, str], risk: str
) -> None:
    assume(vote.key and (vote.approval.verdict, vote.approval.decision) == ("approve", TODAY))
    assume(may_approve(vote.approval.by, excluded))
    before, after = tally(votes, rule, excluded, risk), tally([*votes, vote], rule, excluded, risk)
    assert after.complete or not before.complete
    assert len(after.counted) >= len(before.counted)


@given(VOTES, st.sampled_from(sorted(KEYS)), RULES, EXCLUDED, RISKS)
def test_the_last_rejection_of_a_person_who_may_approve_is_never_outvoted(
    votes: list[SignedVote], email: str, rule: ApprovalRule, excluded: dict[str, str], risk: str
) -> None:
    assume(may_approve(email, excluded))
    rejection = signed(email, minute=9, verdict="reject", decision=TODAY, key=KEYS[email][0], number=1)
    assert not tally([*votes, rejection], rule, excluded, risk).complete


@given(VOTES, votes(), RULES, EXCLUDED, RISKS)
def test_a_vote_without_a_signature_changes_nothing(
    votes: list[SignedVote], vote: SignedVote, rule: ApprovalRule, excluded: dict[str, str], risk: str
) -> None:
    assume(vote.key is None)
    before, after = tally(votes, rule, excluded, risk), tally([*votes, vote], rule, excluded, risk)
    assert (after.counted, after.missing) == (before.counted, before.missing)
    assert len(after.uncounted) == len(before.uncounted) + 1


@given(VOTES, RULES, EXCLUDED, RISKS)
def test_every_vote_is_counted_or_explained(
    votes: list[SignedVote], rule: ApprovalRule, excluded: dict[str, str], risk: str
) -> None:
    result = tally(votes, rule, excluded, risk)
    voters = {PEOPLE.person(vote.approval.by) for vote in votes}
    assert {one.person for one in result.counted} | {one.person for one in result.uncounted} == voters
    assert all(one.reason for one in result.uncounted)
