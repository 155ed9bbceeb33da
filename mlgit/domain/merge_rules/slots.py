"""Rules for slots: one of them changes at a time, and no version is in two of them."""

from collections.abc import Iterator
from datetime import datetime

from mlgit.domain import layout
from mlgit.domain.merge_rules.soak import healthy_period
from mlgit.domain.names import VersionRef
from mlgit.domain.promotion_context import PromotionContext
from mlgit.domain.records.promotion import Promotion
from mlgit.domain.slots import FULL_TRAFFIC, entering, filled, slots_beside
from mlgit.errors import Finding, Location


def check_slot_changes(context: PromotionContext, at: datetime) -> Iterator[Finding]:
    """Check that the slots can run at once, only the version that the gates evaluated is new, and no ramp is ended early."""
    manifest, previous = context.manifest, context.previous
    yield from check_slot_layout(manifest)
    changed = entering(manifest.slots, None if previous is None else previous.slots)
    if manifest.change == "promote" and len(changed) > 1:
        yield Finding(
            "slot-changes-too-many",
            f"{len(changed)} slots of {manifest.model} in {manifest.environment} change at once: {', '.join(changed)}",
            why="the gates compare one version with the champion, so only one version can be promoted at a time",
            fix="promote them one after the other",
            at=_at(manifest, "slots"),
        )
    yield from _check_ramp_not_ended(context, at)


def check_slot_layout(manifest: Promotion) -> Iterator[Finding]:
    """Check that no version is in two slots, other slots need a champion, and a challenger has a share of the requests."""
    slots = filled(manifest.slots)
    digests = [slot.digest for slot in slots.values()]
    for index, (name, slot) in enumerate(slots.items()):
        if slot.digest in digests[:index]:
            ref = VersionRef(manifest.model, slot.version)
            first = list(slots)[digests.index(slot.digest)]
            yield Finding(
                "slot-version-duplicate",
                f"{ref} is both {first} and {name}",
                why="observations of the version could not be assigned to one slot",
                fix="name it in one slot",
                at=_at(manifest, f"slots.{name}"),
            )
    if slots and "champion" not in slots:
        yield no_champion_finding(manifest.environment, manifest.model)
    challenger, shadow = manifest.slots.challenger, manifest.slots.shadow
    if challenger is not None and not 0 < challenger.traffic < FULL_TRAFFIC:
        yield Finding(
            "slot-traffic-invalid",
            f"the challenger has {challenger.traffic} per cent of the requests",
            why="a challenger answers some of the requests, and the champion the rest",
            fix="set `traffic` from 1 to 99; use a shadow for a version that answers none",
            at=_at(manifest, "slots.challenger.traffic"),
        )
    if shadow is not None and shadow.traffic != FULL_TRAFFIC:
        yield Finding(
            "slot-traffic-invalid",
            f"the shadow has {shadow.traffic} per cent of the requests",
            why="a shadow gets every request and answers none, so it has no share",
            fix="remove `traffic` from the shadow's slot",
            at=_at(manifest, "slots.shadow.traffic"),
        )


def no_champion_finding(environment: str, model: str) -> Finding:
    """Return the finding of a challenger or shadow without a champion."""
    return Finding(
        "slot-without-champion",
        f"{model} has no champion in {environment}",
        why="a challenger and a shadow get requests of the champion",
        fix=f"promote a version as champion first: `mlgit promote {model}@N --to {environment}`",
        at=Location(layout.promotion(environment, model), path="slots"),
    )


def _check_ramp_not_ended(context: PromotionContext, at: datetime) -> Iterator[Finding]:
    """Check that a change beside a champion on a ramp does not end the ramp, which would give it all of the requests."""
    manifest, previous = context.manifest, context.previous
    champion = manifest.slots.champion
    if previous is None or previous.ramp is None or champion is None or manifest.change != "promote":
        return
    champion_stays = previous.slots.champion is not None and previous.slots.champion.digest == champion.digest
    others_change = slots_beside(manifest.slots) != slots_beside(previous.slots)
    entries = context.deployments.get(manifest.environment, ())
    if champion_stays and others_change and healthy_period(entries, champion.digest, at) is None:
        ref = VersionRef(manifest.model, champion.version)
        yield Finding(
            "ramp-unfinished",
            f"{ref} has not been observed with all of the requests in {manifest.environment}",
            why="it is on a ramp, and a new manifest would give it all of the requests at once",
            fix="wait until the ramp is finished; `mlgit apply` shows its step",
            at=_at(manifest, "slots"),
        )


def _at(manifest: Promotion, path: str) -> Location:
    return Location(layout.promotion(manifest.environment, manifest.model), path=path)
