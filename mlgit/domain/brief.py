"""What a brief takes from records alone: how good a candidate is, what its card changes, and when it can be merged."""

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

import msgspec

from mlgit.domain import merge_rules
from mlgit.domain.cards import CardText
from mlgit.domain.merge_rules.soak import healthy_period
from mlgit.domain.merge_rules.windows import check_windows, next_opening
from mlgit.domain.metrics import METRICS
from mlgit.domain.names import Name, seconds
from mlgit.domain.promotion_context import PromotionContext
from mlgit.domain.records.gatereport import GateVerdict
from mlgit.domain.records.problem import ProblemMetric
from mlgit.domain.records.version import SliceMetric, Version

BEGIN: Final = "<!-- mlgit:begin -->"
"""mlgit writes what is between this and `END` in the body of a pull request; people write the rest."""
END: Final = "<!-- mlgit:end -->"

_MINUTE: Final = timedelta(minutes=1)


class MetricComparison(msgspec.Struct, frozen=True, kw_only=True):
    """A metric of candidate and champion.

    `gain` is above zero where the candidate is better, whatever the direction of the metric; None where the two cannot be
    compared. `low` and `high` are its confidence interval at `level`, and `gate` is the gate that computed it; None where the
    numbers come from the version records.
    """

    metric: Name
    is_primary: bool
    candidate: float | None
    champion: float | None
    gain: float | None = None
    low: float | None = None
    high: float | None = None
    level: float | None = None
    test: str | None = None
    gate: str | None = None


class SliceComparison(msgspec.Struct, frozen=True, kw_only=True):
    """The primary metric on one slice of the test rows; the numbers mean what they mean in `MetricComparison`."""

    which: Literal["best", "worst", "least-gain"]
    slice: str
    rows: int
    candidate: float | None
    champion: float | None = None
    gain: float | None = None
    low: float | None = None
    high: float | None = None
    level: float | None = None
    gate: str | None = None


class _ComparisonFacts(msgspec.Struct, frozen=True):
    """The facts of a gate that compares both versions (see `gates.metrics.facts_of`)."""

    metric: Name
    candidate: float
    champion: float
    gain: float
    low: float
    high: float
    level: float
    rows: int
    test: str | None = None


class _SliceFacts(_ComparisonFacts, frozen=True, kw_only=True):
    slice: str


def compare_metrics(
    results: Sequence[GateVerdict],
    metric: ProblemMetric,
    candidate: Version,
    champion: Version | None,
) -> list[MetricComparison]:
    """Return every metric of a candidate beside the champion's, the primary one first.

    Where a gate compared both on the same rows, the numbers and the interval are the gate's. Otherwise they are those of the
    version records, with a gain only where both were tested on the same rows. Facts that are not in the form of a gate's
    comparison are ignored.

    Args:
        results: the verdicts of the gates.
        metric: the primary metric of the problem.
        candidate: the version that is proposed.
        champion: the version that runs; None if none does.
    """
    judged = _judged_metrics(results)
    before = champion.evaluation.metrics if champion is not None else {}
    after = candidate.evaluation.metrics
    names = sorted(before.keys() | after.keys() | judged.keys(), key=lambda name: (name != metric.primary, name))
    same_rows = _same_rows(candidate, champion)
    compared = []
    for name in names:
        is_primary = name == metric.primary
        if name in judged:
            gate, facts = judged[name]
            compared.append(
                MetricComparison(
                    metric=name,
                    is_primary=is_primary,
                    candidate=facts.candidate,
                    champion=facts.champion,
                    gain=facts.gain,
                    low=facts.low,
                    high=facts.high,
                    level=facts.level,
                    test=facts.test,
                    gate=gate,
                )
            )
        else:
            old, new = before.get(name), after.get(name)
            gain = _gain(name, metric, old, new) if same_rows else None
            compared.append(
                MetricComparison(metric=name, is_primary=is_primary, candidate=new, champion=old, gain=gain)
            )
    return compared


def compare_slices(
    results: Sequence[GateVerdict], metric: ProblemMetric, candidate: Version, champion: Version | None
) -> list[SliceComparison]:
    """Return the slice on which a candidate is best, the one on which it is worst, and the one on which it gains least.

    The last is the slice that a gate found worst, if a gate compared slices by the primary metric; otherwise that of the
    version records, where both were tested on the same rows. Arguments are those of `compare_metrics`.
    """
    measured = [part for part in candidate.evaluation.slices if part.metric is not None]
    sign = 1 if metric.direction == "max" else -1
    ordered = sorted(measured, key=lambda part: (sign * _number(part), part.column, part.value))
    before: dict[tuple[str, str], float | None] = {}
    if champion is not None and _same_rows(candidate, champion):
        before = {(part.column, part.value): part.metric for part in champion.evaluation.slices}

    def compare(which: Literal["best", "worst", "least-gain"], part: SliceMetric) -> SliceComparison:
        old = before.get((part.column, part.value))
        return SliceComparison(
            which=which,
            slice=f"{part.column}={part.value}",
            rows=part.rows,
            candidate=part.metric,
            champion=old,
            gain=_gain(metric.primary, metric, old, part.metric),
        )

    compared = [compare("best", ordered[-1]), compare("worst", ordered[0])] if len(ordered) > 1 else []
    least = next(_judged_worst_slices(results, metric.primary), None)
    if least is None:
        gains = [part for part in (compare("least-gain", part) for part in ordered) if part.gain is not None]
        least = min(gains, key=lambda part: part.gain or 0.0, default=None)
    return [*compared, *([least] if least is not None else [])]


def changed_card_sections(before: CardText, after: CardText) -> dict[str, Literal["added", "changed", "removed"]]:
    """Return the sections that differ between two cards, by heading, in the order of the later card; removed ones come last."""
    changed: dict[str, Literal["added", "changed", "removed"]] = {}
    for heading, text in after.sections.items():
        if heading not in before.sections:
            changed[heading] = "added"
        elif before.sections[heading].split() != text.split():  # line breaks do not matter
            changed[heading] = "changed"
    return changed | {heading: "removed" for heading in before.sections if heading not in after.sections}


def differences(before: Any, after: Any, where: str) -> Iterator[tuple[str, Any, Any]]:
    """Yield where two documents differ, as a dotted path with both values; None where one lacks the key."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in dict.fromkeys([*before, *after]):
            yield from differences(before.get(key), after.get(key), f"{where}.{key}" if where else str(key))
    elif before != after:
        yield where, before, after


def soak_complete_at(context: PromotionContext, at: datetime) -> datetime | None:
    """Return when a version will have soaked for long enough; None where it is not healthy yet, or need not soak."""
    soak = context.environment.soak
    if soak is None or context.version is None:
        return None
    max_gap = None if soak.max_gap is None else timedelta(seconds=seconds(soak.max_gap))
    run = healthy_period(context.deployments.get(soak.in_, ()), context.version.digest, at, max_gap=max_gap)
    return None if run is None else _whole_minute(run.since + timedelta(seconds=seconds(soak.for_)))


def earliest_merge(context: PromotionContext, at: datetime) -> datetime | None:
    """Return the first time at which a promotion has nothing to wait for, if nothing changes before.

    Args:
        context: the promotion, with its deployments.
        at: the time from which to search.

    Returns:
        `at` itself where there is nothing to wait for; None where something has to happen first, or no window opens within
        fourteen days.
    """
    if not merge_rules.check_waiting(context, at):
        return at
    time = max(soak_complete_at(context, at) or at, at)
    if list(check_windows(context, time)):
        opens = next_opening(context.environment.windows, time)
        if opens is None:
            return None
        time = opens
    return None if merge_rules.check_waiting(context, time) else time


def _judged_metrics(results: Sequence[GateVerdict]) -> dict[str, tuple[str, _ComparisonFacts]]:
    """Return the gate that compared each metric, with its facts; of several gates, the first."""
    judged: dict[str, tuple[str, _ComparisonFacts]] = {}
    for verdict in results:
        try:
            facts = msgspec.convert(verdict.facts, type=_ComparisonFacts)
        except msgspec.ValidationError:
            continue
        judged.setdefault(facts.metric, (verdict.gate, facts))
    return judged


def _judged_worst_slices(results: Sequence[GateVerdict], metric: str) -> Iterator[SliceComparison]:
    for verdict in results:
        try:
            facts = msgspec.convert(verdict.facts.get("worst"), type=_SliceFacts)
        except msgspec.ValidationError:
            continue
        if facts.metric == metric:
            yield SliceComparison(
                which="least-gain",
                slice=facts.slice,
                rows=facts.rows,
                candidate=facts.candidate,
                champion=facts.champion,
                gain=facts.gain,
                low=facts.low,
                high=facts.high,
                level=facts.level,
                gate=verdict.gate,
            )


def _same_rows(candidate: Version, champion: Version | None) -> bool:
    return champion is not None and champion.evaluation.split == candidate.evaluation.split


def _gain(name: str, primary: ProblemMetric, before: float | None, after: float | None) -> float | None:
    """Return by how much the later number is better; None where one is missing, or the direction of the metric is unknown."""
    if before is None or after is None:
        return None
    if name == primary.primary:
        direction: str = primary.direction
    elif name in METRICS:
        direction = METRICS[name].direction
    else:
        return None
    return after - before if direction == "max" else before - after


def _number(part: SliceMetric) -> float:
    return -math.inf if part.metric is None else part.metric


def _whole_minute(time: datetime) -> datetime:
    """Return the first whole minute at or after a time, in UTC."""
    whole = time.astimezone(UTC).replace(second=0, microsecond=0)
    return whole if whole == time else whole + _MINUTE
