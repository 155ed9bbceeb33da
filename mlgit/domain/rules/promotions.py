"""Rules for manifests: they name existing versions and environments, and replace the current manifest."""

from collections.abc import Collection, Iterator, Mapping

from mlgit.domain import layout
from mlgit.domain.codec import digest
from mlgit.domain.names import Digest, VersionRef
from mlgit.domain.records.promotion import Promotion, SlotAssignment
from mlgit.domain.rules.configuration import unknown_finding
from mlgit.errors import Finding, Location


def check_environment_exists(manifest: Promotion, environments: Collection[str]) -> Iterator[Finding]:
    """Check that the environment of a manifest exists; otherwise no policy applies to it."""
    if manifest.environment not in environments:
        at = Location(layout.promotion(manifest.environment, manifest.model), path="environment")
        yield unknown_finding("environment-unknown", manifest.environment, at, environments)


def check_slots(manifest: Promotion, digests: Mapping[int, Digest | None]) -> Iterator[Finding]:
    """Check that each slot names an existing version by its digest, and that traffic and the kind of change are consistent.

    Args:
        manifest: the promotion.
        digests: digest of each version of the model, by number; None for one that cannot be read, which is reported elsewhere.
    """
    file = layout.promotion(manifest.environment, manifest.model)
    traffic = 0
    for name in ("champion", "challenger", "shadow"):
        slot: SlotAssignment | None = getattr(manifest.slots, name)
        if slot is None:
            continue
        traffic += slot.traffic if name != "shadow" else 0
        recorded = digests.get(slot.version)
        ref = VersionRef(manifest.model, slot.version)
        if recorded is None and slot.version not in digests:
            yield Finding(
                "version-unknown",
                f"{ref} does not exist",
                why=f"{manifest.model} has versions {', '.join(map(str, sorted(digests)[-6:])) or 'none'}",
                fix="name one of those",
                at=Location(file, path=f"slots.{name}.version"),
            )
        elif recorded is not None and recorded != slot.digest:
            yield Finding(
                "slot-digest-mismatch",
                f"{name} names {ref} with a digest that it does not have",
                why=f"the record has {recorded[:19]}, the manifest {slot.digest[:19]}",
                fix="do not edit digests by hand: `mlgit promote` writes them",
                at=Location(file, path=f"slots.{name}.digest"),
            )
    if manifest.slots.champion is not None and traffic != 100:  # noqa: PLR2004 - per cent
        yield Finding(
            "traffic-sum-invalid",
            f"the traffic of all slots adds up to {traffic} per cent",
            fix="make the traffic of champion and challenger add up to 100",
            at=Location(file, path="slots"),
        )
    if (manifest.change == "retire") != (manifest.slots.champion is None):
        named = "no champion" if manifest.slots.champion is None else "a champion"
        yield Finding(
            "change-kind-mismatch",
            f"the manifest has `change: {manifest.change}` and {named}",
            why="`retire` means exactly that no version remains, and approvals depend on the kind of change",
            fix="do not edit manifests by hand: `mlgit promote` writes them",
            at=Location(file, path="change"),
        )


def check_replaces(manifest: Promotion, before: Promotion | None) -> Iterator[Finding]:
    """Check that a new manifest replaces exactly the one on the base branch (compare-and-swap)."""
    file = layout.promotion(manifest.environment, manifest.model)
    expected = None if before is None else (before.promotion, digest(before))
    stated = None if manifest.replaces is None else (manifest.replaces.promotion, manifest.replaces.digest)
    if stated == expected:
        return
    current = "there is none" if before is None else f"the current one is {before.promotion}"
    planned = "none" if manifest.replaces is None else manifest.replaces.promotion
    yield Finding(
        "promotion-stale",
        f"{manifest.environment} changed since this promotion of {manifest.model} was proposed",
        why=f"it replaces {planned}, and on the base branch {current}",
        fix="run `mlgit promote` again to compare it with the current champion",
        at=Location(file, path="replaces"),
    )
