"""What is held stays out, and what is frozen stays as it is, until the hold is lifted or ends by itself."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime

from mlgit.domain import layout
from mlgit.domain.formatting import utc_time
from mlgit.domain.names import Digest
from mlgit.domain.promotion_context import PromotionContext
from mlgit.domain.records.governance import Hold
from mlgit.domain.records.promotion import Promotion
from mlgit.errors import Finding, Location


def check_holds(case: PromotionContext, at: datetime) -> Iterator[Finding]:
    """No hold of the state before the change stands in its way at the moment."""
    yield from check_holds_on_manifest(case.holds, case.manifest, at)


def check_holds_on_manifest(holds: Mapping[str, Hold], manifest: Promotion, at: datetime) -> Iterator[Finding]:
    """No hold stands in the way of a change.

    Args:
        holds: every hold, by its name.
        manifest: the change.
        at: the moment.
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
    """No hold stands in the way of a change that is not written down yet.

    Args:
        holds: every hold, by its name.
        environment: where the change is made.
        model: the model that changes.
        versions: the versions that are to run, by digest, as people call them.
        change: the kind of change.
        at: the moment.
    """
    names = {id(hold): name for name, hold in holds.items()}
    for hold in blocking_holds(
        holds.values(), environment=environment, model=model, digests=versions, change=change, at=at
    ):
        name = names[id(hold)]
        version = versions.get(hold.digest or "")
        yield Finding(
            "change-frozen" if version is None else "version-held",
            f"{environment}/{model} is frozen: no change but a rollback" if version is None else f"{version} is held",
            why=f"{hold.by}: {hold.reason}" + (f" (until {utc_time(hold.until)})" if hold.until else ""),
            fix=f"once the reason is gone, `mlgit hold lift {name} --reason ...`"
            + ("" if version is None else "; or name another version"),
            at=Location(layout.hold(name)),
        )


def blocking_holds(
    holds: Iterable[Hold], *, environment: str, model: str, digests: Collection[Digest], change: str, at: datetime
) -> list[Hold]:
    """Return the holds that stand in the way of a change.

    Args:
        holds: all that there are.
        environment: where the change is made.
        model: the model that changes.
        digests: the versions that are to run; none where the model leaves.
        change: `promote`, `rollback`, `ramp` or `retire`. A freeze does not stop a rollback; a hold on a version does.
        at: the moment; a hold whose time is over is none.
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
    """Tell whether the time of a hold is not over at a moment."""
    return hold.until is None or at < hold.until
