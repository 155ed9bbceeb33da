"""Laws of counting: nobody counts twice, nobody counts who may not, and one more yes never makes a no."""

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
DIRECTORY = People(
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
PEOPLE = sorted({DIRECTORY.person(email) for email in KEYS})


@st.composite
def words(draw: st.DrawFn) -> SignedVote:
    """A word of somebody, signed with a key of theirs or not at all."""
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


FOUND = st.lists(words(), max_size=8, unique_by=lambda word: word.digest)
NEEDS = st.integers(1, 2) | st.builds(
    RoleRequirement, min=st.integers(1, 2), when=st.none() | st.just(RiskCondition(risk="high"))
)
RULES = st.builds(ApprovalRule, min=st.integers(0, 3), roles=st.dictionaries(st.sampled_from(["ml", "risk"]), NEEDS))
EXCLUDED = st.dictionaries(st.sampled_from(PEOPLE), st.just("author of the promotion"), max_size=3)
RISKS = st.sampled_from(["low", "high"])


def tally(found: list[SignedVote], rule: ApprovalRule, excluded: Mapping[str, str], risk: Any) -> ApprovalResult:
    return count_votes(found, decision=TODAY, rule=rule, risk=risk, directory=DIRECTORY, excluded=excluded)


def may_approve(email: str, excluded: Mapping[str, str]) -> bool:
    person = DIRECTORY.person(email)
    return person not in excluded and not DIRECTORY.is_bot(person)


@given(FOUND, RULES, EXCLUDED, RISKS)
def test_who_counts_said_yes_to_this_decision_last_with_a_signature_and_may(
    found: list[SignedVote], rule: ApprovalRule, excluded: dict[str, str], risk: str
) -> None:
    result = tally(found, rule, excluded, risk)
    for counted in result.counted:
        (word,) = (one for one in found if one.digest == counted.approval)
        theirs = [one for one in found if one.key and DIRECTORY.person(one.approval.by) == counted.person]
        assert DIRECTORY.person(word.approval.by) == counted.person
        assert (word.approval.decision, word.approval.verdict, word.key) == (TODAY, "approve", counted.key)
        assert word.approval.at == max(one.approval.at for one in theirs)
        assert may_approve(word.approval.by, excluded)
        assert counted.roles == DIRECTORY.roles(counted.person)


@given(FOUND, RULES, EXCLUDED, RISKS)
def test_nobody_counts_twice_by_whatever_address_or_key(
    found: list[SignedVote], rule: ApprovalRule, excluded: dict[str, str], risk: str
) -> None:
    counted = tally(found, rule, excluded, risk).counted
    assert len({one.person for one in counted}) == len({one.key for one in counted}) == len(counted)


@given(FOUND, RULES, EXCLUDED, RISKS)
def test_it_is_complete_exactly_when_all_are_there_and_nobody_objects(
    found: list[SignedVote], rule: ApprovalRule, excluded: dict[str, str], risk: str
) -> None:
    result = tally(found, rule, excluded, risk)
    needs = {
        role: need if isinstance(need, RoleRequirement) else RoleRequirement(min=need)
        for role, need in rule.roles.items()
    }
    asked = {role: need.min for role, need in needs.items() if need.when is None or need.when.risk == risk}
    objects = any(one.reason == "rejected it" for one in result.uncounted)
    there = len(result.counted) >= rule.min and all(
        sum(role in one.roles for one in result.counted) >= least for role, least in asked.items()
    )
    assert result.complete == (there and not objects)


@given(st.data(), FOUND, RULES, EXCLUDED, RISKS)
def test_the_order_in_which_words_are_found_does_not_matter(
    data: st.DataObject, found: list[SignedVote], rule: ApprovalRule, excluded: dict[str, str], risk: str
) -> None:
    shuffled = data.draw(st.permutations(found))
    assert tally(shuffled, rule, excluded, risk) == tally(found, rule, excluded, risk)


@given(FOUND, words(), RULES, EXCLUDED, RISKS)
def test_one_more_yes_never_makes_a_no(
    found: list[SignedVote], word: SignedVote, rule: ApprovalRule, excluded: dict[str, str], risk: str
) -> None:
    assume(word.key and (word.approval.verdict, word.approval.decision) == ("approve", TODAY))
    assume(may_approve(word.approval.by, excluded))
    before, after = tally(found, rule, excluded, risk), tally([*found, word], rule, excluded, risk)
    assert after.complete or not before.complete
    assert len(after.counted) >= len(before.counted)


@given(FOUND, st.sampled_from(sorted(KEYS)), RULES, EXCLUDED, RISKS)
def test_a_last_no_of_somebody_who_may_is_never_outvoted(
    found: list[SignedVote], email: str, rule: ApprovalRule, excluded: dict[str, str], risk: str
) -> None:
    assume(may_approve(email, excluded))
    no = signed(email, minute=9, verdict="reject", decision=TODAY, key=KEYS[email][0], number=1)
    assert not tally([*found, no], rule, excluded, risk).complete


@given(FOUND, words(), RULES, EXCLUDED, RISKS)
def test_a_word_without_a_signature_changes_nothing(
    found: list[SignedVote], word: SignedVote, rule: ApprovalRule, excluded: dict[str, str], risk: str
) -> None:
    assume(word.key is None)
    before, after = tally(found, rule, excluded, risk), tally([*found, word], rule, excluded, risk)
    assert (after.counted, after.missing) == (before.counted, before.missing)
    assert len(after.uncounted) == len(before.uncounted) + 1


@given(FOUND, RULES, EXCLUDED, RISKS)
def test_every_word_is_accounted_for(
    found: list[SignedVote], rule: ApprovalRule, excluded: dict[str, str], risk: str
) -> None:
    result = tally(found, rule, excluded, risk)
    said = {DIRECTORY.person(word.approval.by) for word in found}
    assert {one.person for one in result.counted} | {one.person for one in result.uncounted} == said
    assert all(one.reason for one in result.uncounted)
