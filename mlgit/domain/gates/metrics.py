"""Is the candidate good enough, and better than the baseline and the champion?"""

import math
from typing import Annotated

from mlgit.domain.gates.base import Evidence, Gate, GateResult, failed, passed, skipped
from mlgit.domain.gates.common import Level, Resamples, format_gain, format_test, gain_facts
from mlgit.domain.names import Name
from mlgit.domain.records.base import describe
from mlgit.domain.results import PairedTest
from mlgit.errors import Finding, MlgitError

_TEST_METRICS: dict[PairedTest, str] = {"delong": "roc_auc", "mcnemar": "accuracy"}


def check_test(test: PairedTest, metric: Name) -> Finding | None:
    """Return a finding if a test does not suit a metric: DeLong's is for `roc_auc` only, McNemar's for `accuracy`."""
    required = _TEST_METRICS.get(test, metric)
    if required == metric:
        return None
    return Finding(
        "significance-test-mismatch",
        f"test: {test} cannot be used for {metric}",
        why=f"it is a test for {required}",
        fix=f"set `metric: {required}`, or leave `test` at bootstrap, which can be used for every metric",
    )


class Threshold(Gate, frozen=True, kw_only=True, tag="threshold"):
    """A metric of the candidate, computed from its stored predictions, is within limits."""

    metric: Annotated[Name, describe("Name of the metric.")]
    min: Annotated[float | None, describe("Minimum.")] = None
    max: Annotated[float | None, describe("Maximum.")] = None

    def judge(self, evidence: Evidence) -> GateResult:
        """Pass if the metric is a number from `min` to `max`; fail if neither limit is set."""
        if self.min is None and self.max is None:
            return failed(f"neither min nor max is set for {self.metric}")
        value = evidence.metric_value(self.metric)
        facts = {"metric": self.metric, "value": value}
        if math.isnan(value):
            return failed(f"{self.metric} is not a number", **facts)
        if self.min is not None and not value >= self.min:
            return failed(f"{self.metric} {value:.4f}, at least {self.min:g} required", **facts)
        if self.max is not None and not value <= self.max:
            return failed(f"{self.metric} {value:.4f}, at most {self.max:g} allowed", **facts)
        return passed(f"{self.metric} {value:.4f}", **facts)


class BeatsBaseline(Gate, frozen=True, kw_only=True, tag="beats-baseline"):
    """The primary metric beats the problem's baseline without learning by more than `margin`, with confidence.

    Both are computed on the same rows and compared row by row, by a paired bootstrap.
    """

    margin: Annotated[float, describe("Required gain over the baseline.", ge=0)] = 0.0
    level: Level = 0.95
    resamples: Resamples = 1000

    def judge(self, evidence: Evidence) -> GateResult:
        """Pass if the lower bound of the interval of the gain is above the margin.

        Raises:
            MlgitError: the evidence is unavailable, for example because no stored file has the column.
        """
        baseline = evidence.problem.baseline
        if baseline is None:
            return skipped("the problem states no baseline")
        metric = evidence.problem.metric.primary
        gain = evidence.baseline_gain(metric, resamples=self.resamples, level=self.level)
        name = "the best constant" if baseline.column is None else baseline.column
        message = f"{metric} {gain.candidate:.4f} against {gain.champion:.4f} of {name}: {format_gain(gain)}"
        facts = gain_facts(metric, gain)
        facts = {"baseline" if key == "champion" else key: value for key, value in facts.items()}
        facts |= {"method": baseline.method, "margin": self.margin}
        if gain.low > self.margin:
            return passed(message, **facts)
        return failed(f"{message}; lower bound above {self.margin:+g} required", **facts)


class BeatsChampion(Gate, frozen=True, kw_only=True, tag="beats-champion"):
    """A metric beats the champion's by `margin`, even at the lower bound of its confidence interval.

    Both are scored on the same rows and compared row by row: by a paired bootstrap, or without resampling by DeLong's test
    (`roc_auc` only) or McNemar's (`accuracy` only). A negative margin is a non-inferiority margin: the candidate may be
    worse by no more than that.
    """

    metric: Annotated[Name | None, describe("Name of the metric; the problem's primary one if missing.")] = None
    margin: Annotated[float, describe("Required gain; negative for non-inferiority.")] = 0.0
    test: Annotated[PairedTest, describe("How the two are compared.")] = "bootstrap"
    level: Level = 0.95
    resamples: Resamples = 1000

    def judge(self, evidence: Evidence) -> GateResult:
        """Pass if the lower bound of the interval is at or above the margin.

        Raises:
            MlgitError: the test does not suit the metric (`significance-test-mismatch`), or the evidence is unavailable.
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
        message = (
            f"{metric} {gain.candidate:.4f} against {gain.champion:.4f}: {format_gain(gain)}, by {format_test(gain)}"
        )
        facts = gain_facts(metric, gain) | {"margin": self.margin}
        if gain.low >= self.margin:
            return passed(message, **facts)
        return failed(f"{message}; lower bound of at least {self.margin:+g} required", **facts)
