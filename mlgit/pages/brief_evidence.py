"""The part of a brief on evidence: metrics of candidate and champion, slices, and the outcome of each gate."""

from collections.abc import Iterator, Sequence
from typing import Final

from mlgit.domain.brief import MetricComparison, SliceComparison
from mlgit.domain.formatting import confidence_interval, first_names, metric_gain, metric_value, plural, utc_time
from mlgit.domain.records.gatereport import GateVerdict
from mlgit.ops.promotion.brief_result import Brief
from mlgit.pages.document import Block, PageSection, Paragraph, Table

_NOUNS: Final = {
    "promote": "promotion",
    "rollback": "rollback",
    "ramp": "ramp step",
    "retire": "retirement",
    "recertify": "re-approval",
}


def metrics(brief: Brief) -> Iterator[PageSection]:
    """Yield the section on metrics and slices; nothing where versions are only removed."""
    if not brief.metrics:
        return
    champion, candidate = brief.champion or "Champion", brief.candidate or "Candidate"
    rows = [
        (
            f"{metric.metric} (primary)" if metric.is_primary else metric.metric,
            metric_value(metric.champion),
            metric_value(metric.candidate),
            metric_gain(metric.gain),
            interval(metric) or "-",
            _source(metric),
        )
        for metric in brief.metrics
    ]
    blocks: list[Block] = [Table(("Metric", champion, candidate, "Gain", "Interval", "Source"), rows)]
    if brief.same_test_rows is False:
        blocks.append(
            Paragraph("The champion was tested on different rows, so only gains that a gate computed are comparable.")
        )
    if brief.slices:
        header = ("Slice", "Why shown", "Rows", champion, candidate, "Gain")
        blocks.append(Table(header, [_slice(part) for part in brief.slices]))
    rows_tested = "" if brief.test_rows is None else f" on {brief.test_rows:,} test rows"
    yield PageSection(f"Metrics{rows_tested}", blocks)


def _source(metric: MetricComparison) -> str:
    if metric.gate is None:
        return "version records"
    return f"{metric.gate}, {metric.test.partition(',')[0]}" if metric.test else metric.gate


def _slice(part: SliceComparison) -> tuple[str, ...]:
    why_shown = (
        part.which if part.which != "least-gain" else "largest loss" if (part.gain or 0.0) < 0 else "smallest gain"
    )
    source = f" ({interval(part)}, {part.gate})" if part.low is not None else ""
    return (
        part.slice,
        why_shown,
        f"{part.rows:,}",
        metric_value(part.champion),
        metric_value(part.candidate),
        metric_gain(part.gain) + source,
    )


def interval(compared: MetricComparison | SliceComparison) -> str:
    """Return the confidence interval of a gain; nothing where none was computed."""
    if compared.low is None or compared.high is None or compared.level is None:
        return ""
    return confidence_interval(compared.level, compared.low, compared.high)


def gates(brief: Brief) -> Iterator[PageSection]:
    """Yield the sections on gates, those that passed in a collapsed one."""
    if brief.gate_report is None:
        yield PageSection(
            "Gates", [Paragraph(f"A {_NOUNS.get(brief.change, brief.change)} is not evaluated by gates.")]
        )
        return
    passed = [verdict for verdict in brief.gates if verdict.outcome == "pass"]
    others = sorted((verdict for verdict in brief.gates if verdict.outcome != "pass"), key=_weight)
    outcomes = [verdict.outcome for verdict in brief.gates]
    counts = ", ".join(f"{outcomes.count(outcome)} {outcome}" for outcome in dict.fromkeys(outcomes))
    evaluated = f", evaluated {utc_time(brief.gates_judged_at)}" if brief.gates_judged_at else ""
    again = "" if brief.state == "merged" else " Merging evaluates them again."
    blocks: list[Block] = [Paragraph(f"Policy {brief.policy}: {counts or 'no gates'}{evaluated}.{again}")]
    if others:
        blocks.append(_gate_table(others))
    if brief.overrides:
        blocks.append(_override_table(brief))
    yield PageSection("Gates", blocks)
    if passed:
        yield PageSection(f"{plural(len(passed), 'gate')} passed", [_gate_table(passed)], collapsed=True)


def _gate_table(verdicts: Sequence[GateVerdict]) -> Table:
    rows = [
        (
            verdict.gate,
            f"{verdict.outcome} (warns only)"
            if verdict.severity == "warn" and verdict.outcome != "pass"
            else verdict.outcome,
            verdict.message + (f"; {verdict.fix}" if verdict.blocks and verdict.fix else ""),
        )
        for verdict in verdicts
    ]
    return Table(("Gate", "Outcome", "Message"), rows)


def _override_table(brief: Brief) -> Table:
    rows = [
        (
            override.name,
            ", ".join(override.waives),
            override.incident,
            first_names(override.people),
            first_names(override.approved_by),
            utc_time(override.until),
        )
        for override in brief.overrides
    ]
    return Table(("Override", "Waives", "Incident", "People", "Approved by", "Expires"), rows)


def _weight(verdict: GateVerdict) -> tuple[int, str]:
    order = 0 if verdict.blocks else 1 if verdict.outcome == "waived" else 3 if verdict.outcome == "skip" else 2
    return order, verdict.gate
