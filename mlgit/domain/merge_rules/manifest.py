"""The manifest says what is so: what it replaces, what it names, what it was compared with, and what comes first."""

from collections.abc import Iterator
from datetime import datetime

from mlgit.domain import layout
from mlgit.domain.codec import digest
from mlgit.domain.names import VersionRef
from mlgit.domain.promotion_context import PromotionContext
from mlgit.domain.records.version import Version
from mlgit.domain.rules.promotions import check_replaces, check_slots
from mlgit.errors import Finding, Location


def check_manifest(case: PromotionContext, _: datetime) -> Iterator[Finding]:
    """It takes the place of the manifest that is there, names versions by their digests, and today's policy and champion."""
    manifest = case.manifest
    at = Location(layout.promotion(manifest.environment, manifest.model))
    yield from check_replaces(manifest, case.before)
    yield from check_slots(manifest, {number: version.digest for number, version in case.slots.items()})
    if manifest.policy.digest != digest(case.policy):
        yield Finding(
            "promotion-stale",
            f"the policy of {manifest.environment} changed since this promotion was judged",
            why=f"policy {case.policy.name} on the base branch is not the one that the manifest names",
            fix="run `mlgit promote` again to judge it by today's policy",
            at=at,
        )
    compared = manifest.change != "recertify"  # `check_recertify` asks what that is compared with
    if compared and (manifest.baseline and manifest.baseline.digest) != (case.champion and case.champion.digest):
        yield Finding(
            "promotion-stale",
            f"the champion of {manifest.environment} is not the one that this promotion was compared with",
            fix="run `mlgit promote` again to judge it against today's champion",
            at=at,
        )


def check_order(case: PromotionContext) -> Iterator[Finding]:
    """A version is champion of the environments that come first before it comes to any slot here."""
    if case.version is not None and case.manifest.change == "promote":
        for earlier, champion in case.earlier.items():
            yield from check_champion_upstream(case.version, case.environment.name, earlier, champion)


def check_champion_upstream(
    version: Version, environment: str, earlier: str, champion: Version | None
) -> Iterator[Finding]:
    """A version is champion of an earlier environment.

    Args:
        version: the version.
        environment: where it is to run.
        earlier: where it has to run first.
        champion: the champion there, if there is one.
    """
    if champion is None or champion.digest != version.digest:
        ref = VersionRef(version.model, version.version)
        now = "nothing" if champion is None else f"{version.model}@{champion.version}"
        yield Finding(
            "environment-skipped",
            f"{ref} is to run in {earlier} before {environment}",
            why=f"{earlier} runs {now}; {layout.environment(environment)} has after: [{earlier}]",
            fix=f"run `mlgit promote {ref} --to {earlier}` first",
        )
