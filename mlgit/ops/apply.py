"""Make environments run what the base branch says. Level-triggered: it converges, and running it again does no harm."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Literal

import msgspec

from mlgit.domain import layout
from mlgit.domain.codec import digest, to_json
from mlgit.domain.names import Digest
from mlgit.domain.records import DecisionRecord, Deployment, Promotion, Version
from mlgit.errors import Exit, Finding, MlgitError, Unjudged, refused
from mlgit.ops import ledger, origin, proposal
from mlgit.ops.examination import Examination, examine, require
from mlgit.ops.load import Ledger, Lifecycle
from mlgit.ops.merge import judge_again
from mlgit.ops.outcome import Outcome
from mlgit.ops.ports import Commit, Observed, Release, Target, Workspace

State = Literal["applied", "up-to-date", "recorded", "blocked", "failed", "planned", "no-target"]


class Application(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one manifest."""

    environment: str
    model: str
    version: str | None
    state: State
    promotion: str
    decision: Digest | None = None
    approved_by: list[str] = []
    findings: list[Finding] = []


class Applied(Outcome, frozen=True, kw_only=True, tag="mlgit/apply.v1"):
    """What became of each manifest that was to be applied."""

    commit: str
    results: list[Application]

    @property
    def exit(self) -> Exit:
        """No where a manifest was blocked; not judged where a target failed."""
        states = {result.state for result in self.results}
        if "failed" in states:
            return Exit.UNJUDGED
        return Exit.NO if "blocked" in states else Exit.YES


def run(
    workspace: Workspace,
    environment: str | None = None,
    *,
    dry_run: bool = False,
    on_step: Callable[[str], None] = lambda _: None,
) -> Applied:
    """Bring one environment, or all, to what the base branch wants.

    Where nothing has to change, nothing is done. What does not hold is left as it runs, and recorded as blocked.

    Raises:
        MlgitError: something has to be verified, and the clone is shallow (`history-shallow`).
    """
    if not dry_run and origin.is_there(workspace.repository):
        # Without an answer, what is known here will do: nothing is switched that it does not prove.
        with contextlib.suppress(Unjudged):
            origin.fetch(workspace.repository, layout.LEDGER)
    _, base = proposal.base_of(workspace)
    commit = base.tree.commit
    assert commit is not None  # noqa: S101 - the base is a commit
    if environment is not None:
        base.environment(environment)
    wanted = {key: manifest for key, manifest in base.promotions().items() if environment in {None, key[0]}}
    last = proposal.ledger_of(workspace).last_deployments(wanted)
    results = [
        _One(workspace, base, manifest, last.get(key), on_step).converge(dry_run=dry_run)
        for key, manifest in wanted.items()
    ]
    return Applied(commit=commit, results=results)


class _One:
    """One manifest on its way to its target."""

    def __init__(
        self,
        workspace: Workspace,
        base: Lifecycle,
        manifest: Promotion,
        last: Deployment | None,
        on_step: Callable[[str], None],
    ) -> None:
        self._workspace = workspace
        self._base = base
        self._manifest = manifest
        self._last = last
        self._on_step = on_step
        self._version = base.champion(manifest.environment, manifest.model)
        self._target = workspace.target(base.environment(manifest.environment))

    def converge(self, *, dry_run: bool) -> Application:
        """Verify, switch, read back, write down."""
        if self._target is None or self._version is None:
            return self._result("no-target")
        try:
            observed = self._target.observe(self._manifest.model)
        except MlgitError as error:
            return self._result("failed", findings=error.findings)
        running = _runs(observed, self._version)
        if running and self._is_recorded():
            return self._result("up-to-date")
        self._on_step(f"verifying {self._manifest.environment}/{self._manifest.model}")
        self._workspace.repository.require_full_history()
        try:
            examination = self._verified(first=running)
        except Unjudged as error:  # no fact about the promotion, so nothing to record
            return self._result("failed", findings=error.findings)
        except MlgitError as error:
            return self._blocked(error, observed, dry_run=dry_run)
        state, findings = ("planned", ()) if dry_run else self._bring(observed, examination, running=running)
        approved_by = [approval.person for approval in examination.tally.counted]
        return self._result(state, decision=examination.decision, approved_by=approved_by, findings=findings)

    def _verified(self, *, first: bool) -> Examination:
        """Examine the promotion as it was merged; refuse unless all of it holds."""
        merged = _merged(self._workspace, self._base, self._manifest, first=first)
        examination = examine(self._workspace, merged, at=_when(self._workspace, merged))
        require(
            examination,
            f"{self._manifest.environment}/{self._manifest.model}",
            fix="it was merged without them: revert the merge, then promote, approve and merge again",
        )
        judge_again(self._workspace, merged)
        return examination

    def _bring(self, observed: Observed, examination: Examination, *, running: bool) -> tuple[State, Sequence[Finding]]:
        """Switch, unless it runs already, and write down what was seen."""
        assert self._target is not None  # noqa: S101 - nothing is brought to no target
        assert self._version is not None  # noqa: S101 - nor nothing to a target
        try:
            if not running:
                observed = self._switch(self._target, self._version)
            self._record(observed, "verified", self._decision(examination))
        except MlgitError as error:
            return "failed", error.findings
        return ("recorded" if running else "applied"), ()

    def _is_recorded(self) -> bool:
        return self._last is not None and (self._last.promotion, self._last.status) == (
            self._manifest.promotion,
            "verified",
        )

    def _switch(self, target: Target, version: Version) -> Observed:
        self._on_step(f"fetching {version.model}@{version.version}")
        folder = layout.version_folder(version.model, version.version)
        with contextlib.ExitStack() as stack:
            artifact = stack.enter_context(self._workspace.store(self._base.project().remote).fetch(version.artifact))
            record = self._base.tree.read(f"{folder}/version.json")
            card = self._base.tree.read(f"{folder}/card.md")
            release = Release(
                model=version.model,
                digest=version.digest,
                artifact=version.artifact.sha256,
                files={version.artifact.path: artifact},
                texts={"version.json": record or b"", "card.md": card or b""},
            )
            observed = target.switch(release)
        if not _runs(observed, version):
            raise refused(
                "target-differs",
                f"{self._manifest.environment} does not run what it was given",
                why=f"it reports {observed.digest} with file {observed.artifact}, {observed.facts}",
                fix="see the target; run `mlgit apply` again once it is well",
            )
        return observed

    def _decision(self, examination: Examination) -> DecisionRecord:
        return DecisionRecord(
            schema=1,
            promotion=self._manifest.promotion,
            environment=self._manifest.environment,
            model=self._manifest.model,
            decision=examination.decision,
            reads=dict(examination.reads),
            approvals=examination.tally.counted,
            commit=self._base.tree.commit or "",
            at=self._workspace.clock.now(),
        )

    def _record(
        self,
        observed: Observed,
        status: Literal["verified", "blocked"],
        decided: DecisionRecord | None,
        message: str = "",
    ) -> None:
        manifest = self._manifest
        key = (manifest.environment, manifest.model)

        def files(there: Ledger) -> Mapping[str, bytes]:
            before = there.last_deployments([key]).get(key)
            entry = Deployment(
                schema=1,
                environment=manifest.environment,
                model=manifest.model,
                seq=before.seq + 1 if before else 1,
                promotion=manifest.promotion,
                status=status,
                version=self._version.version if self._version and status == "verified" else None,
                digest=observed.digest,
                artifact=observed.artifact,
                target=observed.facts,
                commit=self._base.tree.commit or "",
                at=self._workspace.clock.now(),
                previous=digest(before) if before else None,
                message=message or None,
            )
            path = f"{layout.deployments(*key)}/{entry.seq}.json"
            known = decided is None or there.find(DecisionRecord, layout.decision(manifest.promotion)) is not None
            decisions = {} if known or decided is None else {layout.decision(manifest.promotion): to_json(decided)}
            return {path: to_json(entry)} | decisions

        verb = "Deploy" if status == "verified" else "Block"
        ledger.append(self._workspace, files, f"{verb} {manifest.model} in {manifest.environment}")

    def _blocked(self, error: MlgitError, observed: Observed, *, dry_run: bool) -> Application:
        message = "; ".join(finding.message for finding in error.findings)
        known = self._last is not None and (self._last.promotion, self._last.status, self._last.message) == (
            self._manifest.promotion,
            "blocked",
            message,
        )
        findings = list(error.findings)
        if not dry_run and not known:
            try:
                self._record(observed, "blocked", None, message)
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
        return Application(
            environment=self._manifest.environment,
            model=self._manifest.model,
            version=None if version is None else f"{version.model}@{version.version}",
            state=state,
            promotion=self._manifest.promotion,
            decision=decision,
            approved_by=list(approved_by),
            findings=list(findings),
        )


def _runs(observed: Observed, version: Version) -> bool:
    """Tell whether a target runs a version, every file as it was given."""
    return (observed.digest, observed.artifact) == (version.digest, version.artifact.sha256) and not observed.altered


def _merged(workspace: Workspace, base: Lifecycle, manifest: Promotion, *, first: bool) -> proposal.Proposal:
    """Return the proposal as it was merged: the first-parent commit that brought this manifest, against the one before.

    Where several did, because one was taken back and the other came again, it is the last of them: a way back is a change
    of its own, and nobody agreed to it. With `first` it is the first, which suffices for what runs already.
    """
    repository = workspace.repository
    path = layout.promotion(manifest.environment, manifest.model)
    assert base.tree.commit is not None  # noqa: S101 - the base is a commit
    found: tuple[Commit, Lifecycle] | None = None
    for commit, _ in repository.commits(base.tree.commit, paths=[path]):
        after = Lifecycle(repository.tree(commit.id), workspace.formats.record)
        if commit.parents and after.promotion(manifest.environment, manifest.model) == manifest:
            found = commit, after
            if not first:
                break
    if found is None:
        raise refused(
            "promotion-unexplained",
            f"no commit of the base branch brings promotion {manifest.promotion}",
            why=f"{path} came with the first commit, so there is nothing that it was judged by",
            fix="propose the version with `mlgit promote`",
        )
    commit, after = found
    before = Lifecycle(repository.tree(commit.parents[0]), workspace.formats.record)
    brought = repository.commits(f"{commit.parents[0]}..{commit.id}", first_parent=False)
    commits = tuple(one for one, _ in brought if len(commit.parents) == 1 or one.id != commit.id)
    return proposal.Proposal(manifest.environment, manifest.model, before, after, commit.id, commits)


def _when(workspace: Workspace, merged: proposal.Proposal) -> datetime:
    """Return the moment at which a merged promotion has to have held: when it was merged."""
    commit = next(iter(workspace.repository.commits(merged.head)))[0]
    return min(commit.at, workspace.clock.now())
