"""Is the candidate made from other data than the champion?"""

import math
from typing import Annotated, Any

from mlgit.domain.gates.base import Evidence, Gate, GateResult, failed, passed, skipped
from mlgit.domain.gates.facts import ColumnDrift
from mlgit.domain.gates.metrics import NAMED
from mlgit.domain.names import Line
from mlgit.domain.records.base import doc


class DataDrift(Gate, frozen=True, kw_only=True, tag="data-drift"):
    """The columns that the candidate was trained on are spread as those of the champion.

    Both versions' reference profiles are compared column by column with the population stability index (psi). Its limits are a
    convention: below 0.1 little, 0.1 to 0.25 some, above 0.25 a great change (Siddiqi 2006, "Credit Risk Scorecards"). Chance
    alone gives small tables a psi above 0: `noise` in the facts. A column that holds another kind of values counts as drifted;
    columns that came or went are named.
    """

    max_psi: Annotated[float, doc("Population stability index of a column, at most.", gt=0)] = 0.25
    max_columns: Annotated[int, doc("How many columns may be beyond it.", ge=0)] = 0
    columns: Annotated[tuple[Line, ...], doc("Columns to look at; all that both have if missing.")] = ()

    def judge(self, evidence: Evidence) -> GateResult:
        """Pass when no more columns drifted than may; fail where a column to look at is in neither profile or only in one."""
        if evidence.champion is None:
            return skipped("no champion in this environment yet")
        if evidence.champion.digest == evidence.candidate.digest:
            return skipped("the candidate is the champion")
        found = evidence.drift()
        asked = set(self.columns) or {one.column for one in found.columns} | set(found.retyped)
        compared = [one for one in found.columns if one.column in asked]
        retyped = [name for name in found.retyped if name in asked]
        absent = sorted(asked - {one.column for one in compared} - set(retyped))
        if absent:
            return failed(f"{', '.join(absent)} cannot be compared: the profiles of both versions lack it, or one does")
        if not asked:
            return failed(
                "the two versions have no column in common", added=list(found.added), removed=list(found.removed)
            )
        ranked = sorted(compared, key=lambda one: (-math.inf if math.isnan(one.psi) else -one.psi, one.column))
        drifted = retyped + [one.column for one in ranked if not one.psi <= self.max_psi]
        facts: dict[str, Any] = {
            "max_psi": self.max_psi,
            "max_columns": self.max_columns,
            "compared": len(asked),
            "drifted": drifted,
            "added": list(found.added),
            "removed": list(found.removed),
            "retyped": retyped,
            "columns": [_facts(one) for one in ranked[:NAMED]],
        }
        worst = f"worst psi {ranked[0].psi:.3f} in {ranked[0].column}, {self.max_psi:g} allowed" if ranked else ""
        changes = [
            f"{word} {', '.join(names)}"
            for word, names in (("other values in", retyped), ("new", found.added), ("gone", found.removed))
            if names
        ]
        message = "; ".join(
            [
                f"{len(drifted)} of {len(asked)} columns drifted, {self.max_columns} allowed",
                *filter(None, [worst]),
                *changes,
            ]
        )
        return passed(message, **facts) if len(drifted) <= self.max_columns else failed(message, **facts)


def _facts(one: ColumnDrift) -> dict[str, Any]:
    return {"column": one.column, "psi": one.psi, "js": one.js, "ks": one.ks, "bins": one.bins, "noise": one.noise}
