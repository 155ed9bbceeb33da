"""Ramps: the share of a version grows step by step, each time it has been healthy for the interval."""

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
    """The desired share of the requests of a version at a time, in per cent.

    `last` is the share that was last observed; None before the first step. `until` is when the next step is due; None at the
    last step, and while the ramp is paused.
    """

    traffic: int
    last: int | None = None
    until: datetime | None = None
    paused: bool = False


def ramp_step(ramp: Ramp, entries: Sequence[Deployment], promotion: str, at: datetime) -> RampStep:
    """Return the step of a ramp at a time, from the deployment log.

    A step ends when the version has been healthy in it for the ramp's `interval` without a break. After a degraded entry the
    ramp is paused until the version is verified again; the interval of the step then starts again.

    Args:
        ramp: the ramp; its shares grow to all of the requests.
        entries: the deployment log of the model in the environment up to that time, oldest first.
        promotion: the id of the promotion with the ramp.
        at: the time.
    """
    last: int | None = None
    since: datetime | None = None
    for entry in entries:
        share = entry.traffic or FULL_TRAFFIC
        if entry.promotion != promotion:
            # Another promotion replaced the version in between; one that was blocked changed nothing.
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


def check_ramp(context: PromotionContext, at: datetime) -> Iterator[Finding]:
    """Check that a ramp can be applied: its shares grow to all of the requests, and the champion is not on a ramp itself.

    A second ramp would give that champion all of the requests but those of the first step, and so end its ramp at once.
    """
    manifest, champion = context.manifest, context.champion
    yield from check_ramp_plan(manifest)
    entries = context.deployments.get(manifest.environment, ())
    if manifest.ramp is not None and champion is not None and healthy_period(entries, champion.digest, at) is None:
        ref = VersionRef(champion.model, champion.version)
        yield Finding(
            "ramp-unfinished",
            f"{ref} has not been observed with all of the requests in {manifest.environment}",
            why="it is the champion, which answers the rest of the requests during the ramp",
            fix="wait until its own ramp is finished (`mlgit apply` shows its step), or promote without `--ramp`",
            at=Location(layout.promotion(manifest.environment, manifest.model), path="ramp"),
        )


def check_ramp_plan(manifest: Promotion) -> Iterator[Finding]:
    """Check that the ramp of a manifest, if it has one, is valid."""
    ramp = manifest.ramp
    if ramp is None:
        return
    at = Location(layout.promotion(manifest.environment, manifest.model), path="ramp")
    if any(later <= earlier for earlier, later in pairwise(ramp.steps)) or ramp.steps[-1] != FULL_TRAFFIC:
        yield Finding(
            "ramp-steps-invalid",
            f"the steps {', '.join(map(str, ramp.steps))} are not a ramp to all of the requests",
            why="each step has to be larger than the one before, and the last has to be 100",
            fix="for example `--ramp 10,50,100 --interval 24h`",
            at=at,
        )
    if manifest.baseline is None or manifest.change != "promote":
        yield Finding(
            "ramp-without-champion",
            f"{manifest.model} has no champion in {manifest.environment} to share requests with",
            why="a ramp replaces one version by another, step by step",
            fix="run `mlgit promote` without `--ramp`",
            at=at,
        )
    elif manifest.slots.champion is not None and manifest.slots.champion.digest == manifest.baseline.digest:
        yield Finding(
            "ramp-without-champion",
            f"{manifest.model}@{manifest.baseline.version} is already the champion of {manifest.environment}",
            why="a ramp replaces one version by another, step by step",
            fix="run `mlgit promote` without `--ramp`",
            at=at,
        )
    if manifest.slots.challenger is not None:
        yield Finding(
            "ramp-challenger-conflict",
            f"{manifest.model} has both a ramp and a challenger in {manifest.environment}",
            why="both would answer a share of the champion's requests",
            fix="promote it with `--clear challenger`, or without `--ramp`",
            at=at,
        )
