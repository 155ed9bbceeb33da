"""Does the candidate treat groups of rows alike?"""

import math
from collections.abc import Sequence
from typing import Annotated, Any, Literal, NamedTuple

from msgspec import Meta

from mlgit.domain.gates.base import Evidence, Gate, GateResult, failed, passed, skipped
from mlgit.domain.gates.facts import GroupMeasure
from mlgit.domain.gates.metrics import NAMED, MinRows
from mlgit.domain.names import Line, Name
from mlgit.domain.records.base import doc

Measure = Literal["selection_rate", "true_positive_rate", "false_positive_rate", "equalized_odds"]

_Distance = Annotated[float, Meta(ge=0)]
_Ratio = Annotated[float, Meta(gt=0, le=1)]

_ODDS = ("true_positive_rate", "false_positive_rate")
_PAIR = 2  # groups without which there is nothing to compare


class Fairness(Gate, frozen=True, kw_only=True, tag="fairness"):
    """Between the groups of each column, a rate or a metric of the candidate differs by no more than is allowed.

    Groups are the values of a column of the predictions. `equalized_odds` compares true and false positive rates, and goes by
    the one that differs more (Hardt, Price & Srebro 2016, "Equality of opportunity in supervised learning"); the true positive
    rate alone is equality of opportunity. `min_ratio: 0.8` of selection rates is the four-fifths rule (Uniform Guidelines on
    Employee Selection Procedures, 29 CFR 1607.4 D). Differences are those observed, without an interval. A group with too few
    rows is not judged, and named.
    """

    columns: Annotated[tuple[Line, ...], doc("Columns of the predictions whose values are the groups.", min_length=1)]
    measure: Annotated[Measure, doc("What is compared: of the rows of a group, how many are predicted positive.")] = (
        "equalized_odds"
    )
    metric: Annotated[Name | None, doc("A metric to compare instead.")] = None
    max_difference: Annotated[_Distance | None, doc("Highest less lowest, at most.")] = None
    min_ratio: Annotated[_Ratio | None, doc("Lowest divided by highest, at least.")] = None
    min_rows: MinRows = 200

    def judge(self, evidence: Evidence) -> GateResult:
        """Pass when no column has groups that lie too far apart; without either limit, nothing was asked."""
        if self.metric is None and evidence.problem.target.type != "binary":
            return skipped(f"{self.measure} is for a binary target, and here it is {evidence.problem.target.type}")
        if self.max_difference is None and self.min_ratio is None:
            return failed("neither max_difference nor min_ratio is stated")
        groups = evidence.groups(self._measures, self.columns, min_rows=self.min_rows)
        spreads = [spread for column in self.columns for spread in self._spreads(column, groups)]
        small = [f"{group.column}={group.value} ({group.reason})" for group in groups if group.reason is not None]
        if not spreads:
            named = f": not judged {', '.join(small[:NAMED])}" if small else ""
            return skipped(f"no column has two groups that are large enough to compare{named}")
        apart = [spread for spread in spreads if not self._within(spread)]
        worst = max(apart or spreads, key=lambda one: math.inf if math.isnan(one.difference) else one.difference)
        judged = {spread.column for spread in spreads}
        facts: dict[str, Any] = {
            "measure": self.metric or self.measure,
            "max_difference": self.max_difference,
            "min_ratio": self.min_ratio,
            "comparisons": len(spreads),
            "spreads": [spread._asdict() for spread in spreads],
            "not_judged": small[:NAMED],
            "columns_not_judged": [column for column in self.columns if column not in judged],
        }
        message = (
            f"{worst.measure} {worst.low:.4f} for {worst.column}={worst.lowest}, {worst.high:.4f} for {worst.highest}: "
            f"{self._said(worst)}" + (f"; {len(small)} groups not judged" if small else "")
        )
        return failed(message, **facts) if apart else passed(message, **facts)

    @property
    def _measures(self) -> tuple[str, ...]:
        if self.metric is not None:
            return (self.metric,)
        return _ODDS if self.measure == "equalized_odds" else (self.measure,)

    def _spreads(self, column: str, groups: Sequence[GroupMeasure]) -> list["_Spread"]:
        """Return for each measure how far the judged groups of a column lie apart; nothing where there are not two."""
        judged = [group for group in groups if group.column == column and group.reason is None]
        if len(judged) < _PAIR:
            return []
        return [
            _spread(column, name, [(group.value, group.measures[name]) for group in judged]) for name in self._measures
        ]

    def _within(self, spread: "_Spread") -> bool:
        """Say whether a spread is within the limits; asked so that what is no number is not."""
        near = self.max_difference is None or spread.difference <= self.max_difference
        even = self.min_ratio is None or spread.ratio >= self.min_ratio
        return near and even

    def _said(self, spread: "_Spread") -> str:
        near = (
            []
            if self.max_difference is None
            else [f"difference {spread.difference:.4f}, {self.max_difference:g} allowed"]
        )
        even = [] if self.min_ratio is None else [f"ratio {spread.ratio:.4f}, {self.min_ratio:g} required"]
        return "; ".join(near + even)


class _Spread(NamedTuple):
    """The groups of a column in which a measure is lowest and highest, and how far these lie apart."""

    column: str
    measure: str
    lowest: str
    low: float
    highest: str
    high: float
    difference: float
    ratio: float


def _spread(column: str, measure: str, values: Sequence[tuple[str, float]]) -> _Spread:
    nowhere = next((item for item in values if math.isnan(item[1])), None)
    lowest = nowhere or min(values, key=lambda item: item[1])
    highest = nowhere or max(values, key=lambda item: item[1])
    low, high = lowest[1], highest[1]
    # Where nobody is chosen, all fare alike.
    ratio = 1.0 if low == high == 0 else low / high if high else math.nan
    return _Spread(column, measure, lowest[0], low, highest[0], high, high - low, ratio)
