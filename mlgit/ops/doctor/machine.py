"""Checks of the machine: the programs that mlgit uses, and the time zone database."""

from mlgit.domain import zones
from mlgit.errors import Finding
from mlgit.ops.doctor.context import CheckResult, DoctorContext


def programs(context: DoctorContext) -> CheckResult:
    """Git, DVC, Python and OpenSSH are installed, and new enough."""
    machine = context.machine
    return CheckResult(f"Git {machine.git()}, DVC {machine.dvc()}, Python {machine.python()}, {machine.ssh()}")


def zone_data(context: DoctorContext) -> CheckResult:
    """The database of time zones is there, where windows need it."""
    if zones.find_zone("Europe/Berlin") is not None:
        return CheckResult("the database of time zones is there")
    needed = sorted(
        f"{environment.name} ({span.zone})"
        for environment in context.environments
        for window in environment.windows
        for span in (window.allow, window.deny)
        if span is not None and zones.find_zone(span.zone) is None
    )
    if not needed:
        return CheckResult("there is no time zone database, and no window needs one")
    missing = Finding(
        "time-zone-database-missing",
        "this machine has no time zone database",
        why=f"the windows of {', '.join(needed)} are closed without it",
        fix="install it: `pip install tzdata`, or the package tzdata of the system",
    )
    return CheckResult("there is no time zone database", [missing])
