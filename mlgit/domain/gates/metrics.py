"""Is the candidate good enough, in itself and against what there was?"""

import math
from typing import Annotated, Any

from mlgit.domain.formatting import confidence_interval, metric_gain
from mlgit.domain.gates.base import Evidence, Gate, GateResult, failed, passed, skipped
from mlgit.domain.gates.facts import Gain, PairedTest
from mlgit.domain.names import Name
from mlgit.domain.records.base import doc
from mlgit.errors import Finding, MlgitError

Level = Annotated[float, doc("Confidence level of the interval.", gt=0.5, lt=1)]
Resamples = Annotated[int, doc("Bootstrap resamples.", ge=100, le=100_000)]
MinRows = Annotated[int, doc("Fewer rows than this say nothing.", ge=2)]

_FITS: dict[PairedTest, str] = {"delong": "roc_auc", "mcnemar": "accuracy"}
NAMED = 20  # slices or groups that facts name


def check_test(test: PairedTest, metric: Name) -> Finding | None:
    """Return what is wrong with judging a metric by a test: DeLong's is for `roc_auc` alone, McNemar's for `accuracy`."""
    fits = _FITS.get(test, metric)
    if fits == metric:
        return None
    return Finding(
        "test-unsuitable",
        f"test: {test} cannot judge {metric}",
        why=f"it is a test for {fits}",
        fix=f"set `metric: {fits}`, or leave `test` at bootstrap, which judges every metric",
    )


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

    Both are scored on the same rows and compared row by row: by a paired bootstrap, or by DeLong's test (`roc_auc` only) or
    McNemar's (`accuracy` only), which draw nothing by lot. A margin below zero asks only that the candidate is not worse by
    more than that.
    """

    metric: Annotated[Name | None, doc("The metric; the problem's primary one if missing.")] = None
    margin: Annotated[float, doc("By how much; below zero for not worse than.")] = 0.0
    test: Annotated[PairedTest, doc("How both are compared.")] = "bootstrap"
    level: Level = 0.95
    resamples: Resamples = 1000

    def judge(self, evidence: Evidence) -> GateResult:
        """Pass when the low end of the interval is at or above the margin.

        Raises:
            MlgitError: the test does not fit the metric (`test-unsuitable`), or the evidence cannot be had.
        """
        if evidence.champion is None:
            return skipped("no champion in this environment yet")
        if evidence.champion.digest == evidence.candidate.digest:
            return skipped("the candidate is the champion")
        metric = self.metric or evidence.problem.metric.primary
        unsuitable = check_test(self.test, metric)
        if unsuitable is not None:
            raise MlgitError(unsuitable)
        gain = evidence.gain(metric, resamples=self.resamples, level=self.level, test=self.test)
        message = f"{metric} {gain.candidate:.4f} against {gain.champion:.4f}: {interval(gain)}, by {test_of(gain)}"
        facts = facts_of(metric, gain) | {"margin": self.margin}
        if gain.low >= self.margin:
            return passed(message, **facts)
        return failed(f"{message}; its low end must reach {self.margin:+g}", **facts)


def interval(gain: Gain) -> str:
    """Return a gain and its interval in words."""
    return f"{metric_gain(gain.value)} ({confidence_interval(gain.level, gain.low, gain.high)})"


def test_of(gain: Gain) -> str:
    """Return which test was made, in a word or two, with its p-value; the facts tell the rest."""
    return gain.method.partition(",")[0] + ("" if gain.p is None else f", p {gain.p:.4g}")


def facts_of(metric: str, gain: Gain) -> dict[str, Any]:
    """Return a gain as the facts of a report."""
    return {
        "metric": metric,
        "candidate": gain.candidate,
        "champion": gain.champion,
        "gain": gain.value,
        "low": gain.low,
        "high": gain.high,
        "level": gain.level,
        "rows": gain.rows,
        "test": gain.method,
        "resamples": gain.resamples,
        "seed": gain.seed,
        "p": gain.p,
    }
