"""How gates are shown, wherever they are."""

from collections.abc import Sequence

from mlgit.cli.render import text
from mlgit.domain.records.gatereport import PASSING_OUTCOMES, GateVerdict
from mlgit.ops.review.gate_reports import ReportsVerified

_ANSWERS = {"same": "same", "differs": "differs", "unjudged": "cannot be judged"}


def gates(verdicts: Sequence[GateVerdict]) -> str:
    """Return one line a gate: its answer, its name, and why. Of one that only warns, the line says so."""
    width = max((len(verdict.gate) for verdict in verdicts), default=0)
    return "\n".join(
        f"  {text.word(verdict.outcome, 6)}  {verdict.gate.ljust(width)}  {_only_warns(verdict)}{text.clean(verdict.message)}"
        for verdict in verdicts
    )


def reports(found: ReportsVerified) -> str:
    """Return one line a report that was judged again, with what differs or is missing below it, and their number."""
    lines = []
    for one in found.reports:
        what = f"{one.candidate} for {one.environment}, judged {one.at:%Y-%m-%d %H:%M} UTC" if one.at else one.report
        lines.append(f"  {_ANSWERS[one.answer]:<16}  {text.clean(what)}  {one.promotion or ''}".rstrip())
        lines += [f"      {text.clean(detail)}" for detail in one.details]
    many = {answer: sum(one.answer == answer for one in found.reports) for answer in _ANSWERS}
    counted = f"{many['same']} the same, {many['differs']} differ, {many['unjudged']} cannot be judged"
    return "\n".join([*lines, f"{text.plural(len(found.reports), 'report')} judged again: {counted}"])


def _only_warns(verdict: GateVerdict) -> str:
    return "(warns only) " if verdict.severity == "warn" and verdict.outcome not in PASSING_OUTCOMES else ""
