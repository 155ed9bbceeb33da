"""Evaluate the gates of merged promotions again, from the repository and DVC alone, and compare with their reports."""

from collections.abc import Callable, Iterator, Sequence
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
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.kernel.snapshot import Snapshot, commit_of, take_snapshot
from mlgit.ops.review import proposals, waivers


class ReportCheck(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the gates give the results of one report again; `details` list what differs, or what is missing."""

    report: str
    answer: Literal["same", "differs", "inconclusive"]
    promotion: str | None = None
    candidate: str | None = None
    environment: str | None = None
    at: datetime | None = None
    details: list[str] = []


class ReportsVerified(Outcome, frozen=True, kw_only=True, tag="mlgit/gate-verify.v1"):
    """Whether the gates give the results of merged reports again."""

    reports: list[ReportCheck]

    @property
    def exit(self) -> Exit:
        """No where a report differs; inconclusive where something that is needed is missing."""
        answers = {report.answer for report in self.reports}
        return Exit.NO if "differs" in answers else Exit.INCONCLUSIVE if "inconclusive" in answers else Exit.YES


def run(workspace: Workspace, name: str | None, *, on_done: Callable[[int], None] = lambda _: None) -> ReportsVerified:
    """Evaluate gates again, each on the state before the commit that added its report, as of the time in the report.

    Args:
        workspace: where.
        name: a promotion's id, the path of a report, or a version, `churn@10`; every report of the base branch, if None.
        on_done: called after each report with the number done so far.

    Raises:
        MlgitError: there is no such report (`gate-report-unknown`), or the clone is shallow (`history-shallow`).
    """
    workspace.repository.require_full_history()
    snapshot = take_snapshot(workspace)
    state = snapshot.state
    paths = _named(state, name)
    if not paths and name is not None:
        raise refused(
            "gate-report-unknown",
            f"there is no gate report {name} on the base branch",
            why="a report is added by a merge; `mlgit merge --dry-run` evaluates the gates of an open promotion again",
            fix="name a promotion, a version, or the path of a report: `mlgit log` lists what was promoted",
        )
    added_by = _find_commits(workspace, state, paths, every=name is None)
    checks = []
    for path in paths:
        checks.append(_check(workspace, snapshot, path, added_by.get(path)))
        on_done(len(checks))
    return ReportsVerified(reports=checks)


def _named(state: Lifecycle, name: str | None) -> list[str]:
    """Return the paths of the reports that a name selects, sorted."""
    if name is not None and "@" in name:
        version = state.version(VersionRef.parse(name))
        folder = f"{layout.version_folder(version.model, version.version)}/gates"
        return [f"{folder}/{file}" for file in state.tree.names(folder) if file.endswith(".json")]
    candidates = (entry.path for entry in state.tree.entries(["models"]) if "/gates/" in entry.path)
    reports = [
        path for path in candidates if (place := layout.parse_path(path)) is not None and place.kind == "gate-report"
    ]
    return [path for path in reports if name is None or name == path or path.endswith(f"/gates/{name}.json")]


def _find_commits(
    workspace: Workspace, state: Lifecycle, paths: Sequence[str], *, every: bool
) -> dict[str, tuple[CommitId, CommitId]]:
    """Return, for each report, the commit that added it to the base branch and the commit before that."""
    selected = set(paths)
    added_by = {}
    # Git lists the newest commit first, so the first time that a file was added is the one that stays.
    for commit, changes in workspace.repository.commits(commit_of(state), paths=["models"] if every else paths):
        for change in changes:
            if change.status == "A" and change.path in selected and commit.parents:
                added_by[change.path] = (commit.id, commit.parents[0])
    return added_by


def _check(
    workspace: Workspace, snapshot: Snapshot, path: str, commits: tuple[CommitId, CommitId] | None
) -> ReportCheck:
    try:
        report = snapshot.state.find(GateReport, path)
    except MlgitError as error:
        return ReportCheck(report=path, answer="inconclusive", details=_messages(error))
    assert report is not None  # noqa: S101 - it is in the tree
    check = ReportCheck(
        report=path,
        answer="same",
        promotion=report.promotion,
        candidate=f"{report.model}@{report.candidate.version}",
        environment=report.environment,
        at=report.at,
    )
    if commits is None:
        return msgspec.structs.replace(
            check, answer="inconclusive", details=["it is in the first commit, so there is no state before it"]
        )
    try:
        differences, missing = _evaluate_again(workspace, snapshot, path, report, *commits)
    except MlgitError as error:
        return msgspec.structs.replace(check, answer="inconclusive", details=_messages(error))
    if differences:
        return msgspec.structs.replace(check, answer="differs", details=differences)
    return msgspec.structs.replace(check, answer="inconclusive" if missing else "same", details=missing)


def _evaluate_again(
    workspace: Workspace, snapshot: Snapshot, path: str, report: GateReport, commit: CommitId, parent: CommitId
) -> tuple[list[str], list[str]]:
    """Return what differs, and which gates could not be evaluated."""
    before = Lifecycle(workspace.repository.tree(parent), workspace.formats.record)
    version = before.version(VersionRef(report.model, report.candidate.version))
    waived = waivers.waivers(workspace, before, version, report.environment, at=report.at, ledger=snapshot.ledger)
    after = Lifecycle(workspace.repository.tree(commit), workspace.formats.record)
    manifest = after.promotion(report.environment, report.model)
    again = gate.gate_report(
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
    differences = [*_check_named(manifest, path, report), *_check_inputs(report, again)]
    policy = before.policy(before.environment(report.environment).policy)
    if not matches_gates(policy.gates, report.results):
        return [*differences, f"the report has results of other gates than policy {policy.name}"], []
    pairs = list(zip(report.results, again.results, strict=True))
    missing = [f"{now.gate}: {now.message}" for then, now in pairs if _is_error(now) and not _is_error(then)]
    differences += [
        difference
        for then, now in pairs
        if _is_error(then) or not _is_error(now)
        for difference in verdict_differences(then, now)
    ]
    if not missing and report.outcome != again.outcome:
        differences.append(f"outcome: {report.outcome} then, {again.outcome} now")
    return differences, missing


def _check_named(manifest: Promotion | None, path: str, report: GateReport) -> Iterator[str]:
    """The manifest of the same commit names this report, by its path and digest."""
    if manifest is None or manifest.promotion != report.promotion or manifest.gates is None:
        yield f"its commit adds no manifest of {report.environment}/{report.model} for it"
    elif (manifest.gates.report, manifest.gates.digest) != (path, digest(report)):
        yield f"the manifest of {report.environment}/{report.model} names a report with another digest"


def _check_inputs(then: GateReport, now: GateReport) -> Iterator[str]:
    """The gates used the same candidate, champion, policy and files both times."""
    for field in ("candidate", "champion", "policy"):
        if getattr(then, field) != getattr(now, field):
            yield f"{field}: not that of the state before the promotion"
    for name, read in then.reads.items():
        if now.reads.get(name) != read:
            yield f"{name}: the digest is not the one in the report"


def _is_error(verdict: GateVerdict) -> bool:
    return "error" in {verdict.outcome, verdict.facts.get("would_be")}


def _messages(error: MlgitError) -> list[str]:
    return [finding.message + (f": {finding.why}" if finding.why else "") for finding in error.findings]
