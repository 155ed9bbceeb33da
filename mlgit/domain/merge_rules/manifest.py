"""Rules for the manifest: it replaces the current one, names existing versions and the current policy, and keeps the order."""

from collections.abc import Iterator
from datetime import datetime

from mlgit.domain import layout
from mlgit.domain.codec import digest
from mlgit.domain.names import VersionRef
from mlgit.domain.promotion_context import PromotionContext
from mlgit.domain.records.version import Version
from mlgit.domain.rules.promotions import check_replaces, check_slots
from mlgit.errors import Finding, Location


def check_manifest(context: PromotionContext, _: datetime) -> Iterator[Finding]:
    """Check that the manifest replaces the current one, and names the current policy, champion and versions by digest."""
    manifest = context.manifest
    at = Location(layout.promotion(manifest.environment, manifest.model))
    yield from check_replaces(manifest, context.previous)
    yield from check_slots(manifest, {number: version.digest for number, version in context.slot_versions.items()})
    if manifest.policy.digest != digest(context.policy):
        yield Finding(
            "promotion-stale",
            f"the policy of {manifest.environment} changed since this promotion was proposed",
            why=f"policy {context.policy.name} on the base branch does not have the digest in the manifest",
            fix="run `mlgit promote` again to evaluate it by the current policy",
            at=at,
        )
    is_compared = manifest.change != "recertify"  # `check_recertify` checks the baseline of a recertification
    if is_compared and (manifest.baseline and manifest.baseline.digest) != (
        context.champion and context.champion.digest
    ):
        yield Finding(
            "promotion-stale",
            f"the champion of {manifest.environment} is not the one that this promotion was compared with",
            fix="run `mlgit promote` again to compare it with the current champion",
            at=at,
        )


def check_order(context: PromotionContext) -> Iterator[Finding]:
    """Check that a version is the champion of every environment that comes first."""
    if context.version is not None and context.manifest.change == "promote":
        for upstream, champion in context.upstream_champions.items():
            yield from check_champion_upstream(context.version, context.environment.name, upstream, champion)


def check_champion_upstream(
    version: Version, environment: str, upstream: str, champion: Version | None
) -> Iterator[Finding]:
    """Check that a version is the champion of an environment that comes first.

    Args:
        version: the version.
        environment: the environment that it is promoted to.
        upstream: the environment that comes first.
        champion: the champion of that environment, if there is one.
    """
    if champion is None or champion.digest != version.digest:
        ref = VersionRef(version.model, version.version)
        current = "nothing" if champion is None else f"{version.model}@{champion.version}"
        yield Finding(
            "environment-skipped",
            f"{ref} has to be promoted to {upstream} before {environment}",
            why=f"{upstream} runs {current}; {layout.environment(environment)} has after: [{upstream}]",
            fix=f"run `mlgit promote {ref} --to {upstream}` first",
        )
