"""What runs beside the champion: one version comes in at a time, and no version is in two places."""

from collections.abc import Iterator
from datetime import datetime

from mlgit.domain import layout
from mlgit.domain.merge_rules.soak import healthy_period
from mlgit.domain.names import VersionRef
from mlgit.domain.promotion_context import PromotionContext
from mlgit.domain.records.promotion import Promotion
from mlgit.domain.slots import FULL_TRAFFIC, entering, filled, slots_beside
from mlgit.errors import Finding, Location

_HAND = "do not edit manifests by hand: `mlgit promote` writes them"


def check_slot_changes(case: PromotionContext, at: datetime) -> Iterator[Finding]:
    """The slots are what can run at once; one version comes in, which the gates judged; no ramp is cut off on the way."""
    manifest, before = case.manifest, case.before
    yield from check_slot_layout(manifest)
    entered = entering(manifest.slots, None if before is None else before.slots)
    if manifest.change == "promote" and len(entered) > 1:
        yield Finding(
            "slot-changes-too-many",
            f"{len(entered)} slots of {manifest.model} in {manifest.environment} change at once: {', '.join(entered)}",
            why="the gates judge one version against the champion, and so let in one",
            fix="promote them one after the other",
            at=_at(manifest, "slots"),
        )
    yield from _check_ramp_goes_on(case, at)


def check_slot_layout(manifest: Promotion) -> Iterator[Finding]:
    """No version is in two slots, nothing runs beside no champion, and a challenger answers some of the requests."""
    slots = filled(manifest.slots)
    digests = [slot.digest for slot in slots.values()]
    for index, (name, slot) in enumerate(slots.items()):
        if slot.digest in digests[:index]:
            ref = VersionRef(manifest.model, slot.version)
            first = list(slots)[digests.index(slot.digest)]
            yield Finding(
                "slot-version-duplicate",
                f"{ref} is to be {name} and {first} at once",
                why="what is seen of a version would be of either",
                fix="leave it in one slot",
                at=_at(manifest, f"slots.{name}"),
            )
    if slots and "champion" not in slots:
        yield no_champion_finding(manifest.environment, manifest.model)
    challenger, shadow = manifest.slots.challenger, manifest.slots.shadow
    if challenger is not None and not 0 < challenger.traffic < FULL_TRAFFIC:
        yield Finding(
            "slot-traffic-invalid",
            f"the challenger is to answer {challenger.traffic} per cent of the requests",
            why="a challenger answers some of them, and the champion the others",
            fix="give it from 1 to 99; a version that is not to answer is a shadow",
            at=_at(manifest, "slots.challenger.traffic"),
        )
    if shadow is not None and shadow.traffic != FULL_TRAFFIC:
        yield Finding(
            "slot-traffic-invalid",
            f"the shadow is to be asked for {shadow.traffic} per cent of the requests",
            why="a shadow is asked for all of them and answers none, so it has no share",
            fix="take `traffic` out of the shadow's slot",
            at=_at(manifest, "slots.shadow.traffic"),
        )


def no_champion_finding(environment: str, model: str) -> Finding:
    """Return the finding of a version that is to run beside a champion that there is not."""
    return Finding(
        "slot-without-champion",
        f"{model} has no champion in {environment} to run beside",
        why="a challenger shares its requests, and a shadow hears them",
        fix=f"promote a version as champion first: `mlgit promote {model}@N --to {environment}`",
        at=Location(layout.promotion(environment, model), path="slots"),
    )


def _check_ramp_goes_on(case: PromotionContext, at: datetime) -> Iterator[Finding]:
    """What changes beside a champion that is taking over step by step would end its ramp, at all of the requests."""
    manifest, before = case.manifest, case.before
    champion = manifest.slots.champion
    if before is None or before.ramp is None or champion is None or manifest.change != "promote":
        return
    stays = before.slots.champion is not None and before.slots.champion.digest == champion.digest
    seen = case.deployments.get(manifest.environment, ())
    if (
        stays
        and slots_beside(manifest.slots) != slots_beside(before.slots)
        and healthy_period(seen, champion.digest, at) is None
    ):
        ref = VersionRef(manifest.model, champion.version)
        yield Finding(
            "ramp-unfinished",
            f"{ref} was not seen to answer all of the requests in {manifest.environment}",
            why="it takes over step by step, and a new manifest would give it the rest at once",
            fix=f"wait until {ref} has taken over; `mlgit apply` shows where it is",
            at=_at(manifest, "slots"),
        )


def _at(manifest: Promotion, path: str) -> Location:
    return Location(layout.promotion(manifest.environment, manifest.model), path=path)
