"""A way back leads to where the environment has been: it is not judged by gates, so nothing new comes in by it."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from mlgit.domain import layout
from mlgit.domain.case import Case
from mlgit.domain.names import Digest
from mlgit.domain.records.governance import Hold
from mlgit.domain.records.ledger import Deployment
from mlgit.domain.records.promotion import Promotion
from mlgit.domain.records.version import Version
from mlgit.errors import Finding, Location


def check_rollback(case: Case, at: datetime) -> Iterator[Finding]:
    """Each version that a rollback names was seen to run well in just this environment before the moment."""
    manifest = case.manifest
    if manifest.change != "rollback":
        return
    seen = case.deployments.get(manifest.environment, ())
    for number, version in case.slots.items():
        if last_verified(seen, manifest.environment, manifest.model, version.digest, at) is None:
            yield Finding(
                "rollback-unverified",
                f"{manifest.model}@{number} was never seen to run well in {manifest.environment}",
                why="gates are not judged for a rollback, so it leads only to what the ledger has as verified there",
                fix=f"run `mlgit promote {manifest.model}@{number} --to {manifest.environment}`, which judges the version",
                at=Location(layout.promotion(manifest.environment, manifest.model), path="change"),
            )


def last_verified(
    deployments: Iterable[Deployment], environment: str, model: str, digest: Digest, at: datetime
) -> Deployment | None:
    """Return the last entry by a moment that saw a version answer all requests well; None if there is none.

    Args:
        deployments: entries of the ledger, oldest first.
        environment: the environment.
        model: the model.
        digest: the version.
        at: the moment.
    """
    wanted = (environment, model, digest, "verified")
    found = [
        entry
        for entry in deployments
        if (entry.environment, entry.model, entry.digest, entry.status) == wanted
        and entry.traffic is None
        and entry.at <= at
    ]
    return found[-1] if found else None


def keeps_out(hold: Hold, manifest: Promotion, champion: Version) -> bool:
    """Tell whether a hold is the one that a rollback brings: on the version that it replaces, here, without an end.

    Args:
        hold: the hold.
        manifest: what it comes with.
        champion: the version that runs until then.
    """
    said = (hold.scope, hold.environment, hold.model, hold.version, hold.digest, hold.until)
    due = ("version", manifest.environment, champion.model, champion.version, champion.digest, None)
    return manifest.change == "rollback" and said == due
