"""Rules for rollbacks: gates are not evaluated, so only what the ledger has verified in the environment before is allowed."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from types import MappingProxyType

from mlgit.domain import layout
from mlgit.domain.names import Digest
from mlgit.domain.promotion_context import PromotionContext
from mlgit.domain.records.governance import Hold
from mlgit.domain.records.ledger import Deployment
from mlgit.domain.records.promotion import Promotion, SlotAssignment
from mlgit.domain.records.version import Version
from mlgit.domain.slots import BesideName, observed_beside, slots_beside, traffic_share
from mlgit.errors import Finding, Location


def check_rollback(context: PromotionContext, at: datetime) -> Iterator[Finding]:
    """Check that the champion of a rollback was verified in this environment before, beside the same versions."""
    manifest, champion = context.manifest, context.manifest.slots.champion
    if manifest.change != "rollback" or champion is None:
        return
    entries = context.deployments.get(manifest.environment, ())
    key = (manifest.environment, manifest.model, champion.digest)
    beside = slots_beside(manifest.slots)
    # If the champion was verified alone, the versions beside it are the problem, and each is reported.
    is_champion_verified = last_verified(entries, *key, at) is not None
    for slot in [*beside.values()] if is_champion_verified else [champion]:
        if last_verified(entries, *key, at, beside=beside) is None:
            where = f" beside {manifest.model}@{champion.version}" if is_champion_verified else ""
            yield Finding(
                "rollback-version-unverified",
                f"{manifest.model}@{slot.version} was never verified{where} in {manifest.environment}",
                why="a rollback skips the gates, so it is limited to what the ledger has as `verified` there",
                fix=f"run `mlgit promote {manifest.model}@{slot.version} --to {manifest.environment}`, which evaluates the gates",
                at=Location(layout.promotion(manifest.environment, manifest.model), path="change"),
            )


def last_verified(
    deployments: Iterable[Deployment],
    environment: str,
    model: str,
    digest: Digest,
    at: datetime,
    *,
    beside: Mapping[BesideName, SlotAssignment] = MappingProxyType({}),
) -> Deployment | None:
    """Return the last entry up to a time that verified a version as champion; None if there is none.

    Entries of a ramp do not count: the version did not answer all of the requests.

    Args:
        deployments: entries of the deployment log, oldest first.
        environment: the environment.
        model: the model.
        digest: the version.
        at: the time.
        beside: slots beside the champion that have to be in the entry, with the same share of the requests.
    """
    key = (environment, model, digest, "verified")
    matching = [
        entry
        for entry in deployments
        if (entry.environment, entry.model, entry.digest, entry.status) == key
        and entry.traffic is None
        and entry.at <= at
        and all(_has_slot(entry, name, slot) for name, slot in beside.items())
    ]
    return matching[-1] if matching else None


def _has_slot(entry: Deployment, name: BesideName, slot: SlotAssignment) -> bool:
    observed = observed_beside(entry).get(name)
    return observed is not None and (observed.digest, observed.traffic) == (slot.digest, traffic_share(name, slot))


def is_rollback_hold(hold: Hold, manifest: Promotion, replaced: Version) -> bool:
    """Return whether a hold is the one that a rollback adds: on the version that it replaces, in this environment, without end.

    Args:
        hold: the hold.
        manifest: the manifest of the rollback.
        replaced: the version that it replaces.
    """
    stated = (hold.scope, hold.environment, hold.model, hold.version, hold.digest, hold.until)
    expected = ("version", manifest.environment, replaced.model, replaced.version, replaced.digest, None)
    return manifest.change == "rollback" and stated == expected
