"""Rules for promotions that use a standing approval: it is in force, and it covers the promotion."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Literal

from mlgit.domain import layout
from mlgit.domain.formatting import plural, utc_time
from mlgit.domain.names import Digest
from mlgit.domain.promotion_context import PromotionContext
from mlgit.domain.records.environment import Environment
from mlgit.domain.records.gatereport import GateReport, GateVerdict
from mlgit.domain.records.governance import StandingApproval
from mlgit.domain.records.promotion import Promotion
from mlgit.domain.records.version import Version
from mlgit.domain.signed_exceptions import ExceptionState, SignatureTimes, expiry, signed_exception
from mlgit.domain.slots import leaving
from mlgit.errors import Finding, Location

StandingApprovalState = ExceptionState | Literal["used-up"]


def check_standing(context: PromotionContext, at: datetime) -> Iterator[Finding]:
    """Check that the standing approval that a manifest names is in force and covers the promotion."""
    if context.manifest.standing_approval is not None:
        yield from check_in_force(
            context.manifest, context.standing_approval, context.signatures, context.manifest_history, at
        )
        yield from check_eligible(
            context.manifest,
            environment=context.environment,
            version=context.version,
            champion=context.champion,
            report=context.report,
            history=context.manifest_history,
        )


def check_in_force(
    manifest: Promotion,
    standing: StandingApproval | None,
    signatures: SignatureTimes,
    history: Iterable[Promotion],
    at: datetime,
) -> Iterator[Finding]:
    """Check that a standing approval is in force for a promotion at a time.

    Args:
        manifest: the promotion.
        standing: the standing approval with the id and digest that the manifest names; None if the base branch has none.
        signatures: who signed it, and when.
        history: every manifest before the promotion.
        at: the time.
    """
    location = Location(layout.promotion(manifest.environment, manifest.model), path="standing_approval")
    if standing is None:
        why = "the base branch has none with that id and digest"
    elif (standing.environment, standing.model) != (manifest.environment, manifest.model):
        why = f"it is for {standing.model} in {standing.environment}"
    elif missing := signed_exception(standing, signatures).missing(at):
        yield Finding(
            "standing-approval-unsigned",
            f"the standing approval of {manifest.environment}/{manifest.model} is not signed by all its people",
            why=f"{', '.join(missing)} had not signed it by {utc_time(at)}",
            fix="each of them runs `mlgit standing-approval approve`; `mlgit standing-approval list` shows who is missing",
            at=location,
        )
        return
    elif (state := state_of(standing, signatures, _other_promotions(history, manifest), at)) == "in-force":
        return
    elif state == "expired":
        why = f"it expired at {utc_time(expiry(standing))}"
    else:
        why = f"it allows {plural(standing.max_promotions or 0, 'promotion')}, and as many have used it"
    yield Finding(
        "standing-approval-invalid",
        f"{manifest.environment}/{manifest.model} uses a standing approval that is not in force",
        why=why,
        fix="run `mlgit standing-approval list` for the state of each, or `mlgit promote` for people to approve the version",
        at=location,
    )


def check_eligible(
    manifest: Promotion,
    *,
    environment: Environment,
    version: Version | None,
    champion: Version | None,
    report: GateReport | None,
    history: Iterable[Promotion],
) -> Iterator[Finding]:
    """Check that a promotion can be an auto-promotion: it has nothing that people have to decide.

    Args:
        manifest: the promotion.
        environment: its environment.
        version: the version that it promotes.
        champion: the version that it replaces.
        report: its gate report.
        history: every manifest before it.
    """
    reasons = [
        *_not_plain(manifest),
        *([] if environment.auto_promote else [f"{environment.name} has no auto_promote: true"]),
        *_not_newer(version, champion, history),
        *(f"gate {verdict.gate}: {verdict.outcome}" for verdict in _not_passed(report)),
    ]
    if reasons:
        yield Finding(
            "auto-promotion-not-allowed",
            f"this change of {manifest.environment}/{manifest.model} cannot be promoted automatically",
            why="; ".join(reasons),
            fix=f"run `mlgit promote {manifest.model}@N --to {environment.name}` for people to approve it",
            at=Location(layout.promotion(manifest.environment, manifest.model), path="standing_approval"),
        )


def state_of(
    standing: StandingApproval, signatures: SignatureTimes, history: Iterable[Promotion], at: datetime
) -> StandingApprovalState:
    """Return whether a standing approval is in force at a time, or what prevents it.

    Args:
        standing: the standing approval.
        signatures: who signed it, and when.
        history: every manifest of its environment and model up to that time.
        at: the time.
    """
    state = signed_exception(standing, signatures).state(at)
    limit = standing.max_promotions
    return "used-up" if state == "in-force" and limit is not None and count_uses(standing, history) >= limit else state


def count_uses(standing: StandingApproval, history: Iterable[Promotion]) -> int:
    """Return how many promotions used a standing approval; it is counted by id, so that an edit does not reset the count."""
    return len(
        {
            manifest.promotion
            for manifest in history
            if manifest.standing_approval is not None and manifest.standing_approval.id == standing.id
        }
    )


def was_rolled_back(digest: Digest, history: Iterable[Promotion]) -> bool:
    """Return whether a rollback removed a version from an environment, given all its manifests, oldest first."""
    manifests = list(history)
    rollbacks = [manifest for manifest in manifests if manifest.change == "rollback"]
    if any(rollback.baseline and rollback.baseline.digest == digest for rollback in rollbacks):
        return True
    steps = ((before, after) for before, after in pairwise(manifests) if after.change == "rollback")
    return any(slot.digest == digest for before, after in steps for slot in leaving(after.slots, before.slots))


def _other_promotions(history: Iterable[Promotion], manifest: Promotion) -> list[Promotion]:
    """Return the manifests of other promotions, so that one that was reverted and merged again counts once."""
    return [other for other in history if other.promotion != manifest.promotion]


def _not_plain(manifest: Promotion) -> Iterator[str]:
    if manifest.change != "promote":
        yield f"it is a {manifest.change}"
    if manifest.ramp is not None:
        yield "it is a ramp"
    if manifest.slots.challenger is not None or manifest.slots.shadow is not None:
        yield "it has another version beside the champion"


def _not_newer(version: Version | None, champion: Version | None, history: Iterable[Promotion]) -> Iterator[str]:
    if version is None:
        yield "it promotes no version"
        return
    if champion is not None and version.version < champion.version:
        yield f"{version.model}@{version.version} is older than the champion, {version.model}@{champion.version}"
    if was_rolled_back(version.digest, history):
        yield f"{version.model}@{version.version} was rolled back in this environment before"


def _not_passed(report: GateReport | None) -> Sequence[GateVerdict]:
    """Return the verdicts that are neither `pass` nor `skip`, including those of gates that only warn."""
    return [verdict for verdict in report.results if verdict.outcome not in {"pass", "skip"}] if report else []
