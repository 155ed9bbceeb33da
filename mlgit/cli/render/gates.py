"""Gates and verified gate reports for a terminal."""

from collections.abc import Sequence

from mlgit.cli.render import text
from mlgit.domain.formatting import plural, utc_time
from mlgit.domain.records.gatereport import PASSING_OUTCOMES, GateVerdict
from mlgit.ops.review.gate_reports import ReportsVerified

_RESULTS = ("same", "differs", "inconclusive")


def gates(verdicts: Sequence[GateVerdict]) -> str:
    """Return one line for each gate: its outcome, its name, whether it only warns, and the reason."""
    width = max((len(verdict.gate) for verdict in verdicts), default=0)
    return "\n".join(
        f"  {text.word(verdict.outcome, 6)}  {verdict.gate.ljust(width)}  {_only_warns(verdict)}{text.clean(verdict.message)}"
        for verdict in verdicts
    )


def reports(verified: ReportsVerified) -> str:
    """Return one line for each report with the details below it, and then the totals."""
    lines = []
    for report in verified.reports:
        subject = (
            f"{report.candidate} for {report.environment}, evaluated {utc_time(report.at)}"
            if report.at
            else report.report
        )
        lines.append(f"  {report.result:<12}  {text.clean(subject)}  {report.promotion or ''}".rstrip())
        lines += [f"      {text.clean(detail)}" for detail in report.details]
    counts = {result: sum(report.result == result for report in verified.reports) for result in _RESULTS}
    total = f"{counts['same']} the same, {counts['differs']} differ, {counts['inconclusive']} inconclusive"
    return "\n".join([*lines, f"{plural(len(verified.reports), 'report')} evaluated again: {total}"])


def _only_warns(verdict: GateVerdict) -> str:
    return "(warns only) " if verdict.severity == "warn" and verdict.outcome not in PASSING_OUTCOMES else ""
