"""Integrity of the ledger: what was removed, added or changed is found."""

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


def deployment_log(length: int, **changes: Any) -> list[Deployment]:
    """An intact deployment log, with an hour between its entries."""
    entries: list[Deployment] = []
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
                "previous": digest(entries[-1]) if entries else None,
            }
            | changes
        )
        entries.append(entry)
    return entries


def ids(entries: list[Deployment]) -> list[str]:
    return [finding.id for finding in check_entries(entries)]


@pytest.mark.parametrize("length", [0, 1, 5])
def test_an_intact_log_has_no_findings(length: int) -> None:
    assert ids(deployment_log(length)) == []


INTACT = deployment_log(4)
BROKEN: list[tuple[str, list[Deployment], list[str]]] = [
    ("the first is missing", INTACT[1:], ["ledger-entry-missing"]),
    ("one is missing", [INTACT[0], *INTACT[2:]], ["ledger-entry-missing"]),
    ("every second one is missing", [INTACT[0], INTACT[2]], ["ledger-entry-missing"]),
    ("one is there twice", [*INTACT[:2], *INTACT[1:]], ["ledger-entry-missing"]),
    ("a number was skipped", [INTACT[0], replace(INTACT[1], seq=3)], ["ledger-entry-missing"]),
    ("one was changed", [replace(INTACT[0], message="well"), *INTACT[1:]], ["ledger-chain-broken"]),
    ("one names none", [INTACT[0], replace(INTACT[1], previous=None)], ["ledger-chain-broken"]),
    ("the first names one", [replace(INTACT[0], previous=samples.sha(5))], ["ledger-chain-broken"]),
    ("of two chains", [INTACT[0], deployment_log(2, version=2)[1]], ["ledger-chain-broken"]),
    ("before its promotion was made", [replace(INTACT[0], at=samples.NOW - 99 * HOUR)], ["ledger-time-invalid"]),
]


@pytest.mark.parametrize(("entries", "found"), [case[1:] for case in BROKEN], ids=[case[0] for case in BROKEN])
def test_removed_added_and_changed_entries_are_found(entries: list[Deployment], found: list[str]) -> None:
    assert ids(entries) == found


def test_time_does_not_go_back() -> None:
    first = INTACT[0]
    second = replace(INTACT[1], at=first.at - timedelta(seconds=1))
    assert ids([first, second]) == ["ledger-time-invalid"]
    assert ids([first, replace(second, at=first.at)]) == []


WHERE = "deployments/production/delay"
EXPLAINED: list[tuple[str, list[Deployment], str, str | None, str]] = [
    (
        "the first is missing",
        INTACT[1:],
        "2.json",
        None,
        "the first entry is 2; entries are numbered from 1 without gaps",
    ),
    (
        "one is missing",
        [INTACT[0], *INTACT[2:]],
        "3.json",
        None,
        "entry 1 is followed by 3; entries are numbered from 1 without gaps",
    ),
    (
        "the first names one",
        [replace(INTACT[0], previous=samples.sha(5))],
        "1.json",
        "previous",
        "it is the first entry, but names a previous one",
    ),
    (
        "one was changed",
        [replace(INTACT[0], message="well"), INTACT[1]],
        "2.json",
        "previous",
        "`previous` is not the digest of entry 1",
    ),
    (
        "time went back",
        [INTACT[0], replace(INTACT[1], at=samples.NOW)],
        "2.json",
        "at",
        "it is dated 2026-03-04 12:30:00 UTC; entry 1 is dated 2026-03-04 13:30:00 UTC",
    ),
    (
        "before its promotion was made",
        [replace(INTACT[0], at=samples.NOW - 3 * HOUR)],
        "1.json",
        "at",
        "it is dated 2026-03-04 09:30:00 UTC; its promotion was proposed at 2026-03-04 10:36:06 UTC",
    ),
]


@pytest.mark.parametrize(
    ("entries", "file", "path", "why"), [case[1:] for case in EXPLAINED], ids=[case[0] for case in EXPLAINED]
)
def test_findings_name_the_place_and_the_cause(
    entries: list[Deployment], file: str, path: str | None, why: str
) -> None:
    (finding,) = check_entries(entries)
    assert (finding.at, finding.why) == (Location(f"{WHERE}/{file}", path=path), why)
    assert "production/delay" in finding.message


def test_two_clocks_may_differ_by_five_minutes() -> None:
    made = proposed_at(samples.ULID)
    assert ids([replace(INTACT[0], at=made - timedelta(minutes=5))]) == []
    assert ids([replace(INTACT[0], at=made - timedelta(minutes=5, microseconds=1))]) == ["ledger-time-invalid"]


@given(st.data())
def test_no_entry_can_be_changed_or_taken_out_of_the_middle(data: st.DataObject) -> None:
    """Every entry but the newest is bound by the digest in the next one; the newest by references from the base branch."""
    entries = deployment_log(5)
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


def test_each_applied_promotion_has_a_decision_record() -> None:
    entries = deployment_log(2)
    assert [one.id for one in check_entries(entries, [samples.ULID])] == []
    (finding,) = check_entries(entries, [samples.OLDER_ULID])
    assert finding.id == "decision-missing"
    assert finding.at is not None
    assert finding.at.file == f"decisions/{samples.ULID}.json"
    assert list(check_entries(deployment_log(1, status="blocked"), [])) == []


def decision_record(**changes: Any) -> DecisionRecord:
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
    ("ledger", "records", "found"),
    [
        (None, [], []),
        (COMMIT, [*INTACT, decision_record()], []),
        (OTHER, [], ["ledger-rewritten"]),
        (COMMIT, [replace(INTACT[0], commit=OTHER)], ["base-commit-missing"]),
        (COMMIT, [decision_record(commit=OTHER)], ["base-commit-missing"]),
        (OTHER, [decision_record(commit=OTHER)], ["ledger-rewritten", "base-commit-missing"]),
    ],
)
def test_each_branch_has_the_commits_that_the_other_names(ledger: str | None, records: Any, found: list[str]) -> None:
    manifests = [samples.promotion(ledger=ledger)]
    findings = check_cross_references(manifests, records, on_ledger=COMMIT.__eq__, on_base=COMMIT.__eq__)
    assert [one.id for one in findings] == found
    assert all(one.at is not None for one in findings)


def test_a_missing_commit_is_reported_at_the_record_that_names_it() -> None:
    records = [replace(INTACT[1], commit=OTHER), decision_record(commit=OTHER)]
    findings = check_cross_references([], records, on_ledger=COMMIT.__eq__, on_base=COMMIT.__eq__)
    assert [one.at for one in findings] == [
        Location(f"{WHERE}/2.json", path="commit"),
        Location(f"decisions/{samples.ULID}.json", path="commit"),
    ]


def test_a_promotion_that_names_no_ledger_commit_keeps_its_digest() -> None:
    assert (
        digest(samples.promotion())
        == digest(samples.promotion(ledger=None))
        != digest(samples.promotion(ledger=COMMIT))
    )
