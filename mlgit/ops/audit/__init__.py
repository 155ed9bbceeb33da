"""Verify every past promotion by the rules of its time, offline, from a clone."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final

import msgspec
from msgspec.structs import replace

from mlgit import __version__
from mlgit.domain import layout
from mlgit.domain.audit.records import (
    AuditedChange,
    AuditedDeployment,
    AuditedRules,
    GovernanceRecord,
    ModelInventory,
    RuleChange,
)
from mlgit.domain.audit.verdict import VERDICTS, AuditDepth
from mlgit.domain.codec import sha256
from mlgit.domain.formatting import plural
from mlgit.domain.names import CommitId, Digest
from mlgit.errors import Exit, Finding, MlgitError, Severity, refused
from mlgit.ops.audit import checkpoint as checkpoints
from mlgit.ops.audit import history_checks
from mlgit.ops.audit.checkpoint import Checkpoint, GivenCheckpoint
from mlgit.ops.audit.inventory import governance_records, inventory, overdue_recertifications
from mlgit.ops.audit.replay import Replay
from mlgit.ops.kernel import remote, snapshot
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.outcome import Outcome
from mlgit.ops.kernel.ports.git import Repository
from mlgit.ops.kernel.ports.progress import Progress
from mlgit.ops.kernel.ports.workspace import Workspace

_CACHE: Final = "audit"
_NOT_AT_DEPTH: Final[Mapping[AuditDepth, tuple[str, ...]]] = {
    "record": (
        "Model files, predictions and data were not fetched; only their recorded digests were compared.",
        "Gates were not evaluated again; their reports have the digests that people approved. `--depth full` evaluates them.",
    ),
    "recompute": (
        "Gates that run a model file or code of the project were not evaluated again. `--depth full` evaluates them.",
    ),
    "full": (),
}
_WITHOUT_FORGE: Final = (
    "No forge was queried: reviews count as the ledger has them, so the applier who signed them is trusted."
)
_NEVER_CHECKED: Final = (
    "Commit signatures were verified only for commits that changed manifests. Verdicts depend on approvals, not on them.",
    "A clone cannot show whether history was rewritten before the first audit with a checkpoint (see `--checkpoint`).",
)


class Audit(Outcome, frozen=True, kw_only=True, tag="mlgit/audit.v1"):
    """The verdict on every change of what runs, and of rules, and the findings on the history as a whole.

    `rules` are the changes of rules since they are guarded, that is after commit `guarded_since`; null if they are not yet.
    `rule_changes` are all changes of rules and signed exceptions, file by file, without a verdict.

    Two audits of the same commits give the same document, byte for byte. `digest` is its sha256 with an empty `digest`.
    """

    project: str
    branch: str
    commit: CommitId
    ledger: CommitId | None
    tool: str
    since: str | None
    environment: str | None
    depth: AuditDepth
    counts: dict[str, int]
    changes: list[AuditedChange]
    guarded_since: CommitId | None
    rules: list[AuditedRules]
    findings: list[Finding]
    inventory: list[ModelInventory]
    deployments: list[AuditedDeployment]
    rule_changes: list[RuleChange]
    governance: list[GovernanceRecord]
    not_checked: list[str]
    digest: Digest = ""

    @property
    def exit(self) -> Exit:
        """Yes if no change is UNPROVEN or a VIOLATION, and the history has no errors."""
        has_errors = any(finding.severity is Severity.ERROR for finding in self.findings)
        return Exit.NO if has_errors or self.counts["UNPROVEN"] or self.counts["VIOLATION"] else Exit.YES

    def with_digest(self) -> "Audit":
        """Return it with its digest, which needs all of it to be encoded."""
        return replace(self, digest=sha256(msgspec.json.encode(self)))


class AuditResult(msgspec.Struct, frozen=True):
    """An audit, and the checkpoint for the next one; None if a branch was rewritten."""

    audit: Audit
    checkpoint: bytes | None


def run(
    workspace: Workspace,
    *,
    at: str | None = None,
    since: str | None = None,
    environment: str | None = None,
    use_cache: bool = True,
    given_checkpoint: GivenCheckpoint | None = None,
    depth: AuditDepth = "record",
    on_progress: Progress = lambda _: None,
) -> AuditResult:
    """Audit the base branch and the ledger. It writes only to its cache; at depth `record` it needs neither network nor DVC.

    Args:
        workspace: where.
        at: the commit, branch, tag or date to audit up to; the tip of the base branch if None.
        since: report only changes after this commit, branch, tag or date; the history as a whole is checked anyway.
        environment: report only this environment.
        use_cache: whether to continue from an earlier audit; else it starts from the first commit.
        given_checkpoint: a checkpoint file, instead of the checkpoint in the cache.
        depth: how deep to look; all but `record` evaluate gates again, on data from DVC's cache or remote, for every commit.
        on_progress: called with the number of commits that were replayed.

    Raises:
        MlgitError: the clone is shallow (`history-shallow`), a revision does not exist (`revision-unknown`), no commit ever had
            the environment (`environment-unknown`), or the checkpoint is not valid (`checkpoint-invalid`).
    """
    repository = workspace.repository
    repository.require_full_history()
    branch, state = snapshot.base_of(workspace)
    state = state if at is None else snapshot.state_at(workspace, at)
    tip = snapshot.commit_of(state)
    ledger = _ledger(workspace, None if at is None else tip)
    since_commit = None if since is None else snapshot.state_at(workspace, since).tree.commit
    checkpoint = None
    if use_cache and depth == "record":
        checkpoint = _load_checkpoint(workspace, branch, given_checkpoint, use_cache=at is None)
    rewritten: list[Finding] = []
    if checkpoint is not None and not _continues(repository, checkpoint, tip, ledger):
        rewritten = _check_rewritten(repository, checkpoint, branch, tip, ledger)
        checkpoint = None
    replay = Replay(workspace, branch, tip, ledger, checkpoint=checkpoint, depth=depth, on_progress=on_progress)
    replay.run()
    if replay.needs_full_replay:  # on evidence that a checkpoint does not keep
        replay = Replay(workspace, branch, tip, ledger, on_progress=on_progress)
        replay.run()
    if environment is not None and all(change.environment != environment for change in replay.changes):
        # Raises if it does not exist: a misspelt name must not give an audit without findings.
        state.environment(environment)
    # After a rewrite, the old checkpoint stays in the cache, so that the finding is repeated until somebody runs `--no-cache`.
    encoded = None if rewritten else checkpoints.encode(replay.checkpoint())
    if at is None and given_checkpoint is None and depth == "record" and encoded is not None:
        workspace.cache.put(_CACHE, branch, encoded)
    audit = _audit(
        replay,
        state,
        ledger,
        rewritten,
        since=since,
        since_commit=since_commit,
        environment=environment,
        as_of=max(repository.commit_time(commit) for commit in (tip, ledger) if commit is not None),
        depth=depth,
    )
    return AuditResult(audit, encoded)


def _ledger(workspace: Workspace, at: CommitId | None) -> CommitId | None:
    """Return the newest commit of the ledger, or the newest at the time of a commit of the base branch."""
    tip = snapshot.ledger_tip(workspace)
    if tip is None or at is None:
        return tip
    return workspace.repository.last_commit_by(tip, workspace.repository.commit_time(at))


def _load_checkpoint(
    workspace: Workspace, branch: str, given: GivenCheckpoint | None, *, use_cache: bool
) -> Checkpoint | None:
    """Return the checkpoint to continue from: the given one, or that of the last audit in the cache."""
    if given is not None:
        checkpoint = checkpoints.unpack(workspace, given)
        if checkpoint.branch != branch:
            raise refused(
                "checkpoint-invalid",
                f"the checkpoint is of branch {checkpoint.branch}, and the base branch is {branch}",
                fix="use the checkpoint of this project, or run without `--checkpoint`",
            )
        return checkpoint
    cached = workspace.cache.get(_CACHE, branch) if use_cache else None
    try:
        return None if cached is None else checkpoints.decode(cached)
    except MlgitError:  # a cache may be from another version of mlgit; then the audit starts from the first commit
        return None


def _check_rewritten(
    repository: Repository, checkpoint: Checkpoint, branch: str, tip: CommitId, ledger: CommitId | None
) -> list[Finding]:
    """Return a finding for each branch that no longer has the commit of an earlier audit."""
    findings = []
    old, old_ledger = checkpoint.commit, checkpoint.ledger
    if old is not None and old != tip and not _is_first_parent_ancestor(repository, old, tip):
        is_merged = repository.resolve(old) is not None and remote.contains(repository, tip, old)
        findings.append(history_checks.history_rewritten(branch, old, is_merged=is_merged))
    # What a merge of the ledger lost is found by the audit itself.
    if old_ledger is not None and (
        ledger is None or repository.resolve(old_ledger) is None or not remote.contains(repository, ledger, old_ledger)
    ):
        findings.append(history_checks.history_rewritten(layout.LEDGER.removeprefix("refs/heads/"), old_ledger))
    return findings


def _continues(repository: Repository, checkpoint: Checkpoint, tip: CommitId, ledger: CommitId | None) -> bool:
    """Return whether both first-parent histories continue from the checkpoint.

    They may not although nothing was lost: a merge of the ledger can have the old tip as its second parent.
    """
    return all(
        old is None or new == old or (new is not None and _is_first_parent_ancestor(repository, old, new))
        for old, new in ((checkpoint.commit, tip), (checkpoint.ledger, ledger))
    )


def _is_first_parent_ancestor(repository: Repository, old: CommitId, new: CommitId) -> bool:
    """Return whether a commit is in the first-parent history of a later one."""
    if repository.resolve(old) is None:
        return False
    parents: tuple[CommitId, ...] = ()
    for commit, _ in repository.commits(f"{old}..{new}"):  # newest first; the oldest has to follow `old` directly
        parents = commit.parents
    return parents[:1] == (old,)


def _audit(
    replay: Replay,
    state: Lifecycle,
    ledger: CommitId | None,
    rewritten: list[Finding],
    *,
    since: str | None,
    since_commit: CommitId | None,
    environment: str | None,
    as_of: datetime,
    depth: AuditDepth,
) -> Audit:
    changes, rules = replay.changes_after(since_commit)
    changes = [change for change in changes if environment in {None, change.environment}]
    models, model_findings = inventory(state, replay.changes)
    governance, governance_findings = governance_records(state)
    counts = Counter([*(change.verdict for change in changes), *(change.verdict for change in rules)])
    return Audit(
        project=state.project().name,
        branch=replay.branch,
        commit=replay.tip,
        ledger=ledger,
        tool=f"mlgit {__version__}",
        since=since,
        environment=environment,
        depth=depth,
        counts={verdict: counts[verdict] for verdict in VERDICTS},
        changes=changes,
        guarded_since=replay.guarded_since,
        rules=rules,
        findings=[
            *rewritten,
            *replay.findings,
            *replay.reference_findings,
            *model_findings,
            *governance_findings,
            *overdue_recertifications(state, models, as_of),
        ],
        inventory=models,
        deployments=[entry for entry in replay.deployments if environment in {None, entry.environment}],
        rule_changes=replay.rule_changes,
        governance=governance,
        not_checked=[*_not_checked(replay, changes, rules, ledger, depth=depth)],
    )


def _not_checked(
    replay: Replay,
    changes: Sequence[AuditedChange],
    rules: Sequence[AuditedRules],
    ledger: CommitId | None,
    *,
    depth: AuditDepth,
) -> Iterator[str]:
    """Yield sentences about what the audit did not verify."""
    if ledger is None:
        yield "There is no ledger here, so that approvals and deployments could not be verified."
    unproven = sum(change.verdict == "UNPROVEN" for change in changes)
    if unproven:
        yield f"{plural(unproven, 'change')} without enough evidence: the merge rules may or may not have been met."
    counted = [approval for rows in (changes, rules) for row in rows for approval in row.approvals]
    if any(approval.review for approval in counted):
        yield _WITHOUT_FORGE
    if replay.guarded_since is None:
        yield "Nobody had to approve the rules: no promotion to an environment that requires approvals was merged yet."
    else:
        since = replay.guarded_since[:12]
        yield f"Nobody had to approve the rules as they were at commit {since}, only their changes after it."
    yield from _NOT_AT_DEPTH[depth]
    notarised = sum(change.notarised for change in changes)
    yield (
        f"Times of {notarised} of {plural(len(changes), 'change')} are confirmed by a timestamp authority. Others are from the "
        "clocks of the machines that wrote them: never before what they rest on, as far as anything newer was there."
    )
    yield from _NEVER_CHECKED
