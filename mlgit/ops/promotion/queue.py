"""Show all open promotions: which can be merged and in which order, and which conflict with each other."""

from collections.abc import Mapping, Sequence

import msgspec
from msgspec.structs import replace

from mlgit.domain import layout
from mlgit.domain.names import CommitId, Digest, PromotionId
from mlgit.errors import Finding, Inconclusive, Location, MlgitError
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.outcome import Outcome
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.kernel.snapshot import take_snapshot
from mlgit.ops.review.proposals import OpenProposals, Proposal, proposing_command
from mlgit.ops.review.verification import PromotionVerifier


class QueuedPromotion(msgspec.Struct, frozen=True, kw_only=True):
    """An open promotion.

    `place` is its place in the order in which promotions can be merged, from 1 on; null where it cannot be merged. `findings` are
    its problems once the promotions before it are merged, `missing` the approvals that it lacks. `conflicts` are promotions that
    Git cannot merge together with it, `stale_after` those that invalidate its decision if they are merged first.
    """

    promotion: PromotionId
    environment: str
    model: str
    candidate: str
    head: CommitId
    place: int | None = None
    findings: list[Finding] = []
    missing: list[str] = []
    conflicts: list[PromotionId] = []
    stale_after: list[PromotionId] = []
    next: str | None = None
    """The command that takes it on; null where it only has to wait."""


class PromotionQueue(Outcome, frozen=True, kw_only=True, tag="mlgit/queue.v1"):
    """Every open promotion, in the order in which they were proposed, against the base branch."""

    base: str
    commit: CommitId
    waiting: list[QueuedPromotion]
    next: str | None


class _MergeCheck(msgspec.Struct, frozen=True):
    """The result of verifying a promotion against a commit.

    `is_stale` is whether it has a problem that neither time nor approvals remove. `merged` is its merge with the commit, None
    where Git cannot merge it.
    """

    findings: list[Finding]
    missing: list[str]
    decision: Digest | None
    is_stale: bool
    merged: CommitId | None

    @property
    def can_merge(self) -> bool:
        """Whether nothing prevents the merge."""
        return self.merged is not None and not self.findings

    @property
    def problems(self) -> set[str]:
        """The ids of the findings, except for missing approvals."""
        return {finding.id for finding in self.findings} - {"approvals-missing"}


def run(workspace: Workspace) -> PromotionQueue:
    """Verify all open promotions: each alone, in pairs, and in the order of the queue. Changes nothing.

    The gates are not evaluated again, since that needs the data: `mlgit merge` does it.

    Raises:
        MlgitError: a record of an open promotion cannot be read at all.
        Inconclusive: Git, or what verifies signatures, did not answer.
    """
    snapshot = take_snapshot(workspace)
    with workspace.scratch() as scratch:  # the commits of merges that are only tried stay out of the repository
        queue = _Queue(
            scratch,
            PromotionVerifier(scratch, snapshot.ledger, snapshot.at),
            OpenProposals(scratch, snapshot.state).load_all(),
            snapshot.commit,
        )
        waiting = queue.list_all()
    return PromotionQueue(base=snapshot.name, commit=snapshot.commit, waiting=waiting, next=_next(waiting))


class _Queue:
    """The open promotions, by id, and what verifying each against the base alone has given."""

    def __init__(
        self, workspace: Workspace, verifier: PromotionVerifier, proposals: Sequence[Proposal], base: CommitId
    ) -> None:
        self._workspace = workspace
        self._verifier = verifier
        by_id = {proposal.manifest.promotion: proposal for proposal in proposals}
        self._proposals: Mapping[PromotionId, Proposal] = {id_: by_id[id_] for id_ in sorted(by_id)}
        self._alone = {id_: self._verify_on(proposal, base) for id_, proposal in self._proposals.items()}

    def list_all(self) -> list[QueuedPromotion]:
        """Return every open promotion, the oldest first."""
        places = self._places()
        waiting = []
        for id_, proposal in self._proposals.items():
            place, check = places[id_]
            waiting.append(
                QueuedPromotion(
                    promotion=id_,
                    environment=proposal.environment,
                    model=proposal.model,
                    candidate=proposal.subject,
                    head=proposal.head,
                    place=place,
                    findings=check.findings,
                    missing=check.missing,
                    conflicts=self._conflicts(id_),
                    stale_after=self._stale_after(id_),
                    next=_step(proposal, place, check),
                )
            )
        return waiting

    def _verify_on(self, proposal: Proposal, base: CommitId) -> _MergeCheck:
        """Verify a promotion as if the base branch were at a commit."""
        repository, reader = self._workspace.repository, self._workspace.formats.record
        commits = tuple(commit for commit, _ in repository.commits(f"{base}..{proposal.head}", first_parent=False))
        before = Lifecycle(repository.tree(base), reader)
        rebased = Proposal(proposal.environment, proposal.model, before, proposal.after, proposal.head, commits)
        findings: list[Finding] = []
        missing: list[str] = []
        decision: Digest | None = None
        is_stale = True
        try:
            verification = self._verifier.verify(rebased)
            is_stale = bool(verification.problems)
            missing, decision = verification.approvals.missing, verification.decision
            verification.require()
        except Inconclusive:
            raise
        except MlgitError as error:
            findings += error.findings
        file_findings = self._verifier.check_files(rebased)
        findings = list(dict.fromkeys([*findings, *file_findings]))
        check = _MergeCheck(findings, missing, decision, is_stale or bool(file_findings), None)
        return self._try_merge(proposal, check, base)

    def _try_merge(self, proposal: Proposal, check: _MergeCheck, base: CommitId) -> _MergeCheck:
        """Return a check with the merge of a promotion with a commit, or with the finding that Git cannot merge it."""
        repository = self._workspace.repository
        tree = repository.merge_tree(base, proposal.head)
        findings = [finding for finding in check.findings if finding.id != "merge-conflict"]
        if tree is None:
            return replace(check, findings=[*findings, _conflict(proposal)], merged=None)
        merged = repository.commit_tree(tree, parents=[base, proposal.head], message="Try to merge")
        return replace(check, findings=findings, merged=merged)

    def _places(self) -> dict[PromotionId, tuple[int | None, _MergeCheck]]:
        """Merge, in scratch, what can be merged, the oldest first: merging one may be what another has to wait for.

        Returns:
            The place of each promotion, None where it cannot be merged, and its check on top of those before it.
        """
        places: dict[PromotionId, tuple[int | None, _MergeCheck]] = {}
        waiting = dict(self._alone)
        while ready := next((id_ for id_, check in waiting.items() if check.can_merge), None):
            places[ready] = len(places) + 1, waiting.pop(ready)
            tip = places[ready][1].merged
            assert tip is not None  # noqa: S101 - it can be merged
            model = self._proposals[ready].model
            # A promotion of another model changes nothing that a decision depends on; it can only conflict in Git.
            waiting = {
                id_: self._verify_on(self._proposals[id_], tip)
                if self._proposals[id_].model == model
                else self._try_merge(self._proposals[id_], check, tip)
                for id_, check in waiting.items()
            }
        return places | {id_: (None, check) for id_, check in waiting.items()}

    def _conflicts(self, id_: PromotionId) -> list[PromotionId]:
        """Return the promotions that change the same lines: once either is merged, Git cannot merge the other."""
        if self._alone[id_].merged is None:
            return []
        head = self._proposals[id_].head
        return [
            other
            for other, check in self._alone.items()
            if other != id_
            and check.merged is not None
            and self._workspace.repository.merge_tree(check.merged, head) is None
        ]

    def _stale_after(self, id_: PromotionId) -> list[PromotionId]:
        """Return the promotions of the same model that change this one's decision, or its problems, if merged first."""
        proposal, alone = self._proposals[id_], self._alone[id_]
        others = []
        for other, check in self._alone.items():
            if other == id_ or check.merged is None or self._proposals[other].model != proposal.model:
                continue
            after = self._verify_on(proposal, check.merged)
            if after.decision != alone.decision or after.problems - alone.problems:
                others.append(other)
        return others


def _conflict(proposal: Proposal) -> Finding:
    return Finding(
        "merge-conflict",
        f"the promotion of {proposal.model} to {proposal.environment} cannot be merged by Git",
        why="it changes lines that a promotion which is merged before it changes too",
        fix="once that one is merged, run `mlgit promote` again: it starts from the new base",
        at=Location(layout.promotion(proposal.environment, proposal.model)),
    )


def _step(proposal: Proposal, place: int | None, check: _MergeCheck) -> str | None:
    """Return the command that takes a promotion on: merge, approve or propose it again; None where it only has to wait."""
    name = f"{proposal.environment}/{proposal.model}"
    if place is not None:
        return f"mlgit merge {name}"
    if check.is_stale or check.merged is None:
        return proposing_command(proposal)
    return f"mlgit approve {name}" if check.missing else None


def _next(waiting: Sequence[QueuedPromotion]) -> str | None:
    """Return the next command: merge the first that can be merged, else approve what lacks only that, else propose again."""
    first = min(
        (queued for queued in waiting if queued.place is not None), key=lambda queued: queued.place or 0, default=None
    )
    if first is not None:
        return first.next
    steps = [queued.next for queued in waiting if queued.next is not None]
    return next((step for step in steps if step.startswith("mlgit approve")), steps[0] if steps else None)
