"""A manifest names what there is, and takes the place of the manifest that is there."""

from collections.abc import Collection, Iterator, Mapping

from mlgit.domain import layout
from mlgit.domain.codec import digest
from mlgit.domain.names import Digest, VersionRef
from mlgit.domain.records.promotion import Promotion, SlotAssignment
from mlgit.domain.rules.configuration import unknown_finding
from mlgit.errors import Finding, Location


def check_environment_exists(manifest: Promotion, environments: Collection[str]) -> Iterator[Finding]:
    """The environment of a manifest is one that is described: of another one nobody says what guards it."""
    if manifest.environment not in environments:
        at = Location(layout.promotion(manifest.environment, manifest.model), path="environment")
        yield unknown_finding("environment-unknown", manifest.environment, at, environments)


def check_slots(manifest: Promotion, digests: Mapping[int, Digest | None]) -> Iterator[Finding]:
    """Each slot names a version that is there, by the digest that it has; the shares of traffic and the change fit.

    Args:
        manifest: the promotion.
        digests: digest of each version of the model, by label; None for one that cannot be read, which is a finding of its own.
    """
    file = layout.promotion(manifest.environment, manifest.model)
    traffic = 0
    for name in ("champion", "challenger", "shadow"):
        slot: SlotAssignment | None = getattr(manifest.slots, name)
        if slot is None:
            continue
        traffic += slot.traffic if name != "shadow" else 0
        there = digests.get(slot.version)
        ref = VersionRef(manifest.model, slot.version)
        if there is None and slot.version not in digests:
            yield Finding(
                "version-unknown",
                f"{ref} does not exist",
                why=f"{manifest.model} has versions {', '.join(map(str, sorted(digests)[-6:])) or 'none'}",
                fix="name one of those",
                at=Location(file, path=f"slots.{name}.version"),
            )
        elif there is not None and there != slot.digest:
            yield Finding(
                "slot-digest-mismatch",
                f"{name} names {ref} by a digest that it does not have",
                why=f"the record has {there[:19]}, the manifest {slot.digest[:19]}",
                fix="do not edit digests by hand: `mlgit promote` writes them",
                at=Location(file, path=f"slots.{name}.digest"),
            )
    if manifest.slots.champion is not None and traffic != 100:  # noqa: PLR2004 - per cent
        yield Finding(
            "traffic-sum-invalid",
            f"the shares of traffic add up to {traffic} per cent",
            fix="champion and challenger together get 100",
            at=Location(file, path="slots"),
        )
    if (manifest.change == "retire") != (manifest.slots.champion is None):
        named = "no champion" if manifest.slots.champion is None else "a champion"
        yield Finding(
            "change-kind-mismatch",
            f"the manifest says {manifest.change}, and names {named}",
            why="who must agree goes by the kind of change; a model retires exactly when no version is left to answer",
            fix="do not edit manifests by hand: `mlgit promote` writes them",
            at=Location(file, path="change"),
        )


def check_replaces(manifest: Promotion, before: Promotion | None) -> Iterator[Finding]:
    """A new manifest takes the place of exactly the one that the base branch has (compare and swap)."""
    file = layout.promotion(manifest.environment, manifest.model)
    expected = None if before is None else (before.promotion, digest(before))
    stated = None if manifest.replaces is None else (manifest.replaces.promotion, manifest.replaces.digest)
    if stated == expected:
        return
    now = "there is none" if before is None else f"it is {before.promotion}"
    planned = "none" if manifest.replaces is None else manifest.replaces.promotion
    yield Finding(
        "promotion-stale",
        f"{manifest.environment} changed since this promotion of {manifest.model} was planned",
        why=f"it replaces {planned}, and on the base branch {now}",
        fix="run `mlgit promote` again to judge it against today's champion",
        at=Location(file, path="replaces"),
    )
