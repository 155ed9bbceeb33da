"""Rules for the gate report: it is the one that the manifest names, all gates of the policy passed in it, and it is recent."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from mlgit.domain import layout
from mlgit.domain.clocks import CLOCK_TOLERANCE
from mlgit.domain.codec import digest
from mlgit.domain.decision import changed
from mlgit.domain.formatting import utc_time
from mlgit.domain.names import seconds
from mlgit.domain.policy import matches_gates, overall_outcome
from mlgit.domain.promotion_context import PromotionContext
from mlgit.domain.records.gatereport import GateReport
from mlgit.errors import Finding, Location

_PROMOTE_AGAIN = "run `mlgit promote` again: it evaluates the gates and writes the report"


def check_report(context: PromotionContext, at: datetime) -> Iterator[Finding]:
    """Check that a promotion has a gate report of its own in which all gates passed."""
    if context.version is None or context.manifest.change == "rollback":  # which `check_rollback` checks instead
        return
    location = Location(layout.promotion(context.manifest.environment, context.manifest.model), path="gates")
    if context.report is None or context.manifest.gates is None:
        yield Finding("gate-report-missing", "the promotion has no gate report", fix=_PROMOTE_AGAIN, at=location)
        return
    yield from _check_reference(context, context.report, location)
    yield from _check_inputs(context, context.report, location)
    yield from _check_outcomes(context, context.report, location)
    yield from _check_age(context, context.report, at, location)


def _check_reference(context: PromotionContext, report: GateReport, location: Location) -> Iterator[Finding]:
    manifest = context.manifest
    if manifest.gates is None or digest(report) != manifest.gates.digest:
        yield Finding(
            "gate-report-mismatch",
            "the gate report is not the one that the manifest names",
            why="its digest differs",
            fix=_PROMOTE_AGAIN,
            at=location,
        )
    place = (report.promotion, report.environment, report.model)
    evaluated = (report.candidate.digest, report.champion, report.policy)
    if (place, evaluated) != (
        (manifest.promotion, manifest.environment, manifest.model),
        (context.version and context.version.digest, manifest.baseline, manifest.policy),
    ):
        yield Finding(
            "gate-report-mismatch",
            "the gate report is for another promotion, environment, version, champion or policy",
            why="one of these in the report is not that of the manifest",
            fix=_PROMOTE_AGAIN,
            at=location,
        )


def _check_inputs(context: PromotionContext, report: GateReport, location: Location) -> Iterator[Finding]:
    """The records that the gates read are as they are now. Of files elsewhere, the version names the digests."""
    now = {
        "model": digest(context.model),
        "problem": digest(context.problem),
        **{f"contract-{name}": digest(contract) for name, contract in context.contracts.items()},
    }
    names = {"model": "the model", "problem": "the problem"}
    if differing := changed({name: report.reads.get(name) for name in now}, now):
        listed = ", ".join(names.get(name) or f"the contract of {name.removeprefix('contract-')}" for name in differing)
        yield Finding(
            "promotion-stale",
            f"{listed} changed since the gates of this promotion were evaluated",
            why="the digest on the base branch is not the one in the gate report",
            fix=_PROMOTE_AGAIN,
            at=location,
        )


def _check_outcomes(context: PromotionContext, report: GateReport, location: Location) -> Iterator[Finding]:
    gates, results = context.policy.required_gates, report.results
    if matches_gates(gates, results) and overall_outcome(results) == "pass" and report.outcome == "pass":
        return
    blocking = [f"{verdict.gate}: {verdict.outcome}" for verdict in results if verdict.blocks]
    required, reported = (", ".join(gate.id for gate in gates), ", ".join(verdict.gate for verdict in results))
    yield Finding(
        "gates-failed",
        f"not all gates of {context.environment.name} passed",
        why="; ".join(blocking)
        or f"the policy requires {required}; the report has {reported}, or another order or severity",
        fix="run `mlgit gate` to see the reason of each gate",
        at=location,
    )


def _check_age(context: PromotionContext, report: GateReport, at: datetime, location: Location) -> Iterator[Finding]:
    limit = context.policy.max_gate_age
    if report.at > at + CLOCK_TOLERANCE:
        why = f"it is dated {utc_time(report.at)}"
        yield Finding(
            "gate-report-in-future", "the gate report is from the future", why=why, fix=_PROMOTE_AGAIN, at=location
        )
    if at - report.at > timedelta(seconds=seconds(limit)):
        why = f"it is dated {utc_time(report.at)}"
        yield Finding(
            "gate-report-expired", f"the gate report is older than {limit}", why=why, fix=_PROMOTE_AGAIN, at=location
        )
