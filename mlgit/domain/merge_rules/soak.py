"""A version was seen to be healthy where it has to run first, and for long enough: by the ledger, never by dates of commits."""

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
    """An unbroken run of sightings of one version that was well."""

    since: datetime
    last: datetime


def healthy_period(
    entries: Sequence[Deployment], digest: Digest, at: datetime, *, max_gap: timedelta | None = None
) -> HealthyPeriod | None:
    """Return the unbroken run in which a version was seen to be healthy up to a moment; None if it is in none.

    It begins with the first of the `verified` entries of just that digest. A degraded one, another version and a time that
    goes back break it. A refusal (`blocked`) leaves what runs alone: it breaks the run where something else was seen to run.
    So does a share of the requests: a version that answers some of them is not yet what runs.
    A time without entries neither heals nor breaks, unless it is longer than `max_gap`. No run began before the promotion
    that asked for it was made, whatever the entry says.

    Args:
        entries: what the ledger has of one model in one environment, oldest first.
        digest: the version.
        at: the moment; what the ledger has of later ones is no evidence.
        max_gap: for how long nobody may have looked.
    """
    run: HealthyPeriod | None = None
    clock = datetime.min.replace(tzinfo=UTC)
    for entry in entries:
        if entry.at > at:
            clock = entry.at  # what was written after it with an earlier time is not passed over: it breaks the run
            continue
        unseen = run is not None and max_gap is not None and entry.at - run.last > max_gap
        whole = entry.digest == digest and entry.traffic is None
        if unseen or entry.at < clock or not whole or entry.status == "degraded":
            run = None
        if entry.status == "verified" and whole and entry.at >= clock:
            since = run.since if run is not None else max(entry.at, proposed_at(entry.promotion))
            run = HealthyPeriod(since, entry.at)
        clock = max(clock, entry.at)
    if run is not None and max_gap is not None and at - run.last > max_gap:
        return None
    return run


def check_upstream(case: PromotionContext, at: datetime) -> Iterator[Finding]:
    """A version was seen to run, and to be well, in each environment that comes first and has a target."""
    if case.version is not None and case.manifest.change == "promote":
        yield from check_verified_upstream(case.version, case.environment, case.deployments, at)


def check_verified_upstream(
    version: Version, environment: Environment, deployments: Mapping[str, Sequence[Deployment]], at: datetime
) -> Iterator[Finding]:
    """A version was seen to run, and to be well, in each environment that comes before another one and has a target.

    Args:
        version: the version.
        environment: where it is to run.
        deployments: what the ledger has of the model, oldest first, by environment; nothing of one without a target.
        at: the moment.
    """
    ref = VersionRef(version.model, version.version)
    for earlier in environment.after:
        entries = deployments.get(earlier)
        if entries is not None and healthy_period(entries, version.digest, at) is None:
            yield Finding(
                "upstream-environment-unverified",
                f"{ref} was not seen to run in {earlier}",
                why=_last(entries, earlier, at),
                fix=f"run `mlgit apply {earlier}`; what is merged is not yet what runs",
                at=Location(layout.environment(environment.name), path="after"),
            )


def check_soak(case: PromotionContext, at: datetime) -> Iterator[Finding]:
    """A version was healthy for as long as the environment asks, where it asks, without a break up to the moment."""
    if case.version is not None and case.manifest.change == "promote":
        yield from check_soak_time(case.version, case.environment, case.deployments, at)


def check_soak_time(
    version: Version, environment: Environment, deployments: Mapping[str, Sequence[Deployment]], at: datetime
) -> Iterator[Finding]:
    """A version was healthy for as long as an environment asks; takes what `check_seen` takes."""
    soak = environment.soak
    if soak is None:
        return
    entries = deployments.get(soak.in_, ())
    max_gap = None if soak.max_gap is None else timedelta(seconds=seconds(soak.max_gap))
    run = healthy_period(entries, version.digest, at, max_gap=max_gap)
    enough = timedelta(seconds=seconds(soak.for_))
    if run is None or at - run.since < enough:
        yield _short(version, environment.name, soak, run, at, _last(entries, soak.in_, at))


def _short(
    version: Version, environment: str, soak: Soak, run: HealthyPeriod | None, at: datetime, last: str
) -> Finding:
    ref = VersionRef(version.model, version.version)
    where = Location(layout.environment(environment), path="soak")
    if run is None:
        gap = "" if soak.max_gap is None else f"; nobody may look away for more than {soak.max_gap}"
        return Finding(
            "soak-too-short",
            f"{ref} is not soaking in {soak.in_}, and {soak.for_} are asked for",
            why=last + gap,
            fix=f"run `mlgit apply {soak.in_}`, or `mlgit observe {soak.in_}` if it runs: the time counts from then",
            at=where,
        )
    enough = run.since + timedelta(seconds=seconds(soak.for_))
    return Finding(
        "soak-too-short",
        f"{ref} has been healthy in {soak.in_} for {_words(at - run.since)}, and {soak.for_} are asked for",
        why=f"it was seen there first at {utc_time(run.since)}, and last at {utc_time(run.last)}",
        fix=f"run the command again at {utc_time(_minute(enough))} or later, if it stays healthy",
        at=where,
    )


def _last(entries: Sequence[Deployment], environment: str, at: datetime) -> str:
    """Say what the ledger has seen last in an environment by a moment."""
    seen = [entry for entry in entries if entry.at <= at]
    if not seen:
        return f"the ledger has seen nothing in {environment} by {utc_time(at)}"
    last = seen[-1]
    what = "no version" if last.digest is None else f"the version of digest {last.digest[7:19]}"
    return f"the ledger has last seen {what} in {environment}, {last.status}, at {utc_time(last.at)}"


def _words(time: timedelta) -> str:
    """Say a length of time in days, hours and minutes."""
    minutes = max(time // timedelta(minutes=1), 0)
    parts = [(minutes // 1440, "d"), (minutes // 60 % 24, "h"), (minutes % 60, "m")]
    return " ".join(f"{number}{unit}" for number, unit in parts if number) or "0m"


def _minute(moment: datetime) -> datetime:
    """Return the first whole minute from a moment on, in UTC."""
    return (moment.astimezone(UTC) + timedelta(seconds=59, microseconds=999_999)).replace(second=0, microsecond=0)
