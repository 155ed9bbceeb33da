"""Rules for overrides: a gate is waived only by one that is in force, and each is reviewed afterwards."""

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


def check_waivers(case: PromotionContext, at: datetime) -> Iterator[Finding]:
    """Each gate that the report calls waived is waived by an override that is in force at the time."""
    if case.report is None or case.version is None:
        return
    manifest = case.manifest
    waived = waivers(
        case.overrides.values(),
        case.signatures,
        case.policy,
        environment=manifest.environment,
        model=manifest.model,
        digest=case.version.digest,
        at=at,
    )
    for verdict in case.report.results:
        if verdict.outcome == "waived" and verdict.gate not in waived:
            yield Finding(
                "waiver-without-override",
                f"the gate report says that gate {verdict.gate} is waived, and no override waives it",
                why=_why_not_waived(case, verdict.gate, at),
                fix="merge an override that all its people signed into the base branch, and run `mlgit promote` again",
                at=Location(layout.promotion(manifest.environment, manifest.model), path="gates"),
            )


def check_override_reviews(case: PromotionContext, at: datetime) -> Iterator[Finding]:
    """No override of the environment is overdue for its review."""
    yield from check_reviews_of(case.overrides, case.environment.name, case.manifest.change, at)


def check_reviews_of(
    overrides: Mapping[str, Override], environment: str, change: str, at: datetime
) -> Iterator[Finding]:
    """No override of an environment is overdue for its review.

    Args:
        overrides: every override, by its name.
        environment: where a change is made.
        change: the kind of change; a rollback is never blocked by this.
        at: the time.
    """
    for name, override in overrides.items() if change != "rollback" else ():
        if override.environment == environment and is_review_due(override, at):
            yield Finding(
                "override-unreviewed",
                f"override {name} was to be reviewed by {override.review_by}, and was not",
                why=f"it waived {', '.join(override.waives)} of {override.model}@{override.version} for {override.incident}",
                fix="add under `reviewed` who reviewed it, when, and the outcome, and merge that into the base branch",
                at=Location(layout.override(name), path="reviewed"),
            )


def is_review_due(override: Override, at: datetime) -> bool:
    """Tell whether the last day for the review of an override is over, and it has none."""
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
        environment: where the version is to run.
        model: its model.
        digest: the version.
        at: the time.
    """
    never = _never_waivable(policy)
    return {
        gate: f"waived by {' and '.join(override.people)} for {override.incident}, until {utc_time(override.until)}"
        for override in overrides
        if (override.environment, override.model, override.digest) == (environment, model, digest)
        and signed_exception(override, signatures).state(at) == "in-force"
        for gate in override.waives
        if gate not in never
    }


def _never_waivable(policy: Policy) -> set[str]:
    """Return the gates of a policy that no override waives; a kind stands for every gate of that kind."""
    stated = set(policy.never_waivable)
    return stated | {gate.id for gate in policy.gates if gate.kind in stated}


def _why_not_waived(case: PromotionContext, gate: str, at: datetime) -> str:
    """Return why none of the overrides for the version waives a gate."""
    reasons = []
    for name, override in case.overrides_of_version().items():
        exception = signed_exception(override, case.signatures)
        if gate in _never_waivable(case.policy):
            return f"policy {case.policy.name} lets nobody waive {gate}"
        if gate not in override.waives:
            reasons.append(f"{name} waives {', '.join(override.waives)}")
        elif exception.state(at) == "expired":
            reasons.append(f"{name} expired at {utc_time(override.until)}")
        elif missing := exception.missing(at):
            reasons.append(f"{name} is not signed by {', '.join(missing)}")
    return "; ".join(reasons) or "there is none for this version on the base branch before the promotion"
