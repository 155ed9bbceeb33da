"""One model on its way into one environment, without being asked for: which version, on whose word, what stands against it."""

from collections.abc import Callable
from typing import Literal

import msgspec
from msgspec.structs import replace

from mlgit.domain import layout, slots
from mlgit.domain.codec import digest
from mlgit.domain.merge_rules import standing as conditions
from mlgit.domain.names import CommitId, VersionRef, new_promotion_id
from mlgit.domain.policy import rule_for
from mlgit.domain.records import GateReport, Promotion, Version
from mlgit.domain.records.gatereport import GateVerdict
from mlgit.domain.records.promotion import Slots, StandingRef
from mlgit.errors import Finding, Inconclusive, MlgitError, refused
from mlgit.ops.exceptions import signed
from mlgit.ops.kernel import manifest_history, snapshot
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.promotion import next_version, promote, proposal_branch
from mlgit.ops.review import approval_count, proposals
from mlgit.ops.review.proposals import Proposal
from mlgit.ops.review.verification import Verification, require_verified, verify

State = Literal["merged", "proposed", "proposed-already", "planned", "refused", "kept-back", "open", "newest", "failed"]


class AutoPromotionResult(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one model in one environment.

    `refused`: what stands against it is in `findings`. `kept-back`: each newer version has to stay out, for now or for good.
    `open`: people propose something there, which is left alone. `newest`: there is none newer than the champion. `failed`: it
    could not be judged. `standing` is the name of the standing approval that a promotion rests on; None where the policy asks
    for nobody's agreement.
    """

    environment: str
    model: str
    champion: str | None
    state: State
    candidate: str | None = None
    promotion: str | None = None
    standing: str | None = None
    agreed_by: list[str] = []
    branch: str | None = None
    commit: str | None = None
    pushed: bool = False
    gates: list[GateVerdict] = []
    findings: list[Finding] = []
    pull_request: str | None = None
    warnings: list[Finding] = []


class AutoPromotion:
    """One model on its way into one environment, at one moment of the base branch."""

    def __init__(
        self, workspace: Workspace, base: Lifecycle, environment: str, model: str, on_step: Callable[[str], None]
    ) -> None:
        self._workspace = workspace
        self._base = base
        self._environment = base.environment(environment)
        self._policy = base.policy(self._environment.policy)
        self._model = model
        self._before = base.promotion(environment, model)
        self._champion = base.champion(environment, model)
        self._at = workspace.clock.now()
        self._on_step = on_step
        self._past = manifest_history.manifest_history(workspace, base, environment, model)

    def propose(self, *, dry_run: bool) -> AutoPromotionResult:
        """Choose a version, judge it, and put it on the branch of the environment and model if all of it holds."""
        version, kept = next_version.newest_candidate(
            self._workspace, self._base, self._environment, self._model, self._past, self._at
        )
        found = AutoPromotionResult(
            environment=self._environment.name,
            model=self._model,
            champion=None if self._champion is None else _called(self._champion),
            state="kept-back" if kept else "newest",
            findings=kept,
        )
        if (waiting := self._waiting(found, version, dry_run=dry_run)) is not None:
            return waiting
        if version is None:
            return found
        found = replace(found, candidate=_called(version), state="refused", findings=[])
        try:
            return self._judged(found, version, dry_run=dry_run)
        except Inconclusive:
            raise
        except MlgitError as error:
            return replace(found, findings=list(error.findings))

    # What is proposed already

    def _waiting(
        self, found: AutoPromotionResult, version: Version | None, *, dry_run: bool
    ) -> AutoPromotionResult | None:
        """Return what becomes of an open proposal; None where there is none, or one of our own that no longer holds."""
        key = (self._environment.name, self._model)
        if key not in proposals.open_proposals(self._workspace):
            return None
        known = proposals.load_proposal(self._workspace, *key)
        manifest = known.manifest
        found = replace(
            found,
            candidate=known.subject,
            promotion=manifest.promotion,
            branch=layout.promotion_branch(*key),
            commit=known.head,
        )
        ours = manifest.standing is not None or not self._asks_people
        if ours and version is not None and manifest.slots == self._slots(version):
            examination = verify(self._workspace, known, at=self._at)
            if not self._stands(known, examination):
                pushed = not dry_run and proposal_branch.push_branch(
                    self._workspace, layout.promotion_branch(*key), known.head
                )
                return replace(_told(found, known, examination), state="proposed-already", pushed=pushed)
        return None if manifest.standing is not None else replace(found, state="open", findings=[])

    # Judging

    def _judged(self, found: AutoPromotionResult, version: Version, *, dry_run: bool) -> AutoPromotionResult:
        promote.check_free(self._base, version, self._environment.name, at=self._at)
        options = self._in_force() if self._asks_people else [None]
        manifest = promote.draft_manifest(
            self._base,
            self._before,
            self._model,
            self._environment.name,
            new_promotion_id(self._at),
            reason=None,
            ticket=None,
        )
        manifest = replace(manifest, slots=self._slots(version), ledger=snapshot.ledger_tip(self._workspace))
        if unfit := self._unfit(manifest, version, None):
            return replace(found, findings=unfit)
        report = promote.judge_candidate(
            self._workspace, self._base, version, manifest, at=self._at, on_step=self._on_step
        )
        manifest = replace(manifest, gates=promote.report_ref(report))
        tried = replace(found, gates=report.results)
        for standing in options:
            tried = self._try(tried, replace(manifest, standing=standing), report, dry_run=dry_run)
            if tried.state != "refused":
                break
        return tried

    def _try(
        self, found: AutoPromotionResult, manifest: Promotion, report: GateReport, *, dry_run: bool
    ) -> AutoPromotionResult:
        """Propose a manifest, if nothing stands against it and enough people agreed; a closed window it may wait for."""
        environment, model = self._environment.name, self._model
        draft = promote.promotion_draft(
            environment,
            model,
            promote.promotion_files(self._workspace, manifest, report),
            f"Promote {found.candidate} to {environment}\n\nMlgit-Promotion: {manifest.promotion}\n",
            f"mlgit auto-promote {environment}",
        )
        trial = self._proposal(proposal_branch.check_draft(self._workspace, self._base, draft))
        examination = verify(self._workspace, trial, at=self._at)
        found = _told(found, trial, examination)
        if against := self._stands(trial, examination):
            return replace(found, findings=against)
        if dry_run:
            return replace(found, state="planned")
        commit, pushed = proposal_branch.put_on_branch(self._workspace, self._base, draft)
        return replace(
            found,
            state="proposed",
            promotion=manifest.promotion,
            branch=draft.branch,
            commit=commit,
            pushed=pushed,
        )

    def _proposal(self, head: CommitId) -> Proposal:
        """Return a commit that no branch names yet as the proposal that it would be."""
        repository, onto = self._workspace.repository, self._base.tree.commit
        commits = tuple(commit for commit, _ in repository.commits(f"{onto}..{head}", first_parent=False))
        after = Lifecycle(repository.tree(head), self._workspace.formats.record)
        return Proposal(self._environment.name, self._model, self._base, after, head, commits)

    def _stands(self, waiting: Proposal, examination: Verification) -> list[Finding]:
        """Return what stands against a proposal, but for what it only has to wait for."""
        found = self._unfit(waiting.manifest, waiting.version, waiting.report)
        try:
            require_verified(
                replace(examination, waits=[]),
                f"{self._environment.name}/{self._model}",
                fix="propose it with `mlgit promote`, and let others approve that; or make a standing approval by others",
            )
        except MlgitError as error:
            found += error.findings
        return list(dict.fromkeys(found))

    def _unfit(self, manifest: Promotion, version: Version | None, report: GateReport | None) -> list[Finding]:
        return list(
            conditions.check_fit(
                manifest,
                environment=self._environment,
                version=version,
                champion=self._champion,
                report=report,
                past=self._past,
            )
        )

    def _slots(self, version: Version) -> Slots:
        return slots.put(None if self._before is None else self._before.slots, version)

    @property
    def _asks_people(self) -> bool:
        """Whether the policy asks for anybody's agreement to a promotion."""
        rule = rule_for(self._policy.approvals, "promote")
        return bool(rule.min or rule.roles)

    def _in_force(self) -> list[StandingRef]:
        """Return the standing approvals that may carry a promotion now.

        Raises:
            MlgitError: there is none (`standing-missing`).
        """
        key = (self._environment.name, self._model)
        there = {
            name: one for name, one in self._base.standing_approvals().items() if (one.environment, one.model) == key
        }
        agreed = signed.agreed(self._workspace, self._base, there.values())
        states = {name: conditions.state(one, agreed, self._past, self._at) for name, one in there.items()}
        good = [there[name] for name, state in states.items() if state == "in-force"]
        if good:
            return [StandingRef(id=one.standing, digest=digest(one)) for one in good]
        listed = "; ".join(f"{name} is {state}" for name, state in states.items())
        raise refused(
            "standing-missing",
            f"nobody agreed in advance to promotions of {self._model} to {self._environment.name}",
            why=listed or f"{layout.standing('...')} has none for them on the base branch",
            fix=f"`mlgit standing-approval add {self._environment.name}/{self._model}` drafts one; or promote by hand",
        )


def _told(found: AutoPromotionResult, waiting: Proposal, examination: Verification) -> AutoPromotionResult:
    """Return what is told of a proposal: on whose word it rests, how the gates answered, and what it has to wait for."""
    return replace(
        found,
        standing=approval_count.standing_approval_name(waiting),
        agreed_by=[one.person for one in examination.tally.counted],
        gates=waiting.report.results if waiting.report else [],
        findings=examination.waits,
    )


def _called(version: Version) -> str:
    return str(VersionRef(version.model, version.version))
