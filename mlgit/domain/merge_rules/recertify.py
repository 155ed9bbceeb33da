"""Rules for recertifications: the versions that run are re-approved after a time, unchanged, with their gates evaluated again."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from mlgit.domain import layout
from mlgit.domain.approval_age import ApprovalAge
from mlgit.domain.formatting import utc_date
from mlgit.domain.merge_rules.soak import healthy_period
from mlgit.domain.names import Digest, proposed_at, seconds
from mlgit.domain.promotion_context import PromotionContext
from mlgit.domain.records.policy import Policy
from mlgit.domain.records.promotion import Promotion, VersionPin
from mlgit.errors import Finding, Location, Severity

NOTICE: Final = timedelta(days=14)
"""How long before its limit a recertification is `due`."""


def approval_age(policy: Policy, manifest: Promotion, at: datetime) -> ApprovalAge | None:
    """Return the age of the approvals of what runs as of a time; None if the policy sets no limit.

    Args:
        policy: the policy of the environment.
        manifest: the manifest of what runs.
        at: the time.
    """
    if policy.recertify is None or manifest.slots.champion is None:
        return None
    until = approved_since(manifest) + timedelta(seconds=seconds(policy.recertify))
    return ApprovalAge(until=until, state="overdue" if at >= until else "due" if at >= until - NOTICE else "good")


def approved_since(manifest: Promotion) -> datetime:
    """Return a time that no approval of a manifest precedes: when the promotion or its standing approval was proposed.

    That time is in the id (a ULID), and a signature that is older than the id that it names does not count.
    """
    return proposed_at(manifest.promotion if manifest.standing_approval is None else manifest.standing_approval.id)


def overdue_finding(environment: str, model: str, age: ApprovalAge) -> Finding:
    """Return the warning that what runs was not re-approved in time."""
    return Finding(
        "recertification-overdue",
        f"{environment}/{model} was due for re-approval by {utc_date(age.until)}",
        why="the policy limits how old the approvals of what runs may be (`recertify`)",
        fix=f"`mlgit recertify {environment}/{model}` proposes it",
        at=Location(layout.promotion(environment, model)),
        severity=Severity.WARNING,
    )


def baseline_when_promoted(digest: Digest, history: Sequence[Promotion]) -> VersionPin | None:
    """Return the version that a version was compared with when it last became champion; None if there was none.

    It is the baseline of the manifest of that promotion. Rollbacks are skipped, as they compare nothing, and so are changes
    beside the champion, which compare with the champion itself.

    Args:
        digest: the version.
        history: every manifest of the model in the environment, oldest first.
    """
    for manifest in reversed(history):
        champion, baseline = manifest.slots.champion, manifest.baseline
        if champion is None or champion.digest != digest or manifest.change == "rollback":
            continue
        if baseline is None or baseline.digest != digest:
            return baseline
    return None


def check_recertify(context: PromotionContext, at: datetime) -> Iterator[Finding]:
    """Check that a recertification changes nothing that runs, and has the same baseline as the promotion of the champion."""
    manifest, previous = context.manifest, context.previous
    if manifest.change != "recertify":
        return
    location = Location(layout.promotion(manifest.environment, manifest.model))
    champion = manifest.slots.champion
    if previous is None or champion is None or manifest.slots != previous.slots or manifest.ramp is not None:
        yield Finding(
            "recertification-with-changes",
            f"the recertification of {manifest.environment}/{manifest.model} changes what runs",
            why="it re-approves what runs: the same versions in the same slots, with the same shares of traffic",
            fix=f"use `mlgit recertify {manifest.environment}/{manifest.model}`; for another version, use `mlgit promote`",
            at=location,
        )
        return
    if manifest.baseline != baseline_when_promoted(champion.digest, context.manifest_history):
        yield Finding(
            "recertification-baseline-mismatch",
            f"the recertification of {manifest.environment}/{manifest.model} has another baseline than the champion's promotion",
            why="the champion is compared with the same version as when it was promoted",
            fix=f"use `mlgit recertify {manifest.environment}/{manifest.model}`, which sets it",
            at=location,
        )
    yield from _check_ramp_finished(previous, context, at)


def _check_ramp_finished(previous: Promotion, context: PromotionContext, at: datetime) -> Iterator[Finding]:
    """Check that the champion is not on a ramp: a manifest without the ramp would give it all of the requests at once."""
    champion = previous.slots.champion
    entries = context.deployments.get(previous.environment, ())
    if previous.ramp is not None and champion is not None and healthy_period(entries, champion.digest, at) is None:
        yield Finding(
            "ramp-unfinished",
            f"{previous.model}@{champion.version} has not been observed with all of the requests in {previous.environment}",
            why="it is on a ramp, and a new manifest would give it all of the requests at once",
            fix="wait until the ramp is finished; `mlgit apply` shows its step",
            at=Location(layout.promotion(previous.environment, previous.model), path="ramp"),
        )
