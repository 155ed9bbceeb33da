"""What a manifest puts where: the champion that answers, a challenger that answers a share, a shadow that never answers."""

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
"""Per cent."""


class VersionBeside(msgspec.Struct, frozen=True, kw_only=True):
    """A version beside the champion, and the per cent of the requests that it answers; 0 for a shadow."""

    slot: BesideName
    version: str
    traffic: int

    def __str__(self) -> str:
        """Return it in words: `challenger churn@8 with 10%`, `shadow churn@9`."""
        return f"{self.slot} {self.version}" + (f" with {self.traffic}%" if self.traffic else "")


def filled(slots: SlotAssignments) -> dict[SlotName, SlotAssignment]:
    """Return the slots that have a version, the champion first."""
    return {name: slot for name in SLOT_NAMES if (slot := getattr(slots, name)) is not None}


def slots_beside(slots: SlotAssignments) -> dict[BesideName, SlotAssignment]:
    """Return the slots beside the champion that have a version."""
    return {name: slot for name in BESIDE_NAMES if (slot := getattr(slots, name)) is not None}


def traffic_share(name: SlotName, slot: SlotAssignment) -> int:
    """Return the per cent of the requests that the version of a slot answers; a shadow none, whatever it is asked."""
    return 0 if name == "shadow" else slot.traffic


def versions_beside(manifest: Promotion | None) -> list[VersionBeside]:
    """Return what a manifest wants beside the champion; nothing where there is none."""
    return [] if manifest is None else versions_beside_in(manifest.model, manifest.slots)


def versions_beside_in(model: str, slots: SlotAssignments) -> list[VersionBeside]:
    """Return what slots of a model have beside the champion."""
    return [
        VersionBeside(slot=name, version=str(VersionRef(model, slot.version)), traffic=traffic_share(name, slot))
        for name, slot in slots_beside(slots).items()
    ]


def versions_observed_beside(entry: Deployment | None) -> list[VersionBeside]:
    """Return what an entry of the ledger saw beside the champion for good."""
    if entry is None:
        return []
    return [
        VersionBeside(slot=name, version=str(VersionRef(entry.model, one.version)), traffic=one.traffic)
        for name, one in observed_beside(entry).items()
    ]


def observed_beside(entry: Deployment) -> dict[BesideName, ObservedVersion]:
    """Return what an entry of the ledger saw beside the champion for good, by slot."""
    if entry.beside is None:
        return {}
    return {name: one for name in BESIDE_NAMES if (one := getattr(entry.beside, name)) is not None}


def entering(slots: SlotAssignments, before: SlotAssignments | None) -> list[SlotName]:
    """Return the slots that a version comes to, the champion first: as another one than was there, or with another share.

    The champion's share follows from the challenger's, so a champion that stays does not enter with another one.
    """
    found: list[SlotName] = []
    for name, slot in filled(slots).items():
        there: SlotAssignment | None = None if before is None else getattr(before, name)
        same = there is not None and there.digest == slot.digest
        if not same or (name == "challenger" and there is not None and there.traffic != slot.traffic):
            found.append(name)
    return found


def promoted_slot(manifest: Promotion, before: Promotion | None) -> SlotAssignment | None:
    """Return the slot whose version a manifest promotes: the one that gates judge, and that people agree to.

    It is the one that a version comes to. Of a rollback it is the champion, as it is where nothing changes. It is None where
    versions only leave: a model that retires, or a slot that is cleared.

    Args:
        manifest: the manifest.
        before: the one that it takes the place of.
    """
    champion = manifest.slots.champion
    if champion is None or manifest.change == "rollback":
        return champion
    was = None if before is None else before.slots
    found = entering(manifest.slots, was)
    if found:
        return filled(manifest.slots)[found[0]]
    return champion if was is None or slots_beside(was).keys() == slots_beside(manifest.slots).keys() else None


def assign(
    before: SlotAssignments | None,
    version: Version,
    name: SlotName = "champion",
    *,
    traffic: int | None = None,
    clear: frozenset[BesideName] = frozenset(),
) -> SlotAssignments:
    """Return the slots with a version in one of them, which leaves any other that it had; the rest stays as it is.

    Args:
        before: what there is; None where nothing is to run yet.
        version: the version.
        name: the slot that it comes to. As champion it takes the place of the one that is there.
        traffic: per cent of the requests that it is to answer as challenger, 1 to 99.
        clear: the slots to take away.
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
    """Return what had a version before that is in no slot any longer, the champion first."""
    stay = {slot.digest for slot in filled(slots).values()}
    return [slot for slot in filled(before).values() if slot.digest not in stay]
