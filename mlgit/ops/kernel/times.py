"""The clock of the machine, held against commits; and times in the future, as people state them."""

from datetime import UTC, datetime, timedelta

from mlgit.domain.clocks import CLOCK_TOLERANCE
from mlgit.domain.formatting import utc_time
from mlgit.domain.names import CommitId
from mlgit.errors import refused, usage_error
from mlgit.ops.kernel.ports.workspace import Workspace


def require_clock(workspace: Workspace, *commits: CommitId | None) -> None:
    """Refuse to write a time that lies before what it rests on, as with a clock that was set back.

    Args:
        workspace: where.
        commits: what it rests on.

    Raises:
        MlgitError: the clock is behind one of them by more than the tolerance (`clock-behind`).
    """
    now = workspace.clock.now()
    for commit in commits:
        if commit is None or now + CLOCK_TOLERANCE >= (made := workspace.repository.commit_time(commit)):
            continue
        raise refused(
            "clock-behind",
            f"the clock of this machine is behind commit {commit[:12]}",
            why=f"it is {utc_time(now)} here, and the commit is of {utc_time(made)}; what is dated before it would not count",
            fix="set the clock right; if the commit was made with a wrong clock, ask whoever made it",
        )


def future_time(stated: datetime | timedelta, now: datetime) -> datetime:
    """Return a stated time, or the time after a stated duration, in UTC and without fractions of a second.

    Raises:
        UsageError: the time is not in the future (`time-in-past`), or later than a date can be (`time-out-of-range`).
    """
    try:
        time = (now + stated if isinstance(stated, timedelta) else stated).astimezone(UTC).replace(microsecond=0)
    except OverflowError as error:
        raise usage_error(
            "time-out-of-range", "the time is too far in the future", fix="state an earlier one"
        ) from error
    if time <= now:
        raise usage_error(
            "time-in-past",
            f"{utc_time(time)} is in the past",
            fix="state a future time, or how long from now, such as 4h",
        )
    return time
