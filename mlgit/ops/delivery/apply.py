"""Make environments run what the base branch says. Level-triggered: it converges, and running it again does no harm."""

import contextlib
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Literal

import msgspec

from mlgit.domain import layout, merge_rules, slots
from mlgit.domain.merge_rules.ramp import RampStep
from mlgit.domain.merge_rules.windows import check_window
from mlgit.domain.names import Digest
from mlgit.domain.records import DecisionRecord, Deployment, Promotion, Version
from mlgit.domain.slots import FULL_TRAFFIC, VersionBeside
from mlgit.errors import Exit, Finding, Inconclusive, MlgitError, refused
from mlgit.ops.delivery import deployment_log, desired_state
from mlgit.ops.kernel import ledger_branch, remote
from mlgit.ops.kernel.outcome import Outcome
from mlgit.ops.kernel.ports.target import Observed, Release, ReleaseBeside, Target
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.kernel.snapshot import Snapshot, take_snapshot
from mlgit.ops.review import forge_reviews, merged
from mlgit.ops.review.proposals import Proposal
from mlgit.ops.review.verification import PromotionVerifier, Verification

State = Literal["applied", "up-to-date", "recorded", "waiting", "blocked", "failed", "planned", "no-target"]


class Application(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one manifest."""

    environment: str
    model: str
    version: str | None
    state: State
    promotion: str
    traffic: int = 100
    """Per cent of the requests that the version is to answer now."""
    until: datetime | None = None
    """When its next step is due, if it takes over step by step and is healthy until then."""
    paused: bool = False
    """Whether the next step waits for it to be healthy again."""
    beside: list[VersionBeside] = []
    """What is to run beside it for good."""
    decision: Digest | None = None
    approved_by: list[str] = []
    findings: list[Finding] = []


class Applied(Outcome, frozen=True, kw_only=True, tag="mlgit/apply.v1"):
    """What became of each manifest that was to be applied."""

    commit: str
    results: list[Application]

    @property
    def exit(self) -> Exit:
        """No where a manifest was blocked; not judged where a target failed. To wait for a window is nothing wrong."""
        states = {result.state for result in self.results}
        if "failed" in states:
            return Exit.INCONCLUSIVE
        return Exit.NO if "blocked" in states else Exit.YES


def run(
    workspace: Workspace,
    environment: str | None = None,
    model: str | None = None,
    *,
    dry_run: bool = False,
    on_step: Callable[[str], None] = lambda _: None,
) -> Applied:
    """Bring one environment (or one model in it), or all, to what the base branch wants.

    Where nothing has to change, nothing is done. What does not hold is left as it runs, and recorded as blocked. Outside the
    environment's windows a change waits: nothing is touched and nothing recorded.

    Raises:
        MlgitError: something has to be verified, and the clone is shallow (`history-shallow`), or the ledger of the remote was
            rewritten (`ledger-rewritten`).
    """
    if not dry_run and remote.exists(workspace.repository):
        # Without an answer, what is known here will do: nothing is switched that it does not prove.
        with contextlib.suppress(Inconclusive):
            ledger_branch.fetch_ledger(workspace.repository)
    snapshot = take_snapshot(workspace)
    if environment is not None:
        snapshot.state.environment(environment)
    if model is not None:
        snapshot.state.model(model)
    wanted = {
        key: manifest
        for key, manifest in snapshot.state.promotions().items()
        if environment in {None, key[0]} and model in {None, key[1]}
    }
    last = snapshot.ledger.last_deployments(wanted)
    results = [
        _Deployer(workspace, snapshot, manifest, last.get(key), on_step).converge(dry_run=dry_run)
        for key, manifest in wanted.items()
    ]
    return Applied(commit=snapshot.commit, results=results)


class _Deployer:
    """Brings one manifest to its target."""

    def __init__(
        self,
        workspace: Workspace,
        snapshot: Snapshot,
        manifest: Promotion,
        last: Deployment | None,
        on_step: Callable[[str], None],
    ) -> None:
        """Take where, what is wanted and known, the manifest, and the last entry of its deployment log."""
        self._workspace = workspace
        self._snapshot = snapshot
        self._base = snapshot.state
        self._manifest = manifest
        self._last = last
        self._on_step = on_step
        self._environment = self._base.environment(manifest.environment)
        self._version = self._base.champion(manifest.environment, manifest.model)
        self._target = workspace.target(self._environment)
        self._wanted: desired_state.DesiredState | None = None
        self._reviewed: Proposal | None = None
        """The promotion with reviews that the ledger does not have yet."""

    def converge(self, *, dry_run: bool) -> Application:
        """Verify the promotion, switch the target, read back what runs, and record it."""
        if self._target is None or self._version is None:
            return self._record_reviews(dry_run=dry_run)
        try:
            observed = self._target.observe(self._manifest.model)
        except MlgitError as error:
            return self._result("failed", findings=error.findings)
        try:
            self._wanted = wanted = self._choose(self._version, observed)
        except Inconclusive as error:
            return self._result("failed", findings=error.findings)
        except MlgitError as error:  # a version's record is not the one that was agreed to
            return self._blocked(error, observed, dry_run=dry_run)
        if wanted.is_run_by(observed) and self._is_recorded(wanted):
            return self._result("up-to-date")
        return self._converge(wanted, observed, dry_run=dry_run)

    def _converge(self, wanted: desired_state.DesiredState, observed: Observed, *, dry_run: bool) -> Application:
        running = wanted.is_run_by(observed)
        changes = not running and not self._was_brought(wanted)  # to mend what this promotion put there is no change
        if changes and (closed := self._closed()):
            return self._result("waiting", findings=closed)
        self._on_step(f"verifying {self._manifest.environment}/{self._manifest.model}")
        self._workspace.repository.require_full_history()
        if broken := self._check_log():  # nothing can be recorded, so nothing is changed that would have to be
            return self._result("blocked", findings=broken)
        try:
            verification = self._verified(first=running, changes=changes)
        except Inconclusive as error:  # no fact about the promotion, so nothing to record
            return self._result("failed", findings=error.findings)
        except MlgitError as error:
            return self._blocked(error, observed, dry_run=dry_run)
        state, findings = ("planned", ()) if dry_run else self._deploy(wanted, observed, verification)
        approved_by = [approval.person for approval in verification.approvals.counted]
        return self._result(state, decision=verification.decision, approved_by=approved_by, findings=findings)

    def _choose(self, version: Version, observed: Observed) -> desired_state.DesiredState:
        """Return what is to run now. A ramp goes on only from where the target really is."""
        key = (self._manifest.environment, self._manifest.model)
        entries = self._snapshot.ledger.deployments(*key) if self._manifest.ramp else []
        wanted = desired_state.desired_state(self._base, self._manifest, version, entries, self._workspace.clock.now())
        now = wanted.step
        if now is None or now.last is None or now.traffic == now.last:
            return wanted
        before = desired_state.desired_at_step(
            self._base, self._manifest, version, RampStep(now.last, now.last, paused=True)
        )
        # Another run may have switched already, and not yet written it down.
        return wanted if before.is_run_by(observed) or wanted.is_run_by(observed) else before

    def _closed(self) -> list[Finding]:
        return list(check_window(self._environment, self._manifest.change, self._workspace.clock.now()))

    def _check_log(self) -> list[Finding]:
        entries = self._snapshot.ledger.deployments(self._manifest.environment, self._manifest.model)
        return deployment_log.check_log(self._workspace, self._snapshot, self._manifest, entries)

    def _verified(self, *, first: bool, changes: bool) -> Verification:
        """Verify the promotion as it was merged.

        Raises:
            MlgitError: something does not hold.
        """
        proposal = merged.find_merged(self._workspace, self._base, self._manifest, first=first)
        merged.check_not_reverted(proposal)
        proposal = self._with_reviews(proposal)
        at = merged.merge_time(self._workspace, proposal)
        verifier = PromotionVerifier(self._workspace, self._snapshot.ledger, at)
        verification = verifier.verify(proposal)
        verification.require("it was merged without them: revert the merge, then promote, approve and merge again")
        verifier.require_same_gates(proposal)
        if changes:
            self._check_now()
        return verification

    def _with_reviews(self, proposal: Proposal) -> Proposal:
        """Add the reviews of the pull request; those that a decision on the ledger rests on stay, whatever the forge says now."""
        ledger = self._snapshot.ledger
        if ledger.find(DecisionRecord, layout.decision(self._manifest.promotion)) is not None:
            proposal = forge_reviews.with_recorded_reviews(self._workspace, proposal, ledger)
        if proposal.reviews is None:
            self._reviewed = proposal = forge_reviews.with_fetched_reviews(self._workspace, proposal, merged=True)
        return proposal

    def _record_reviews(self, *, dry_run: bool) -> Application:
        """Record the reviews of the pull request, once, where there is no target to switch: an audit needs them too."""
        policy = self._base.policy(self._environment.policy)
        is_kept = forge_reviews.latest_reviews(self._snapshot.ledger, self._manifest.promotion) is not None
        if policy.evidence != "forge" or is_kept or dry_run:
            return self._result("no-target")
        try:
            proposal = merged.find_merged(self._workspace, self._base, self._manifest, first=False)
            forge_reviews.record_reviews(
                self._workspace, forge_reviews.with_fetched_reviews(self._workspace, proposal, merged=True)
            )
        except MlgitError as error:
            return self._result("failed", findings=error.findings)
        return self._result("no-target")

    def _check_now(self) -> None:
        """Refuse what was held or frozen since it was merged."""
        findings = merge_rules.check_at_apply(self._manifest, self._base.holds(), self._workspace.clock.now())
        if findings:
            raise MlgitError(*findings)

    def _deploy(
        self, wanted: desired_state.DesiredState, observed: Observed, verification: Verification
    ) -> tuple[State, Sequence[Finding]]:
        """Switch the target, unless it runs the wanted state already, and record what was observed."""
        assert self._target is not None  # noqa: S101 - checked at the beginning of `converge`
        running = wanted.is_run_by(observed)
        try:
            if not running:
                if self._is_recorded(wanted):
                    self._record(self._deviation("degraded", observed, _differing(wanted, observed), wanted.traffic))
                observed = self._switch(self._target, wanted)
            self._record(self._verified_entry(wanted, observed), self._decision(verification))
        except MlgitError as error:
            return "failed", error.findings
        return ("recorded" if running else "applied"), ()

    def _was_brought(self, wanted: desired_state.DesiredState) -> bool:
        """Tell whether this promotion brought just this to the target before, by the last entry of the log."""
        last = self._last
        if last is None or last.status == "blocked":
            return False
        return (last.promotion, last.traffic) == (self._manifest.promotion, wanted.traffic)

    def _is_recorded(self, wanted: desired_state.DesiredState) -> bool:
        return self._last is not None and self._last.status == "verified" and self._was_brought(wanted)

    def _switch(self, target: Target, wanted: desired_state.DesiredState) -> Observed:
        with contextlib.ExitStack() as stack:
            champion = self._release(wanted.champion, stack)
            beside = [
                ReleaseBeside(share.slot, share.traffic, self._release(share.version, stack)) for share in wanted.beside
            ]
            observed = target.switch(champion, beside)
        if not wanted.is_run_by(observed):
            raise refused(
                "target-mismatch",
                f"{self._manifest.environment} does not run what it was given",
                why=_differing(wanted, observed),
                fix="see the target; run `mlgit apply` again once it is well",
            )
        return observed

    def _release(self, version: Version, stack: contextlib.ExitStack) -> Release:
        self._on_step(f"fetching {version.model}@{version.version}")
        folder = layout.version_folder(version.model, version.version)
        artifact = stack.enter_context(self._workspace.store(self._base.project().remote).fetch(version.artifact))
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

    def _verified_entry(self, wanted: desired_state.DesiredState, observed: Observed) -> Deployment:
        """Return the entry for a target that runs what is wanted; of a ramp, the entry is about the version that takes over."""
        version = wanted.promoted
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
            traffic=wanted.traffic,
            beside=wanted.standing,
        )

    def _deviation(
        self, status: Literal["degraded", "blocked"], observed: Observed, message: str, traffic: int | None = None
    ) -> Deployment:
        return deployment_log.deviation(self._snapshot, self._manifest, observed, status, message, traffic)

    def _record(self, entry: Deployment, decided: DecisionRecord | None = None) -> None:
        proposal = None if decided is None else self._reviewed
        deployment_log.record(self._workspace, entry, decided=decided, proposal=proposal)

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
        state: State,
        *,
        decision: Digest | None = None,
        approved_by: Sequence[str] = (),
        findings: Sequence[Finding] = (),
    ) -> Application:
        version = self._version
        step = self._wanted.step if self._wanted else None
        return Application(
            environment=self._manifest.environment,
            model=self._manifest.model,
            version=None if version is None else f"{version.model}@{version.version}",
            state=state,
            promotion=self._manifest.promotion,
            traffic=self._wanted.answered if self._wanted else FULL_TRAFFIC,
            beside=slots.versions_beside(self._manifest),
            until=step.until if step else None,
            paused=step.paused if step else False,
            decision=decision,
            approved_by=list(approved_by),
            findings=list(findings),
        )


def _differing(wanted: desired_state.DesiredState, observed: Observed) -> str:
    """Say what a target runs, where it is not what is wanted."""
    ref = f"{wanted.champion.model}@{wanted.champion.version}"
    others = "".join(f" and a {one.slot} {one.version.model}@{one.version.version}" for one in wanted.beside)
    if observed.digest == wanted.champion.digest and observed.altered:
        return f"files of {ref} were altered: {', '.join(observed.altered)}"
    runs = "no version" if observed.digest is None else f"the version of digest {observed.digest[7:19]}"
    fault = observed.facts.get("fault")
    beside = "".join(f", beside it a {slot} with {one[2]} per cent" for slot, one in observed.beside.items())
    return f"it runs {runs}{beside}, where {ref}{others} belongs" + (f": {fault}" if fault else "")
