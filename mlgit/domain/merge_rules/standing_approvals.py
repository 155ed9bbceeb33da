"""Rules for promotions that rest on a standing approval: it is in force, and the promotion is one that it may carry."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Literal

from mlgit.domain import layout
from mlgit.domain.formatting import utc_time
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


def check_standing(case: PromotionContext, at: datetime) -> Iterator[Finding]:
    """The standing approval that a promotion rests on is in force at the time, and may carry this promotion."""
    if case.manifest.standing_approval is not None:
        yield from check_in_force(case.manifest, case.standing, case.signatures, case.past, at)
        yield from check_eligible(
            case.manifest,
            environment=case.environment,
            version=case.version,
            champion=case.champion,
            report=case.report,
            earlier=case.past,
        )


def check_in_force(
    manifest: Promotion,
    standing: StandingApproval | None,
    signatures: SignatureTimes,
    earlier: Iterable[Promotion],
    at: datetime,
) -> Iterator[Finding]:
    """A standing approval is in force for a promotion at a time.

    Args:
        manifest: the promotion.
        standing: the standing approval with the id and digest that the manifest names; None if the base branch has none.
        signatures: who signed it, and when.
        earlier: every manifest that was there before the promotion.
        at: the time.
    """
    where = Location(layout.promotion(manifest.environment, manifest.model), path="standing_approval")
    if standing is None:
        why = "the base branch has none of that id and digest"
    elif (standing.environment, standing.model) != (manifest.environment, manifest.model):
        why = f"it is for {standing.model} in {standing.environment}"
    elif missing := signed_exception(standing, signatures).missing(at):
        yield Finding(
            "standing-approval-unsigned",
            f"the standing approval that {manifest.environment}/{manifest.model} rests on is not signed by all its people",
            why=f"{', '.join(missing)} had not signed it by {utc_time(at)}",
            fix="each of them runs `mlgit standing-approval approve`; `mlgit standing-approval list` shows who is missing",
            at=where,
        )
        return
    elif (now := state_of(standing, signatures, _others(earlier, manifest), at)) == "in-force":
        return
    elif now == "expired":
        why = f"it expired at {utc_time(expiry(standing))}"
    else:
        why = f"it allows at most {standing.max_promotions}, and as many rest on it"
    yield Finding(
        "standing-approval-invalid",
        f"{manifest.environment}/{manifest.model} rests on a standing approval that is not in force",
        why=why,
        fix="`mlgit standing-approval list` shows the state of each; or `mlgit promote` the version, for people to approve",
        at=where,
    )


def check_eligible(
    manifest: Promotion,
    *,
    environment: Environment,
    version: Version | None,
    champion: Version | None,
    report: GateReport | None,
    earlier: Iterable[Promotion],
) -> Iterator[Finding]:
    """A promotion may be an auto-promotion: it has nothing that people have to weigh.

    Args:
        manifest: the promotion.
        environment: where it leads.
        version: what it promotes.
        champion: the version that it replaces.
        report: its gate report.
        earlier: every manifest that was there before it.
    """
    reasons = [
        *_not_plain(manifest),
        *([] if environment.auto_promote else [f"{environment.name} has no auto_promote: true"]),
        *_not_newer(version, champion, earlier),
        *(f"gate {verdict.gate} answered {verdict.outcome}" for verdict in _not_passed(report)),
    ]
    if reasons:
        yield Finding(
            "auto-promotion-not-allowed",
            f"the change of {manifest.model} in {manifest.environment} may not be promoted automatically",
            why="; ".join(reasons),
            fix=f"propose it for people to approve: `mlgit promote {manifest.model}@N --to {environment.name}`",
            at=Location(layout.promotion(manifest.environment, manifest.model), path="standing_approval"),
        )


def state_of(
    standing: StandingApproval, signatures: SignatureTimes, earlier: Iterable[Promotion], at: datetime
) -> StandingApprovalState:
    """Return whether a standing approval is in force at a time, or what prevents it.

    Args:
        standing: the standing approval.
        signatures: who signed it, and when.
        earlier: every manifest of its environment and model that there was by then.
        at: the time.
    """
    state = signed_exception(standing, signatures).state(at)
    limit = standing.max_promotions
    return "used-up" if state == "in-force" and limit is not None and count_uses(standing, earlier) >= limit else state


def count_uses(standing: StandingApproval, earlier: Iterable[Promotion]) -> int:
    """Return how many promotions rest on a standing approval, by its id, whatever its content was at the time."""
    return len(
        {
            manifest.promotion
            for manifest in earlier
            if manifest.standing_approval is not None and manifest.standing_approval.id == standing.id
        }
    )


def was_rolled_back(digest: Digest, earlier: Iterable[Promotion]) -> bool:
    """Tell whether a rollback took a version out of an environment, of which all manifests are given, oldest first."""
    manifests = list(earlier)
    if any(one.change == "rollback" and one.baseline and one.baseline.digest == digest for one in manifests):
        return True
    rollbacks = ((before, after) for before, after in pairwise(manifests) if after.change == "rollback")
    return any(slot.digest == digest for before, after in rollbacks for slot in leaving(after.slots, before.slots))


def _others(earlier: Iterable[Promotion], manifest: Promotion) -> list[Promotion]:
    """Return the manifests of other promotions: one that was reverted and merged again uses its approval once."""
    return [other for other in earlier if other.promotion != manifest.promotion]


def _not_plain(manifest: Promotion) -> Iterator[str]:
    if manifest.change != "promote":
        yield f"it is a {manifest.change}"
    if manifest.ramp is not None:
        yield "it is a ramp"
    if manifest.slots.challenger is not None or manifest.slots.shadow is not None:
        yield "another version is to run beside the champion"


def _not_newer(version: Version | None, champion: Version | None, earlier: Iterable[Promotion]) -> Iterator[str]:
    if version is None:
        yield "it promotes no version"
        return
    if champion is not None and version.version < champion.version:
        yield f"{version.model}@{version.version} is older than the champion, {version.model}@{champion.version}"
    if was_rolled_back(version.digest, earlier):
        yield f"{version.model}@{version.version} was rolled back there before"


def _not_passed(report: GateReport | None) -> Sequence[GateVerdict]:
    """Return the verdicts that are neither pass nor skip: a gate that only warns counts like any other here."""
    return [verdict for verdict in report.results if verdict.outcome not in {"pass", "skip"}] if report else []
