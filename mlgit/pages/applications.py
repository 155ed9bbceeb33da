"""The result of each manifest that was to be applied, as rows of a table."""

from typing import Final

from mlgit.domain.formatting import utc_time
from mlgit.domain.slots import FULL_TRAFFIC
from mlgit.ops.delivery.deployer import Application

HEADER: Final = ("WHERE", "VERSION", "RESULT", "DECISION", "APPROVED BY")

_RESULTS = {
    "applied": "applied",
    "up-to-date": "nothing to do",
    "recorded": "running already; recorded",
    "waiting": "waiting for its window",
    "blocked": "blocked",
    "failed": "failed",
    "planned": "would be applied",
    "no-target": "no target",
}


def row(application: Application) -> list[str]:
    """Return the cells below `HEADER`."""
    share = f" at {application.traffic}%" if application.traffic != FULL_TRAFFIC else ""
    version = (application.version or "nothing") + share
    return [
        f"{application.environment}/{application.model}",
        ", ".join([version, *map(str, application.beside)]),
        _RESULTS[application.state] + _next_step(application),
        f"decision {application.decision[7:19]}" if application.decision else "",
        ", ".join(application.approved_by),
    ]


def _next_step(application: Application) -> str:
    if application.ramp_paused:
        return "; the ramp is paused"
    return f"; next step at {utc_time(application.next_step_at)}" if application.next_step_at else ""
