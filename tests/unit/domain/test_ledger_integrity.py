"""The ledger holds together, or it shows where it does not."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from mlgit.domain.codec import digest
from mlgit.domain.ledger_integrity import check_cross_references, check_entries
from mlgit.domain.names import proposed_at
from mlgit.domain.records import DecisionRecord, Deployment
from mlgit.errors import Location
from tests import samples

COMMIT, OTHER = "4be1" * 10, "77aa" * 10
HOUR = timedelta(hours=1)


def chain(length: int, **changes: Any) -> list[Deployment]:
    """A sound chain, an hour between its entries."""
    found: list[Deployment] = []
    for seq in range(1, length + 1):
        entry = Deployment(
            **{
                "schema": 1,
                "environment": "production",
                "model": "delay",
                "seq": seq,
                "promotion": samples.ULID,
                "status": "verified",
                "version": 1,
                "digest": samples.sha(1),
                "artifact": samples.sha(2),
                "target": {},
                "commit": COMMIT,
                "at": samples.NOW + seq * HOUR,
                "previous": digest(found[-1]) if found else None,
            }
            | changes
        )
        found.append(entry)
    return found


def ids(entries: list[Deployment]) -> list[str]:
    return [finding.id for finding in check_entries(entries)]


@pytest.mark.parametrize("length", [0, 1, 5])
def test_a_sound_chain_has_nothing_to_be_found(length: int) -> None:
    assert ids(chain(length)) == []


WHOLE = chain(4)
BROKEN: list[tuple[str, list[Deployment], list[str]]] = [
    ("the first is missing", WHOLE[1:], ["ledger-entry-missing"]),
    ("one is missing", [WHOLE[0], *WHOLE[2:]], ["ledger-entry-missing"]),
    ("two are missing, in two places", [WHOLE[0], WHOLE[2]], ["ledger-entry-missing"]),
    ("one is there twice", [*WHOLE[:2], *WHOLE[1:]], ["ledger-entry-missing"]),
    ("a number was skipped", [WHOLE[0], replace(WHOLE[1], seq=3)], ["ledger-entry-missing"]),
    ("one was changed", [replace(WHOLE[0], message="well"), *WHOLE[1:]], ["ledger-chain-broken"]),
    ("one names none", [WHOLE[0], replace(WHOLE[1], previous=None)], ["ledger-chain-broken"]),
    ("the first names one", [replace(WHOLE[0], previous=samples.sha(5))], ["ledger-chain-broken"]),
    ("of two chains", [WHOLE[0], chain(2, version=2)[1]], ["ledger-chain-broken"]),
    ("before its promotion was made", [replace(WHOLE[0], at=samples.NOW - 99 * HOUR)], ["ledger-time-invalid"]),
]


@pytest.mark.parametrize(("entries", "found"), [case[1:] for case in BROKEN], ids=[case[0] for case in BROKEN])
def test_what_was_taken_out_put_in_or_changed_shows(entries: list[Deployment], found: list[str]) -> None:
    assert ids(entries) == found


def test_time_does_not_go_back() -> None:
    first = WHOLE[0]
    second = replace(WHOLE[1], at=first.at - timedelta(seconds=1))
    assert ids([first, second]) == ["ledger-time-invalid"]
    assert ids([first, replace(second, at=first.at)]) == []


WHERE = "deployments/production/delay"
SAID: list[tuple[str, list[Deployment], str, str | None, str]] = [
    ("the first is missing", WHOLE[1:], "2.json", None, "the first is 2; they count up from 1"),
    ("one is missing", [WHOLE[0], *WHOLE[2:]], "3.json", None, "1 is followed by 3; they count up from 1"),
    (
        "the first names one",
        [replace(WHOLE[0], previous=samples.sha(5))],
        "1.json",
        "previous",
        "it is the first, and names one before it",
    ),
    (
        "one was changed",
        [replace(WHOLE[0], message="well"), WHOLE[1]],
        "2.json",
        "previous",
        "it does not name what entry 1 says",
    ),
    (
        "time went back",
        [WHOLE[0], replace(WHOLE[1], at=samples.NOW)],
        "2.json",
        "at",
        "it says 2026-03-04 12:30:00 UTC; entry 1 is of 2026-03-04 13:30:00 UTC",
    ),
    (
        "before its promotion was made",
        [replace(WHOLE[0], at=samples.NOW - 3 * HOUR)],
        "1.json",
        "at",
        "it says 2026-03-04 09:30:00 UTC; its promotion was made at 2026-03-04 10:36:06 UTC",
    ),
]


@pytest.mark.parametrize(
    ("entries", "file", "path", "why"), [case[1:] for case in SAID], ids=[case[0] for case in SAID]
)
def test_what_shows_is_told_with_its_place_and_cause(
    entries: list[Deployment], file: str, path: str | None, why: str
) -> None:
    (finding,) = check_entries(entries)
    assert (finding.at, finding.why) == (Location(f"{WHERE}/{file}", path=path), why)
    assert "production/delay" in finding.message


def test_two_clocks_may_differ_by_five_minutes() -> None:
    made = proposed_at(samples.ULID)
    assert ids([replace(WHOLE[0], at=made - timedelta(minutes=5))]) == []
    assert ids([replace(WHOLE[0], at=made - timedelta(minutes=5, microseconds=1))]) == ["ledger-time-invalid"]


@given(st.data())
def test_no_entry_can_be_changed_or_taken_out_of_the_middle(data: st.DataObject) -> None:
    """All but the newest entry are held by the one after it; the newest is held by the anchors."""
    entries = chain(5)
    index = data.draw(st.integers(0, 3))
    tampered: dict[str, Callable[[Deployment], Deployment | None]] = {
        "out": lambda _: None,
        "status": lambda one: replace(one, status="degraded"),
        "version": lambda one: replace(one, version=9),
        "digest": lambda one: replace(one, digest=samples.sha(9)),
        "commit": lambda one: replace(one, commit=OTHER),
        "time": lambda one: replace(one, at=one.at + timedelta(seconds=1)),
        "target": lambda one: replace(one, target={"path": "elsewhere"}),
    }
    changed = tampered[data.draw(st.sampled_from(sorted(tampered)))](entries[index])
    assert ids([*entries[:index], *([] if changed is None else [changed]), *entries[index + 1 :]])


def test_each_promotion_that_was_carried_out_was_decided() -> None:
    entries = chain(2)
    assert [one.id for one in check_entries(entries, [samples.ULID])] == []
    (finding,) = check_entries(entries, [samples.OLDER_ULID])
    assert finding.id == "decision-missing"
    assert finding.at is not None
    assert finding.at.file == f"decisions/{samples.ULID}.json"
    assert list(check_entries(chain(1, status="blocked"), [])) == []


def decided(**changes: Any) -> DecisionRecord:
    return DecisionRecord(
        **{
            "schema": 1,
            "promotion": samples.ULID,
            "environment": "production",
            "model": "delay",
            "decision": samples.sha(1),
            "reads": {},
            "approvals": [],
            "commit": COMMIT,
            "at": samples.NOW,
        }
        | changes
    )


@pytest.mark.parametrize(
    ("ledger", "seen", "found"),
    [
        (None, [], []),
        (COMMIT, [*WHOLE, decided()], []),
        (OTHER, [], ["ledger-rewritten"]),
        (COMMIT, [replace(WHOLE[0], commit=OTHER)], ["base-commit-missing"]),
        (COMMIT, [decided(commit=OTHER)], ["base-commit-missing"]),
        (OTHER, [decided(commit=OTHER)], ["ledger-rewritten", "base-commit-missing"]),
    ],
)
def test_each_branch_has_what_the_other_names(ledger: str | None, seen: Any, found: list[str]) -> None:
    manifests = [samples.promotion(ledger=ledger)]
    findings = check_cross_references(manifests, seen, on_ledger=COMMIT.__eq__, on_base=COMMIT.__eq__)
    assert [one.id for one in findings] == found
    assert all(one.at is not None for one in findings)


def test_a_commit_that_is_gone_is_told_by_the_record_that_names_it() -> None:
    seen = [replace(WHOLE[1], commit=OTHER), decided(commit=OTHER)]
    found = check_cross_references([], seen, on_ledger=COMMIT.__eq__, on_base=COMMIT.__eq__)
    assert [one.at for one in found] == [
        Location(f"{WHERE}/2.json", path="commit"),
        Location(f"decisions/{samples.ULID}.json", path="commit"),
    ]


def test_a_promotion_without_an_anchor_has_the_digest_that_it_always_had() -> None:
    assert (
        digest(samples.promotion())
        == digest(samples.promotion(ledger=None))
        != digest(samples.promotion(ledger=COMMIT))
    )
