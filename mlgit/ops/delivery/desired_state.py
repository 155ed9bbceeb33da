"""What a target is to run at a moment: the champion, what stands beside it and, while a version takes over, that version."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from mlgit.domain import layout
from mlgit.domain.codec import version_digest
from mlgit.domain.merge_rules.ramp import RampStep, ramp_step
from mlgit.domain.names import VersionRef
from mlgit.domain.records import Deployment, Promotion, Version
from mlgit.domain.records.ledger import ObservedVersion, OtherSlots
from mlgit.domain.records.promotion import SlotAssignment, VersionPin
from mlgit.domain.slots import FULL_TRAFFIC, BesideName, slots_beside, traffic_share
from mlgit.errors import Location, refused
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.ports.target import Observed


class TrafficShare(msgspec.Struct, frozen=True):
    """A version beside the champion, and the per cent of requests that it answers."""

    slot: BesideName
    version: Version
    traffic: int


class DesiredState(msgspec.Struct, frozen=True):
    """What is to run, and where in its ramp the promoted version is; `step` is None without a ramp."""

    promoted: Version
    champion: Version
    beside: tuple[TrafficShare, ...] = ()
    step: RampStep | None = None

    @property
    def traffic(self) -> int | None:
        """Per cent of the requests that the promoted version is to answer; None for all of them."""
        return next((share.traffic for share in self.beside if share.version is self.promoted), None)

    @property
    def answered(self) -> int:
        """Per cent of the requests that the promoted version is to answer."""
        return self.traffic or FULL_TRAFFIC - sum(share.traffic for share in self.beside)

    @property
    def standing(self) -> OtherSlots | None:
        """What is to run beside the champion for good, as the ledger has it: all but a version that takes over."""
        found = {
            share.slot: ObservedVersion(
                version=share.version.version,
                digest=share.version.digest,
                artifact=share.version.artifact.sha256,
                traffic=share.traffic,
            )
            for share in self.beside
            if share.version is not self.promoted
        }
        return OtherSlots(challenger=found.get("challenger"), shadow=found.get("shadow")) if found else None

    def is_run_by(self, observed: Observed) -> bool:
        """Tell whether a target runs just this, every file as it was given."""
        beside = {
            share.slot: (share.version.digest, share.version.artifact.sha256, share.traffic) for share in self.beside
        }
        champion = (self.champion.digest, self.champion.artifact.sha256)
        return (observed.digest, observed.artifact) == champion and observed.beside == beside and not observed.altered


def desired_state(
    base: Lifecycle, manifest: Promotion, version: Version, entries: Sequence[Deployment], at: datetime
) -> DesiredState:
    """Return what an environment is to run at a moment.

    Args:
        base: the state of the base branch.
        manifest: what was promoted.
        version: the version that it names as champion.
        entries: what the ledger has of the model there, oldest first; only asked for where there is a ramp.
        at: the moment.

    Raises:
        MlgitError: the record of a version is not that of the digest by which the manifest names it (`slot-digest-mismatch`).
    """
    if manifest.slots.champion is not None:
        version = _pinned(base, manifest, "slots.champion", manifest.slots.champion)
    if manifest.ramp is None:
        return DesiredState(version, version, _standing(base, manifest))
    return desired_at_step(base, manifest, version, ramp_step(manifest.ramp, entries, manifest.promotion, at))


def desired_at_step(base: Lifecycle, manifest: Promotion, version: Version, now: RampStep) -> DesiredState:
    """Return what an environment is to run at a step of a ramp; see `wanted`."""
    standing = _standing(base, manifest)
    before = manifest.baseline
    if now.traffic == FULL_TRAFFIC or before is None:
        return DesiredState(version, version, standing, step=now)
    champion = _pinned(base, manifest, "baseline", before)
    return DesiredState(version, champion, (TrafficShare("challenger", version, now.traffic), *standing), now)


def _standing(base: Lifecycle, manifest: Promotion) -> tuple[TrafficShare, ...]:
    return tuple(
        TrafficShare(name, _pinned(base, manifest, f"slots.{name}", slot), traffic_share(name, slot))
        for name, slot in slots_beside(manifest.slots).items()
    )


def _pinned(base: Lifecycle, manifest: Promotion, path: str, pin: SlotAssignment | VersionPin) -> Version:
    """Return the version that a manifest names at a path, whose record is the one that was named."""
    at = Location(layout.promotion(manifest.environment, manifest.model), path=path)
    version = base.version(VersionRef(manifest.model, pin.version), at=at)
    # Computed, not taken from the record: one that was changed since is another version.
    actual = version_digest(version)
    if actual != pin.digest:
        raise refused(
            "slot-digest-mismatch",
            f"{path} names {manifest.model}@{pin.version} by a digest that it does not have",
            why=f"the record has {actual[:19]}, the manifest {pin.digest[:19]}",
            fix="do not edit digests by hand: `mlgit promote` writes them",
            at=at,
        )
    return version
