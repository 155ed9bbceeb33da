"""Is the candidate good enough, in itself and against what there was?"""

import math
from typing import Annotated, Any

from mlgit.domain.gates.base import Evidence, Gain, Gate, GateResult, failed, passed, skipped
from mlgit.domain.names import Name
from mlgit.domain.records.base import doc

Level = Annotated[float, doc("Confidence level of the interval.", gt=0.5, lt=1)]
Resamples = Annotated[int, doc("Bootstrap resamples.", ge=100, le=100_000)]


class Threshold(Gate, frozen=True, kw_only=True, tag="threshold"):
    """A metric of the candidate, computed from its stored predictions, is within limits."""

    metric: Annotated[Name, doc("The metric.")]
    min: Annotated[float | None, doc("At least.")] = None
    max: Annotated[float | None, doc("At most.")] = None

    def judge(self, evidence: Evidence) -> GateResult:
        """Pass when the metric is a number, not below `min` and not above `max`; without either limit, nothing was asked."""
        if self.min is None and self.max is None:
            return failed(f"neither min nor max is stated for {self.metric}")
        value = evidence.measured(self.metric)
        facts = {"metric": self.metric, "value": value}
        if math.isnan(value):
            return failed(f"{self.metric} is not a number", **facts)
        if self.min is not None and not value >= self.min:
            return failed(f"{self.metric} {value:.4f}, at least {self.min:g} required", **facts)
        if self.max is not None and not value <= self.max:
            return failed(f"{self.metric} {value:.4f}, at most {self.max:g} allowed", **facts)
        return passed(f"{self.metric} {value:.4f}", **facts)


class BeatsBaseline(Gate, frozen=True, kw_only=True, tag="beats-baseline"):
    """The primary metric is better, by `margin`, than what the problem states is reached without learning."""

    margin: Annotated[float, doc("By how much.", ge=0)] = 0.0

    def judge(self, evidence: Evidence) -> GateResult:
        """Pass when the gain over the stated baseline is more than the margin."""
        baseline = evidence.problem.baseline
        if baseline is None:
            return skipped("the problem states no baseline")
        metric = evidence.problem.metric
        value = evidence.measured(metric.primary)
        gain = value - baseline.metric if metric.direction == "max" else baseline.metric - value
        message = f"{metric.primary} {value:.4f} against {baseline.metric:g} without learning"
        facts = {"value": value, "baseline": baseline.metric, "gain": gain, "margin": self.margin}
        return (
            passed(message, **facts) if gain > self.margin else failed(f"{message}, {self.margin:+g} required", **facts)
        )


class BeatsChampion(Gate, frozen=True, kw_only=True, tag="beats-champion"):
    """A metric beats the champion's by `margin`, even at the low end of its confidence interval.

    Both are scored on the same rows and compared row by row (paired bootstrap). A margin below zero asks only that the
    candidate is not worse by more than that.
    """

    metric: Annotated[Name | None, doc("The metric; the problem's primary one if missing.")] = None
    margin: Annotated[float, doc("By how much; below zero for not worse than.")] = 0.0
    level: Level = 0.95
    resamples: Resamples = 1000

    def judge(self, evidence: Evidence) -> GateResult:
        """Pass when the low end of the interval is at or above the margin."""
        if evidence.champion is None:
            return skipped("no champion in this environment yet")
        if evidence.champion.digest == evidence.candidate.digest:
            return skipped("the candidate is the champion")
        metric = self.metric or evidence.problem.metric.primary
        gain = evidence.gain(metric, resamples=self.resamples, level=self.level)
        message = f"{metric} {gain.candidate:.4f} against {gain.champion:.4f}: {_interval(gain)}"
        facts = _facts(metric, gain) | {"margin": self.margin, "resamples": self.resamples}
        if gain.low >= self.margin:
            return passed(message, **facts)
        return failed(f"{message}; its low end must reach {self.margin:+g}", **facts)


class SliceHarm(Gate, frozen=True, kw_only=True, tag="slice-harm"):
    """On no value of the problem's slice columns is a metric surely worse than the champion's by more than `max_drop`.

    A slice with fewer than `min_rows` rows is not judged. It counts as harmed when the whole interval of its gain lies
    below `-max_drop`; with `strict`, when the gain itself does.
    """

    metric: Annotated[Name | None, doc("The metric; the problem's primary one if missing.")] = None
    max_drop: Annotated[float, doc("How much worse is still accepted.", ge=0)] = 0.02
    min_rows: Annotated[int, doc("Fewer rows than this say nothing.", ge=2)] = 200
    strict: Annotated[bool, doc("Judge the gain itself instead of its interval.")] = False
    level: Level = 0.95
    resamples: Resamples = 1000

    def judge(self, evidence: Evidence) -> GateResult:
        """Pass when no slice is harmed."""
        if evidence.champion is None:
            return skipped("no champion in this environment yet")
        if not evidence.problem.metric.slices:
            return skipped("the problem names no columns to slice by")
        metric = self.metric or evidence.problem.metric.primary
        slices = evidence.slice_gains(metric, min_rows=self.min_rows, resamples=self.resamples, level=self.level)
        judged = [(f"{part.column}={part.value}", part.rows, part.gain) for part in slices if part.gain is not None]
        if not judged:
            return skipped(f"no slice has the {self.min_rows} rows that are needed")
        worst = min(judged, key=lambda item: -math.inf if math.isnan(item[2].value) else item[2].value)
        # Asked this way round, a gain that is no number counts as harm.
        harmed = [item for item in judged if not (item[2].value if self.strict else item[2].high) >= -self.max_drop]
        facts: dict[str, Any] = {
            "max_drop": self.max_drop,
            "judged": len(judged),
            "too_small": len(slices) - len(judged),
            "harmed": [name for name, _, _ in harmed],
            "worst": {"slice": worst[0], "rows": worst[1]} | _facts(metric, worst[2]),
        }
        message = f"worst of {len(judged)}: {worst[0]} {_interval(worst[2])}, {-self.max_drop:+g} allowed"
        if harmed:
            return failed(f"{len(harmed)} of {len(judged)} slices worse; {message}", **facts)
        return passed(message, **facts)


def _interval(gain: Gain) -> str:
    return f"{gain.value:+.4f} ({gain.level:.0%}: {gain.low:+.4f} to {gain.high:+.4f})"


def _facts(metric: str, gain: Gain) -> dict[str, Any]:
    return {
        "metric": metric,
        "candidate": gain.candidate,
        "champion": gain.champion,
        "gain": gain.value,
        "low": gain.low,
        "high": gain.high,
        "level": gain.level,
        "rows": gain.rows,
    }
