"""What rests on a standing approval was agreed to in advance: a plain promotion, by people who still may, while it holds."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Final, Literal

from mlgit.domain import layout
from mlgit.domain.names import Digest, proposed_at
from mlgit.domain.promotion_context import PromotionContext
from mlgit.domain.records.environment import Environment
from mlgit.domain.records.gatereport import GateReport, GateVerdict
from mlgit.domain.records.governance import StandingApproval
from mlgit.domain.records.promotion import Promotion
from mlgit.domain.records.version import Version
from mlgit.domain.slots import leaving
from mlgit.errors import Finding, Location

LONGEST: Final = timedelta(days=366)
"""For how long a standing approval may hold: a year."""

State = Literal["in-force", "unsigned", "expired", "used-up"]


def check_standing(case: PromotionContext, at: datetime) -> Iterator[Finding]:
    """The standing approval that a promotion rests on holds at the moment, and may carry just this promotion."""
    if case.manifest.standing is not None:
        yield from check_carries(case.manifest, case.standing, case.agreed, case.past, at)
        yield from check_fit(
            case.manifest,
            environment=case.environment,
            version=case.version,
            champion=case.champion,
            report=case.report,
            past=case.past,
        )


def check_carries(
    manifest: Promotion,
    standing: StandingApproval | None,
    agreed: Mapping[str, Mapping[str, datetime]],
    past: Iterable[Promotion],
    at: datetime,
) -> Iterator[Finding]:
    """A standing approval is in force for a promotion at a moment.

    Args:
        manifest: the promotion.
        standing: what the base branch has of the id and the digest that the manifest names, if anything.
        agreed: who agreed to it, by its id, and when.
        past: every manifest that was there before the promotion.
        at: the moment.
    """
    where = Location(layout.promotion(manifest.environment, manifest.model), path="standing")
    if standing is None:
        why = "the base branch has none of that id and digest"
    elif (standing.environment, standing.model) != (manifest.environment, manifest.model):
        why = f"it is for {standing.model} in {standing.environment}"
    elif missing := lacking(standing, agreed, at):
        yield Finding(
            "standing-unsigned",
            f"the standing approval that {manifest.environment}/{manifest.model} rests on is not agreed to",
            why=f"{', '.join(missing)} had not signed it by {_minute(at)}",
            fix="each of them runs `mlgit standing-approval approve`; `mlgit standing-approval list` shows who is missing",
            at=where,
        )
        return
    elif (now := state(standing, agreed, _others(past, manifest), at)) == "in-force":
        return
    else:
        why = (
            f"it expired at {_minute(end(standing))}" if now == "expired" else f"it may carry {standing.most}, and did"
        )
    yield Finding(
        "standing-unfounded",
        f"{manifest.environment}/{manifest.model} rests on a standing approval that does not hold",
        why=why,
        fix="`mlgit standing-approval list` shows how each stands; without one, `mlgit promote` asks people for this promotion",
        at=where,
    )


def check_fit(
    manifest: Promotion,
    *,
    environment: Environment,
    version: Version | None,
    champion: Version | None,
    report: GateReport | None,
    past: Iterable[Promotion],
) -> Iterator[Finding]:
    """A promotion is one that may rest on a standing approval at all: nothing about it is for people to weigh.

    Args:
        manifest: the promotion.
        environment: where it leads.
        version: what it promotes.
        champion: what it takes the place of.
        report: the gate report that it rests on.
        past: every manifest that was there before it.
    """
    reasons = [
        *_not_plain(manifest),
        *([] if environment.auto_promote else [f"{environment.name} has no auto_promote: true"]),
        *_not_onward(version, champion, past),
        *(f"gate {one.gate} answered {one.outcome}" for one in _not_passed(report)),
    ]
    if reasons:
        yield Finding(
            "standing-unfit",
            f"the change of {manifest.model} in {manifest.environment} may not come in without anybody being asked",
            why="; ".join(reasons),
            fix=f"propose it by hand, so that people weigh it: `mlgit promote {manifest.model}@N --to {environment.name}`",
            at=Location(layout.promotion(manifest.environment, manifest.model), path="standing"),
        )


def state(
    standing: StandingApproval,
    agreed: Mapping[str, Mapping[str, datetime]],
    past: Iterable[Promotion],
    at: datetime,
) -> State:
    """Return how a standing approval stands at a moment.

    Args:
        standing: the standing approval.
        agreed: who agreed to it, by its id, and when.
        past: every manifest of its environment and model that there was by then.
        at: the moment.
    """
    if at >= end(standing):
        return "expired"
    if lacking(standing, agreed, at):
        return "unsigned"
    return "used-up" if standing.most is not None and used(standing, past) >= standing.most else "in-force"


def end(standing: StandingApproval) -> datetime:
    """Return the moment from which on a standing approval does not hold, whatever it says itself: a year at the latest."""
    made = proposed_at(standing.standing)
    return standing.until if standing.until - made <= LONGEST else made + LONGEST


def lacking(standing: StandingApproval, agreed: Mapping[str, Mapping[str, datetime]], at: datetime) -> list[str]:
    """Return the people of a standing approval who had not agreed to it by a moment."""
    words = agreed.get(standing.standing, {})
    return [person for person in standing.people if person not in words or words[person] > at]


def used(standing: StandingApproval, past: Iterable[Promotion]) -> int:
    """Return how many promotions rested on a standing approval, by its id, whatever it said at the time."""
    return len({one.promotion for one in past if one.standing is not None and one.standing.id == standing.standing})


def was_rolled_back(digest: Digest, past: Iterable[Promotion]) -> bool:
    """Tell whether a rollback took a version out of an environment before, of which all manifests are given, oldest first."""
    listed = list(past)
    if any(one.change == "rollback" and one.baseline and one.baseline.digest == digest for one in listed):
        return True
    pairs = ((was, one) for was, one in pairwise(listed) if one.change == "rollback")
    return any(slot.digest == digest for was, one in pairs for slot in leaving(one.slots, was.slots))


def _others(past: Iterable[Promotion], manifest: Promotion) -> list[Promotion]:
    """Return the manifests of other promotions: one that was reverted and came again does not use up its own approval."""
    return [one for one in past if one.promotion != manifest.promotion]


def _not_plain(manifest: Promotion) -> Iterator[str]:
    if manifest.change != "promote":
        yield f"it is a {manifest.change}"
    if manifest.ramp is not None:
        yield "it takes over step by step"
    if manifest.slots.challenger is not None or manifest.slots.shadow is not None:
        yield "another version is to run beside the champion"


def _not_onward(version: Version | None, champion: Version | None, past: Iterable[Promotion]) -> Iterator[str]:
    if version is None:
        yield "no version comes in"
        return
    if champion is not None and version.version < champion.version:
        yield f"{version.model}@{version.version} is older than the champion, {version.model}@{champion.version}"
    if was_rolled_back(version.digest, past):
        yield f"{version.model}@{version.version} was rolled back there before"


def _not_passed(report: GateReport | None) -> Sequence[GateVerdict]:
    """Return the answers that are no clean pass: a gate that only warns counts like any other here."""
    return [one for one in report.results if one.outcome not in {"pass", "skip"}] if report else []


def _minute(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
