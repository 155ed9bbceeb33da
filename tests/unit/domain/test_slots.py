"""The slots of a manifest: which version is promoted, and which versions may run together."""

from typing import Any

import pytest

from mlgit.domain import slots
from mlgit.domain.codec import digest
from mlgit.domain.merge_rules import standing_approvals
from mlgit.domain.merge_rules.slots import check_slot_changes, check_slot_layout
from mlgit.domain.promotion_context import PromotionContext
from mlgit.domain.records import Promotion
from mlgit.domain.records.promotion import PromotionRef, Ramp, SlotAssignments
from mlgit.errors import Location
from tests import samples
from tests.samples import NOW
from tests.unit.domain.test_merge_rules_promotion import context
from tests.unit.domain.test_soak import entry

ONE, TWO, THREE = (samples.version(number) for number in (1, 2, 3))
VERSIONS = {1: ONE, 2: TWO, 3: THREE}
FILE = "environments/production/delay.yaml"
PLAN = Ramp(steps=[10, 100], interval="1h")


def these(
    champion: int | None, challenger: int | None = None, shadow: int | None = None, share: int = 10
) -> SlotAssignments:
    """Return slots by the labels of their versions."""
    answered = 100 - (share if challenger else 0)
    return SlotAssignments(
        champion=samples.slot(VERSIONS[champion], traffic=answered) if champion else None,
        challenger=samples.slot(VERSIONS[challenger], traffic=share) if challenger else None,
        shadow=samples.slot(VERSIONS[shadow]) if shadow else None,
    )


BEFORE_AND_AFTER: list[tuple[str, SlotAssignments | None, SlotAssignments, list[str], int | None]] = [
    ("the first version", None, these(1), ["champion"], 1),
    ("another champion", these(1), these(2), ["champion"], 2),
    ("the same once more", these(1), these(1), [], 1),
    ("a challenger", these(1), these(1, 2), ["challenger"], 2),
    ("another share", these(1, 2), these(1, 2, share=20), ["challenger"], 2),
    ("another challenger", these(1, 2), these(1, 3), ["challenger"], 3),
    ("a shadow", these(1, 2), these(1, 2, 3), ["shadow"], 3),
    ("a shadow that becomes challenger", these(1, None, 2), these(1, 2), ["challenger"], 2),
    ("a challenger that becomes champion", these(1, 2), these(2), ["champion"], 2),
    ("a champion beside whom another stays", these(1, 3), these(2, 3), ["champion"], 2),
    ("a slot that is cleared", these(1, 2), these(1), [], None),
    ("one of two that are cleared", these(1, 2, 3), these(1, None, 3), [], None),
    ("a champion that comes as the challenger leaves", these(1, 3), these(2), ["champion"], 2),
    ("two at once", these(1), these(2, 3), ["champion", "challenger"], 2),
]


@pytest.mark.parametrize(("before", "after", "entering", "promoted"), [one[1:] for one in BEFORE_AND_AFTER])
def test_the_promoted_version_is_the_one_that_enters_a_slot(
    before: SlotAssignments | None, after: SlotAssignments, entering: list[str], promoted: int | None
) -> None:
    assert slots.entering(after, before) == entering
    was = None if before is None else samples.promotion(slots=before)
    found = slots.promoted_slot(samples.promotion(slots=after), was)
    assert (None if found is None else found.version) == promoted


def test_a_rollback_promotes_the_champion_and_a_retirement_nothing() -> None:
    back = samples.promotion(change="rollback", slots=these(1, 2))
    assert slots.promoted_slot(back, samples.promotion(slots=these(1))) == back.slots.champion
    end = samples.promotion(change="retire", slots=these(None))
    assert slots.promoted_slot(end, samples.promotion(slots=these(1))) is None


ASSIGNED: list[tuple[str, SlotAssignments | None, int, dict[str, Any], SlotAssignments]] = [
    ("the first champion", None, 1, {}, these(1)),
    ("a challenger", these(1), 2, {"name": "challenger", "traffic": 10}, these(1, 2)),
    ("another one in its place", these(1, 2), 3, {"name": "challenger", "traffic": 30}, these(1, 3, share=30)),
    ("a shadow beside it", these(1, 2), 3, {"name": "shadow"}, these(1, 2, 3)),
    ("from slot to slot", these(1, None, 2), 2, {"name": "challenger", "traffic": 10}, these(1, 2)),
    ("to champion", these(1, 2, 3), 2, {}, these(2, None, 3)),
    ("past the challenger", these(1, 2), 3, {}, these(3, 2)),
    ("with a slot cleared", these(1, 2, 3), 3, {"clear": frozenset({"challenger"})}, these(3)),
    ("nothing but cleared", these(1, 2), 1, {"clear": frozenset({"challenger"})}, these(1)),
    ("nothing there to clear", these(1), 1, {"clear": frozenset({"shadow"})}, these(1)),
    ("what runs already", these(1, 2), 1, {}, these(1, 2)),
]


@pytest.mark.parametrize(
    ("before", "number", "settings", "after"), [one[1:] for one in ASSIGNED], ids=[one[0] for one in ASSIGNED]
)
def test_a_version_is_assigned_to_one_slot_and_removed_from_others(
    before: SlotAssignments | None, number: int, settings: dict[str, Any], after: SlotAssignments
) -> None:
    found = slots.assign(before, VERSIONS[number], **settings)
    assert found == after
    assert [one.id for one in check_slot_layout(samples.promotion(slots=found))] == []


def test_leaving_versions_are_in_no_slot_afterwards() -> None:
    assert [slot.version for slot in slots.leaving(these(1), these(2, 1, 3))] == [2, 3]
    assert slots.leaving(these(1, 2), these(1, None, 2)) == []


def test_versions_beside_the_champion_are_described() -> None:
    beside = slots.versions_beside(samples.promotion(slots=these(1, 2, 3)))
    assert [str(one) for one in beside] == ["challenger delay@2 with 10%", "shadow delay@3"]
    assert slots.versions_beside(None) == []


@pytest.mark.parametrize(
    ("found", "ids"),
    [
        (these(1, 2, 3), []),
        (these(1, 1), ["slot-version-duplicate"]),
        (these(1, 2, 2), ["slot-version-duplicate"]),
        (these(1, 2, share=1), []),
        (these(1, 2, share=99), []),
        (these(1, 2, share=100), ["slot-traffic-invalid"]),
        (these(1, 2, share=0), ["slot-traffic-invalid"]),
        (SlotAssignments(champion=samples.slot(ONE), shadow=samples.slot(TWO, traffic=10)), ["slot-traffic-invalid"]),
        (these(None, None, 2), ["slot-without-champion"]),
        (these(None), []),
    ],
)
def test_slots_that_cannot_run_at_once_are_found(found: SlotAssignments, ids: list[str]) -> None:
    assert [one.id for one in check_slot_layout(samples.promotion(slots=found))] == ids


def test_findings_name_the_slot() -> None:
    (twice,) = check_slot_layout(samples.promotion(slots=these(1, 2, 2)))
    assert twice.message == "delay@2 is both challenger and shadow"
    assert twice.at == Location(FILE, path="slots.shadow")
    (alone,) = check_slot_layout(samples.promotion(slots=these(None, None, 2)))
    assert alone.message == "delay has no champion in production"
    assert alone.at == Location(FILE, path="slots")


def after(before: Promotion, slots: SlotAssignments, **changes: Any) -> PromotionContext:
    manifest = samples.promotion(
        slots=slots,
        promotion=samples.OLDER_ULID,
        replaces=PromotionRef(promotion=before.promotion, digest=digest(before)),
        **{one: changes.pop(one) for one in ("change", "ramp") if one in changes},
    )
    return context(manifest=manifest, previous=before, **changes)


@pytest.mark.parametrize(
    ("slots", "changes", "ids"),
    [
        (these(1, 2), {}, []),
        (these(1, 2, 3), {}, ["slot-changes-too-many"]),
        (these(2, 3), {}, ["slot-changes-too-many"]),
        (these(2, 3), {"change": "rollback"}, []),
        (these(1, 1), {}, ["slot-version-duplicate"]),
    ],
)
def test_only_one_slot_changes_at_a_time(slots: SlotAssignments, changes: dict[str, Any], ids: list[str]) -> None:
    assert [
        one.id for one in check_slot_changes(after(samples.promotion(slots=these(1)), slots, **changes), NOW)
    ] == ids


@pytest.mark.parametrize(
    ("slots", "changes", "share", "ids"),
    [
        (these(2, None, 3), {}, 10, ["ramp-unfinished"]),
        (these(2, None, 3), {}, None, []),
        (these(2), {}, 10, []),
        (these(3), {}, 10, []),
        (these(2, None, 3), {"change": "rollback"}, 10, []),
    ],
    ids=["cut off", "over", "nothing else", "another champion", "a way back"],
)
def test_a_ramp_is_not_ended_by_a_change_beside_it(
    slots: SlotAssignments, changes: dict[str, Any], share: int | None, ids: list[str]
) -> None:
    ramped = samples.promotion(slots=these(2), ramp=PLAN)
    seen = {"production": [entry(-99, of=TWO, traffic=share)]}
    assert [one.id for one in check_slot_changes(after(ramped, slots, deployments=seen, **changes), NOW)] == ids


def test_a_ramp_without_entries_is_not_finished() -> None:
    ramped = samples.promotion(slots=these(2), ramp=PLAN)
    (found,) = check_slot_changes(after(ramped, these(2, None, 3), deployments={}), NOW)
    assert (found.id, found.at) == ("ramp-unfinished", Location(FILE, path="slots"))
    assert found.message == "delay@2 has not been observed with all of the requests in production"
    nothing = samples.promotion(slots=these(None), ramp=PLAN)
    assert list(check_slot_changes(after(nothing, these(2)), NOW)) == []


def test_a_standing_approval_does_not_cover_clearing_or_what_was_rolled_back() -> None:
    cleared = samples.promotion(slots=these(1))
    fit: dict[str, Any] = {"environment": samples.environment(auto_promote=True), "champion": ONE, "report": None}
    (finding,) = standing_approvals.check_eligible(cleared, version=None, history=[], **fit)
    assert finding.why == "it promotes no version"
    past = [samples.promotion(slots=these(1, 2)), samples.promotion(slots=these(1), change="rollback")]
    assert standing_approvals.was_rolled_back(TWO.digest, past)
    assert not standing_approvals.was_rolled_back(THREE.digest, past)
