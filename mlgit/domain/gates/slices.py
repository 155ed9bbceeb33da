"""Is the candidate good enough on each slice, and no worse than the champion?"""

import math
from collections.abc import Sequence
from typing import Annotated, Any

from mlgit.domain.formatting import percent
from mlgit.domain.gates.base import Evidence, Gate, GateResult, failed, passed, skipped
from mlgit.domain.gates.common import MAX_LISTED, Level, MinRows, Resamples, format_gain, gain_facts
from mlgit.domain.names import Line, Name
from mlgit.domain.records.base import describe
from mlgit.domain.results import Correction, Gain, SliceGain, SliceValue


class SliceHarm(Gate, frozen=True, kw_only=True, tag="slice-harm"):
    """On no value of the problem's slice columns is a metric significantly worse than the champion's by more than `max_drop`.

    A slice with fewer than `min_rows` rows is not evaluated. It counts as harmed if the whole confidence interval of its gain
    is below `-max_drop`; with `strict`, if the gain itself is. Each slice is a comparison, and with many of them some show
    harm by chance: `bonferroni` widens every interval, so that all of them hold simultaneously at the level; `holm` uses
    p-values, finds at least as much, and controls the same error rate. With `strict` there is nothing to correct.
    """

    metric: Annotated[Name | None, describe("Name of the metric; the problem's primary one if missing.")] = None
    max_drop: Annotated[float, describe("Accepted loss.", ge=0)] = 0.02
    min_rows: MinRows = 200
    strict: Annotated[bool, describe("Compare the gain itself instead of its interval.")] = False
    correction: Annotated[Correction, describe("Correction for multiple comparisons.")] = "none"
    level: Level = 0.95
    resamples: Resamples = 1000

    def judge(self, evidence: Evidence) -> GateResult:
        """Pass if no slice is harmed."""
        if evidence.champion is None:
            return skipped("no champion in this environment yet")
        if not evidence.problem.metric.slices:
            return skipped("the problem names no columns to slice by")
        metric = self.metric or evidence.problem.metric.primary
        slices = evidence.slice_gains(
            metric,
            min_rows=self.min_rows,
            resamples=self.resamples,
            level=self.level,
            max_drop=self.max_drop,
            correction=self.correction,
        )
        judged = [(slice_gain, slice_gain.gain) for slice_gain in slices if slice_gain.gain is not None]
        if not judged:
            return skipped(f"no slice has the {self.min_rows} rows that are needed")
        worst, gain = min(judged, key=lambda pair: -math.inf if math.isnan(pair[1].value) else pair[1].value)
        harmed = [_name(slice_gain) for slice_gain, its_gain in judged if self._is_harmed(slice_gain, its_gain)]
        facts: dict[str, Any] = {
            "max_drop": self.max_drop,
            "judged": len(judged),
            "too_small": len(slices) - len(judged),
            "comparisons": len(judged),
            "correction": self.correction,
            "harmed": harmed,
            "worst": {"slice": _name(worst), "p_harm": worst.p} | gain_facts(metric, gain) | {"rows": worst.rows},
        }
        message = (
            f"worst of {len(judged)} (correction {self.correction}): {_name(worst)} {format_gain(gain)}, "
            f"{-self.max_drop:+g} allowed"
        )
        if harmed:
            return failed(f"{len(harmed)} of {len(judged)} slices worse; {message}", **facts)
        return passed(message, **facts)

    def _is_harmed(self, slice_gain: SliceGain, gain: Gain) -> bool:
        # Each comparison is negated, so that NaN counts as harm.
        if self.strict:
            return not gain.value >= -self.max_drop
        if self.correction == "holm":
            return slice_gain.p is None or not slice_gain.p > (1 - self.level) / 2
        return not gain.high >= -self.max_drop


class SliceMinimum(Gate, frozen=True, kw_only=True, tag="slice-minimum"):
    """On every value of the slice columns, a metric of the candidate is within limits.

    A slice with fewer than `min_rows` rows is not evaluated, and listed. With `interval`, the lower bound of the slice's
    bootstrap interval has to reach `min`, and its upper bound must not exceed `max`: the more rows a slice has, the nearer
    the bounds are to the metric itself.
    """

    metric: Annotated[Name | None, describe("Name of the metric; the problem's primary one if missing.")] = None
    min: Annotated[float | None, describe("Minimum.")] = None
    max: Annotated[float | None, describe("Maximum.")] = None
    columns: Annotated[
        tuple[Line, ...], describe("Columns of the predictions; the problem's slice columns if missing.")
    ] = ()
    min_rows: MinRows = 200
    interval: Annotated[bool, describe("Compare the bound of the interval that is nearer to the limit.")] = False
    level: Level = 0.95
    resamples: Resamples = 1000

    def judge(self, evidence: Evidence) -> GateResult:
        """Pass if no slice is outside the limits; fail if neither limit is set."""
        metric = self.metric or evidence.problem.metric.primary
        columns = self.columns or tuple(evidence.problem.metric.slices)
        if not columns:
            return skipped("neither the gate nor the problem names columns to slice by")
        if self.min is None and self.max is None:
            return failed(f"neither min nor max is set for {metric}")
        level = self.level if self.interval else None
        slices = evidence.slice_values(metric, columns, min_rows=self.min_rows, resamples=self.resamples, level=level)
        judged = [slice_value for slice_value in slices if slice_value.metric is not None]
        small = [f"{_name(slice_value)} ({slice_value.reason})" for slice_value in slices if slice_value.metric is None]
        if not judged:
            return skipped(f"no slice has the {self.min_rows} rows that are needed")
        outside = [slice_value for slice_value in judged if not self._within_limits(slice_value)]
        worst = self._worst(outside or judged)
        facts: dict[str, Any] = {
            "metric": metric,
            "min": self.min,
            "max": self.max,
            "judged": len(judged),
            "comparisons": len(judged),
            "not_judged": small[:MAX_LISTED],
            "outside_limits": [_name(slice_value) for slice_value in outside],
            "worst": {"slice": _name(worst), "rows": worst.rows, "value": worst.metric},
        }
        if self.interval:
            facts |= {"level": self.level, "resamples": self.resamples}
            facts["worst"] |= {"low": worst.low, "high": worst.high}
        message = f"worst of {len(judged)}: {_name(worst)} {metric} {self._describe(worst)}, {self._limits()}"
        message += f"; {len(small)} not evaluated" if small else ""
        if outside:
            return failed(f"{len(outside)} of {len(judged)} slices outside the limits; {message}", **facts)
        return passed(message, **facts)

    def _bounds(self, slice_value: SliceValue) -> tuple[float | None, float | None]:
        """Return what is compared with `min` and with `max`: both ends of the interval, or the metric itself."""
        if self.interval:
            return slice_value.low, slice_value.high
        return slice_value.metric, slice_value.metric

    def _within_limits(self, slice_value: SliceValue) -> bool:
        # Compared with >= and <=, so that NaN is outside the limits.
        low, high = self._bounds(slice_value)
        above_min = self.min is None or (low is not None and low >= self.min)
        below_max = self.max is None or (high is not None and high <= self.max)
        return above_min and below_max

    def _worst(self, slices: Sequence[SliceValue]) -> SliceValue:
        """Return the slice nearest to a limit, or farthest beyond it; one with NaN before all others."""

        def distance(slice_value: SliceValue) -> float:
            low, high = self._bounds(slice_value)
            distances = [
                math.nan if bound is None else (bound - limit) * sign
                for bound, limit, sign in ((low, self.min, 1), (high, self.max, -1))
                if limit is not None
            ]
            return -math.inf if any(map(math.isnan, distances)) else min(distances)

        return min(slices, key=distance)

    def _describe(self, slice_value: SliceValue) -> str:
        level = percent(self.level)
        interval = f" ({level}: {slice_value.low:.4f} to {slice_value.high:.4f})" if self.interval else ""
        return f"{slice_value.metric:.4f}{interval}"

    def _limits(self) -> str:
        limits = [] if self.min is None else [f"at least {self.min:g} required"]
        limits += [] if self.max is None else [f"at most {self.max:g} allowed"]
        return ", ".join(limits)


def _name(part: SliceGain | SliceValue) -> str:
    return f"{part.column}={part.value}"
