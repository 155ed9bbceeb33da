"""A way back leads to where the environment has been: it is not judged by gates, so nothing new comes in by it."""

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


def check_rollback(case: PromotionContext, at: datetime) -> Iterator[Finding]:
    """The champion of a rollback was seen to run well in just this environment, beside the same others, before the moment."""
    manifest, champion = case.manifest, case.manifest.slots.champion
    if manifest.change != "rollback" or champion is None:
        return
    entries = case.deployments.get(manifest.environment, ())
    key = (manifest.environment, manifest.model, champion.digest)
    beside = slots_beside(manifest.slots)
    alone = last_verified(entries, *key, at) is not None
    for slot in [*beside.values()] if alone else [champion]:
        if last_verified(entries, *key, at, beside=beside) is None:
            by = f" beside {manifest.model}@{champion.version}" if alone else ""
            yield Finding(
                "rollback-version-unverified",
                f"{manifest.model}@{slot.version} was never seen to run well{by} in {manifest.environment}",
                why="gates are not judged for a rollback, so it leads only to what the ledger has as verified there",
                fix=f"run `mlgit promote {manifest.model}@{slot.version} --to {manifest.environment}`, which judges the version",
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
    """Return the last entry by a moment that saw a version run well as champion; None if there is none.

    A version that was taking over did not run as champion yet.

    Args:
        deployments: entries of the ledger, oldest first.
        environment: the environment.
        model: the model.
        digest: the version.
        at: the moment.
        beside: what ran beside it at the least, with just these shares of the requests.
    """
    wanted = (environment, model, digest, "verified")
    found = [
        entry
        for entry in deployments
        if (entry.environment, entry.model, entry.digest, entry.status) == wanted
        and entry.traffic is None
        and entry.at <= at
        and all(_ran(entry, name, slot) for name, slot in beside.items())
    ]
    return found[-1] if found else None


def _ran(entry: Deployment, name: BesideName, slot: SlotAssignment) -> bool:
    one = observed_beside(entry).get(name)
    return one is not None and (one.digest, one.traffic) == (slot.digest, traffic_share(name, slot))


def is_rollback_hold(hold: Hold, manifest: Promotion, replaced: Version) -> bool:
    """Tell whether a hold is the one that a rollback brings: on the version that it replaces, here, without an end.

    Args:
        hold: the hold.
        manifest: what it comes with.
        replaced: the version that it takes out.
    """
    said = (hold.scope, hold.environment, hold.model, hold.version, hold.digest, hold.until)
    due = ("version", manifest.environment, replaced.model, replaced.version, replaced.digest, None)
    return manifest.change == "rollback" and said == due
