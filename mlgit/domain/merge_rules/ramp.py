"""A version takes over in steps: its share grows when the last step has been healthy for as long as the plan says."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

import msgspec

from mlgit.domain import layout
from mlgit.domain.merge_rules.soak import healthy_period
from mlgit.domain.names import VersionRef, seconds
from mlgit.domain.promotion_context import PromotionContext
from mlgit.domain.records.ledger import Deployment
from mlgit.domain.records.promotion import Promotion, Ramp
from mlgit.domain.slots import FULL_TRAFFIC
from mlgit.errors import Finding, Location


class RampStep(msgspec.Struct, frozen=True):
    """The share of requests, in per cent, that a version is to answer at a moment.

    `last` is the share that it was last seen to answer; None before the first step. `until` is when the next step is due; None
    at the last one, and while the ramp is paused.
    """

    traffic: int
    last: int | None = None
    until: datetime | None = None
    paused: bool = False


def ramp_step(ramp: Ramp, entries: Sequence[Deployment], promotion: str, at: datetime) -> RampStep:
    """Return the step of a plan at a moment, from what the ledger has seen.

    A step is over when it was seen to be healthy for the plan's `hold`, without a break. After a degraded entry the ramp stays
    where it is, until the version is seen to be healthy again; the time of the step then begins anew.

    Args:
        ramp: the plan; its shares grow, and the last is all.
        entries: what the ledger has of the model in the environment by then, oldest first.
        promotion: the id of the promotion that brought the plan.
        at: the moment.
    """
    last: int | None = None
    since: datetime | None = None
    for entry in entries:
        share = entry.traffic or FULL_TRAFFIC
        if entry.promotion != promotion:
            last, since = (last, since) if entry.status == "blocked" else (None, None)
        elif entry.status == "degraded":
            since = None
        elif entry.status == "verified":
            since = entry.at if since is None or share != last else since
            last = share
    if last is None:
        return RampStep(ramp.steps[0])
    larger = [share for share in ramp.steps if share > last]
    if since is None or not larger:
        return RampStep(last, last, paused=since is None)
    due = since + timedelta(seconds=seconds(ramp.interval))
    return RampStep(larger[0], last) if at >= due else RampStep(last, last, due)


def check_ramp(case: PromotionContext, at: datetime) -> Iterator[Finding]:
    """A plan can be carried out: its shares grow to all of the requests, and the champion to share them with runs by itself.

    While the champion is itself on a ramp, a plan that gives it all but the first step would end that ramp at once.
    """
    manifest, champion = case.manifest, case.champion
    yield from check_ramp_plan(manifest)
    seen = case.deployments.get(manifest.environment, ())
    if manifest.ramp is not None and champion is not None and healthy_period(seen, champion.digest, at) is None:
        ref = VersionRef(champion.model, champion.version)
        yield Finding(
            "ramp-unfinished",
            f"{ref} was not seen to answer all of the requests in {manifest.environment}",
            why="the champion is what a version takes over from, and shares the requests with it",
            fix=f"wait until {ref} has taken over; `mlgit apply` shows where it is. Or promote without `--ramp`",
            at=Location(layout.promotion(manifest.environment, manifest.model), path="ramp"),
        )


def check_ramp_plan(manifest: Promotion) -> Iterator[Finding]:
    """The ramp of a manifest, if it has one, can be carried out."""
    ramp = manifest.ramp
    if ramp is None:
        return
    at = Location(layout.promotion(manifest.environment, manifest.model), path="ramp")
    if any(later <= earlier for earlier, later in pairwise(ramp.steps)) or ramp.steps[-1] != FULL_TRAFFIC:
        yield Finding(
            "ramp-steps-invalid",
            f"the steps {', '.join(map(str, ramp.steps))} do not lead to all of the requests",
            why="each has to be larger than the one before, and the last is 100",
            fix="for example `--ramp 10,50,100 --interval 24h`",
            at=at,
        )
    if manifest.baseline is None or manifest.change != "promote":
        yield Finding(
            "ramp-without-champion",
            f"{manifest.model} has no champion in {manifest.environment} to share the requests with",
            why="a version takes over from another one, step by step",
            fix="leave the ramp out: `mlgit promote` without `--ramp`",
            at=at,
        )
    elif manifest.slots.champion is not None and manifest.slots.champion.digest == manifest.baseline.digest:
        yield Finding(
            "ramp-without-champion",
            f"{manifest.model}@{manifest.baseline.version} is champion of {manifest.environment} already",
            why="a version takes over from another one, step by step",
            fix="leave the ramp out: `mlgit promote` without `--ramp`",
            at=at,
        )
    if manifest.slots.challenger is not None:
        yield Finding(
            "ramp-challenger-conflict",
            f"{manifest.model} has a challenger in {manifest.environment}, and is to change champion by a ramp",
            why="a version that takes over shares the requests as the challenger would",
            fix="promote it with `--clear challenger`, or without `--ramp`",
            at=at,
        )
