"""The gates of today's policy passed, on this version, not too long ago, in the report that the manifest names."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from mlgit.domain import layout
from mlgit.domain.codec import digest
from mlgit.domain.formatting import utc_time
from mlgit.domain.names import seconds
from mlgit.domain.policy import matches_gates, overall_outcome
from mlgit.domain.promotion_context import PromotionContext
from mlgit.domain.records.gatereport import GateReport
from mlgit.errors import Finding, Location

_TWO_CLOCKS = timedelta(minutes=5)  # by how much the clocks of two machines may differ
_AGAIN = "run `mlgit promote` again: it judges the version and writes the report"


def check_report(case: PromotionContext, at: datetime) -> Iterator[Finding]:
    """There is a report, it is the one that was named, it is about this promotion, and it says yes."""
    if case.version is None or case.manifest.change == "rollback":  # `check_rollback` asks for more than a report
        return
    where = Location(layout.promotion(case.manifest.environment, case.manifest.model), path="gates")
    if case.report is None or case.manifest.gates is None:
        yield Finding("gate-report-missing", "the promotion rests on no gate report", fix=_AGAIN, at=where)
        return
    yield from _check_named(case, case.report, where)
    yield from _check_answers(case, case.report, where)
    yield from _check_age(case, case.report, at, where)


def _check_named(case: PromotionContext, report: GateReport, where: Location) -> Iterator[Finding]:
    manifest = case.manifest
    if manifest.gates is None or digest(report) != manifest.gates.digest:
        yield Finding(
            "gate-report-mismatch",
            "the gate report is not the one that the manifest names",
            why="its digest differs",
            fix=_AGAIN,
            at=where,
        )
    judged = (report.promotion, report.candidate.digest, report.policy)
    if judged != (manifest.promotion, case.version and case.version.digest, manifest.policy):
        yield Finding(
            "gate-report-mismatch",
            "the gate report is about something else",
            why="it names another promotion, version or policy",
            fix=_AGAIN,
            at=where,
        )


def _check_answers(case: PromotionContext, report: GateReport, where: Location) -> Iterator[Finding]:
    gates, results = case.policy.gates, report.results
    if matches_gates(gates, results) and overall_outcome(results) == "pass" and report.outcome == "pass":
        return
    bad = [f"{verdict.gate}: {verdict.outcome}" for verdict in results if verdict.blocks]
    asked, answered = (", ".join(names) for names in ([one.id for one in gates], [one.gate for one in results]))
    yield Finding(
        "gates-failed",
        f"the gates of {case.environment.name} have not all passed",
        why="; ".join(bad)
        or f"asked were {asked}; answered {answered}, not all with the weight that the policy gives them",
        fix="see `mlgit gate` for each gate's reason",
        at=where,
    )


def _check_age(case: PromotionContext, report: GateReport, at: datetime, where: Location) -> Iterator[Finding]:
    limit = case.policy.max_gate_age
    if report.at > at + _TWO_CLOCKS:
        why = f"it says {utc_time(report.at)}"
        yield Finding("gate-report-in-future", "the gate report is from the future", why=why, fix=_AGAIN, at=where)
    if at - report.at > timedelta(seconds=seconds(limit)):
        why = f"it is from {utc_time(report.at)}"
        yield Finding("gate-report-expired", f"the gate report is older than {limit}", why=why, fix=_AGAIN, at=where)
