"""What an override waives is waived for one version, for a stated time, by two people; and it is looked back upon."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from mlgit.domain import layout
from mlgit.domain.formatting import utc_time
from mlgit.domain.names import Digest
from mlgit.domain.promotion_context import PromotionContext
from mlgit.domain.records.governance import Override
from mlgit.domain.records.policy import Policy
from mlgit.errors import Finding, Location

Agreed = Mapping[str, Mapping[str, datetime]]
"""Who agreed to each override, by its id, and when each of them did."""

_LEAST = 2  # people


def check_waivers(case: PromotionContext, at: datetime) -> Iterator[Finding]:
    """Each gate that the report calls waived is waived by an override that is in force at the moment."""
    if case.report is None or case.version is None:
        return
    manifest = case.manifest
    founded = waivers(
        case.overrides.values(),
        case.agreed,
        case.policy,
        environment=manifest.environment,
        model=manifest.model,
        digest=case.version.digest,
        at=at,
    )
    for verdict in case.report.results:
        if verdict.outcome == "waived" and verdict.gate not in founded:
            yield Finding(
                "waiver-unfounded",
                f"gate {verdict.gate} is called waived, and no override waives it",
                why=_why_not(case, verdict.gate, at),
                fix="bring an override to the base branch, agreed to by its people, and run `mlgit promote` again",
                at=Location(layout.promotion(manifest.environment, manifest.model), path="gates"),
            )


def check_reviewed(case: PromotionContext, at: datetime) -> Iterator[Finding]:
    """No override of the environment has waited for its review for too long."""
    yield from check_looked_back(case.overrides, case.environment.name, case.manifest.change, at)


def check_looked_back(
    overrides: Mapping[str, Override], environment: str, change: str, at: datetime
) -> Iterator[Finding]:
    """No override of an environment has waited for its review for too long.

    Args:
        overrides: every override, by its name.
        environment: where a change is made.
        change: the kind of change; a rollback is never kept waiting.
        at: the moment.
    """
    for name, override in overrides.items() if change != "rollback" else ():
        if override.environment == environment and override.reviewed is None and override.review_by < at.date():
            yield Finding(
                "override-unreviewed",
                f"override {name} was to be looked back upon by {override.review_by}, and was not",
                why=f"it waived {', '.join(override.waives)} of {override.model}@{override.version} for {override.incident}",
                fix="say under `reviewed` who looked back, when, and what came of it, and bring that to the base branch",
                at=Location(layout.override(name), path="reviewed"),
            )


def waivers(
    overrides: Iterable[Override],
    agreed: Agreed,
    policy: Policy,
    *,
    environment: str,
    model: str,
    digest: Digest,
    at: datetime,
) -> dict[str, str]:
    """Return the gates that are waived for a version at a moment, each with who waived it and why, in words.

    Args:
        overrides: every override of the base branch.
        agreed: who agreed to each of them, and when.
        policy: the policy that guards the environment; what it calls never waivable is not waived.
        environment: where the version is to run.
        model: its model.
        digest: the version.
        at: the moment.
    """
    never = _never(policy)
    return {
        gate: f"waived by {' and '.join(override.people)} for {override.incident}, until {utc_time(override.expires)}"
        for override in overrides
        if (override.environment, override.model, override.digest) == (environment, model, digest)
        and at < override.expires
        and not lacking(override, agreed, at)
        for gate in override.waives
        if gate not in never
    }


def lacking(override: Override, agreed: Agreed, at: datetime) -> list[str]:
    """Return the people of an override who had not agreed to it by a moment; `a second person` where one is alone."""
    words = agreed.get(override.override, {})
    missing = [person for person in override.people if person not in words or words[person] > at]
    return missing + (["a second person"] if len(set(override.people)) < _LEAST else [])


def _never(policy: Policy) -> set[str]:
    """Return the gates of a policy that no override waives; a kind stands for every gate of that kind."""
    stated = set(policy.never_waivable)
    return stated | {gate.id for gate in policy.gates if gate.kind in stated}


def _why_not(case: PromotionContext, gate: str, at: datetime) -> str:
    """Say what keeps the overrides that were meant for a gate from waiving it."""
    reasons = []
    for name, override in case.concerned().items():
        missing = lacking(override, case.agreed, at)
        if gate in _never(case.policy):
            return f"policy {case.policy.name} lets nobody waive {gate}"
        if gate not in override.waives:
            reasons.append(f"{name} waives {', '.join(override.waives)}")
        elif at >= override.expires:
            reasons.append(f"{name} expired at {utc_time(override.expires)}")
        elif missing:
            reasons.append(f"{name} is not agreed to by {', '.join(missing)}")
    return "; ".join(reasons) or "there is none for this version on the base branch before the promotion"
