"""Verify each change of rules by the rules before it, as `merge` and `verify-push` do."""

from collections import Counter
from collections.abc import Iterable

from msgspec.structs import asdict, replace

from mlgit.domain import layout
from mlgit.domain.approvals import People
from mlgit.domain.audit import checks
from mlgit.domain.audit.records import AuditedApproval, AuditedRules
from mlgit.domain.audit.verdict import verdict
from mlgit.domain.clocks import CLOCK_TOLERANCE
from mlgit.domain.names import CommitId
from mlgit.domain.records import RuleReviews
from mlgit.domain.rule_files import FOLDERS, changed_rules
from mlgit.errors import Finding, MlgitError
from mlgit.ops.audit.first_parents import HistoryStep
from mlgit.ops.audit.ledger_history import LedgerCutoff, LedgerHistory
from mlgit.ops.audit.tree_history import LifecycleHistory, TreeOverlay
from mlgit.ops.kernel.appliers import Appliers
from mlgit.ops.kernel.ports.git import PathChange
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.review import pull_request_snapshots, rule_changes, rule_reviews
from mlgit.ops.review.rule_changes import RuleChange, RuleVerification

_Blobs = frozenset[tuple[str, str | None, str | None]]


class RuleVerifier:
    """Verifies changes of rules in the order of the history, from the first commit or from the one after an earlier audit."""

    def __init__(
        self, workspace: Workspace, ledger_history: LedgerHistory, appliers: Appliers, since: CommitId | None
    ) -> None:
        """Take the workspace, the ledger, its signers, and the last commit that was audited before, if any."""
        self._workspace = workspace
        self._ledger_history = ledger_history
        self._appliers = appliers
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
        """Return the change with the approvals that were there by the merge; where these are too few, with the later ones too.

        If it is only complete with reviews of missing commits, whose decisions the ledger claims, evidence is missing.
        """
        by_merge = LedgerCutoff(added_by=step.commit.at + CLOCK_TOLERANCE)
        in_time = self._verify_by(change, by_merge)
        if in_time.approvals.complete:
            return in_time, self._check_reviews_signed(in_time)
        verification = self._verify_by(change, LedgerCutoff())
        subject = rule_changes.described(change)
        if verification.approvals.complete:
            return verification, [
                checks.rules_approved_after_merge(subject),
                *self._check_reviews_signed(verification),
            ]
        claimed = self._verify_by(change, LedgerCutoff(), trust_recorded=True)
        if claimed.approvals.complete:
            missing = checks.reviewed_commit_missing(f"the change of {subject}", verification.approvals)
            return claimed, [missing, *self._check_reviews_signed(claimed)]
        return verification, list(checks.check_rule_approvals(subject, change.name, verification.approvals))

    def _verify_by(self, change: RuleChange, cutoff: LedgerCutoff, *, trust_recorded: bool = False) -> RuleVerification:
        """Count the signatures and the reviews that were given in time; a snapshot of these may be recorded later."""
        found = self._reviews(change)
        if found is not None:
            reviews, limit = found[0], cutoff.added_by
            in_time = [review for review in reviews.reviews if limit is None or review.at <= limit]
            reviews = replace(reviews, reviews=in_time)
            change = rule_reviews.with_reviews(self._workspace, change, reviews, trust_recorded=trust_recorded)
        return rule_changes.verify(self._workspace, change, self._ledger_history.ledger(cutoff))

    def _check_reviews_signed(self, verification: RuleVerification) -> list[Finding]:
        """Check that the snapshot of the reviews that count is signed: anybody who may push can write one."""
        found = self._reviews(verification.change)
        if found is None or found[1] is None or not any(one.review for one in verification.approvals.counted):
            return []
        return [checks.unsigned_entry(layout.rule_reviews(verification.change.decision), found[1])]

    def _reviews(self, change: RuleChange) -> tuple[RuleReviews, str | None] | None:
        """Return the newest snapshot of the reviews that is signed or, without one, the newest and why it does not count."""
        if not rule_reviews.counts_reviews(change):
            return None
        ledger, folder = self._ledger_history.ledger(LedgerCutoff()), layout.rule_reviews(change.decision)
        signed = pull_request_snapshots.latest(ledger, RuleReviews, folder, self._appliers)
        if signed is not None:
            return signed, None
        newest = pull_request_snapshots.latest(ledger, RuleReviews, folder)
        return None if newest is None else (newest, "no snapshot of the reviews has a signature that counts")

    def count(self, changes: Iterable[PathChange]) -> int:
        """Return how often the same change was made before, and count this one."""
        if self._earlier is None:
            history = self._workspace.repository.commits(self._since, paths=FOLDERS) if self._since else ()
            self._earlier = Counter(rule_changes.rule_blobs(earlier) for _, earlier in history)
        blobs = rule_changes.rule_blobs(changes)
        self._earlier[blobs] += 1
        return self._earlier[blobs] - 1
