"""Are error rates or metrics similar across groups?"""

import math
from collections.abc import Sequence
from typing import Annotated, Any, Literal, NamedTuple

from msgspec import Meta

from mlgit.domain.gates.base import Evidence, Gate, GateResult, failed, passed, skipped
from mlgit.domain.gates.common import MAX_LISTED, MinRows
from mlgit.domain.names import Line, Name
from mlgit.domain.records.base import describe
from mlgit.domain.results import GroupMeasure

FairnessMeasure = Literal["selection_rate", "true_positive_rate", "false_positive_rate", "equalized_odds"]

_Difference = Annotated[float, Meta(ge=0)]
_Ratio = Annotated[float, Meta(gt=0, le=1)]

_ODDS = ("true_positive_rate", "false_positive_rate")
_MIN_GROUPS = 2  # a comparison needs two


class Fairness(Gate, frozen=True, kw_only=True, tag="fairness"):
    """Between the groups of each column, a rate or a metric of the candidate differs by no more than is allowed.

    Groups are the values of a column of the predictions. `equalized_odds` compares true and false positive rates, and goes by
    the one that differs more (Hardt, Price & Srebro 2016, "Equality of opportunity in supervised learning"); the true positive
    rate alone is equality of opportunity. `min_ratio: 0.8` of selection rates is the four-fifths rule (Uniform Guidelines on
    Employee Selection Procedures, 29 CFR 1607.4 D). Differences are those observed, without an interval. A group with too few
    rows is not evaluated, and listed.
    """

    columns: Annotated[
        tuple[Line, ...], describe("Columns of the predictions whose values are the groups.", min_length=1)
    ]
    measure: Annotated[FairnessMeasure, describe("The rate that is compared.")] = "equalized_odds"
    metric: Annotated[Name | None, describe("A metric to compare instead of a rate.")] = None
    max_difference: Annotated[_Difference | None, describe("Maximum of the highest value minus the lowest.")] = None
    min_ratio: Annotated[_Ratio | None, describe("Minimum of the lowest value divided by the highest.")] = None
    min_rows: MinRows = 200

    def judge(self, evidence: Evidence) -> GateResult:
        """Pass if no column has groups that differ too much; fail if no limit is set."""
        if self.metric is None and evidence.problem.target.type != "binary":
            return skipped(f"{self.measure} needs a binary target, and this one is {evidence.problem.target.type}")
        if self.max_difference is None and self.min_ratio is None:
            return failed("neither max_difference nor min_ratio is set")
        groups = evidence.group_measures(self._measures, self.columns, min_rows=self.min_rows)
        spreads = [spread for column in self.columns for spread in self._spreads(column, groups)]
        small = [f"{group.column}={group.value} ({group.reason})" for group in groups if group.reason is not None]
        if not spreads:
            listed = f": not evaluated {', '.join(small[:MAX_LISTED])}" if small else ""
            return skipped(f"no column has two groups that are large enough to compare{listed}")
        unfair = [spread for spread in spreads if not self._within_limits(spread)]
        worst = max(unfair or spreads, key=_difference)
        judged = {spread.column for spread in spreads}
        facts: dict[str, Any] = {
            "measure": self.metric or self.measure,
            "max_difference": self.max_difference,
            "min_ratio": self.min_ratio,
            "comparisons": len(spreads),
            "spreads": [spread._asdict() for spread in spreads],
            "not_judged": small[:MAX_LISTED],
            "columns_not_judged": [column for column in self.columns if column not in judged],
        }
        message = (
            f"{worst.measure} {worst.low:.4f} for {worst.column}={worst.lowest}, {worst.high:.4f} for {worst.highest}: "
            f"{self._describe(worst)}" + (f"; {len(small)} groups not evaluated" if small else "")
        )
        return failed(message, **facts) if unfair else passed(message, **facts)

    @property
    def _measures(self) -> tuple[str, ...]:
        if self.metric is not None:
            return (self.metric,)
        return _ODDS if self.measure == "equalized_odds" else (self.measure,)

    def _spreads(self, column: str, groups: Sequence[GroupMeasure]) -> list["_Spread"]:
        """Return the spread of each measure over the evaluated groups of a column; none for fewer than two groups."""
        judged = [group for group in groups if group.column == column and group.reason is None]
        if len(judged) < _MIN_GROUPS:
            return []
        return [
            _spread(column, name, [(group.value, group.measures[name]) for group in judged]) for name in self._measures
        ]

    def _within_limits(self, spread: "_Spread") -> bool:
        # Compared with <= and >=, so that NaN is outside the limits.
        difference_ok = self.max_difference is None or spread.difference <= self.max_difference
        ratio_ok = self.min_ratio is None or spread.ratio >= self.min_ratio
        return difference_ok and ratio_ok

    def _describe(self, spread: "_Spread") -> str:
        parts = []
        if self.max_difference is not None:
            parts.append(f"difference {spread.difference:.4f}, {self.max_difference:g} allowed")
        if self.min_ratio is not None:
            parts.append(f"ratio {spread.ratio:.4f}, {self.min_ratio:g} required")
        return "; ".join(parts)


class _Spread(NamedTuple):
    """The groups of a column with the lowest and the highest value of a measure, and how far these differ."""

    column: str
    measure: str
    lowest: str
    low: float
    highest: str
    high: float
    difference: float
    ratio: float


def _difference(spread: _Spread) -> float:
    return math.inf if math.isnan(spread.difference) else spread.difference


def _spread(column: str, measure: str, values: Sequence[tuple[str, float]]) -> _Spread:
    undefined = next((item for item in values if math.isnan(item[1])), None)
    lowest = undefined or min(values, key=lambda item: item[1])
    highest = undefined or max(values, key=lambda item: item[1])
    low, high = lowest[1], highest[1]
    # A rate of zero in every group is equal treatment.
    ratio = 1.0 if low == high == 0 else low / high if high else math.nan
    return _Spread(column, measure, lowest[0], low, highest[0], high, high - low, ratio)
