"""Verify each change of rules by the rules before it, as `merge` and `verify-push` do."""

from collections import Counter
from collections.abc import Iterable
from datetime import timedelta

from msgspec.structs import asdict, replace

from mlgit.domain.approvals import People
from mlgit.domain.audit import checks
from mlgit.domain.audit.records import AuditedApproval, AuditedRules
from mlgit.domain.audit.verdict import verdict
from mlgit.domain.clocks import CLOCK_TOLERANCE
from mlgit.domain.names import CommitId
from mlgit.domain.rule_files import FOLDERS, changed_rules
from mlgit.errors import Finding, MlgitError
from mlgit.ops.audit.first_parents import HistoryStep
from mlgit.ops.audit.ledger_history import LedgerCutoff, LedgerHistory
from mlgit.ops.audit.tree_history import LifecycleHistory, TreeOverlay
from mlgit.ops.kernel.ports.git import PathChange
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.review import rule_changes
from mlgit.ops.review.rule_changes import RuleChange, RuleVerification

_Blobs = frozenset[tuple[str, str | None, str | None]]


class RuleVerifier:
    """Verifies changes of rules in the order of the history, from the first commit or from the one after an earlier audit."""

    def __init__(self, workspace: Workspace, ledger_history: LedgerHistory, since: CommitId | None) -> None:
        """Take the workspace, the ledger, and the last commit that was audited before, if any."""
        self._workspace = workspace
        self._ledger_history = ledger_history
        self._since = since
        self._earlier: Counter[_Blobs] | None = None

    def verify(self, step: HistoryStep, before: LifecycleHistory, after: TreeOverlay) -> AuditedRules:
        """Return the verdict on the rules that a commit changes, and count it.

        Args:
            step: the commit; it changes rules.
            before: the state at its first parent, which has the rules.
            after: the files at the commit.
        """
        kinds = changed_rules([(change.path, change.status) for change in step.changes])
        earlier = self.count(step.changes)
        result = AuditedRules(
            commit=step.commit.id,
            at=step.commit.at,
            kinds=kinds,
            files={},
            verdict="UNPROVEN",
            proposed_by=list(dict.fromkeys(commit.author_email for commit in reversed(step.introduced))),
            merged_by=step.commit.author_email,
        )
        try:
            change = rule_changes.rule_change(
                before,
                after,
                step.changes,
                name=step.commit.id[:12],
                head=step.commit.id,
                commits=step.introduced,
                earlier=lambda _: earlier,
            )
            assert change is not None  # noqa: S101 - it changes rules
            return self._with_approvals(replace(result, files=dict(change.files)), step, change)
        except MlgitError as error:
            return replace(result, findings=[checks.unreadable(finding) for finding in error.findings])

    def _with_approvals(self, result: AuditedRules, step: HistoryStep, change: RuleChange) -> AuditedRules:
        verification, findings = self._verify(step, change)
        people = People(change.before.roles())
        return replace(
            result,
            decision=change.decision,
            needed=change.requirement.needed,
            findings=findings,
            verdict=verdict(findings, waived=False, unapproved=change.requirement.needed == 0),
            approvals=[AuditedApproval(**asdict(approval)) for approval in verification.approvals.counted],
            uncounted=verification.approvals.uncounted,
            proposed_by=list(dict.fromkeys(map(people.person, result.proposed_by))),
            merged_by=people.person(result.merged_by),
        )

    def _verify(self, step: HistoryStep, change: RuleChange) -> tuple[RuleVerification, list[Finding]]:
        """Return the change with the approvals that were there by the merge; where these are too few, with the later ones too."""
        in_time = self._verify_by(change, step, CLOCK_TOLERANCE)
        if in_time.approvals.complete:
            return in_time, []
        verification = self._verify_by(change, step, None)
        subject = rule_changes.described(change)
        if verification.approvals.complete:
            return verification, [checks.rules_approved_after_merge(subject)]
        return verification, list(checks.check_rule_approvals(subject, change.name, verification.approvals))

    def _verify_by(self, change: RuleChange, step: HistoryStep, tolerance: timedelta | None) -> RuleVerification:
        cutoff = LedgerCutoff(added_by=None if tolerance is None else step.commit.at + tolerance)
        return rule_changes.verify(self._workspace, change, self._ledger_history.ledger(cutoff))

    def count(self, changes: Iterable[PathChange]) -> int:
        """Return how often the same change was made before, and count this one."""
        if self._earlier is None:
            history = self._workspace.repository.commits(self._since, paths=FOLDERS) if self._since else ()
            self._earlier = Counter(rule_changes.rule_blobs(earlier) for _, earlier in history)
        blobs = rule_changes.rule_blobs(changes)
        self._earlier[blobs] += 1
        return self._earlier[blobs] - 1
