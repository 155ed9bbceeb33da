"""Deploy one promotion to its target: verify it, switch the target, read back what runs, and record that."""

import contextlib
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final, Literal

import msgspec

from mlgit.domain import layout, merge_rules, slots
from mlgit.domain.merge_rules.ramp import RampStep
from mlgit.domain.merge_rules.windows import check_window
from mlgit.domain.names import Digest
from mlgit.domain.records import DecisionRecord, Deployment, Promotion, Version
from mlgit.domain.slots import FULL_TRAFFIC, VersionBeside
from mlgit.errors import Finding, Inconclusive, MlgitError, Severity, refused
from mlgit.ops.delivery import deployment_log
from mlgit.ops.delivery.desired_state import DesiredState, desired_at_step, desired_state
from mlgit.ops.evaluation.evidence_files import require_safe_model
from mlgit.ops.kernel.appliers import Appliers, require_applier, requires_signatures
from mlgit.ops.kernel.notary import required_notary
from mlgit.ops.kernel.ports.target import Observed, Release, ReleaseBeside, Target
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.kernel.snapshot import Snapshot
from mlgit.ops.review import forge_reviews, merged
from mlgit.ops.review.claimed_times import check_merge_time
from mlgit.ops.review.proposals import Proposal
from mlgit.ops.review.verification import PromotionVerifier, Verification

ApplicationState = Literal["applied", "up-to-date", "recorded", "waiting", "blocked", "failed", "planned", "no-target"]


_FIX: Final = "it was merged without them: revert the merge, then promote, approve and merge again"


class Application(msgspec.Struct, frozen=True, kw_only=True):
    """The result of applying one manifest.

    `traffic` is the per cent of requests that the version is to answer now. On a ramp, `next_step_at` is when the next step is
    due if the version stays healthy, and `ramp_paused` tells that it has to be healthy again first. `beside` are the versions
    that are to run beside it.
    """

    environment: str
    model: str
    version: str | None
    state: ApplicationState
    promotion: str
    traffic: int = 100
    next_step_at: datetime | None = None
    ramp_paused: bool = False
    beside: list[VersionBeside] = []
    decision: Digest | None = None
    approved_by: list[str] = []
    findings: list[Finding] = []


class Deployer:
    """Deploys one manifest to its target."""

    def __init__(
        self,
        workspace: Workspace,
        snapshot: Snapshot,
        manifest: Promotion,
        last: Deployment | None,
        on_step: Callable[[str], None],
    ) -> None:
        """Set what to deploy, and from where.

        Args:
            workspace: where.
            snapshot: the state of the base branch, and the ledger.
            manifest: the manifest.
            last: the last entry of its deployment log; None if there is none.
            on_step: called with a description of each slow step.
        """
        self._workspace = workspace
        self._snapshot = snapshot
        self._base = snapshot.state
        self._manifest = manifest
        self._last = last
        self._on_step = on_step
        self._environment = self._base.environment(manifest.environment)
        self._version = self._base.champion(manifest.environment, manifest.model)
        self._target = workspace.target(self._environment)
        self._appliers = Appliers(workspace, snapshot.commit)
        self._requires_signature = requires_signatures(self._base, manifest.environment)
        self._notary = required_notary(self._base, self._environment.policy)
        self._desired: DesiredState | None = None
        self._reviewed: Proposal | None = None
        """The promotion with reviews that the ledger does not have yet."""

    def deploy(self, *, dry_run: bool) -> Application:
        """Verify the promotion, switch the target, read back what runs, and record it."""
        if self._target is None or self._version is None:
            return self._record_reviews(dry_run=dry_run)
        try:
            observed = self._target.observe(self._manifest.model)
        except MlgitError as error:
            return self._result("failed", findings=error.findings)
        try:
            self._desired = desired = self._choose_state(self._version, observed)
        except Inconclusive as error:
            return self._result("failed", findings=error.findings)
        except MlgitError as error:  # the record of a version is not the one that was approved
            return self._blocked(error, observed, dry_run=dry_run)
        if desired.matches(observed) and self._is_recorded(desired) and not self._can_sign_last():
            return self._result("up-to-date")
        return self._deploy(desired, observed, dry_run=dry_run)

    def _deploy(self, desired: DesiredState, observed: Observed, *, dry_run: bool) -> Application:
        is_running = desired.matches(observed)
        # Repairing what this promotion has deployed already is no change: windows and freezes do not stop it.
        is_change = not is_running and not self._was_deployed(desired)
        if is_change and (closed := self._check_window()):
            return self._result("waiting", findings=closed)
        self._on_step(f"verifying {self._manifest.environment}/{self._manifest.model}")
        self._workspace.repository.require_full_history()
        if broken := self._check_log():  # what cannot be recorded is not deployed
            return self._result("blocked", findings=broken)
        unsigned = [] if dry_run else self._check_signer()
        if unsigned and self._requires_signature:
            return self._result("failed", findings=unsigned)
        try:
            verification = self._verify(is_running=is_running, is_change=is_change)
        except Inconclusive as error:  # it says nothing about the promotion, so nothing is recorded
            return self._result("failed", findings=error.findings)
        except MlgitError as error:
            return self._blocked(error, observed, dry_run=dry_run)
        state, findings = ("planned", ()) if dry_run else self._switch_and_record(desired, observed, verification)
        approved_by = [approval.person for approval in verification.approvals.counted]
        findings = [*findings, *unsigned]
        return self._result(state, decision=verification.decision, approved_by=approved_by, findings=findings)

    def _choose_state(self, version: Version, observed: Observed) -> DesiredState:
        """Return what is to run now. A ramp takes its next step only if the target runs the one before."""
        key = (self._manifest.environment, self._manifest.model)
        entries = self._snapshot.ledger.deployments(*key) if self._manifest.ramp else []
        desired = desired_state(self._base, self._manifest, version, entries, self._workspace.clock.now())
        step = desired.step
        if step is None or step.last is None or step.traffic == step.last:
            return desired
        before = desired_at_step(self._base, self._manifest, version, RampStep(step.last, step.last, paused=True))
        # Another run may have switched the target already, and not have recorded it yet.
        return desired if before.matches(observed) or desired.matches(observed) else before

    def _check_window(self) -> list[Finding]:
        return list(check_window(self._environment, self._manifest.change, self._workspace.clock.now()))

    def _check_log(self) -> list[Finding]:
        entries = self._snapshot.ledger.deployments(self._manifest.environment, self._manifest.model)
        return deployment_log.check_log(self._workspace, self._snapshot, self._manifest, entries)

    def _check_signer(self) -> list[Finding]:
        """Check that what is to be recorded can be signed; a warning where only a later environment asks for that."""
        if not self._asks_for_evidence():
            return []
        try:
            require_applier(self._workspace, self._base)
        except MlgitError as error:
            severity = Severity.ERROR if self._requires_signature else Severity.WARNING
            return [msgspec.structs.replace(finding, severity=severity) for finding in error.findings]
        return []

    def _verify(self, *, is_running: bool, is_change: bool) -> Verification:
        """Verify the promotion as of its merge and, if it changes what runs, that it is not held or frozen now.

        Raises:
            MlgitError: it may not be deployed.
        """
        proposal = merged.find_merged(self._workspace, self._base, self._manifest, first=is_running)
        merged.check_not_reverted(proposal)
        proposal = self._with_reviews(proposal)
        at = merged.merge_time(self._workspace, proposal)
        if findings := list(check_merge_time(proposal, proposal.head, at, self._appliers.history)):
            raise MlgitError(*findings)
        verifier = PromotionVerifier(self._workspace, self._snapshot.ledger, at)
        verification = verifier.verify(proposal)
        verification.require(_FIX)
        verifier.require_same_gates(proposal)
        verification = verifier.verify_again(proposal, verification)
        verification.require(_FIX)
        if is_change:
            self._require_not_blocked()
        return verification

    def _with_reviews(self, proposal: Proposal) -> Proposal:
        """Add the reviews of the pull request: those of the ledger once it has the decision, whatever the forge says now."""
        ledger = self._snapshot.ledger
        if self._has_decision():
            appliers = self._appliers if self._requires_signature else None
            proposal = forge_reviews.with_recorded_reviews(self._workspace, proposal, ledger, appliers)
        if proposal.reviews is None:
            self._reviewed = proposal = forge_reviews.with_fetched_reviews(self._workspace, proposal, merged=True)
        return proposal

    def _has_decision(self) -> bool:
        """Tell whether the ledger has a decision record of the promotion, signed where the project requires that."""
        ledger, path = self._snapshot.ledger, layout.decision(self._manifest.promotion)
        record = ledger.find(DecisionRecord, path)
        if record is None or not self._requires_signature:
            return record is not None
        return self._appliers.problem(ledger, path, record, self._notary) is None

    def _record_reviews(self, *, dry_run: bool) -> Application:
        """Record the reviews of the pull request, once, where there is no target to switch: an audit needs them."""
        policy = self._base.policy(self._environment.policy)
        are_recorded = forge_reviews.latest_reviews(self._snapshot.ledger, self._manifest.promotion) is not None
        if policy.evidence != "forge" or are_recorded or dry_run:
            return self._result("no-target")
        try:
            proposal = merged.find_merged(self._workspace, self._base, self._manifest, first=False)
            forge_reviews.record_reviews(
                self._workspace, forge_reviews.with_fetched_reviews(self._workspace, proposal, merged=True)
            )
        except MlgitError as error:
            return self._result("failed", findings=error.findings)
        return self._result("no-target")

    def _require_not_blocked(self) -> None:
        """Refuse what was held or frozen since it was merged."""
        findings = merge_rules.check_at_apply(self._manifest, self._base.holds(), self._workspace.clock.now())
        if findings:
            raise MlgitError(*findings)

    def _switch_and_record(
        self, desired: DesiredState, observed: Observed, verification: Verification
    ) -> tuple[ApplicationState, Sequence[Finding]]:
        """Switch the target, unless it runs the desired state already, and record what was observed."""
        assert self._target is not None  # noqa: S101 - checked at the beginning of `deploy`
        is_running = desired.matches(observed)
        try:
            if not is_running:
                if self._is_recorded(desired):  # that it drifted is recorded before it is repaired
                    message = desired.describe_difference(observed)
                    self._record(self._deviation("degraded", observed, message, desired.traffic))
                observed = self._switch(self._target, desired)
            self._record(self._verified_entry(desired, observed), self._decision(verification))
        except MlgitError as error:
            return "failed", error.findings
        return ("recorded" if is_running else "applied"), ()

    def _was_deployed(self, desired: DesiredState) -> bool:
        """Tell whether this promotion was deployed before, with the same traffic, by the last entry of the log."""
        last = self._last
        if last is None or last.status == "blocked" or not self._is_proven(last):
            return False
        return (last.promotion, last.traffic) == (self._manifest.promotion, desired.traffic)

    def _is_proven(self, entry: Deployment) -> bool:
        """Tell whether an entry is signed, where the project requires that; a forged one must not open a closed window."""
        if not self._requires_signature:
            return True
        path = layout.deployment(entry.environment, entry.model, entry.seq)
        return self._appliers.problem(self._snapshot.ledger, path, entry, self._notary) is None

    def _is_signed(self, entry: Deployment) -> bool:
        """Tell whether an entry has a signature, valid or not."""
        tree = self._snapshot.ledger.tree
        path = layout.deployment(entry.environment, entry.model, entry.seq)
        return tree is not None and tree.read(layout.signature(path)) is not None

    def _can_sign_last(self) -> bool:
        """Tell whether the last entry has no signature, although a policy asks for evidence and the current person can sign."""
        if self._last is None or self._is_signed(self._last) or not self._asks_for_evidence():
            return False
        return not self._check_signer()

    def _asks_for_evidence(self) -> bool:
        return any(requires_signatures(self._base, name) for name in self._base.environments())

    def _is_recorded(self, desired: DesiredState) -> bool:
        return self._last is not None and self._last.status == "verified" and self._was_deployed(desired)

    def _switch(self, target: Target, desired: DesiredState) -> Observed:
        """Switch a target to the desired state, and return what it was read back to run.

        Raises:
            MlgitError: it runs something else (`target-mismatch`), or could not be switched.
        """
        with contextlib.ExitStack() as stack:
            champion = self._release(desired.champion, stack)
            beside = [
                ReleaseBeside(share.slot, share.traffic, self._release(share.version, stack))
                for share in desired.beside
            ]
            observed = target.switch(champion, beside)
        if not desired.matches(observed):
            raise refused(
                "target-mismatch",
                f"{self._manifest.environment} does not run what was deployed to it",
                why=desired.describe_difference(observed),
                fix="repair the target, then run `mlgit apply` again",
            )
        return observed

    def _release(self, version: Version, stack: contextlib.ExitStack) -> Release:
        self._on_step(f"fetching {version.model}@{version.version}")
        folder = layout.version_folder(version.model, version.version)
        artifact = stack.enter_context(self._workspace.versions(self._base.project().remote).fetch(version.artifact))
        # Whatever the gates said and whoever merged it: no target gets a file that runs code, or is not what is recorded.
        trusted = self._base.tree.read(layout.TRUSTED_TYPES) or b""
        require_safe_model(self._workspace, version, artifact, trusted)
        return Release(
            model=version.model,
            digest=version.digest,
            artifact=version.artifact.sha256,
            files={version.artifact.path: artifact},
            texts={name: self._base.tree.read(f"{folder}/{name}") or b"" for name in ("version.json", "card.md")},
        )

    def _decision(self, verification: Verification) -> DecisionRecord:
        return DecisionRecord(
            schema=1,
            promotion=self._manifest.promotion,
            environment=self._manifest.environment,
            model=self._manifest.model,
            decision=verification.decision,
            reads=dict(verification.reads),
            approvals=verification.approvals.counted,
            commit=self._snapshot.commit,
            at=self._workspace.clock.now(),
        )

    def _verified_entry(self, desired: DesiredState, observed: Observed) -> Deployment:
        """Return the log entry for a target that runs the desired state; on a ramp it is about the version that takes over."""
        version = desired.promoted
        return Deployment(
            schema=1,
            environment=self._manifest.environment,
            model=self._manifest.model,
            seq=1,
            promotion=self._manifest.promotion,
            status="verified",
            version=version.version,
            digest=version.digest,
            artifact=version.artifact.sha256,
            target=observed.facts,
            commit=self._snapshot.commit,
            at=self._snapshot.at,
            previous=None,
            traffic=desired.traffic,
            beside=desired.other_slots,
        )

    def _deviation(
        self, status: Literal["degraded", "blocked"], observed: Observed, message: str, traffic: int | None = None
    ) -> Deployment:
        return deployment_log.deviation(self._snapshot, self._manifest, observed, status, message, traffic)

    def _record(self, entry: Deployment, decision: DecisionRecord | None = None) -> None:
        proposal = None if decision is None else self._reviewed
        # What nobody signed is recorded again, so that an applier vouches for it.
        repeat = self._last is not None and self._last.status == "verified" and not self._is_signed(self._last)
        deployment_log.record(self._workspace, self._base, entry, decision=decision, proposal=proposal, repeat=repeat)

    def _blocked(self, error: MlgitError, observed: Observed, *, dry_run: bool) -> Application:
        message = "; ".join(finding.message for finding in error.findings)
        findings = list(error.findings)
        if not dry_run:
            try:
                self._record(self._deviation("blocked", observed, message))
            except MlgitError as failure:
                findings += failure.findings
        return self._result("blocked", findings=findings)

    def _result(
        self,
        state: ApplicationState,
        *,
        decision: Digest | None = None,
        approved_by: Sequence[str] = (),
        findings: Sequence[Finding] = (),
    ) -> Application:
        version = self._version
        step = self._desired.step if self._desired else None
        return Application(
            environment=self._manifest.environment,
            model=self._manifest.model,
            version=None if version is None else f"{version.model}@{version.version}",
            state=state,
            promotion=self._manifest.promotion,
            traffic=self._desired.answered if self._desired else FULL_TRAFFIC,
            beside=slots.versions_beside(self._manifest),
            next_step_at=step.until if step else None,
            ramp_paused=step.paused if step else False,
            decision=decision,
            approved_by=list(approved_by),
            findings=list(findings),
        )
