"""Verify one change of a manifest by the rules of the commit before it, as `merge` and `apply` do."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

import msgspec
from msgspec.structs import asdict, replace

from mlgit.domain import layout, slots
from mlgit.domain.approvals import People
from mlgit.domain.audit import checks
from mlgit.domain.audit.records import AuditedApproval, AuditedChange, AuditedEvidence, AuditedGate
from mlgit.domain.audit.verdict import GAPS, AuditDepth, verdict
from mlgit.domain.clocks import CLOCK_TOLERANCE
from mlgit.domain.names import VersionRef
from mlgit.domain.records import DecisionRecord, Promotion, Reviews, Version
from mlgit.domain.rules.changes import check_promotion_alone
from mlgit.domain.rules.versions import check_version
from mlgit.errors import Finding, MlgitError
from mlgit.ops.audit.first_parents import HistoryStep
from mlgit.ops.audit.ledger_history import LedgerCutoff, LedgerFile, LedgerHistory
from mlgit.ops.audit.tree_history import LifecycleHistory
from mlgit.ops.kernel.appliers import Appliers
from mlgit.ops.kernel.notary import required_notary
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.review import forge_reviews
from mlgit.ops.review.approval_count import standing_approval_name
from mlgit.ops.review.claimed_times import check_merge_time
from mlgit.ops.review.proposals import Proposal
from mlgit.ops.review.registrations import Registrations
from mlgit.ops.review.verification import PromotionVerifier, Verification, rollback_hold

_NO_EVIDENCE = msgspec.Raw(b"{}")
_GAPS_WITHOUT_LEDGER = GAPS | {
    "rollback-version-unverified",
    "soak-too-short",
    "standing-approval-unsigned",
    "upstream-environment-unverified",
}
"""Findings that mean only that evidence is missing if the clone has no ledger."""


class ChangeVerifier:
    """Verifies changes of manifests, each between the state before it and the state after it."""

    def __init__(
        self,
        workspace: Workspace,
        ledger_history: LedgerHistory,
        appliers: Appliers,
        *,
        depth: AuditDepth = "record",
    ) -> None:
        """Take the workspace, the ledger, its signers, and the depth: whether to evaluate gates again, which needs the data."""
        self._workspace = workspace
        self._ledger_history = ledger_history
        self.appliers = appliers
        self.history = appliers.history
        self._depth = depth
        self.registrations = Registrations(workspace.repository)
        self._version_findings: dict[tuple[str, ...], list[Finding]] = {}

    def verify(
        self,
        step: HistoryStep,
        path: str,
        before: LifecycleHistory,
        after: LifecycleHistory,
        earlier: Collection[str],
        *,
        rule_findings: Iterable[Finding] = (),
    ) -> AuditedChange:
        """Return the verdict on one change, with the evidence for it.

        Args:
            step: the commit.
            path: the manifest that it changes.
            before: the state at its first parent, which has the rules.
            after: the state at the commit.
            earlier: the ids of all earlier promotions of the base branch.
            rule_findings: what is to be said of the rules themselves.
        """
        place = layout.parse_path(path)
        assert place is not None  # noqa: S101 - the path of a manifest
        key = (place.fields["environment"], place.fields["model"])
        findings = list(
            checks.check_commit([(change.path, change.status) for change in step.changes], step.merge_changes)
        )
        for change in step.changes:
            if change.path == path:
                findings += checks.check_manifest_file(path, change.status, change.mode)
        findings += rule_findings
        result = _unverified(step, key, before)
        try:
            manifest = after.promotion(*key)
            if manifest is not None:
                result = _with_manifest(result, manifest)
                findings += checks.check_identity(manifest, before.promotion(*key), earlier, step.commit.id)
                proposal = Proposal(*key, before, after, step.commit.id, step.introduced)
                result, problems = self._verify_proposal(result, step, proposal, after)
                findings += problems
        except MlgitError as error:
            findings += [checks.unreadable(finding) for finding in error.findings]
        gaps = GAPS if self._ledger_history.tip is not None else _GAPS_WITHOUT_LEDGER
        waived = any(gate.outcome == "waived" for gate in result.decoded_evidence().gates)
        return replace(
            result,
            findings=findings,
            verdict=verdict(findings, waived=waived, unapproved=result.needed == 0, gaps=gaps),
        )

    def _verify_proposal(
        self, result: AuditedChange, step: HistoryStep, proposal: Proposal, after: LifecycleHistory
    ) -> tuple[AuditedChange, list[Finding]]:
        """Verify a manifest that was added or changed; return the change with its evidence, and the findings."""
        if not step.commit.parents:
            return result, [checks.in_first_commit(layout.promotion(proposal.environment, proposal.model))]
        # `PromotionVerifier.check_files` would compare the trees again; the changes of the commit are known here.
        paths = [change.path for change in step.changes]
        hold = rollback_hold(proposal)
        findings = list(check_promotion_alone(proposal.environment, proposal.model, paths, held=hold))
        for slot in slots.filled(proposal.manifest.slots).values():
            findings += self._check_version_files(after.version(VersionRef(proposal.model, slot.version)), after)
        verification, problems = self._verify_decision(step, proposal)
        findings += check_merge_time(proposal, step.commit.id, step.commit.at, self.history)
        people = People(proposal.before.roles())
        report = proposal.report
        gates = [AuditedGate(gate.gate, gate.outcome, gate.message) for gate in report.results] if report else []
        evidence = AuditedEvidence(reads=dict(verification.reads), gates=gates)
        result = replace(
            result,
            decision=verification.decision,
            evidence=msgspec.Raw(msgspec.json.encode(evidence)),
            approvals=[AuditedApproval(**asdict(approval)) for approval in verification.approvals.counted],
            uncounted=verification.approvals.uncounted,
            needed=max(requirement.needed for requirement in verification.approvals.requirements),
            unknown_authors=verification.approvals.unknown_authors,
            overrides=_describe_overrides(proposal),
            standing_approval=standing_approval_name(proposal),
            notarised=proposal.policy.timestamps and verification.approvals.complete and not problems,
            decision_recorded=self._decision_file(proposal.manifest) is not None,
            merged_by=people.person(result.merged_by),
            proposed_by=list(dict.fromkeys(map(people.person, result.proposed_by))),
        )
        return result, findings + problems

    def _verify_decision(self, step: HistoryStep, proposal: Proposal) -> tuple[Verification, list[Finding]]:
        """Verify a promotion with what the ledger had when it was merged, and compare the decision record with the result."""
        merged_at, manifest = step.commit.at, proposal.manifest
        decision_file = self._decision_file(manifest)
        cutoff = LedgerCutoff(
            position=None if decision_file is None else decision_file.position,
            added_by=merged_at + CLOCK_TOLERANCE,
            deployed_by=merged_at,
        )
        verification, cutoff = self._verify_rules(proposal, cutoff, merged_at)
        verification, findings = self._verify_approvals(proposal, verification, cutoff, merged_at)
        problems = [*verification.problems, *verification.waits]
        findings = [*(checks.without_report_reference(finding, manifest) for finding in problems), *findings]
        if self._depth != "record":
            findings += self._check_gate_results(proposal, cutoff, merged_at)
        findings += self._check_reviews_signed(proposal, cutoff, verification)
        if decision_file is None:
            findings += checks.check_applied(manifest, self._ledger_history.refused.get(manifest.promotion))
        else:
            findings += self._check_decision(proposal, decision_file, verification)
        return verification, findings

    def _check_decision(self, proposal: Proposal, file: LedgerFile, verification: Verification) -> list[Finding]:
        """Check the decision record: its content, its signature, and that it does not hide that `apply` refused before."""
        manifest = proposal.manifest
        path = layout.decision(manifest.promotion)
        record = self._ledger_history.blobs.record(path, file.blob)
        assert isinstance(record, DecisionRecord)  # noqa: S101 - by its path
        findings = list(
            checks.check_decision_record(
                record,
                manifest,
                reads=verification.reads,
                decision=verification.decision,
                approvals=verification.approvals,
            )
        )
        refusal = self._ledger_history.refused.get(manifest.promotion)
        requires_signature = proposal.policy.evidence != "none"
        if not requires_signature and refusal is None:
            return findings
        notary = required_notary(proposal.before, proposal.policy.name)
        problem = self.appliers.problem(self._ledger_history.ledger(LedgerCutoff()), path, record, notary)
        if requires_signature and problem is not None:
            findings.append(checks.unsigned_entry(path, problem))
        if refusal is not None:
            is_vouched = problem is None or (self._depth != "record" and not requires_signature)
            findings.append(checks.refused_before(manifest, refusal, is_vouched=is_vouched))
        return findings

    def _check_reviews_signed(
        self, proposal: Proposal, cutoff: LedgerCutoff, verification: Verification
    ) -> list[Finding]:
        """Check that the snapshot of the reviews that count is signed: anybody who may push can write one."""
        if not any(approval.review for approval in verification.approvals.counted):
            return []
        found = self._reviews(proposal, cutoff)
        if found is None or found[1] is None:
            return []
        return [checks.unsigned_entry(layout.reviews(proposal.manifest.promotion), found[1])]

    def _verify_rules(
        self, proposal: Proposal, cutoff: LedgerCutoff, merged_at: datetime
    ) -> tuple[Verification, LedgerCutoff]:
        """Verify with the deployments up to the merge; if a rule is not met, with those of the clock tolerance as well.

        Not with these at once: the tolerance is meant to allow what the merging machine could see, and an entry that was added
        just after the merge, such as `degraded`, must not break a rule that was met.
        """
        verification = self._verify_at(proposal, cutoff, merged_at)
        if verification.problems or verification.waits:
            tolerant = replace(cutoff, deployed_by=merged_at + CLOCK_TOLERANCE)
            retried = self._verify_at(proposal, tolerant, merged_at)
            if not retried.problems and not retried.waits:
                return retried, tolerant
        return verification, cutoff

    def _verify_approvals(
        self, proposal: Proposal, verification: Verification, cutoff: LedgerCutoff, merged_at: datetime
    ) -> tuple[Verification, list[Finding]]:
        """Return the verification with the strictest of three sets of approvals that is complete, and its findings.

        1. Those added by the merge: everything is as it should be.
        2. All that were added before the decision record, or up to now if there is none: `apply` counted the same ones before
           anything was deployed, so late approvals are only a warning.
        3. Reviews with the decision that the ledger claims, if the reviewed commits are missing here: evidence is missing.

        If none is complete, the findings are those of the second set, which has every vote that could count.
        """
        if verification.approvals.complete:
            return verification, []
        manifest = proposal.manifest
        without_time_limit = replace(cutoff, added_by=None)
        verification = self._verify_at(proposal, without_time_limit, merged_at)
        if verification.approvals.complete:
            return verification, [checks.approved_after_merge(manifest)]
        if proposal.policy.evidence == "forge":
            claimed = self._verify_at(proposal, without_time_limit, merged_at, trust_recorded=True)
            if claimed.approvals.complete:
                return claimed, [
                    checks.reviewed_commit_missing(f"{manifest.environment}/{manifest.model}", verification.approvals)
                ]
        return verification, list(checks.check_approvals(manifest, verification.approvals))

    def _verify_at(
        self, proposal: Proposal, cutoff: LedgerCutoff, at: datetime, *, trust_recorded: bool = False
    ) -> Verification:
        proposal = self._with_reviews(proposal, cutoff, trust_recorded=trust_recorded)
        return self._verifier(cutoff, at).verify(proposal)

    def _verifier(self, cutoff: LedgerCutoff, at: datetime) -> PromotionVerifier:
        ledger = self._ledger_history.ledger(cutoff)
        return PromotionVerifier(self._workspace, ledger, at, self.registrations, appliers=self.appliers)

    def _check_gate_results(self, proposal: Proposal, cutoff: LedgerCutoff, at: datetime) -> list[Finding]:
        """Evaluate the gates again, and compare the results with the report."""
        without_code = self._depth == "recompute"
        report = proposal.report
        again = self._verifier(cutoff, at).evaluate_gates(proposal, without_code=without_code)
        if report is None or again is None:
            return []
        left_out = {gate.id for gate in proposal.policy.required_gates if without_code and gate.runs_code}
        then = [result for result in report.results if result.gate not in left_out]
        return list(checks.check_gate_results(proposal.manifest, then, again.results))

    def _with_reviews(self, proposal: Proposal, cutoff: LedgerCutoff, *, trust_recorded: bool) -> Proposal:
        """Return a proposal with the reviews of its pull request from the ledger that were submitted in time.

        Args:
            proposal: the proposal.
            cutoff: the time limit.
            trust_recorded: whether a review of a missing commit keeps the decision that the ledger claims.
        """
        if proposal.policy.evidence != "forge":
            return proposal
        found = self._reviews(proposal, cutoff)
        if found is None:
            return proposal
        record, _ = found
        in_time = [review for review in record.reviews if cutoff.added_by is None or review.at <= cutoff.added_by]
        return forge_reviews.with_reviews(
            self._workspace, proposal, replace(record, reviews=in_time), trust_recorded=trust_recorded
        )

    def _reviews(self, proposal: Proposal, cutoff: LedgerCutoff) -> tuple[Reviews, str | None] | None:
        """Return the newest snapshot of the reviews that is signed or, without one, the newest and why it is not.

        A snapshot may be recorded after the merge; the time limit is for the reviews in it.
        """
        folder = layout.reviews(proposal.manifest.promotion)
        snapshots = self._ledger_history.in_folder(folder, LedgerCutoff(cutoff.position))
        numbers = {layout.sequence_number(path.rpartition("/")[2]): file for path, file in snapshots.items()}
        newest: tuple[Reviews, str | None] | None = None
        for number in sorted(filter(None, numbers), reverse=True):
            path = f"{folder}/{number}.json"
            record = self._ledger_history.blobs.record(path, snapshots[path].blob)
            assert isinstance(record, Reviews)  # noqa: S101 - by its path
            notary = required_notary(proposal.before, proposal.policy.name)
            problem = self.appliers.problem(self._ledger_history.ledger(LedgerCutoff()), path, record, notary)
            if problem is None:
                return record, None
            newest = newest or (record, problem)
        return newest

    def _decision_file(self, manifest: Promotion) -> LedgerFile | None:
        return self._ledger_history.added.get(layout.decision(manifest.promotion))

    def _check_version_files(self, version: Version, after: LifecycleHistory) -> list[Finding]:
        """Check the record of a version and the files beside it, once for the same blobs."""
        folder = layout.version_folder(version.model, version.version)
        names = ("card.md", "profile.json")
        ids = [after.files.id_of(f"{folder}/{name}") for name in ("version.json", *names)]
        key = tuple(blob for blob in ids if blob is not None)
        # Without the id of a file, its content may differ from the one that was checked before.
        if len(key) < len(ids) or key not in self._version_findings:
            files = {name: after.files.read(f"{folder}/{name}") for name in names}
            self._version_findings[key] = list(check_version(version, files))
        return self._version_findings[key]


def _unverified(step: HistoryStep, key: tuple[str, str], before: LifecycleHistory) -> AuditedChange:
    """Return what is known of a change without its manifest."""
    commit = step.commit
    return AuditedChange(
        commit=commit.id,
        at=commit.at,
        environment=key[0],
        model=key[1],
        verdict="UNPROVEN",
        merged_by=commit.author_email,
        proposed_by=list(dict.fromkeys(introduced.author_email for introduced in reversed(step.introduced))),
        before=_champion(before, key),
        evidence=_NO_EVIDENCE,
    )


def _with_manifest(change: AuditedChange, manifest: Promotion) -> AuditedChange:
    """Return a change with the fields that are in the manifest."""
    slot = manifest.slots.champion
    return replace(
        change,
        promotion=manifest.promotion,
        kind=manifest.change,
        after=None if slot is None else f"{manifest.model}@{slot.version}",
        beside=list(map(str, slots.versions_beside(manifest))),
        reason=manifest.reason,
        ticket=manifest.ticket,
        policy=manifest.policy.name,
    )


def _champion(state: LifecycleHistory, key: tuple[str, str]) -> str | None:
    """Return the champion of an environment and model; None if there is none, or the manifest cannot be read."""
    try:
        manifest = state.promotion(*key)
    except MlgitError:  # reported for the commit that added it
        return None
    slot = manifest.slots.champion if manifest else None
    return None if slot is None else f"{key[1]}@{slot.version}"


def _describe_overrides(proposal: Proposal) -> list[str]:
    """Describe the overrides that waived gates of the report."""
    report, version = proposal.report, proposal.version
    waived = {verdict.gate for verdict in report.results if verdict.outcome == "waived"} if report else set()
    if not waived or version is None:
        return []
    key = (proposal.environment, proposal.model, version.digest)
    return [
        f"{name} waives {', '.join(sorted(waived & {*override.waives}))} for {override.incident}, "
        f"by {' and '.join(override.people)}"
        for name, override in proposal.before.overrides().items()
        if (override.environment, override.model, override.digest) == key and waived & {*override.waives}
    ]


def changed_manifests(step: HistoryStep) -> Sequence[str]:
    """Return the manifests that a commit changes."""
    return [change.path for change in step.changes if layout.is_manifest(change.path)]
