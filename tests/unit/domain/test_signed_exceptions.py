"""Signed exceptions: who has to sign, who is missing, and when one is in force."""

from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace

from mlgit.domain.codec import digest
from mlgit.domain.records import Override, StandingApproval
from mlgit.domain.records.governance import PostIncidentReview
from mlgit.domain.signed_exceptions import expiry, signed_digest, signed_exception
from tests.samples import NOW, ULID
from tests.unit.domain.test_merge_rules_exceptions import override
from tests.unit.domain.test_merge_rules_standing_approvals import standing

HOUR = timedelta(hours=1)
RECORDS: list[Override | StandingApproval] = [override(id=ULID), standing(id=ULID, until=NOW + HOUR)]
BOTH = {"ada": NOW - HOUR, "bea": NOW}
STATES: list[tuple[str, dict[str, datetime], datetime, list[str], str]] = [
    ("both signed", BOTH, NOW, [], "in-force"),
    ("nobody signed", {}, NOW, ["ada", "bea"], "unsigned"),
    ("one signed", {"ada": NOW}, NOW, ["bea"], "unsigned"),
    ("one signs later", {"ada": NOW, "bea": NOW + HOUR}, NOW, ["bea"], "unsigned"),
    ("somebody else signed", {"ada": NOW, "cara": NOW}, NOW, ["bea"], "unsigned"),
    ("a second before the end", BOTH, NOW + HOUR - timedelta(seconds=1), [], "in-force"),
    ("at the end", BOTH, NOW + HOUR, [], "expired"),
    ("at the end, unsigned", {}, NOW + HOUR, ["ada", "bea"], "expired"),
]


@pytest.mark.parametrize("record", RECORDS, ids=["override", "standing approval"])
@pytest.mark.parametrize(("what", "signed", "at", "missing", "state"), STATES, ids=[row[0] for row in STATES])
def test_the_state_of_both_kinds_is_the_same(
    record: Override | StandingApproval,
    what: str,
    signed: dict[str, datetime],
    at: datetime,
    missing: list[str],
    state: str,
) -> None:
    exception = signed_exception(record, {record.id: signed})
    assert (exception.missing(at), exception.state(at)) == (missing, state), what
    assert exception.until == NOW + HOUR


@pytest.mark.parametrize("record", RECORDS, ids=["override", "standing approval"])
def test_signatures_on_another_record_do_not_count(record: Override | StandingApproval) -> None:
    assert signed_exception(record, {"another": BOTH}).missing(NOW) == ["ada", "bea"]


def test_one_person_alone_is_enough_for_a_standing_approval_only() -> None:
    for people in (["ada"], ["ada", "ada"]):
        alone = signed_exception(override(people=people), {ULID: BOTH})
        assert (alone.missing(NOW), alone.state(NOW)) == (["a second person"], "unsigned")
        assert signed_exception(standing(id=ULID, people=people), {ULID: BOTH}).missing(NOW) == []


def test_what_is_signed_is_the_whole_record_but_the_review() -> None:
    review = PostIncidentReview(by="cara", date=NOW.date(), outcome="no harm")
    for record in RECORDS:
        assert signed_digest(record) == digest(record)
        assert signed_digest(replace(record, until=NOW)) != signed_digest(record)
    assert signed_digest(override(reviewed=review)) == signed_digest(override())


def test_only_a_standing_approval_has_a_longest_term() -> None:
    far = NOW + timedelta(days=900)
    assert expiry(override(until=far)) == far
    assert expiry(standing(until=far)) < far
