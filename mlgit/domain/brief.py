"""What a reviewer wants to know of a promotion, taken from records alone: how good it is, and when it may be merged."""

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

import msgspec

from mlgit.domain import merge_rules
from mlgit.domain.cards import CardText
from mlgit.domain.merge_rules.soak import healthy_period
from mlgit.domain.merge_rules.windows import check_windows, opening
from mlgit.domain.metrics import METRICS
from mlgit.domain.names import Name, seconds
from mlgit.domain.promotion_context import PromotionContext
from mlgit.domain.records.gatereport import GateVerdict
from mlgit.domain.records.problem import ProblemMetric
from mlgit.domain.records.version import SliceMetric, Version

BEGIN: Final = "<!-- mlgit:begin -->"
"""What stands between this and `END` in the body of a pull request is mlgit's; all else is people's."""
END: Final = "<!-- mlgit:end -->"

_MINUTE: Final = timedelta(minutes=1)


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """A metric of candidate and champion.

    `gain` is above zero where the candidate is better, whatever the direction of the metric; None where both cannot be
    compared. `low` and `high` are its interval at `level`, and `gate` is who computed it; None where it comes from the records.
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


class SliceTold(msgspec.Struct, frozen=True, kw_only=True):
    """The primary metric on one part of the rows; its numbers are as those of `Measured`."""

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


class _GainFacts(msgspec.Struct, frozen=True):
    """What a gate that compares both versions leaves in its facts (see `gates.metrics.facts_of`)."""

    metric: Name
    candidate: float
    champion: float
    gain: float
    low: float
    high: float
    level: float
    rows: int
    test: str | None = None


class _SliceFacts(_GainFacts, frozen=True, kw_only=True):
    slice: str


def measures(
    results: Sequence[GateVerdict],
    metric: ProblemMetric,
    candidate: Version,
    champion: Version | None,
) -> list[Measured]:
    """Return every metric of a candidate beside the champion's, the primary one first.

    The numbers are those that a gate compared on the same rows, with their interval; else those of the records, with a gain
    only where both were tested on the same rows. What a report says in a form that no gate writes is passed over.

    Args:
        results: what the gates said.
        metric: the metric that decides.
        candidate: the version that is proposed.
        champion: the version that runs; None if none does.
    """
    judged = _judged(results)
    ours = candidate.evaluation.metrics
    theirs = champion.evaluation.metrics if champion is not None else {}
    names = sorted(ours.keys() | theirs.keys() | judged.keys(), key=lambda name: (name != metric.primary, name))
    found = []
    for name in names:
        if name in judged:
            gate, facts = judged[name]
            found.append(
                Measured(
                    metric=name,
                    is_primary=name == metric.primary,
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
            continue
        before, after = theirs.get(name), ours.get(name)
        gain = _gain(name, metric, before, after) if _same_rows(candidate, champion) else None
        found.append(
            Measured(metric=name, is_primary=name == metric.primary, candidate=after, champion=before, gain=gain)
        )
    return found


def slices(
    results: Sequence[GateVerdict], metric: ProblemMetric, candidate: Version, champion: Version | None
) -> list[SliceTold]:
    """Return on which part of the rows a candidate is best, on which it is worst, and where it gains least (or loses most).

    The last is the one that a gate found worst, if one compared slices by the primary metric; else that of the records, where
    both were tested on the same rows. Arguments are those of `measures`.
    """
    measured = [part for part in candidate.evaluation.slices if part.metric is not None]
    sign = 1 if metric.direction == "max" else -1
    ordered = sorted(measured, key=lambda part: (sign * _number(part), part.column, part.value))
    before = {(one.column, one.value): one.metric for one in champion.evaluation.slices} if champion is not None else {}
    before = before if _same_rows(candidate, champion) else {}

    def told(which: Literal["best", "worst", "least-gain"], part: SliceMetric) -> SliceTold:
        was = before.get((part.column, part.value))
        return SliceTold(
            which=which,
            slice=f"{part.column}={part.value}",
            rows=part.rows,
            candidate=part.metric,
            champion=was,
            gain=_gain(metric.primary, metric, was, part.metric),
        )

    found = [told("best", ordered[-1]), told("worst", ordered[0])] if len(ordered) > 1 else []
    least = next(_worst_judged(results, metric.primary), None)
    if least is None:
        gains = [one for one in (told("least-gain", part) for part in ordered) if one.gain is not None]
        least = min(gains, key=lambda one: one.gain or 0.0, default=None)
    return [*found, *([least] if least is not None else [])]


def card_sections(before: CardText, after: CardText) -> dict[str, Literal["added", "changed", "removed"]]:
    """Return the sections of two cards that differ, by heading, in the order of the later card; those that are gone last."""
    found: dict[str, Literal["added", "changed", "removed"]] = {}
    for heading, text in after.sections.items():
        if heading not in before.sections:
            found[heading] = "added"
        elif before.sections[heading].split() != text.split():  # how lines are broken says nothing
            found[heading] = "changed"
    return found | {heading: "removed" for heading in before.sections if heading not in after.sections}


def differing(before: Any, after: Any, where: str) -> Iterator[tuple[str, Any, Any]]:
    """Yield where two documents differ, as a dotted path with both values; None for what one does not have."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in dict.fromkeys([*before, *after]):
            yield from differing(before.get(key), after.get(key), f"{where}.{key}" if where else str(key))
    elif before != after:
        yield where, before, after


def soaked_at(case: PromotionContext, at: datetime) -> datetime | None:
    """Return when a version will have soaked for as long as is asked for; None where it is not soaking, or need not."""
    soak = case.environment.soak
    if soak is None or case.version is None:
        return None
    max_gap = None if soak.max_gap is None else timedelta(seconds=seconds(soak.max_gap))
    run = healthy_period(case.deployments.get(soak.in_, ()), case.version.digest, at, max_gap=max_gap)
    return None if run is None else _whole_minute(run.since + timedelta(seconds=seconds(soak.for_)))


def earliest(case: PromotionContext, at: datetime) -> datetime | None:
    """Return the first moment at which a promotion has nothing to wait for, if nothing happens meanwhile.

    Args:
        case: the promotion, with what the ledger has seen.
        at: the moment from which on it is looked for.

    Returns:
        `at` itself where there is nothing to wait for now; None where something has to happen first, or where no window opens
        within a fortnight.
    """
    if not merge_rules.check_waiting(case, at):
        return at
    moment = max(soaked_at(case, at) or at, at)
    if list(check_windows(case, moment)):
        opens = opening(case.environment.windows, moment)
        if opens is None:
            return None
        moment = opens
    return None if merge_rules.check_waiting(case, moment) else moment


def _judged(results: Sequence[GateVerdict]) -> dict[str, tuple[str, _GainFacts]]:
    """Return the comparisons that gates made, by metric; of two with one metric, the first."""
    found: dict[str, tuple[str, _GainFacts]] = {}
    for verdict in results:
        try:
            facts = msgspec.convert(verdict.facts, type=_GainFacts)
        except msgspec.ValidationError:
            continue
        found.setdefault(facts.metric, (verdict.gate, facts))
    return found


def _worst_judged(results: Sequence[GateVerdict], metric: str) -> Iterator[SliceTold]:
    for verdict in results:
        try:
            facts = msgspec.convert(verdict.facts.get("worst"), type=_SliceFacts)
        except msgspec.ValidationError:
            continue
        if facts.metric == metric:
            yield SliceTold(
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


def _gain(name: str, decides: ProblemMetric, before: float | None, after: float | None) -> float | None:
    """Return by how much one number is better; None where one is missing, or nobody knows which way is better."""
    if before is None or after is None:
        return None
    if name == decides.primary:
        direction: str = decides.direction
    elif name in METRICS:
        direction = METRICS[name].direction
    else:
        return None
    return after - before if direction == "max" else before - after


def _number(part: SliceMetric) -> float:
    return -math.inf if part.metric is None else part.metric


def _whole_minute(moment: datetime) -> datetime:
    """Return the first whole minute from a moment on, in UTC."""
    whole = moment.astimezone(UTC).replace(second=0, microsecond=0)
    return whole if whole == moment else whole + _MINUTE
