"""Is the candidate within the budgets for size and latency?"""

from typing import Annotated

from mlgit.domain.gates.base import Evidence, Gate, GateResult, failed, passed, skipped
from mlgit.domain.records.base import PositiveFloat, describe

_MB = 1_000_000


class Size(Gate, frozen=True, kw_only=True, tag="size"):
    """The model file is no larger than the model's budget, or than `max_mb`."""

    max_mb: Annotated[PositiveFloat | None, describe("Megabytes (10^6 bytes); the model's own budget if missing.")] = (
        None
    )

    def judge(self, evidence: Evidence) -> GateResult:
        """Pass if the size is within the budget."""
        limit = self.max_mb or evidence.model.budgets.size_mb
        if limit is None:
            return skipped("the model has no budget for its size")
        size = evidence.candidate.artifact.size / _MB
        message = f"{size:.2f} MB of {limit:g} MB"
        return passed(message, mb=size, limit=limit) if size <= limit else failed(message, mb=size, limit=limit)


class Latency(Gate, frozen=True, kw_only=True, tag="latency"):
    """The 95th percentile of single-prediction latency, measured at registration, is within the budget or `max_p95_ms`.

    Latency depends on the machine, so the result says where it was measured, and whether the champion's was measured on a
    machine with the same processor. Otherwise the two are not comparable.
    """

    max_p95_ms: Annotated[PositiveFloat | None, describe("Milliseconds; the model's own budget if missing.")] = None

    def judge(self, evidence: Evidence) -> GateResult:
        """Pass if the recorded 95th percentile is within the budget."""
        limit = self.max_p95_ms or evidence.model.budgets.p95_ms
        if limit is None:
            return skipped("the model has no budget for its latency")
        p95 = evidence.candidate.evaluation.p95_ms
        if p95 is None:
            return failed("latency was not measured: the model names no outputs.test")
        message = f"p95 {p95:.1f} ms of {limit:g} ms{_champion_latency(evidence)}"
        facts = {"p95_ms": p95, "limit": limit, "machine": evidence.candidate.evaluation.machine}
        return passed(message, **facts) if p95 <= limit else failed(message, **facts)


def _champion_latency(evidence: Evidence) -> str:
    """Return the champion's latency as a remark, or that it is not comparable; empty without one."""
    champion = evidence.champion
    if champion is None or champion.evaluation.p95_ms is None:
        return ""
    if champion.evaluation.machine != evidence.candidate.evaluation.machine:
        return " (the champion was measured on another processor: not comparable)"
    return f" (champion {champion.evaluation.p95_ms:.1f} ms, same processor)"
