"""Rules for overrides: a gate is waived only by an override in force, and each override is reviewed afterwards."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from mlgit.domain import layout
from mlgit.domain.formatting import utc_time
from mlgit.domain.names import Digest
from mlgit.domain.promotion_context import PromotionContext
from mlgit.domain.records.governance import Override
from mlgit.domain.records.policy import Policy
from mlgit.domain.signed_exceptions import SignatureTimes, signed_exception
from mlgit.errors import Finding, Location


def check_waivers(context: PromotionContext, at: datetime) -> Iterator[Finding]:
    """Check that each gate that is `waived` in the report is waived by an override in force."""
    if context.report is None or context.version is None:
        return
    manifest = context.manifest
    waived = waivers(
        context.overrides.values(),
        context.signatures,
        context.policy,
        environment=manifest.environment,
        model=manifest.model,
        digest=context.version.digest,
        at=at,
    )
    for verdict in context.report.results:
        if verdict.outcome == "waived" and verdict.gate not in waived:
            yield Finding(
                "waiver-without-override",
                f"gate {verdict.gate} is waived in the gate report, but no override in force waives it",
                why=_why_not_waived(context, verdict.gate, at),
                fix="merge an override that all its people signed into the base branch, and run `mlgit promote` again",
                at=Location(layout.promotion(manifest.environment, manifest.model), path="gates"),
            )


def check_override_reviews(context: PromotionContext, at: datetime) -> Iterator[Finding]:
    """Check that no override of the environment is overdue for its post-incident review."""
    yield from check_reviews_of(context.overrides, context.environment.name, context.manifest.change, at)


def check_reviews_of(
    overrides: Mapping[str, Override], environment: str, change: str, at: datetime
) -> Iterator[Finding]:
    """Check that no override of an environment is overdue for its post-incident review.

    Args:
        overrides: every override, by its name.
        environment: the environment that changes.
        change: the kind of change; a rollback is never blocked by this.
        at: the time.
    """
    for name, override in overrides.items() if change != "rollback" else ():
        if override.environment == environment and is_review_due(override, at):
            yield Finding(
                "override-unreviewed",
                f"the post-incident review of override {name} was due on {override.review_by}",
                why=f"it waived {', '.join(override.waives)} of {override.model}@{override.version} for {override.incident}",
                fix="add under `reviewed` who reviewed it, when, and the outcome, and merge that into the base branch",
                at=Location(layout.override(name), path="reviewed"),
            )


def is_review_due(override: Override, at: datetime) -> bool:
    """Return whether an override has no post-incident review, and the last day for it has passed."""
    return override.reviewed is None and override.review_by < at.date()


def waivers(
    overrides: Iterable[Override],
    signatures: SignatureTimes,
    policy: Policy,
    *,
    environment: str,
    model: str,
    digest: Digest,
    at: datetime,
) -> dict[str, str]:
    """Return the gates that are waived for a version at a time, each with who waived it and why.

    Args:
        overrides: every override of the base branch.
        signatures: who signed each of them, and when.
        policy: the policy of the environment; what is in its `never_waivable` is not waived.
        environment: the environment that the version is promoted to.
        model: its model.
        digest: the version.
        at: the time.
    """
    return {
        gate: f"waived by {' and '.join(override.people)} for {override.incident}, until {utc_time(override.until)}"
        for override in overrides
        if (override.environment, override.model, override.digest) == (environment, model, digest)
        and signed_exception(override, signatures).state(at) == "in-force"
        for gate in override.waives
        if policy.is_waivable(gate)
    }


def _why_not_waived(context: PromotionContext, gate: str, at: datetime) -> str:
    """Return why none of the overrides for the version waives a gate."""
    reasons = []
    for name, override in context.overrides_of_version().items():
        exception = signed_exception(override, context.signatures)
        if not context.policy.is_waivable(gate):
            return f"policy {context.policy.name} does not allow {gate} to be waived"
        if gate not in override.waives:
            reasons.append(f"{name} waives {', '.join(override.waives)}")
        elif exception.state(at) == "expired":
            reasons.append(f"{name} expired at {utc_time(override.until)}")
        elif missing := exception.missing(at):
            reasons.append(f"{name} is not signed by {', '.join(missing)}")
    return "; ".join(reasons) or "there is none for this version on the base branch before the promotion"
