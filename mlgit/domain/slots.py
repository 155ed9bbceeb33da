"""The slots of a manifest: the champion, a challenger that answers a share of the requests, a shadow that answers none."""

from typing import Final, Literal

import msgspec
from msgspec.structs import replace

from mlgit.domain.names import VersionRef
from mlgit.domain.records.ledger import Deployment, ObservedVersion
from mlgit.domain.records.promotion import Promotion, SlotAssignment, SlotAssignments
from mlgit.domain.records.version import Version

SlotName = Literal["champion", "challenger", "shadow"]
BesideName = Literal["challenger", "shadow"]
BESIDE_NAMES: Final[tuple[BesideName, ...]] = ("challenger", "shadow")
SLOT_NAMES: Final[tuple[SlotName, ...]] = ("champion", *BESIDE_NAMES)
FULL_TRAFFIC: Final = 100
"""All of the requests, in per cent."""


class VersionBeside(msgspec.Struct, frozen=True, kw_only=True):
    """A version beside the champion, and its share of the requests in per cent; 0 for a shadow."""

    slot: BesideName
    version: str
    traffic: int

    def __str__(self) -> str:
        """Return `challenger churn@8 with 10%` or `shadow churn@9`."""
        return f"{self.slot} {self.version}" + (f" with {self.traffic}%" if self.traffic else "")


def filled(slots: SlotAssignments) -> dict[SlotName, SlotAssignment]:
    """Return the slots that have a version, the champion first."""
    return {name: slot for name in SLOT_NAMES if (slot := getattr(slots, name)) is not None}


def slots_beside(slots: SlotAssignments) -> dict[BesideName, SlotAssignment]:
    """Return the slots beside the champion that have a version."""
    return {name: slot for name in BESIDE_NAMES if (slot := getattr(slots, name)) is not None}


def traffic_share(name: SlotName, slot: SlotAssignment) -> int:
    """Return the share of the requests that the version in a slot answers, in per cent; 0 for a shadow."""
    return 0 if name == "shadow" else slot.traffic


def versions_beside(manifest: Promotion | None) -> list[VersionBeside]:
    """Return the versions that a manifest names beside the champion; none without a manifest."""
    return [] if manifest is None else versions_beside_in(manifest.model, manifest.slots)


def versions_beside_in(model: str, slots: SlotAssignments) -> list[VersionBeside]:
    """Return the versions in the slots of a model beside the champion."""
    return [
        VersionBeside(slot=name, version=str(VersionRef(model, slot.version)), traffic=traffic_share(name, slot))
        for name, slot in slots_beside(slots).items()
    ]


def versions_observed_beside(entry: Deployment | None) -> list[VersionBeside]:
    """Return the versions that were observed beside the champion, without one that is on a ramp to replace it."""
    if entry is None:
        return []
    return [
        VersionBeside(slot=name, version=str(VersionRef(entry.model, observed.version)), traffic=observed.traffic)
        for name, observed in observed_beside(entry).items()
    ]


def observed_beside(entry: Deployment) -> dict[BesideName, ObservedVersion]:
    """Return the versions that an entry of the deployment log has beside the champion, by slot."""
    if entry.beside is None:
        return {}
    return {name: observed for name in BESIDE_NAMES if (observed := getattr(entry.beside, name)) is not None}


def entering(slots: SlotAssignments, before: SlotAssignments | None) -> list[SlotName]:
    """Return the slots that get another version or another share of the requests, the champion first.

    A champion that stays is not one of them: its share follows from that of the challenger.
    """
    changed: list[SlotName] = []
    for name, slot in filled(slots).items():
        previous: SlotAssignment | None = None if before is None else getattr(before, name)
        is_same_version = previous is not None and previous.digest == slot.digest
        if not is_same_version or (name == "challenger" and previous is not None and previous.traffic != slot.traffic):
            changed.append(name)
    return changed


def promoted_slot(manifest: Promotion, before: Promotion | None) -> SlotAssignment | None:
    """Return the slot with the version that a manifest promotes, which the gates evaluate and people approve.

    It is the first slot that gets another version; the champion for a rollback, and if nothing changes. It is None if versions
    are only removed: a model that retires, or a slot that is cleared.

    Args:
        manifest: the manifest.
        before: the manifest that it replaces.
    """
    champion = manifest.slots.champion
    if champion is None or manifest.change == "rollback":
        return champion
    slots_before = None if before is None else before.slots
    changed = entering(manifest.slots, slots_before)
    if changed:
        return filled(manifest.slots)[changed[0]]
    is_unchanged = slots_before is None or slots_beside(slots_before).keys() == slots_beside(manifest.slots).keys()
    return champion if is_unchanged else None


def assign(
    before: SlotAssignments | None,
    version: Version,
    name: SlotName = "champion",
    *,
    traffic: int | None = None,
    clear: frozenset[BesideName] = frozenset(),
) -> SlotAssignments:
    """Return the slots with a version assigned to one of them, and removed from any other; the rest stays as it is.

    Args:
        before: the current slots; None if nothing runs yet.
        version: the version.
        name: the slot that it gets.
        traffic: the share of the requests that it answers as challenger, in per cent, 1 to 99.
        clear: the slots to clear.
    """
    kept = {} if before is None else {n: slot for n, slot in slots_beside(before).items() if n not in clear}
    kept = {n: slot for n, slot in kept.items() if slot.digest != version.digest}
    champion = None if before is None else before.champion
    slot = SlotAssignment(
        version=version.version, digest=version.digest, traffic=FULL_TRAFFIC if traffic is None else traffic
    )
    if name != "champion":
        kept[name] = slot
    elif champion is None or champion.digest != version.digest:
        champion = slot
    challenger, shadow = kept.get("challenger"), kept.get("shadow")
    if champion is not None:
        champion = replace(champion, traffic=FULL_TRAFFIC - (challenger.traffic if challenger is not None else 0))
    return SlotAssignments(champion=champion, challenger=challenger, shadow=shadow)


def leaving(slots: SlotAssignments, before: SlotAssignments) -> list[SlotAssignment]:
    """Return the slots before a change whose versions are in no slot after it, the champion first."""
    staying = {slot.digest for slot in filled(slots).values()}
    return [slot for slot in filled(before).values() if slot.digest not in staying]
