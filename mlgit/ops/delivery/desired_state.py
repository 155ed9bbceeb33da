"""The desired state of a target at a time: the champion, the versions beside it and, on a ramp, the version that takes over."""

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
    """The versions that a target is to run.

    `promoted` is the version that becomes champion; on a ramp it runs beside `champion` until the last step. `step` is the step
    of the ramp, None without one.
    """

    promoted: Version
    champion: Version
    beside: tuple[TrafficShare, ...] = ()
    step: RampStep | None = None

    @property
    def traffic(self) -> int | None:
        """Per cent of the requests that the promoted version is to answer on a ramp; None where it is the champion."""
        return next((share.traffic for share in self.beside if share.version is self.promoted), None)

    @property
    def answered(self) -> int:
        """Per cent of the requests that the promoted version is to answer."""
        return self.traffic or FULL_TRAFFIC - sum(share.traffic for share in self.beside)

    @property
    def other_slots(self) -> OtherSlots | None:
        """The slots beside the champion, as the ledger records them; a version that takes over on a ramp is in none of them."""
        versions = {
            share.slot: ObservedVersion(
                version=share.version.version,
                digest=share.version.digest,
                artifact=share.version.artifact.sha256,
                traffic=share.traffic,
            )
            for share in self.beside
            if share.version is not self.promoted
        }
        if not versions:
            return None
        return OtherSlots(challenger=versions.get("challenger"), shadow=versions.get("shadow"))

    def matches(self, observed: Observed) -> bool:
        """Tell whether a target runs exactly this, with every file unaltered."""
        beside = {
            share.slot: (share.version.digest, share.version.artifact.sha256, share.traffic) for share in self.beside
        }
        champion = (self.champion.digest, self.champion.artifact.sha256)
        return (observed.digest, observed.artifact) == champion and observed.beside == beside and not observed.altered

    def describe_difference(self, observed: Observed) -> str:
        """Return what a target runs that does not match, and what it should run."""
        champion = f"{self.champion.model}@{self.champion.version}"
        if observed.digest == self.champion.digest and observed.altered:
            return f"files of {champion} were altered: {', '.join(observed.altered)}"
        runs = "no version" if observed.digest is None else f"the version of digest {observed.digest[7:19]}"
        runs += "".join(f", beside it a {slot} with {one[2]} per cent" for slot, one in observed.beside.items())
        desired = champion + "".join(
            f" and {share.slot} {share.version.model}@{share.version.version}" for share in self.beside
        )
        fault = observed.facts.get("fault")
        return f"it runs {runs} instead of {desired}" + (f": {fault}" if fault else "")


def desired_state(
    base: Lifecycle, manifest: Promotion, version: Version, entries: Sequence[Deployment], at: datetime
) -> DesiredState:
    """Return what an environment is to run at a time.

    Args:
        base: the state of the base branch.
        manifest: the manifest.
        version: the version that it names as champion.
        entries: the deployment log, oldest first; used only where there is a ramp.
        at: the time.

    Raises:
        MlgitError: the record of a version does not have the digest that the manifest names (`slot-digest-mismatch`).
    """
    if manifest.slots.champion is not None:
        version = _pinned(base, manifest, "slots.champion", manifest.slots.champion)
    if manifest.ramp is None:
        return DesiredState(version, version, _beside(base, manifest))
    return desired_at_step(base, manifest, version, ramp_step(manifest.ramp, entries, manifest.promotion, at))


def desired_at_step(base: Lifecycle, manifest: Promotion, version: Version, step: RampStep) -> DesiredState:
    """Return what an environment is to run at a step of a ramp; see `desired_state`."""
    beside, baseline = _beside(base, manifest), manifest.baseline
    if step.traffic == FULL_TRAFFIC or baseline is None:
        return DesiredState(version, version, beside, step=step)
    champion = _pinned(base, manifest, "baseline", baseline)
    return DesiredState(version, champion, (TrafficShare("challenger", version, step.traffic), *beside), step)


def _beside(base: Lifecycle, manifest: Promotion) -> tuple[TrafficShare, ...]:
    return tuple(
        TrafficShare(name, _pinned(base, manifest, f"slots.{name}", slot), traffic_share(name, slot))
        for name, slot in slots_beside(manifest.slots).items()
    )


def _pinned(base: Lifecycle, manifest: Promotion, path: str, pin: SlotAssignment | VersionPin) -> Version:
    """Return the version that a manifest names at a path, if its record has the digest there."""
    at = Location(layout.promotion(manifest.environment, manifest.model), path=path)
    version = base.version(VersionRef(manifest.model, pin.version), at=at)
    # Computed rather than read from the record, which may have been changed since.
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
