"""Holds: what may not change, or may not come back, until the hold is lifted or ends by itself."""

from collections.abc import Iterable
from datetime import datetime

from mlgit.domain.names import Digest
from mlgit.domain.records.governance import Hold


def in_force(
    holds: Iterable[Hold], *, environment: str, model: str, digest: Digest | None, change: str, at: datetime
) -> list[Hold]:
    """Return the holds that stand in the way of a change.

    Args:
        holds: all that there are.
        environment: where the change is made.
        model: the model that changes.
        digest: the version that is to run; None where the model leaves.
        change: `promote`, `rollback`, `ramp` or `retire`. A freeze does not stop a rollback; a hold on a version does.
        at: the moment of judging; a hold whose time is over is none.
    """
    return [
        hold
        for hold in holds
        if (hold.until is None or at < hold.until)
        and hold.environment in {None, environment}
        and hold.model in {None, model}
        and (hold.digest == digest if hold.scope == "version" else change != "rollback")
    ]
