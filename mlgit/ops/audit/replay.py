"""Replay the base branch and the ledger, commit by commit: what each changed, under the rules that held then."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice

from msgspec.structs import replace

from mlgit.domain import layout
from mlgit.domain.audit.records import AuditedChange, AuditedDeployment, RuleChange
from mlgit.domain.ledger_integrity import check_cross_references
from mlgit.domain.names import CommitId
from mlgit.domain.records import DecisionRecord, Deployment, Promotion
from mlgit.errors import Finding, MlgitError, refused
from mlgit.ops.audit import history_checks
from mlgit.ops.audit.change_verification import ChangeVerifier, changed_manifests
from mlgit.ops.audit.checkpoint import Checkpoint, OpenReferences
from mlgit.ops.audit.commit_signatures import CommitSignatures, commit_signature, commit_signatures
from mlgit.ops.audit.first_parents import HistoryStep, history_steps, printable
from mlgit.ops.audit.ledger_history import LedgerCutoff, LedgerHistory
from mlgit.ops.audit.prefetch import Prefetch
from mlgit.ops.audit.tree_history import BlobReader, LifecycleHistory, TreeOverlay
from mlgit.ops.kernel import remote
from mlgit.ops.kernel.ports.workspace import Workspace

_AT_ONCE = 256  # commits whose contents are read together
_SEEN, _DECIDED = "deployments/", "decisions/"


class Replay:
    """What is known of a repository once its two branches were walked; goes on from a checkpoint, if one is given."""

    def __init__(
        self,
        workspace: Workspace,
        branch: str,
        tip: CommitId,
        ledger: CommitId | None,
        *,
        earlier: Checkpoint | None = None,
        again: bool = False,
        on_progress: Callable[[int], None] = lambda _: None,
    ) -> None:
        """Take where to walk, and from what on.

        Args:
            workspace: where.
            branch: name of the base branch.
            tip: its newest commit.
            ledger: the newest commit of the ledger, if there is one.
            earlier: what an earlier audit concluded, to go on from.
            again: whether to judge the gates again, on data that has to be fetched.
            on_progress: told how many commits were replayed.
        """
        self._workspace = workspace
        self._repository = workspace.repository
        self._on_progress = on_progress
        self._library = BlobReader(workspace.repository, workspace.formats.record)
        self._again = again
        self._earlier = earlier
        self.tip, self._ledger = tip, ledger
        self.branch = branch
        self.changes: list[AuditedChange] = list(earlier.changes) if earlier else []
        self.findings: list[Finding] = list(earlier.findings) if earlier else []
        self.rules: list[RuleChange] = list(earlier.rules) if earlier else []
        self.deployments: list[AuditedDeployment] = list(earlier.deployments) if earlier else []
        self.crossing: list[Finding] = []
        """What one branch says of the other that the other does not bear out, as of today's two."""
        self._line: dict[CommitId, None] = dict.fromkeys(earlier.line if earlier else ())
        self._ledger_line: dict[CommitId, None] = dict.fromkeys(earlier.ledger_line if earlier else ())
        self._decided: dict[str, None] = dict.fromkeys(earlier.decided if earlier else ())
        self._settled = {one.promotion for one in self.changes if one.decided}
        self.revives = False
        """Whether a promotion came again that was settled before the checkpoint, which no longer has its evidence."""
        self._loose = earlier.loose if earlier else OpenReferences()
        self._manifests: list[Promotion] = list(self._loose.manifests)
        self._chronicle = LedgerHistory(self._library)

    def run(self) -> None:
        """Walk the ledger, then the base branch, then hold the one against the other."""
        self._chronicle = self._read_ledger()
        self.findings += history_checks.check_append_only(self._chronicle.altered)
        deployments, decisions = self._records()
        judge = ChangeVerifier(self._workspace, self._chronicle, again=self._again)
        self._judge_again(judge, {entry.promotion for entry in deployments})
        since = None if self._earlier is None else self._earlier.commit
        line = history_steps(self._repository, self.tip, since)
        under = None if since is None else self._repository.tree(since)
        state = LifecycleHistory(TreeOverlay(self._library, under, since), self._library)
        seen = {one.promotion for one in self.changes if one.promotion is not None}
        ahead = Prefetch(self._library, self._chronicle)
        done, last = 0, None if since is None else self._repository.commit_time(since)
        while some := list(islice(line, _AT_ONCE)):
            ahead.fetch(some, state.files)
            seals = commit_signatures(self._workspace, [step.commit.id for step in some if changed_manifests(step)])
            for step in some:
                self._walk(step, last, state, judge, seen, seals)
                last = step.commit.at
            done += len(some)
            self._on_progress(done)
        self._hold_together(deployments, decisions, seen)

    def checkpoint(self) -> Checkpoint:
        """Return what the next audit may go on from."""
        settled = {one.promotion for one in self.changes if one.decided}
        return Checkpoint(
            branch=self.branch,
            line=list(self._line),
            ledger_line=list(self._ledger_line),
            changes=self.changes,
            findings=self.findings,
            rules=self.rules,
            deployments=self.deployments,
            decided=list(self._decided),
            pending={
                path: one
                for path, one in self._chronicle.added.items()
                if not path.startswith(_SEEN) and _promotion_of(path) not in settled
            },
            loose=self._loose,
        )

    def after(self, commit: CommitId | None) -> list[AuditedChange]:
        """Return the changes after a commit; all of them, if None.

        Raises:
            MlgitError: the commit is not on the first-parent line of the base branch (`revision-not-on-base-branch`).
        """
        if commit is None:
            return self.changes
        if commit not in self._line:
            raise refused(
                "revision-not-on-base-branch",
                f"commit {commit[:12]} is not on the first-parent line of {self.branch}",
                why="what came after it cannot be told from what came beside it",
                fix=f"name a commit that `git log --first-parent {self.branch}` lists, or a date",
            )
        position = {one: number for number, one in enumerate(self._line)}
        return [one for one in self.changes if position[one.commit] > position[commit]]

    # The ledger

    def _read_ledger(self) -> LedgerHistory:
        earlier = self._earlier
        before = None if earlier is None or earlier.ledger is None else self._repository.tree(earlier.ledger)
        chronicle = LedgerHistory(
            self._library, before=before, pending=earlier.pending if earlier else {}, length=len(self._ledger_line)
        )
        chronicle.refused.update(_refusals(self.deployments))
        if self._ledger is None:
            return chronicle
        span = self._ledger if before is None else f"{before.commit}..{self._ledger}"
        for commit, changes in reversed(list(self._repository.commits(span))):
            chronicle.append(commit, map(printable, changes))
            self._ledger_line[commit.id] = None
        return chronicle

    def _records(self) -> tuple[list[Deployment], list[DecisionRecord]]:
        """Return what the ledger gained of deployments and decisions; what cannot be read is a finding."""
        deployments: list[Deployment] = []
        decisions: list[DecisionRecord] = []
        wanted = [
            path for path in self._chronicle.new if path.startswith((_SEEN, _DECIDED)) and layout.parse_path(path)
        ]
        self._library.keep(self._chronicle.added[path].blob for path in wanted if path.startswith(_SEEN))
        for some in _batches(wanted):
            self._library.fetch(self._chronicle.added[path].blob for path in some if path.startswith(_DECIDED))
            for path in some:
                try:
                    record = self._library.record(path, self._chronicle.added[path].blob)
                except MlgitError as error:
                    self.findings += error.findings
                    continue
                if isinstance(record, Deployment):
                    deployments.append(record)
                elif isinstance(record, DecisionRecord):
                    decisions.append(record)
        self._chronicle.refused.update(_refusals(deployments))
        return deployments, decisions

    # The base branch

    def _walk(
        self,
        step: HistoryStep,
        before: datetime | None,
        state: LifecycleHistory,
        judge: ChangeVerifier,
        seen: set[str],
        seals: CommitSignatures,
    ) -> None:
        """Take in one commit: judge what it changes of manifests, and note all else that matters."""
        commit = step.commit
        self._line[commit.id] = None
        self.findings += history_checks.check_step(step, before)
        self.rules += history_checks.rule_changes(step)
        changed = changed_manifests(step)
        if changed:
            after = state.above(commit.id, step.changes)
            signers = state.files.read(layout.SIGNERS) if commit.id in seals else None
            seal = commit_signature(self._workspace, commit.id, commit.at, seals, signers)
            for path in changed:
                self._take(replace(judge.judge(step, path, state, after, seen), signature=seal), after, seen)
            # Nobody asks for a report again.
            self._library.drop((one.path, one.after) for one in step.changes if one.path not in changed and one.after)
        state.advance(commit.id, step.changes)

    def _take(self, change: AuditedChange, now: LifecycleHistory, seen: set[str]) -> None:
        self.changes.append(change)
        if change.promotion is not None:
            self.revives |= change.promotion in self._settled
            seen.add(change.promotion)
            manifest = now.promotion(change.environment, change.model)
            if manifest is not None and manifest.ledger is not None:
                self._manifests.append(manifest)

    def _judge_again(self, judge: ChangeVerifier, seen_to_run: set[str]) -> None:
        """Judge again what the ledger has more about since the checkpoint."""
        touched = {_promotion_of(path) for path in self._chronicle.new if not path.startswith(_SEEN)} | seen_to_run
        seen: set[str] = set()
        for index, change in enumerate(self.changes if self._chronicle.new else ()):
            holds = change.verdict in {"PROVEN", "OVERRIDDEN"}
            if not change.decided and (not holds or change.promotion in touched):
                self.changes[index] = self._judged_again(judge, change, seen)
            if change.promotion is not None:
                seen.add(change.promotion)

    def _judged_again(self, judge: ChangeVerifier, change: AuditedChange, seen: set[str]) -> AuditedChange:
        commit = next(iter(self._repository.commits(change.commit)))[0]
        if not commit.parents:
            return change
        *_, step = history_steps(self._repository, commit.id, commit.parents[0])
        parent = commit.parents[0]
        before = LifecycleHistory(TreeOverlay(self._library, self._repository.tree(parent), parent), self._library)
        path = layout.promotion(change.environment, change.model)
        again = judge.judge(step, path, before, before.above(commit.id, step.changes), seen)
        return replace(again, signature=change.signature)  # which a later ledger does not change

    # Both

    def _hold_together(
        self, deployments: list[Deployment], decisions: list[DecisionRecord], promotions: set[str]
    ) -> None:
        """Hold what is new on each branch against the other; what does not fit is held against it again the next time."""
        self.deployments += map(history_checks.audited_deployment, deployments)
        self._decided.update(dict.fromkeys(record.promotion for record in decisions))
        touched = dict.fromkeys((entry.environment, entry.model) for entry in deployments)
        chains = self._chronicle.ledger(LedgerCutoff()).deployments_of(touched)
        known = set(self.findings)
        self.findings += [
            one for one in history_checks.check_deployment_logs(chains.values(), self._decided) if one not in known
        ]
        deployments, decisions = [*self._loose.deployments, *deployments], [*self._loose.decisions, *decisions]
        on_base, on_ledger = self._line.__contains__, self._is_on_ledger
        anchored = (
            self._manifests if self._ledger is not None else ()
        )  # without a ledger nothing can be missing from it
        self.crossing = [
            *history_checks.check_merged(deployments, decisions, promotions),
            *check_cross_references(anchored, (*decisions, *deployments), on_ledger=on_ledger, on_base=on_base),
        ]
        self._loose = OpenReferences(
            manifests=[one for one in self._manifests if one.ledger and not on_ledger(one.ledger)],
            deployments=[one for one in deployments if one.promotion not in promotions or not on_base(one.commit)],
            decisions=[one for one in decisions if one.promotion not in promotions or not on_base(one.commit)],
        )

    def _is_on_ledger(self, commit: CommitId) -> bool:
        if commit in self._ledger_line:
            return True
        known = self._ledger is not None and self._repository.resolve(commit) is not None
        return known and remote.contains(self._repository, str(self._ledger), commit)


def _promotion_of(path: str) -> str:
    """Return the promotion or override that a file of the ledger is about."""
    parts = path.split("/")
    return parts[1].removesuffix(".json") if len(parts) > 1 else ""


def _refusals(entries: Iterable[AuditedDeployment | Deployment]) -> dict[str, str]:
    """Return why `apply` refused promotions, by their ids."""
    return {one.promotion: one.message or "without a word" for one in entries if one.status == "blocked"}


def _batches(paths: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(paths), _AT_ONCE):
        yield paths[start : start + _AT_ONCE]
