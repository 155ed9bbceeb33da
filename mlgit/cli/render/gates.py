"""How gates are shown, wherever they are."""

from collections.abc import Sequence

from mlgit.cli.render import text
from mlgit.domain.records.gatereport import GateVerdict


def gates(verdicts: Sequence[GateVerdict]) -> str:
    """Return one line a gate: its answer, its name, and why."""
    width = max((len(verdict.gate) for verdict in verdicts), default=0)
    return "\n".join(
        f"  {text.word(verdict.outcome, 6)}  {verdict.gate.ljust(width)}  {text.clean(verdict.message)}"
        for verdict in verdicts
    )
