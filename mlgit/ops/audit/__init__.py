"""Check again every decision that was ever taken: replay the history under the rules of each moment, offline, from a clone."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Final

import msgspec
from msgspec.structs import replace

from mlgit import __version__
from mlgit.domain import layout
from mlgit.domain.audit.records import AuditedChange, AuditedDeployment, GovernanceRecord, ModelInventory, RuleChange
from mlgit.domain.audit.verdict import VERDICTS
from mlgit.domain.codec import sha256
from mlgit.domain.names import CommitId, Digest
from mlgit.errors import Exit, Finding, MlgitError, Severity, refused
from mlgit.ops.audit import checkpoint as checkpoints
from mlgit.ops.audit import history_checks
from mlgit.ops.audit.checkpoint import Checkpoint
from mlgit.ops.audit.inventory import governance_records, inventory, overdue_recertifications
from mlgit.ops.audit.replay import Replay
from mlgit.ops.kernel import remote, snapshot
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.outcome import Outcome
from mlgit.ops.kernel.ports.git import Repository
from mlgit.ops.kernel.ports.workspace import Workspace

_CACHE: Final = "audit"
_NOT_FETCHED: Final = (
    "Model files, predictions and data were not fetched; their digests are those in the records.",
    "Gates were not run again; their reports were compared with the digests that people approved. `--fetch` runs them.",
)
_NOT_ASKED: Final = "No forge was asked: reviews count as the ledger has them, on the word of whoever recorded them."
_NOT_CHECKED: Final = (
    "Commit signatures were verified only on commits that changed what runs. No verdict depends on them; approvals count.",
    "Times are those of the machines that wrote them; only their order within each branch is certain.",
    "A clone cannot show whether history was rewritten before the first audit that was kept (see `--checkpoint`).",
)


class Audit(Outcome, frozen=True, kw_only=True, tag="mlgit/audit.v1"):
    """What became of every change of what runs, and of the history as a whole.

    Two audits of the same commits say the same, byte for byte. `digest` is the sha256 of the document in which it is empty.
    """

    project: str
    branch: str
    commit: CommitId
    ledger: CommitId | None
    tool: str
    since: str | None
    environment: str | None
    counts: dict[str, int]
    changes: list[AuditedChange]
    findings: list[Finding]
    inventory: list[ModelInventory]
    deployments: list[AuditedDeployment]
    rules: list[RuleChange]
    standing: list[GovernanceRecord]
    unchecked: list[str]
    digest: Digest = ""

    @property
    def exit(self) -> Exit:
        """Yes where every change is proven, or waived as the rules allow, and nothing is wrong with the history."""
        wrong = any(finding.severity is Severity.ERROR for finding in self.findings)
        return Exit.NO if wrong or self.counts["UNPROVEN"] or self.counts["VIOLATION"] else Exit.YES

    def stamped(self) -> "Audit":
        """Return it with its digest, for which all of it has to be written once."""
        return replace(self, digest=sha256(msgspec.json.encode(self)))


class AuditResult(msgspec.Struct, frozen=True):
    """An audit, and the checkpoint that the next one may go on from; None where a branch was rewritten."""

    audit: Audit
    checkpoint: bytes | None


def run(
    workspace: Workspace,
    *,
    at: str | None = None,
    since: str | None = None,
    environment: str | None = None,
    full: bool = False,
    given: bytes | None = None,
    fetch: bool = False,
    on_progress: Callable[[int], None] = lambda _: None,
) -> AuditResult:
    """Audit the base branch and the ledger. Without `fetch` it needs neither a network nor DVC; changes only its own cache.

    Args:
        workspace: where.
        at: the commit, branch, tag or date to audit up to; the base branch as it is, if None.
        since: tell only of changes after this commit, branch, tag or date; the history as a whole is checked all the same.
        environment: tell only of this environment.
        full: begin with the first commit, whatever an earlier audit concluded.
        given: an earlier audit's checkpoint, in place of the one in the cache.
        fetch: judge every gate again, on data from DVC's cache or remote; begins with the first commit.
        on_progress: told how many commits were replayed.

    Raises:
        MlgitError: the clone is shallow (`history-shallow`), a revision names no commit (`revision-unknown`), there neither
            is nor was such an environment (`environment-unknown`), or the checkpoint is none (`checkpoint-invalid`).
    """
    repository = workspace.repository
    repository.require_full_history()
    branch, state = snapshot.base_of(workspace)
    state = state if at is None else snapshot.state_at(workspace, at)
    tip = state.tree.commit
    assert tip is not None  # noqa: S101 - a state of a commit
    ledger = _ledger(workspace, None if at is None else tip)
    begin = None if since is None else snapshot.state_at(workspace, since).tree.commit
    earlier = None if full or fetch else _earlier(workspace, branch, given, use_cache=at is None)
    rewritten: list[Finding] = []
    if earlier is not None and not _goes_on(repository, earlier, tip, ledger):
        rewritten = _rewritten(repository, earlier, branch, tip, ledger)
        earlier = None
    replay = Replay(workspace, branch, tip, ledger, earlier=earlier, again=fetch, on_progress=on_progress)
    replay.run()
    if replay.revives:
        replay = Replay(workspace, branch, tip, ledger, on_progress=on_progress)
        replay.run()
    if environment is not None and all(one.environment != environment for one in replay.after(None)):
        state.environment(environment)  # of one that never was, "nothing wrong" would be no answer
    # After a rewritten history only `full` starts anew, so that the finding stays until somebody has looked at it.
    kept = None if rewritten else checkpoints.encode(replay.checkpoint())
    if at is None and given is None and not fetch and kept is not None:
        workspace.cache.put(_CACHE, branch, kept)
    audit = _audit(
        replay,
        state,
        ledger,
        rewritten,
        since=since,
        begin=begin,
        environment=environment,
        as_of=max(repository.commit_time(one) for one in (tip, ledger) if one is not None),
        fetched=fetch,
    )
    return AuditResult(audit, kept)


def _ledger(workspace: Workspace, at: CommitId | None) -> CommitId | None:
    """Return the newest commit of the ledger; with a commit of the base branch, the one of its time."""
    tip = snapshot.ledger_tip(workspace)
    if tip is None or at is None:
        return tip
    return workspace.repository.last_commit_by(tip, workspace.repository.commit_time(at))


def _earlier(workspace: Workspace, branch: str, given: bytes | None, *, use_cache: bool) -> Checkpoint | None:
    """Return the checkpoint to go on from: the one that is given, else that of the last audit here."""
    if given is not None:
        found = checkpoints.unpack(given)
        if found.branch != branch:
            raise refused(
                "checkpoint-invalid",
                f"the checkpoint is of the branch {found.branch}, and this is {branch}",
                fix="give the checkpoint of this project, or leave `--checkpoint` out",
            )
        return found
    kept = workspace.cache.get(_CACHE, branch) if use_cache else None
    try:
        return None if kept is None else checkpoints.decode(kept)
    except MlgitError:  # a cache may be lost, or be of another time
        return None


def _rewritten(
    repository: Repository, earlier: Checkpoint, branch: str, tip: CommitId, ledger: CommitId | None
) -> list[Finding]:
    """Tell which branch no longer has what an earlier audit saw on it."""
    pairs = ((branch, earlier.commit, tip), (layout.LEDGER.removeprefix("refs/heads/"), earlier.ledger, ledger))
    return [
        history_checks.history_rewritten(name, old)
        for name, old, new in pairs
        if old is not None
        and (new is None or repository.resolve(old) is None or not remote.contains(repository, new, old))
    ]


def _goes_on(repository: Repository, earlier: Checkpoint, tip: CommitId, ledger: CommitId | None) -> bool:
    """Tell whether both first-parent lines lead on from where they were; a merge may have taken another for the first."""
    return all(
        old is None or new == old or (new is not None and _leads_on(repository, old, new))
        for old, new in ((earlier.commit, tip), (earlier.ledger, ledger))
    )


def _leads_on(repository: Repository, old: CommitId, new: CommitId) -> bool:
    """Tell whether a commit is on the first-parent line of a later one: the first parent of the oldest that comes after it."""
    if repository.resolve(old) is None:
        return False
    parents: tuple[CommitId, ...] = ()
    for commit, _ in repository.commits(f"{old}..{new}"):
        parents = commit.parents
    return parents[:1] == (old,)


def _audit(
    replay: Replay,
    state: Lifecycle,
    ledger: CommitId | None,
    rewritten: list[Finding],
    *,
    since: str | None,
    begin: CommitId | None,
    environment: str | None,
    as_of: datetime,
    fetched: bool,
) -> Audit:
    told = [one for one in replay.after(begin) if environment in {None, one.environment}]
    there, unread = inventory(state, replay.changes)
    stands, more = governance_records(state)
    counts = Counter(one.verdict for one in told)
    return Audit(
        project=state.project().name,
        branch=replay.branch,
        commit=replay.tip,
        ledger=ledger,
        tool=f"mlgit {__version__}",
        since=since,
        environment=environment,
        counts={one: counts[one] for one in VERDICTS},
        changes=told,
        findings=[
            *rewritten,
            *replay.findings,
            *replay.crossing,
            *unread,
            *more,
            *overdue_recertifications(state, there, as_of),
        ],
        inventory=there,
        deployments=[one for one in replay.deployments if environment in {None, one.environment}],
        rules=replay.rules,
        standing=stands,
        unchecked=[*_unchecked(told, ledger, fetched=fetched)],
    )


def _unchecked(told: Sequence[AuditedChange], ledger: CommitId | None, *, fetched: bool) -> Iterator[str]:
    """Say in plain words what an audit leaves open."""
    if ledger is None:
        yield "There is no ledger here, so that no approval and no deployment could be looked at."
    unproven = sum(one.verdict == "UNPROVEN" for one in told)
    if unproven:
        yield f"{unproven} of the changes lack evidence, and may have been right or wrong."
    if any(approval.review for one in told for approval in one.approvals):
        yield _NOT_ASKED
    yield from () if fetched else _NOT_FETCHED
    yield from _NOT_CHECKED
