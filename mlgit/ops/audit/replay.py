"""Replay the base branch and the ledger commit by commit, and verify each change by the rules before it."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice

from msgspec.structs import replace

from mlgit.domain import layout
from mlgit.domain.audit.records import AuditedChange, AuditedDeployment, AuditedRules, RuleChange
from mlgit.domain.audit.rule_history import RuleHistory
from mlgit.domain.audit.verdict import AuditDepth
from mlgit.domain.ledger_integrity import check_cross_references
from mlgit.domain.names import CommitId
from mlgit.domain.records import DecisionRecord, Deployment, Promotion
from mlgit.domain.rule_files import changed_rules
from mlgit.errors import Finding, MlgitError, refused
from mlgit.ops.audit import history_checks
from mlgit.ops.audit.change_verification import ChangeVerifier, changed_manifests
from mlgit.ops.audit.checkpoint import Checkpoint, OpenReferences
from mlgit.ops.audit.commit_signatures import CommitSignatures, commit_signature, commit_signatures
from mlgit.ops.audit.first_parents import HistoryStep, history_steps, printable
from mlgit.ops.audit.ledger_history import LedgerCutoff, LedgerHistory
from mlgit.ops.audit.prefetch import Prefetch
from mlgit.ops.audit.rule_verification import RuleVerifier
from mlgit.ops.audit.tree_history import BlobReader, LifecycleHistory, TreeOverlay
from mlgit.ops.kernel import remote
from mlgit.ops.kernel.appliers import Appliers
from mlgit.ops.kernel.ports.progress import Progress
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.review.rule_changes import is_guarded

_BATCH_SIZE = 256  # commits whose blobs are read in one round
_DEPLOYMENTS, _DECISIONS, _RULE_VOTES = "deployments/", "decisions/", ("rule-approvals/", "rule-reviews/")
_LEDGER_FOLDERS = ("approvals", "decisions", "deployments", "reviews", "rule-approvals", "rule-reviews")
_RULE_FINDINGS = {"rules-unapproved", "rules-recent"}


class Replay:
    """The results of walking both branches. It continues from a checkpoint, if one is given."""

    def __init__(
        self,
        workspace: Workspace,
        branch: str,
        tip: CommitId,
        ledger: CommitId | None,
        *,
        checkpoint: Checkpoint | None = None,
        depth: AuditDepth = "record",
        on_progress: Progress = lambda _: None,
    ) -> None:
        """Set what to walk.

        Args:
            workspace: where.
            branch: name of the base branch.
            tip: its newest commit.
            ledger: the newest commit of the ledger, if there is one.
            checkpoint: the checkpoint of an earlier audit to continue from.
            depth: how deep to look; all but `record` evaluate gates again, which needs the data.
            on_progress: called with the number of commits that were replayed.
        """
        self._workspace = workspace
        self._repository = workspace.repository
        self._on_progress = on_progress
        self._blobs = BlobReader(workspace.repository, workspace.formats.record)
        self._depth = depth
        self._checkpoint = checkpoint
        self.tip, self._ledger = tip, ledger
        self.branch = branch
        self.changes: list[AuditedChange] = list(checkpoint.changes) if checkpoint else []
        self.findings: list[Finding] = list(checkpoint.findings) if checkpoint else []
        self.rule_changes: list[RuleChange] = list(checkpoint.rule_changes) if checkpoint else []
        self.rules: list[AuditedRules] = list(checkpoint.rules) if checkpoint else []
        self.guarded_since: CommitId | None = checkpoint.guarded_since if checkpoint else None
        """The commit from which changes of rules need approvals; None if they do not yet."""
        self._rule_history = RuleHistory(self.rules)
        self.deployments: list[AuditedDeployment] = list(checkpoint.deployments) if checkpoint else []
        self.reference_findings: list[Finding] = []
        """Findings of records that name something that the other branch does not have. They are computed again by each audit."""
        self._base_commits: dict[CommitId, None] = dict.fromkeys(checkpoint.base_commits if checkpoint else ())
        self._ledger_commits: dict[CommitId, None] = dict.fromkeys(checkpoint.ledger_commits if checkpoint else ())
        self._decided: dict[str, None] = dict.fromkeys(checkpoint.decided_promotions if checkpoint else ())
        self._settled = {change.promotion for change in self.changes if change.decision_recorded}
        self.needs_full_replay = False
        """Whether a promotion from before the checkpoint was restored or refused, whose evidence the checkpoint no longer has; or
        somebody approved or rejected a change of rules since, on which later verdicts depend."""
        self._open_references = checkpoint.open_references if checkpoint else OpenReferences()
        self._manifests: list[Promotion] = list(self._open_references.manifests)
        self._ledger_history = LedgerHistory(self._blobs)

    def run(self) -> None:
        """Walk the ledger, then the base branch, then check the references between them."""
        self._ledger_history = self._read_ledger()
        self.findings += history_checks.check_append_only(self._ledger_history.altered)
        deployments, decisions = self._new_records()
        appliers = Appliers(self._workspace, self.tip)
        verifier = ChangeVerifier(self._workspace, self._ledger_history, appliers, depth=self._depth)
        self._update_verdicts(verifier, {entry.promotion for entry in deployments})
        self.needs_full_replay |= self._has_new_rule_approvals()
        promotions = {change.promotion for change in self.changes if change.promotion is not None}
        self._walk_base_branch(verifier, promotions)
        self._check_references(deployments, decisions, promotions)

    def checkpoint(self) -> Checkpoint:
        """Return the checkpoint from which the next audit can continue."""
        settled = {change.promotion for change in self.changes if change.decision_recorded}
        return Checkpoint(
            branch=self.branch,
            base_commits=list(self._base_commits),
            ledger_commits=list(self._ledger_commits),
            ledger_latest=self._ledger_history.latest if self._ledger_commits else None,
            changes=self.changes,
            findings=self.findings,
            rule_changes=self.rule_changes,
            rules=self.rules,
            guarded_since=self.guarded_since,
            deployments=self.deployments,
            decided_promotions=list(self._decided),
            pending={
                path: file
                for path, file in self._ledger_history.added.items()
                if not path.startswith(_DEPLOYMENTS) and _promotion_of(path) not in settled
            },
            open_references=self._open_references,
        )

    def changes_after(self, commit: CommitId | None) -> tuple[list[AuditedChange], list[AuditedRules]]:
        """Return the changes of what runs and of rules after a commit; all of them if None.

        Raises:
            MlgitError: the commit is not in the first-parent history of the base branch (`revision-not-on-base-branch`).
        """
        if commit is None:
            return self.changes, self.rules
        if commit not in self._base_commits:
            raise refused(
                "revision-not-on-base-branch",
                f"commit {commit[:12]} is not in the first-parent history of {self.branch}",
                why="changes after it are only defined along that history",
                fix=f"name a commit that `git log --first-parent {self.branch}` lists, or a date",
            )
        position = {commit_id: number for number, commit_id in enumerate(self._base_commits)}
        since = position[commit]
        return (
            [change for change in self.changes if position[change.commit] > since],
            [change for change in self.rules if position[change.commit] > since],
        )

    # The ledger

    def _read_ledger(self) -> LedgerHistory:
        checkpoint = self._checkpoint
        before = None if checkpoint is None or checkpoint.ledger is None else self._repository.tree(checkpoint.ledger)
        pending = checkpoint.pending if checkpoint else {}
        history = LedgerHistory(
            self._blobs,
            before=before,
            pending=pending,
            length=len(self._ledger_commits),
            latest=checkpoint.ledger_latest if checkpoint else None,
        )
        history.refused.update(_refusals(self.deployments))
        if self._ledger is None:
            return history
        span = self._ledger if before is None else f"{before.commit}..{self._ledger}"
        walked = list(self._repository.commits(span))
        for commit, changes in reversed(walked):
            history.append(commit, map(printable, changes))
            self._ledger_commits[commit.id] = None
        if any(len(commit.parents) > 1 for commit, _ in walked):
            self._restore_lost(history, span)
        return history

    def _restore_lost(self, history: LedgerHistory, span: str) -> None:
        """Add what other lines of the ledger had, and what its first-parent line never got.

        A merge onto an older ledger is a fast-forward of the newer one, and could leave out what was added since. Other commits
        that the ledger keeps, such as reviewed ones, have no records of it.
        """
        side = self._repository.commits(span, paths=_LEDGER_FOLDERS, first_parent=False)
        for commit, changes in reversed(list(side)):
            for change in () if commit.id in self._ledger_commits else map(printable, changes):
                if change.status == "A" and change.blob is not None and layout.is_ledger_file(change.path):
                    history.restore(commit.id, change.path, change.blob)

    def _new_records(self) -> tuple[list[Deployment], list[DecisionRecord]]:
        """Return the deployments and decision records that were added to the ledger; one that cannot be read is a finding."""
        deployments: list[Deployment] = []
        decisions: list[DecisionRecord] = []
        added = self._ledger_history.added
        paths = [
            path
            for path in self._ledger_history.new
            if path.startswith((_DEPLOYMENTS, _DECISIONS)) and layout.parse_path(path)
        ]
        self._blobs.keep(added[path].blob for path in paths if path.startswith(_DEPLOYMENTS))
        for batch in _batches(paths):
            self._blobs.fetch(added[path].blob for path in batch if path.startswith(_DECISIONS))
            for path in batch:
                try:
                    record = self._blobs.record(path, added[path].blob)
                except MlgitError as error:
                    self.findings += error.findings
                    continue
                if isinstance(record, Deployment):
                    deployments.append(record)
                elif isinstance(record, DecisionRecord):
                    decisions.append(record)
        refusals = _refusals(deployments)
        self.needs_full_replay |= not self._settled.isdisjoint(refusals)
        self._ledger_history.refused.update(refusals)
        return deployments, decisions

    # The base branch

    def _walk_base_branch(self, verifier: ChangeVerifier, promotions: set[str]) -> None:
        """Verify the commits after the checkpoint, and add the ids of their promotions to `promotions`."""
        since = None if self._checkpoint is None else self._checkpoint.commit
        tree = None if since is None else self._repository.tree(since)
        state = LifecycleHistory(TreeOverlay(self._blobs, tree, since), self._blobs)
        prefetch = Prefetch(self._blobs, self._ledger_history)
        steps = history_steps(self._repository, self.tip, since)
        rule_verifier = RuleVerifier(self._workspace, self._ledger_history, verifier.appliers, since)
        replayed, previous = 0, None if since is None else self._repository.commit_time(since)
        while batch := list(islice(steps, _BATCH_SIZE)):
            prefetch.fetch(batch, state.files)
            with_manifests = [step.commit.id for step in batch if changed_manifests(step)]
            signatures = commit_signatures(self._workspace, with_manifests)
            for step in batch:
                self._replay_step(step, previous, state, verifier, rule_verifier, promotions, signatures)
                previous = step.commit.at
            replayed += len(batch)
            self._on_progress(replayed)

    def _replay_step(
        self,
        step: HistoryStep,
        previous: datetime | None,
        state: LifecycleHistory,
        verifier: ChangeVerifier,
        rule_verifier: RuleVerifier,
        promotions: set[str],
        signatures: CommitSignatures,
    ) -> None:
        """Verify the rules and the manifests that a commit changes, run the checks of the history, and advance the state."""
        commit = step.commit
        self._base_commits[commit.id] = None
        for added in step.changes:
            if added.status == "A" and layout.is_version_like(added.path):
                verifier.history.remember(added.path, commit.id)
        self.findings += history_checks.check_step(step, previous)
        self.rule_changes += history_checks.rule_changes(step)
        manifests = changed_manifests(step)
        verifier.registrations.add(commit, step.changes)
        changes_rules = bool(changed_rules([(change.path, change.status) for change in step.changes]))
        after = state.with_changes(commit.id, step.changes) if manifests or changes_rules else state
        rules = None
        if changes_rules and self.guarded_since is not None:
            rules = rule_verifier.verify(step, state, after.files)
        elif changes_rules:
            rule_verifier.count(step.changes)
        if manifests:
            signers = state.files.read(layout.SIGNERS) if commit.id in signatures else None
            signature = commit_signature(self._workspace, commit.id, commit.at, signatures, signers)
            for path in manifests:
                rule_findings = self._rule_findings(path, state, commit.at)
                change = verifier.verify(step, path, state, after, promotions, rule_findings=rule_findings)
                self._add_change(replace(change, signature=signature), after, promotions)
            # A gate report is read once; without this, all of them would stay in memory.
            self._blobs.drop(
                (change.path, change.blob) for change in step.changes if change.path not in manifests and change.blob
            )
        if rules is not None:
            self.rules.append(rules)
            self._rule_history.add(rules)
        state.advance(commit.id, step.changes)
        if self.guarded_since is None and (manifests or changes_rules) and _is_guarded(state):
            self.guarded_since = commit.id

    def _rule_findings(self, path: str, before: LifecycleHistory, at: datetime) -> list[Finding]:
        """Return what is to be said of the rules of a promotion, whose manifest is at a path."""
        place = layout.parse_path(path)
        assert place is not None  # noqa: S101 - the path of a manifest
        environment = place.fields["environment"]
        try:
            policy, min_age = before.environment(environment).policy, before.project().approvals.rules.min_age
        except MlgitError:  # reported when the change is verified
            return []
        return list(self._rule_history.findings(environment, policy, at, min_age))

    def _has_new_rule_approvals(self) -> bool:
        """Return whether the ledger has new votes on a change of rules from before the checkpoint."""
        decisions = [change.decision for change in self.rules if change.decision is not None]
        folders = {*map(layout.rule_approvals, decisions), *map(layout.rule_reviews, decisions)}
        new = (path for path in self._ledger_history.new if path.startswith(_RULE_VOTES))
        return any(path.rpartition("/")[0] in folders for path in new)

    def _add_change(self, change: AuditedChange, after: LifecycleHistory, promotions: set[str]) -> None:
        self.changes.append(change)
        if change.promotion is not None:
            self.needs_full_replay |= change.promotion in self._settled
            promotions.add(change.promotion)
            manifest = after.promotion(change.environment, change.model)
            if manifest is not None and manifest.ledger is not None:
                self._manifests.append(manifest)

    def _update_verdicts(self, verifier: ChangeVerifier, deployed: set[str]) -> None:
        """Verify changes from before the checkpoint again if the ledger has new files that can change their verdict.

        A change with a decision record is settled: what is added to the ledger after the record does not count for it.
        """
        new = self._ledger_history.new
        touched = {_promotion_of(path) for path in new if not path.startswith(_DEPLOYMENTS)} | deployed
        promotions: set[str] = set()
        for index, change in enumerate(self.changes if new else ()):
            is_proven = change.verdict in {"PROVEN", "OVERRIDDEN", "UNAPPROVED"}
            if not change.decision_recorded and (not is_proven or change.promotion in touched):
                self.changes[index] = self._verify_again(verifier, change, promotions)
            if change.promotion is not None:
                promotions.add(change.promotion)

    def _verify_again(self, verifier: ChangeVerifier, change: AuditedChange, promotions: set[str]) -> AuditedChange:
        commit = next(iter(self._repository.commits(change.commit)))[0]
        if not commit.parents:
            return change
        parent = commit.parents[0]
        *_, step = history_steps(self._repository, commit.id, parent)
        before = LifecycleHistory(TreeOverlay(self._blobs, self._repository.tree(parent), parent), self._blobs)
        after = before.with_changes(commit.id, step.changes)
        path = layout.promotion(change.environment, change.model)
        rule_findings = [finding for finding in change.findings if finding.id in _RULE_FINDINGS]
        verified = verifier.verify(step, path, before, after, promotions, rule_findings=rule_findings)
        return replace(verified, signature=change.signature)  # the ledger does not change it

    # Both branches

    def _check_references(
        self, deployments: list[Deployment], decisions: list[DecisionRecord], promotions: set[str]
    ) -> None:
        """Check the new records of each branch against the other; references that are still open are kept for the next audit."""
        self.deployments += map(history_checks.audited_deployment, deployments)
        self._decided.update(dict.fromkeys(record.promotion for record in decisions))
        changed = dict.fromkeys((entry.environment, entry.model) for entry in deployments)
        logs = self._ledger_history.ledger(LedgerCutoff()).deployments_of(changed)
        reported = set(self.findings)
        log_findings = history_checks.check_deployment_logs(logs.values(), self._decided)
        self.findings += [finding for finding in log_findings if finding not in reported]
        deployments = [*self._open_references.deployments, *deployments]
        decisions = [*self._open_references.decisions, *decisions]
        on_base, on_ledger = self._base_commits.__contains__, self._is_on_ledger
        # Without a ledger in this clone, no manifest can name a commit that is missing from it.
        manifests = self._manifests if self._ledger is not None else ()
        self.reference_findings = [
            *history_checks.check_merged(deployments, decisions, promotions),
            *check_cross_references(manifests, (*decisions, *deployments), on_ledger=on_ledger, on_base=on_base),
        ]

        def is_open(record: Deployment | DecisionRecord) -> bool:
            return record.promotion not in promotions or not on_base(record.commit)

        self._open_references = OpenReferences(
            manifests=[manifest for manifest in self._manifests if manifest.ledger and not on_ledger(manifest.ledger)],
            deployments=list(filter(is_open, deployments)),
            decisions=list(filter(is_open, decisions)),
        )

    def _is_on_ledger(self, commit: CommitId) -> bool:
        if commit in self._ledger_commits:
            return True
        # A commit that a merge added to the ledger is not in its first-parent history.
        exists = self._ledger is not None and self._repository.resolve(commit) is not None
        return exists and remote.contains(self._repository, str(self._ledger), commit)


def _is_guarded(state: LifecycleHistory) -> bool:
    """Return whether the rules of a state are guarded; not where they cannot be read."""
    try:
        return is_guarded(state)
    except MlgitError:
        return False


def _promotion_of(path: str) -> str:
    """Return the id of the promotion or signed exception that a file of the ledger belongs to."""
    parts = path.split("/")
    return parts[1].partition(".")[0] if len(parts) > 1 else ""


def _refusals(entries: Iterable[AuditedDeployment | Deployment]) -> dict[str, str]:
    """Return why `apply` refused promotions, by their ids."""
    return {entry.promotion: entry.message or "no reason given" for entry in entries if entry.status == "blocked"}


def _batches(paths: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(paths), _BATCH_SIZE):
        yield paths[start : start + _BATCH_SIZE]
