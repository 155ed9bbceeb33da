"""Does the candidate's training data differ from the champion's?"""

import math
from collections.abc import Collection
from typing import Annotated, Any

import msgspec

from mlgit.domain.gates.base import Evidence, Gate, GateResult, failed, passed, skipped
from mlgit.domain.gates.common import MAX_LISTED
from mlgit.domain.names import Line
from mlgit.domain.records.base import describe
from mlgit.domain.results import ColumnDrift, Drift


class DataDrift(Gate, frozen=True, kw_only=True, tag="data-drift"):
    """The columns that the candidate was trained on are distributed as those of the champion.

    The reference profiles of both versions are compared column by column with the population stability index (psi). Its
    limits are a convention: below 0.1 little change, 0.1 to 0.25 some, above 0.25 a large one (Siddiqi 2006, "Credit Risk
    Scorecards"). Chance alone gives small tables a psi above zero: `noise` in the facts. A column whose values changed their
    kind counts as drifted; columns that were added or removed are listed.
    """

    max_psi: Annotated[float, describe("Maximum population stability index of a column.", gt=0)] = 0.25
    max_columns: Annotated[int, describe("Maximum number of columns beyond it.", ge=0)] = 0
    columns: Annotated[tuple[Line, ...], describe("Columns to compare; all that both versions have if missing.")] = ()

    def judge(self, evidence: Evidence) -> GateResult:
        """Pass if at most `max_columns` columns drifted; fail if a named column is missing from a profile."""
        if evidence.champion is None:
            return skipped("no champion in this environment yet")
        if evidence.champion.digest == evidence.candidate.digest:
            return skipped("the candidate is the champion")
        drift = evidence.drift()
        wanted = set(self.columns) or {column.column for column in drift.columns} | set(drift.retyped)
        compared = [column for column in drift.columns if column.column in wanted]
        retyped = [name for name in drift.retyped if name in wanted]
        absent = sorted(wanted - {column.column for column in compared} - set(retyped))
        if absent:
            return failed(f"{', '.join(absent)} cannot be compared: missing from the profile of one version or of both")
        if not wanted:
            return failed("the two versions have no column in common", added=drift.added, removed=drift.removed)
        ranked = sorted(compared, key=_by_psi)
        drifted = retyped + [column.column for column in ranked if not column.psi <= self.max_psi]
        facts: dict[str, Any] = {
            "max_psi": self.max_psi,
            "max_columns": self.max_columns,
            "compared": len(wanted),
            "drifted": drifted,
            "added": drift.added,
            "removed": drift.removed,
            "retyped": retyped,
            "columns": msgspec.to_builtins(ranked[:MAX_LISTED]),
        }
        parts = [f"{len(drifted)} of {len(wanted)} columns drifted, {self.max_columns} allowed"]
        if ranked:
            parts.append(f"worst psi {ranked[0].psi:.3f} in {ranked[0].column}, {self.max_psi:g} allowed")
        message = "; ".join([*parts, *_changes(drift, retyped)])
        return passed(message, **facts) if len(drifted) <= self.max_columns else failed(message, **facts)


def _by_psi(column: ColumnDrift) -> tuple[float, str]:
    """Sort key: highest psi first, NaN before all."""
    return (-math.inf if math.isnan(column.psi) else -column.psi, column.column)


def _changes(drift: Drift, retyped: Collection[str]) -> list[str]:
    changes = (("type changed", retyped), ("added", drift.added), ("removed", drift.removed))
    return [f"{change}: {', '.join(names)}" for change, names in changes if names]
