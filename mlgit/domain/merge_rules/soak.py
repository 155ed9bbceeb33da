"""Rules for soak: a version was healthy in the earlier environments for long enough, by the ledger and not by commit dates."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from mlgit.domain import layout
from mlgit.domain.formatting import utc_time
from mlgit.domain.names import Digest, VersionRef, proposed_at, seconds
from mlgit.domain.promotion_context import PromotionContext
from mlgit.domain.records.environment import Environment, Soak
from mlgit.domain.records.ledger import Deployment
from mlgit.domain.records.version import Version
from mlgit.errors import Finding, Location


class HealthyPeriod(msgspec.Struct, frozen=True):
    """The first and last `verified` entry of an unbroken period in which one version was healthy."""

    since: datetime
    last: datetime


def healthy_period(
    entries: Sequence[Deployment], digest: Digest, at: datetime, *, max_gap: timedelta | None = None
) -> HealthyPeriod | None:
    """Return the unbroken period up to a time in which a version was healthy; None if it is in none.

    It starts with a `verified` entry of the version. These end it: a `degraded` entry, another version, a share of the requests
    (a ramp), and a time that goes backwards. A `blocked` entry changes nothing, and ends it only if another version ran. A time
    without entries does not end it, unless it is longer than `max_gap`.

    Args:
        entries: the deployment log of one model in one environment, oldest first.
        digest: the version.
        at: the time; later entries are not evidence.
        max_gap: the longest time without an observation.
    """
    period: HealthyPeriod | None = None
    latest = datetime.min.replace(tzinfo=UTC)
    for entry in entries:
        if entry.at > at:
            # Not skipped entirely: an entry after it with an earlier time goes backwards, and ends the period.
            latest = entry.at
            continue
        is_unobserved = period is not None and max_gap is not None and entry.at - period.last > max_gap
        is_champion = entry.digest == digest and entry.traffic is None
        if is_unobserved or entry.at < latest or not is_champion or entry.status == "degraded":
            period = None
        if entry.status == "verified" and is_champion and entry.at >= latest:
            # An entry may state any time, but the version cannot have run before its promotion was proposed.
            since = period.since if period is not None else max(entry.at, proposed_at(entry.promotion))
            period = HealthyPeriod(since, entry.at)
        latest = max(latest, entry.at)
    if period is not None and max_gap is not None and at - period.last > max_gap:
        return None
    return period


def check_upstream(context: PromotionContext, at: datetime) -> Iterator[Finding]:
    """Check that a version is verified in each environment that comes first and has a target."""
    if context.version is not None and context.manifest.change == "promote":
        yield from check_verified_upstream(context.version, context.environment, context.deployments, at)


def check_verified_upstream(
    version: Version, environment: Environment, deployments: Mapping[str, Sequence[Deployment]], at: datetime
) -> Iterator[Finding]:
    """Check that a version is verified in each environment that comes before another one and has a target.

    Args:
        version: the version.
        environment: the environment that it is promoted to.
        deployments: the deployment log of the model by environment, oldest first; environments without a target are left out.
        at: the time.
    """
    ref = VersionRef(version.model, version.version)
    for upstream in environment.after:
        entries = deployments.get(upstream)
        if entries is not None and healthy_period(entries, version.digest, at) is None:
            yield Finding(
                "upstream-environment-unverified",
                f"{ref} is not verified in {upstream}",
                why=_last_entry(entries, upstream, at),
                fix=f"run `mlgit apply {upstream}`: a merge alone deploys nothing",
                at=Location(layout.environment(environment.name), path="after"),
            )


def check_soak(context: PromotionContext, at: datetime) -> Iterator[Finding]:
    """Check that a version has been healthy for the soak time that the environment requires."""
    if context.version is not None and context.manifest.change == "promote":
        yield from check_soak_time(context.version, context.environment, context.deployments, at)


def check_soak_time(
    version: Version, environment: Environment, deployments: Mapping[str, Sequence[Deployment]], at: datetime
) -> Iterator[Finding]:
    """Check that a version has been healthy for the soak time; the arguments are those of `check_verified_upstream`."""
    soak = environment.soak
    if soak is None:
        return
    entries = deployments.get(soak.in_, ())
    max_gap = None if soak.max_gap is None else timedelta(seconds=seconds(soak.max_gap))
    period = healthy_period(entries, version.digest, at, max_gap=max_gap)
    required = timedelta(seconds=seconds(soak.for_))
    if period is None or at - period.since < required:
        yield _too_short(version, environment.name, soak, period, at, _last_entry(entries, soak.in_, at))


def _too_short(
    version: Version, environment: str, soak: Soak, period: HealthyPeriod | None, at: datetime, last: str
) -> Finding:
    ref = VersionRef(version.model, version.version)
    location = Location(layout.environment(environment), path="soak")
    if period is None:
        gap = "" if soak.max_gap is None else f"; it has to be observed at least every {soak.max_gap}"
        return Finding(
            "soak-too-short",
            f"{ref} is not healthy in {soak.in_}, where it has to soak for {soak.for_}",
            why=last + gap,
            fix=f"run `mlgit apply {soak.in_}`, or `mlgit observe {soak.in_}` if it runs already: the soak time starts then",
            at=location,
        )
    complete_at = period.since + timedelta(seconds=seconds(soak.for_))
    return Finding(
        "soak-too-short",
        f"{ref} has soaked in {soak.in_} for {_duration(at - period.since)} of {soak.for_}",
        why=f"it was first verified there at {utc_time(period.since)}, and last at {utc_time(period.last)}",
        fix=f"run the command again at {utc_time(_next_minute(complete_at))} or later, if it stays healthy",
        at=location,
    )


def _last_entry(entries: Sequence[Deployment], environment: str, at: datetime) -> str:
    """Describe the last entry of an environment up to a time."""
    recorded = [entry for entry in entries if entry.at <= at]
    if not recorded:
        return f"the ledger has no entry of {environment} up to {utc_time(at)}"
    last = recorded[-1]
    version = "no version" if last.digest is None else f"the version with digest {last.digest[7:19]}"
    return f"the last entry of {environment}, of {utc_time(last.at)}, has {version}, {last.status}" + (
        f": {last.message}" if last.message else ""
    )


def _duration(time: timedelta) -> str:
    """Format a length of time in days, hours and minutes."""
    minutes = max(time // timedelta(minutes=1), 0)
    parts = [(minutes // 1440, "d"), (minutes // 60 % 24, "h"), (minutes % 60, "m")]
    return " ".join(f"{number}{unit}" for number, unit in parts if number) or "0m"


def _next_minute(time: datetime) -> datetime:
    """Return a time rounded up to a whole minute, in UTC."""
    return (time.astimezone(UTC) + timedelta(seconds=59, microseconds=999_999)).replace(second=0, microsecond=0)
