"""What runs is agreed to again after a time: the same versions in the same slots, judged anew."""

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
"""How long before its end a time is called due."""


def approval_age(policy: Policy, manifest: Promotion, at: datetime) -> ApprovalAge | None:
    """Return how old the approvals of what runs may grow, and are at a moment; None where the policy sets no limit.

    Args:
        policy: the policy that guards the environment.
        manifest: the manifest of what runs.
        at: the moment.
    """
    if policy.recertify is None or manifest.slots.champion is None:
        return None
    until = approved_since(manifest) + timedelta(seconds=seconds(policy.recertify))
    return ApprovalAge(until=until, state="overdue" if at >= until else "due" if at >= until - NOTICE else "good")


def approved_since(manifest: Promotion) -> datetime:
    """Return the moment that no approval of a manifest is older than: when what was agreed to was made.

    That is the promotion or, where it rests on one, the standing approval. The ids carry the time, and no signature
    counts that is older than the id that it names.
    """
    return proposed_at(manifest.promotion if manifest.standing_approval is None else manifest.standing_approval.id)


def overdue_finding(environment: str, model: str, found: ApprovalAge) -> Finding:
    """Return the warning that what runs was not agreed to again in time."""
    return Finding(
        "recertification-overdue",
        f"{environment}/{model} was to be agreed to again by {utc_date(found.until)}",
        why="the policy limits how old the approvals of what runs may be (`recertify`)",
        fix=f"`mlgit recertify {environment}/{model}` proposes it",
        at=Location(layout.promotion(environment, model)),
        severity=Severity.WARNING,
    )


def baseline_when_promoted(digest: Digest, past: Sequence[Promotion]) -> VersionPin | None:
    """Return what a version was compared with when it last became champion of an environment; None if with nothing.

    It is the baseline that the manifest of that promotion recorded. A rollback compared with nothing, and a change of what
    runs beside the champion compares with the champion itself.

    Args:
        digest: the version.
        past: every manifest that the model had there, oldest first.
    """
    for one in reversed(past):
        champion, baseline = one.slots.champion, one.baseline
        if champion is None or champion.digest != digest or one.change == "rollback":
            continue
        if baseline is None or baseline.digest != digest:
            return baseline
    return None


def check_recertify(case: PromotionContext, at: datetime) -> Iterator[Finding]:
    """A recertification leaves what runs as it is, and is judged against what its champion was once judged against."""
    manifest, before = case.manifest, case.before
    if manifest.change != "recertify":
        return
    where = Location(layout.promotion(manifest.environment, manifest.model))
    champion = manifest.slots.champion
    if before is None or champion is None or manifest.slots != before.slots or manifest.ramp is not None:
        yield Finding(
            "recertification-with-changes",
            f"the recertification of {manifest.environment}/{manifest.model} changes what is to run",
            why="it is an agreement to what runs already: the same versions in the same slots, with the same shares",
            fix=f"`mlgit recertify {manifest.environment}/{manifest.model}` writes it; another version is promoted",
            at=where,
        )
        return
    if manifest.baseline != baseline_when_promoted(champion.digest, case.past):
        yield Finding(
            "recertification-baseline-mismatch",
            f"the recertification of {manifest.environment}/{manifest.model} is judged against another version than before",
            why="the champion is not compared with itself, but with what it was compared with when it was promoted",
            fix=f"`mlgit recertify {manifest.environment}/{manifest.model}` writes it",
            at=where,
        )
    yield from _check_taken_over(before, case, at)


def _check_taken_over(before: Promotion, case: PromotionContext, at: datetime) -> Iterator[Finding]:
    """The champion is not on its way yet: a manifest without its ramp would give it the rest of the requests at once."""
    champion = before.slots.champion
    seen = case.deployments.get(before.environment, ())
    if before.ramp is not None and champion is not None and healthy_period(seen, champion.digest, at) is None:
        yield Finding(
            "ramp-unfinished",
            f"{before.model}@{champion.version} was not seen to answer all of the requests in {before.environment}",
            why="it takes over step by step, and a new manifest would give it the rest at once",
            fix="wait until it has taken over; `mlgit apply` shows where it is",
            at=Location(layout.promotion(before.environment, before.model), path="ramp"),
        )
