"""Is the candidate good enough on each part of the rows, in itself and against what there was?"""

import math
from collections.abc import Sequence
from typing import Annotated, Any

from mlgit.domain.formatting import percent
from mlgit.domain.gates.base import Evidence, Gate, GateResult, failed, passed, skipped
from mlgit.domain.gates.facts import Correction, Gain, SliceGain, SliceValue
from mlgit.domain.gates.metrics import NAMED, Level, MinRows, Resamples, facts_of, interval
from mlgit.domain.names import Line, Name
from mlgit.domain.records.base import doc


class SliceHarm(Gate, frozen=True, kw_only=True, tag="slice-harm"):
    """On no value of the problem's slice columns is a metric surely worse than the champion's by more than `max_drop`.

    A slice with fewer than `min_rows` rows is not judged. It counts as harmed when the whole interval of its gain lies
    below `-max_drop`; with `strict`, when the gain itself does. Each slice is a comparison, and of many some show harm by
    chance: `bonferroni` widens every interval, so that all of them hold at once with the level asked for; `holm` goes by
    p-values, finds at least as much, and promises the same. With `strict` there is nothing to correct.
    """

    metric: Annotated[Name | None, doc("The metric; the problem's primary one if missing.")] = None
    max_drop: Annotated[float, doc("How much worse is still accepted.", ge=0)] = 0.02
    min_rows: MinRows = 200
    strict: Annotated[bool, doc("Judge the gain itself instead of its interval.")] = False
    correction: Annotated[Correction, doc("For the number of slices that are compared.")] = "none"
    level: Level = 0.95
    resamples: Resamples = 1000

    def judge(self, evidence: Evidence) -> GateResult:
        """Pass when no slice is harmed."""
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
        judged = [(part, part.gain) for part in slices if part.gain is not None]
        if not judged:
            return skipped(f"no slice has the {self.min_rows} rows that are needed")
        worst, gain = min(judged, key=lambda item: -math.inf if math.isnan(item[1].value) else item[1].value)
        harmed = [_name(part) for part, found in judged if self._harms(part, found)]
        facts: dict[str, Any] = {
            "max_drop": self.max_drop,
            "judged": len(judged),
            "too_small": len(slices) - len(judged),
            "comparisons": len(judged),
            "correction": self.correction,
            "harmed": harmed,
            "worst": {"slice": _name(worst), "p_harm": worst.p} | facts_of(metric, gain) | {"rows": worst.rows},
        }
        message = (
            f"worst of {len(judged)} (correction {self.correction}): {_name(worst)} {interval(gain)}, "
            f"{-self.max_drop:+g} allowed"
        )
        if harmed:
            return failed(f"{len(harmed)} of {len(judged)} slices worse; {message}", **facts)
        return passed(message, **facts)

    def _harms(self, part: SliceGain, gain: Gain) -> bool:
        # Asked this way round, a gain that is no number counts as harm.
        if self.strict:
            return not gain.value >= -self.max_drop
        if self.correction == "holm":
            return part.p is None or not part.p > (1 - self.level) / 2
        return not gain.high >= -self.max_drop


class SliceMinimum(Gate, frozen=True, kw_only=True, tag="slice-minimum"):
    """On every value of the slice columns, a metric of the candidate is within limits.

    A slice with fewer than `min_rows` rows is not judged, and named. With `interval`, the low end of the slice's bootstrap
    interval has to reach `min`, and its high end must not pass `max`: the more rows a slice has, the nearer is that to the
    metric itself.
    """

    metric: Annotated[Name | None, doc("The metric; the problem's primary one if missing.")] = None
    min: Annotated[float | None, doc("At least.")] = None
    max: Annotated[float | None, doc("At most.")] = None
    columns: Annotated[
        tuple[Line, ...], doc("Columns of the predictions; those that the problem slices by if missing.")
    ] = ()
    min_rows: MinRows = 200
    interval: Annotated[bool, doc("Judge the end of the interval that is nearer to the limit.")] = False
    level: Level = 0.95
    resamples: Resamples = 1000

    def judge(self, evidence: Evidence) -> GateResult:
        """Pass when no slice is beyond a limit; without either limit, nothing was asked."""
        metric = self.metric or evidence.problem.metric.primary
        columns = self.columns or tuple(evidence.problem.metric.slices)
        if not columns:
            return skipped("neither the gate nor the problem names columns to slice by")
        if self.min is None and self.max is None:
            return failed(f"neither min nor max is stated for {metric}")
        level = self.level if self.interval else None
        slices = evidence.slice_values(metric, columns, min_rows=self.min_rows, resamples=self.resamples, level=level)
        judged = [part for part in slices if part.metric is not None]
        small = [f"{_name(part)} ({part.reason})" for part in slices if part.metric is None]
        if not judged:
            return skipped(f"no slice has the {self.min_rows} rows that are needed")
        beyond = [part for part in judged if not self._within(part)]
        shown = (beyond or judged)[0] if len(beyond or judged) == 1 else self._worst(beyond or judged)
        facts: dict[str, Any] = {
            "metric": metric,
            "min": self.min,
            "max": self.max,
            "judged": len(judged),
            "comparisons": len(judged),
            "not_judged": small[:NAMED],
            "beyond": [_name(part) for part in beyond],
            "worst": {"slice": _name(shown), "rows": shown.rows, "value": shown.metric},
        }
        if self.interval:
            facts |= {"level": self.level, "resamples": self.resamples}
            facts["worst"] |= {"low": shown.low, "high": shown.high}
        message = f"worst of {len(judged)}: {_name(shown)} {metric} {self._said(shown)}, {self._limits()}"
        message += f"; {len(small)} not judged" if small else ""
        if beyond:
            return failed(f"{len(beyond)} of {len(judged)} slices beyond the limit; {message}", **facts)
        return passed(message, **facts)

    def _within(self, part: SliceValue) -> bool:
        """Say whether a slice is within the limits; asked so that what is no number is not."""
        low, high = (part.low, part.high) if self.interval else (part.metric, part.metric)
        reaches = self.min is None or (low is not None and low >= self.min)
        keeps = self.max is None or (high is not None and high <= self.max)
        return reaches and keeps

    def _worst(self, parts: Sequence[SliceValue]) -> SliceValue:
        """Return the slice nearest to a limit, or farthest beyond it; one that is no number before all."""

        def room(part: SliceValue) -> float:
            low, high = (part.low, part.high) if self.interval else (part.metric, part.metric)
            rooms = [
                math.nan if end is None else (end - limit) * sign
                for end, limit, sign in ((low, self.min, 1), (high, self.max, -1))
                if limit is not None
            ]
            return -math.inf if any(map(math.isnan, rooms)) else min(rooms)

        return min(parts, key=room)

    def _said(self, part: SliceValue) -> str:
        interval = f" ({percent(self.level)}: {part.low:.4f} to {part.high:.4f})" if self.interval else ""
        return f"{part.metric:.4f}{interval}"

    def _limits(self) -> str:
        least = [] if self.min is None else [f"at least {self.min:g} required"]
        most = [] if self.max is None else [f"at most {self.max:g} allowed"]
        return ", ".join(least + most)


def _name(part: SliceGain | SliceValue) -> str:
    return f"{part.column}={part.value}"
