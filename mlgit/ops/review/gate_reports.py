"""Verify past gate reports: evaluate their gates again, from the repository and the content in DVC."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Literal

import msgspec

from mlgit.domain import layout
from mlgit.domain.codec import digest
from mlgit.domain.names import CommitId, VersionRef
from mlgit.domain.policy import matches_gates, verdict_differences
from mlgit.domain.records import GateReport, Promotion
from mlgit.domain.records.gatereport import GateVerdict
from mlgit.errors import Exit, MlgitError, refused
from mlgit.ops.evaluation import gate
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.outcome import Outcome
from mlgit.ops.kernel.ports.progress import Progress
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.kernel.record_tree import not_a_file
from mlgit.ops.kernel.snapshot import Snapshot, commit_of, take_snapshot
from mlgit.ops.review import proposals, waivers


class ReportCheck(msgspec.Struct, frozen=True, kw_only=True):
    """The result of one report. `details` are the differences, or what is missing."""

    report: str
    result: Literal["same", "differs", "inconclusive"]
    promotion: str | None = None
    candidate: str | None = None
    environment: str | None = None
    at: datetime | None = None
    details: list[str] = []


class ReportsVerified(Outcome, frozen=True, kw_only=True, tag="mlgit/gate-verify.v1"):
    """The verification of past gate reports."""

    reports: list[ReportCheck]

    @property
    def exit(self) -> Exit:
        """No if a report differs; inconclusive if something is missing."""
        results = {report.result for report in self.reports}
        return Exit.NO if "differs" in results else Exit.INCONCLUSIVE if "inconclusive" in results else Exit.YES


def run(workspace: Workspace, name: str | None, *, on_done: Progress = lambda _: None) -> ReportsVerified:
    """Verify gate reports, each on the state before the commit that added it, and at the time that it states.

    Args:
        workspace: the workspace.
        name: id of a promotion, path of a report, or a version, `churn@10`; None for every report of the base branch.
        on_done: called with the number of verified reports.

    Raises:
        MlgitError: there is no such report (`gate-report-unknown`), or the clone is shallow (`history-shallow`).
    """
    workspace.repository.require_full_history()
    snapshot = take_snapshot(workspace)
    state = snapshot.state
    paths = _report_paths(state, name)
    if not paths and name is not None:
        raise refused(
            "gate-report-unknown",
            f"there is no gate report {name} on the base branch",
            why="reports are merged with their promotion; `mlgit merge --dry-run` verifies that of an open one",
            fix="name a promotion, a version, or the path of a report; `mlgit log` lists promotions",
        )
    added_by = _added_by(workspace, state, paths, every=name is None)
    reports = []
    for path in paths:
        reports.append(_verify(workspace, snapshot, path, added_by.get(path)))
        on_done(len(reports))
    return ReportsVerified(reports=reports)


def _report_paths(state: Lifecycle, name: str | None) -> list[str]:
    """Return the paths of the reports with a name, sorted."""
    if name is not None and "@" in name:
        version = state.version(VersionRef.parse(name))
        folder = f"{layout.version_folder(version.model, version.version)}/gates"
        return [f"{folder}/{file}" for file in state.tree.names(folder) if file.endswith(".json")]
    candidates = (entry.path for entry in state.tree.entries(["models"]) if "/gates/" in entry.path)
    reports = [
        path for path in candidates if (place := layout.parse_path(path)) is not None and place.kind == "gate-report"
    ]
    return [path for path in reports if name is None or name == path or path.endswith(f"/gates/{name}.json")]


def _added_by(
    workspace: Workspace, state: Lifecycle, paths: Sequence[str], *, every: bool
) -> dict[str, tuple[CommitId, CommitId]]:
    """Return the commit that added each report to the base branch, and its first parent."""
    reports = set(paths)
    commits = {}
    # Newest first, so that the oldest commit wins for a report that was deleted and added again.
    for commit, changes in workspace.repository.commits(commit_of(state), paths=["models"] if every else paths):
        for change in changes:
            if change.status == "A" and change.path in reports and commit.parents:
                commits[change.path] = (commit.id, commit.parents[0])
    return commits


def _verify(
    workspace: Workspace, snapshot: Snapshot, path: str, added_by: tuple[CommitId, CommitId] | None
) -> ReportCheck:
    try:
        report = snapshot.state.find(GateReport, path)
        if report is None:
            raise not_a_file(path)
    except MlgitError as error:
        return ReportCheck(report=path, result="inconclusive", details=_details(error))
    check = ReportCheck(
        report=path,
        result="same",
        promotion=report.promotion,
        candidate=f"{report.model}@{report.candidate.version}",
        environment=report.environment,
        at=report.at,
    )
    if added_by is None:
        return msgspec.structs.replace(
            check, result="inconclusive", details=["the base branch has no state before it, to evaluate the gates on"]
        )
    try:
        differences, missing = _evaluate_again(workspace, snapshot, path, report, *added_by)
    except MlgitError as error:
        return msgspec.structs.replace(check, result="inconclusive", details=_details(error))
    if differences:
        return msgspec.structs.replace(check, result="differs", details=differences)
    return msgspec.structs.replace(check, result="inconclusive" if missing else "same", details=missing)


def _evaluate_again(
    workspace: Workspace, snapshot: Snapshot, path: str, report: GateReport, commit: CommitId, parent: CommitId
) -> tuple[list[str], list[str]]:
    """Return the differences, and what is missing for an evaluation."""
    before = Lifecycle(workspace.repository.tree(parent), workspace.formats.record)
    version = before.version(VersionRef(report.model, report.candidate.version))
    waived = waivers.waivers(workspace, before, version, report.environment, at=report.at, ledger=snapshot.ledger)
    after = Lifecycle(workspace.repository.tree(commit), workspace.formats.record)
    manifest = after.promotion(report.environment, report.model)
    new_report = gate.gate_report(
        workspace,
        before,
        version,
        report.environment,
        report.promotion,
        champion=before.champion(report.environment, report.model)
        if manifest is None
        else proposals.baseline_version(before, manifest),
        at=report.at,
        waivers=waived,
    )
    differences = [*_manifest_differences(manifest, path, report), *_input_differences(report, new_report)]
    policy = before.policy(before.environment(report.environment).policy)
    if not matches_gates(policy.required_gates, report.results):
        return [*differences, f"the results are not those of the gates of policy {policy.name}"], []
    pairs = list(zip(report.results, new_report.results, strict=True))
    missing = [f"{new.gate}: {new.message}" for old, new in pairs if _is_error(new) and not _is_error(old)]
    differences += [
        difference
        for old, new in pairs
        if _is_error(old) or not _is_error(new)
        for difference in verdict_differences(old, new)
    ]
    if not missing and report.outcome != new_report.outcome:
        differences.append(f"outcome: {report.outcome} then, {new_report.outcome} now")
    return differences, missing


def _manifest_differences(manifest: Promotion | None, path: str, report: GateReport) -> Iterator[str]:
    """Yield the difference if the manifest in the commit of a report does not name this report."""
    if manifest is None or manifest.promotion != report.promotion or manifest.gates is None:
        yield f"its commit has no manifest of {report.environment}/{report.model} for this promotion"
    elif (manifest.gates.report, manifest.gates.digest) != (path, digest(report)):
        yield f"the manifest of {report.environment}/{report.model} names a report with another digest"


def _input_differences(old: GateReport, new: GateReport) -> Iterator[str]:
    for name in ("candidate", "champion", "policy"):
        if getattr(old, name) != getattr(new, name):
            yield f"{name}: not the one before the promotion"
    for name, digest_read in old.reads.items():
        if new.reads.get(name) != digest_read:
            yield f"{name}: has another digest than the report states"


def _is_error(verdict: GateVerdict) -> bool:
    """Return whether a gate could not be evaluated; of a waived gate, whether it could not have been."""
    return "error" in {verdict.outcome, verdict.facts.get("would_be")}


def _details(error: MlgitError) -> list[str]:
    return [finding.message + (f": {finding.why}" if finding.why else "") for finding in error.findings]
