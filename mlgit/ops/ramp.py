"""What a target is to run at a moment: the champion alone or, while a version takes over, two that share the requests."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

import msgspec

from mlgit.domain import layout
from mlgit.domain.conditions.ramp import ALL, Step, step
from mlgit.domain.names import VersionRef
from mlgit.domain.records import Deployment, Promotion, Version
from mlgit.errors import Location, refused
from mlgit.ops.load import Lifecycle
from mlgit.ops.ports import Observed


class Share(msgspec.Struct, frozen=True):
    """A version beside the champion, and the per cent of requests that it answers."""

    slot: Literal["challenger", "shadow"]
    version: Version
    traffic: int


class Wanted(msgspec.Struct, frozen=True):
    """What is to run, and where in its ramp the promoted version is; `step` is None without a ramp."""

    promoted: Version
    champion: Version
    beside: tuple[Share, ...] = ()
    step: Step | None = None

    @property
    def traffic(self) -> int | None:
        """Per cent of the requests that the promoted version is to answer; None for all of them."""
        return next((share.traffic for share in self.beside if share.version is self.promoted), None)

    def is_run_by(self, observed: Observed) -> bool:
        """Tell whether a target runs just this, every file as it was given."""
        beside = {
            share.slot: (share.version.digest, share.version.artifact.sha256, share.traffic) for share in self.beside
        }
        champion = (self.champion.digest, self.champion.artifact.sha256)
        return (observed.digest, observed.artifact) == champion and observed.beside == beside and not observed.altered


def wanted(
    base: Lifecycle, manifest: Promotion, version: Version, entries: Sequence[Deployment], at: datetime
) -> Wanted:
    """Return what an environment is to run at a moment.

    Args:
        base: the state of the base branch.
        manifest: what was promoted.
        version: the version that it names as champion.
        entries: what the ledger has of the model there, oldest first; only asked for where there is a ramp.
        at: the moment.

    Raises:
        MlgitError: the version that shares the requests is not the one that the manifest names (`slot-differs`).
    """
    if manifest.ramp is None:
        return Wanted(version, version)
    return at_step(base, manifest, version, step(manifest.ramp, entries, manifest.promotion, at))


def at_step(base: Lifecycle, manifest: Promotion, version: Version, now: Step) -> Wanted:
    """Return what an environment is to run at a step of a ramp; see `wanted`."""
    before = manifest.baseline
    if now.traffic == ALL or before is None:
        return Wanted(version, version, step=now)
    at = Location(layout.promotion(manifest.environment, manifest.model), path="baseline")
    champion = base.version(VersionRef(manifest.model, before.version), at=at)
    if champion.digest != before.digest:
        raise refused(
            "slot-differs",
            f"baseline names {manifest.model}@{before.version} by a digest that it does not have",
            why=f"the record has {champion.digest[:19]}, the manifest {before.digest[:19]}",
            fix="do not edit digests by hand: `mlgit promote` writes them",
            at=at,
        )
    return Wanted(version, champion, (Share("challenger", version, now.traffic),), now)
