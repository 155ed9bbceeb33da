"""Judge again what gate reports of the past say, from nothing but the repository and what DVC keeps."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Literal

import msgspec

from mlgit.domain import layout
from mlgit.domain.codec import digest
from mlgit.domain.names import CommitId, VersionRef
from mlgit.domain.policy import matches_gates, verdict_differences
from mlgit.domain.records import GateReport
from mlgit.domain.records.gatereport import GateVerdict
from mlgit.errors import Exit, MlgitError, refused
from mlgit.ops.evaluation import gate
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.outcome import Outcome
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.kernel.snapshot import Snapshot, take_snapshot
from mlgit.ops.review import proposals, waivers


class ReportCheck(msgspec.Struct, frozen=True, kw_only=True):
    """How one report stands to what the gates answer now; `details` say what differs, or what is missing."""

    report: str
    result: Literal["same", "differs", "inconclusive"]
    promotion: str | None = None
    candidate: str | None = None
    environment: str | None = None
    at: datetime | None = None
    details: list[str] = []


class ReportsVerified(Outcome, frozen=True, kw_only=True, tag="mlgit/gate-verify.v1"):
    """How reports of the past stand to what the gates answer now."""

    reports: list[ReportCheck]

    @property
    def exit(self) -> Exit:
        """No where a report differs; not judged where something is missing."""
        answers = {one.result for one in self.reports}
        return Exit.NO if "differs" in answers else Exit.INCONCLUSIVE if "inconclusive" in answers else Exit.YES


def run(workspace: Workspace, name: str | None, *, on_done: Callable[[int], None] = lambda _: None) -> ReportsVerified:
    """Judge gate reports again, each on the state before the commit that brought it, as of the time that it states.

    Args:
        workspace: where.
        name: a promotion's id, the path of a report, or a version, `churn@10`; every report of the base branch, if None.
        on_done: called with the number of reports that are done.

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
            why="reports come in with a merge; those of open promotions are judged again by `mlgit merge --dry-run`",
            fix="name a promotion, a version, or the path of a report: `mlgit log` lists what was promoted",
        )
    brought = _brought(workspace, state, paths, every=name is None)
    checked = []
    for path in paths:
        checked.append(_check(workspace, snapshot, path, brought.get(path)))
        on_done(len(checked))
    return ReportsVerified(reports=checked)


def _named(state: Lifecycle, name: str | None) -> list[str]:
    """Return the paths of the reports that are meant, sorted."""
    if name is not None and "@" in name:
        version = state.version(VersionRef.parse(name))
        folder = f"{layout.version_folder(version.model, version.version)}/gates"
        return [f"{folder}/{file}" for file in state.tree.names(folder) if file.endswith(".json")]
    found = (entry.path for entry in state.tree.entries(["models"]) if "/gates/" in entry.path)
    reports = [path for path in found if (place := layout.parse_path(path)) is not None and place.kind == "gate-report"]
    return [path for path in reports if name is None or name == path or path.endswith(f"/gates/{name}.json")]


def _brought(
    workspace: Workspace, state: Lifecycle, paths: Sequence[str], *, every: bool
) -> dict[str, tuple[CommitId, CommitId]]:
    """Return the commit that brought each report to the base branch, and the one before it."""
    tip = state.tree.commit
    assert tip is not None  # noqa: S101 - the base is a commit
    wanted = set(paths)
    found = {}
    # Newest first: what was added more than once counts from the first time.
    for commit, changes in workspace.repository.commits(tip, paths=["models"] if every else paths):
        for change in changes:
            if change.status == "A" and change.path in wanted and commit.parents:
                found[change.path] = (commit.id, commit.parents[0])
    return found


def _check(
    workspace: Workspace, snapshot: Snapshot, path: str, brought: tuple[CommitId, CommitId] | None
) -> ReportCheck:
    try:
        report = snapshot.state.find(GateReport, path)
    except MlgitError as error:
        return ReportCheck(report=path, result="inconclusive", details=_said(error))
    assert report is not None  # noqa: S101 - it is in the tree
    known = ReportCheck(
        report=path,
        result="same",
        promotion=report.promotion,
        candidate=f"{report.model}@{report.candidate.version}",
        environment=report.environment,
        at=report.at,
    )
    if brought is None:
        return msgspec.structs.replace(
            known,
            result="inconclusive",
            details=["no commit of the base branch brought it to a state that it was judged on"],
        )
    try:
        unlike_now, missing = _judge_again(workspace, snapshot, path, report, *brought)
    except MlgitError as error:
        return msgspec.structs.replace(known, result="inconclusive", details=_said(error))
    if unlike_now:
        return msgspec.structs.replace(known, result="differs", details=unlike_now)
    return msgspec.structs.replace(known, result="inconclusive" if missing else "same", details=missing)


def _judge_again(
    workspace: Workspace, snapshot: Snapshot, path: str, report: GateReport, commit: CommitId, parent: CommitId
) -> tuple[list[str], list[str]]:
    """Return what differs, and what could not be judged."""
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
        else proposals.compared_version(before, manifest),
        at=report.at,
        waivers=waived,
    )
    different = [*_not_named(workspace, path, report, commit), *_other_inputs(report, again)]
    policy = before.policy(before.environment(report.environment).policy)
    if not matches_gates(policy.gates, report.results):
        return [*different, f"the answers are not those to the gates of policy {policy.name}"], []
    pairs = list(zip(report.results, again.results, strict=True))
    missing = [f"{now.gate}: {now.message}" for then, now in pairs if _is_error(now) and not _is_error(then)]
    different += [
        what for then, now in pairs if _is_error(then) or not _is_error(now) for what in verdict_differences(then, now)
    ]
    if not missing and report.outcome != again.outcome:
        different.append(f"outcome: {report.outcome} then, {again.outcome} now")
    return different, missing


def _not_named(workspace: Workspace, path: str, report: GateReport, commit: CommitId) -> Iterator[str]:
    """Yield what is wrong where the manifest that came with a report names another one."""
    after = Lifecycle(workspace.repository.tree(commit), workspace.formats.record)
    manifest = after.promotion(report.environment, report.model)
    if manifest is None or manifest.promotion != report.promotion or manifest.gates is None:
        yield f"no manifest of {report.environment}/{report.model} came with it"
    elif (manifest.gates.report, manifest.gates.digest) != (path, digest(report)):
        yield f"the manifest of {report.environment}/{report.model} names a report with another digest"


def _other_inputs(then: GateReport, now: GateReport) -> Iterator[str]:
    for what in ("candidate", "champion", "policy"):
        if getattr(then, what) != getattr(now, what):
            yield f"{what}: not the one that was there before the promotion"
    for what, read in then.reads.items():
        if now.reads.get(what) != read:
            yield f"{what}: another digest than the one that was looked at"


def _is_error(said: GateVerdict) -> bool:
    return "error" in {said.outcome, said.facts.get("would_be")}


def _said(error: MlgitError) -> list[str]:
    return [found.message + (f": {found.why}" if found.why else "") for found in error.findings]
