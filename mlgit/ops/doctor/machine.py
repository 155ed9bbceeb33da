"""Checks of the machine: the programs that mlgit works with, and the zones of the world."""

from mlgit.domain import zones
from mlgit.errors import Finding
from mlgit.ops.doctor.subject import Said, Subject


def programs(subject: Subject) -> Said:
    """Git, DVC, Python and OpenSSH are there, and new enough."""
    machine = subject.machine
    return Said(f"Git {machine.git()}, DVC {machine.dvc()}, Python {machine.python()}, {machine.ssh()}")


def zone_data(subject: Subject) -> Said:
    """The database of time zones is there, where windows need it."""
    if zones.find_zone("Europe/Berlin") is not None:
        return Said("the database of time zones is there")
    needed = sorted(
        f"{one.name} ({span.zone})"
        for one in subject.environments
        for window in one.windows
        for span in (window.allow, window.deny)
        if span is not None and zones.find_zone(span.zone) is None
    )
    if not needed:
        return Said("there is no database of time zones, and no window needs one")
    return Said(
        "there is no database of time zones",
        [
            Finding(
                "zones-missing",
                "this machine has no database of time zones",
                why=f"the windows of {', '.join(needed)} are closed without it",
                fix="install it: `pip install tzdata`, or the package tzdata of the system",
            )
        ],
    )
