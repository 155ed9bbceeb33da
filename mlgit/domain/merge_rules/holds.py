"""Rules for holds: a held version is not promoted and a frozen environment or model not changed, until the hold ends."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime

from mlgit.domain import layout
from mlgit.domain.formatting import utc_time
from mlgit.domain.names import Digest
from mlgit.domain.promotion_context import PromotionContext
from mlgit.domain.records.governance import Hold
from mlgit.domain.records.promotion import Promotion
from mlgit.errors import Finding, Location


def check_holds(context: PromotionContext, at: datetime) -> Iterator[Finding]:
    """Check that no hold of the state before the change blocks it."""
    yield from check_holds_on_manifest(context.holds, context.manifest, at)


def check_holds_on_manifest(holds: Mapping[str, Hold], manifest: Promotion, at: datetime) -> Iterator[Finding]:
    """Check that no hold blocks a change.

    Args:
        holds: every hold, by its name.
        manifest: the manifest after the change.
        at: the time.
    """
    slots = (manifest.slots.champion, manifest.slots.challenger, manifest.slots.shadow)
    versions = {slot.digest: f"{manifest.model}@{slot.version}" for slot in slots if slot is not None}
    yield from check_holds_on_change(
        holds, environment=manifest.environment, model=manifest.model, versions=versions, change=manifest.change, at=at
    )


def check_holds_on_change(
    holds: Mapping[str, Hold],
    *,
    environment: str,
    model: str,
    versions: Mapping[Digest, str],
    change: str,
    at: datetime,
) -> Iterator[Finding]:
    """Check that no hold blocks a change that has no manifest yet.

    Args:
        holds: every hold, by its name.
        environment: the environment that changes.
        model: the model that changes.
        versions: the versions that will run, as `MODEL@N` by digest.
        change: the kind of change.
        at: the time.
    """
    names = {id(hold): name for name, hold in holds.items()}
    for hold in blocking_holds(
        holds.values(), environment=environment, model=model, digests=versions, change=change, at=at
    ):
        name = names[id(hold)]
        version = versions.get(hold.digest or "")
        yield Finding(
            "change-frozen" if version is None else "version-held",
            f"{environment}/{model} is frozen: only a rollback is allowed" if version is None else f"{version} is held",
            why=f"{hold.by}: {hold.reason}" + (f" (until {utc_time(hold.until)})" if hold.until else ""),
            fix=f"when the reason no longer applies, run `mlgit hold lift {name} --reason ...`"
            + ("" if version is None else "; or choose another version"),
            at=Location(layout.hold(name)),
        )


def blocking_holds(
    holds: Iterable[Hold], *, environment: str, model: str, digests: Collection[Digest], change: str, at: datetime
) -> list[Hold]:
    """Return the active holds that block a change.

    Args:
        holds: every hold.
        environment: the environment that changes.
        model: the model that changes.
        digests: the versions that will run; none if the model is removed.
        change: `promote`, `rollback`, `ramp` or `retire`. A freeze does not block a rollback; a hold on a version does.
        at: the time.
    """
    return [
        hold
        for hold in holds
        if is_active(hold, at)
        and hold.environment in {None, environment}
        and hold.model in {None, model}
        and (hold.digest in digests if hold.scope == "version" else change != "rollback")
    ]


def is_active(hold: Hold, at: datetime) -> bool:
    """Return whether a hold has not ended by a time."""
    return hold.until is None or at < hold.until
