"""What became of each manifest that was to be applied, as a row of a table."""

from typing import Final

from mlgit.domain.slots import ALL
from mlgit.ops.delivery.apply import Application

HEADER: Final = ("WHERE", "VERSION", "RESULT", "DECISION", "APPROVED BY")

_WORDS = {
    "applied": "applied",
    "up-to-date": "nothing to do",
    "recorded": "ran already; written down",
    "waiting": "waits for its window",
    "blocked": "blocked",
    "failed": "failed",
    "planned": "would be applied",
    "no-target": "no target",
}


def row(one: Application) -> list[str]:
    """Return the cells below `HEADER`."""
    version = (one.version or "nothing") + (f" at {one.traffic}%" if one.traffic != ALL else "")
    return [
        f"{one.environment}/{one.model}",
        ", ".join([version, *map(str, one.beside)]),
        _WORDS[one.state] + _step(one),
        f"decision {one.decision[7:19]}" if one.decision else "",
        ", ".join(one.approved_by),
    ]


def _step(one: Application) -> str:
    if one.paused:
        return "; the ramp is paused"
    return f"; next step at {one.until:%Y-%m-%d %H:%M} UTC" if one.until else ""
