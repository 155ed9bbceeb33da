"""All open promotions side by side: which can be merged and in which order, and which are in each other's way."""

from collections.abc import Mapping, Sequence

import msgspec

from mlgit.domain import layout
from mlgit.domain.names import CommitId, Digest, PromotionId
from mlgit.errors import Finding, Inconclusive, Location, MlgitError
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.outcome import Outcome
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.kernel.snapshot import take_snapshot
from mlgit.ops.review.proposals import OpenProposals, Proposal
from mlgit.ops.review.verification import PromotionVerifier


class QueuedPromotion(msgspec.Struct, frozen=True, kw_only=True):
    """An open promotion.

    `place` is its place in the order in which promotions can be merged, from 1 on; None where it cannot be. `findings` are
    what stands against it there: on the base with those merged that have a place before it.
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


class PromotionQueue(Outcome, frozen=True, kw_only=True, tag="mlgit/queue.v1"):
    """Every open promotion, by the time at which it was made, held against the base branch."""

    base: str
    commit: CommitId
    waiting: list[QueuedPromotion]
    next: str | None


class _Standing(msgspec.Struct, frozen=True):
    """How a promotion stands on a commit; `merged` is the commit that merging it gives, None where it conflicts."""

    findings: list[Finding]
    missing: list[str]
    decision: Digest | None
    merged: CommitId | None

    @property
    def problems(self) -> set[str]:
        """The ids of what stands against it, apart from approvals."""
        return {finding.id for finding in self.findings} - {"approvals-missing"}


def run(workspace: Workspace) -> PromotionQueue:
    """Judge all open promotions, each alone, in pairs and one after the other. Nothing is merged, written or run.

    The gates are not judged again, which needs the data: `mlgit merge` does that.

    Raises:
        MlgitError: the records of an open promotion cannot be read at all.
        Inconclusive: Git, or what verifies signatures, did not answer.
    """
    snapshot = take_snapshot(workspace)
    with workspace.scratch() as scratch:
        verifier = PromotionVerifier(scratch, snapshot.ledger, snapshot.at)
        loaded = OpenProposals(scratch, snapshot.state).load_all()
        proposals = {one.manifest.promotion: one for one in sorted(loaded, key=lambda one: one.manifest.promotion)}
        alone = {id_: _stand(scratch, verifier, one, snapshot.commit) for id_, one in proposals.items()}
        placed = _in_order(scratch, verifier, proposals, alone)
        waiting = [
            msgspec.structs.replace(
                _waiting(one, placed[id_][1]),
                place=placed[id_][0],
                conflicts=_conflicts(scratch, id_, proposals, alone),
                stale_after=_stale_after(scratch, verifier, id_, proposals, alone),
            )
            for id_, one in proposals.items()
        ]
    return PromotionQueue(base=snapshot.name, commit=snapshot.commit, waiting=waiting, next=_next(waiting))


def _stand(workspace: Workspace, verifier: PromotionVerifier, one: Proposal, onto: CommitId) -> _Standing:
    """Judge a promotion as if the base were at a commit."""
    repository, reader = workspace.repository, workspace.formats.record
    commits = tuple(commit for commit, _ in repository.commits(f"{onto}..{one.head}", first_parent=False))
    before = Lifecycle(repository.tree(onto), reader)
    moved = Proposal(one.environment, one.model, before, one.after, one.head, commits)
    findings: list[Finding] = []
    missing: list[str] = []
    decided: Digest | None = None
    try:
        verification = verifier.verify(moved)
        missing, decided = verification.approvals.missing, verification.decision
        verification.require()
    except Inconclusive:
        raise
    except MlgitError as error:
        findings += error.findings
    findings += verifier.check_files(moved)
    return _moved(workspace, one, _Standing(list(dict.fromkeys(findings)), missing, decided, None), onto)


def _moved(workspace: Workspace, one: Proposal, standing: _Standing, onto: CommitId) -> _Standing:
    """Return a standing as it is on another commit, if nothing that it is judged by is otherwise there.

    A promotion of another model brings nothing that this one is judged by, so that it can only be in the way in Git.
    """
    tree = workspace.repository.merge_tree(onto, one.head)
    findings = [finding for finding in standing.findings if finding.id != "merge-conflict"]
    if tree is None:
        return msgspec.structs.replace(standing, findings=[*findings, _conflict(one)], merged=None)
    merged = workspace.repository.commit_tree(tree, parents=[onto, one.head], message="Trial")
    return msgspec.structs.replace(standing, findings=findings, merged=merged)


def _in_order(
    workspace: Workspace,
    verifier: PromotionVerifier,
    proposals: Mapping[PromotionId, Proposal],
    alone: Mapping[PromotionId, _Standing],
) -> dict[PromotionId, tuple[int | None, _Standing]]:
    """Merge what can be merged, the oldest first, until nothing more can be: one may be what another waits for."""
    found: dict[PromotionId, tuple[int | None, _Standing]] = {}
    standing, place = dict(alone), 0
    while ready := next((id_ for id_, one in standing.items() if one.merged and not one.findings), None):
        place += 1
        found[ready] = place, standing.pop(ready)
        tip = found[ready][1].merged
        assert tip is not None  # noqa: S101 - it is ready
        model = proposals[ready].model
        standing = {
            id_: _stand(workspace, verifier, proposals[id_], tip)
            if proposals[id_].model == model
            else _moved(workspace, proposals[id_], one, tip)
            for id_, one in standing.items()
        }
    return found | {id_: (None, one) for id_, one in standing.items()}


def _conflicts(
    workspace: Workspace,
    id_: PromotionId,
    proposals: Mapping[PromotionId, Proposal],
    alone: Mapping[PromotionId, _Standing],
) -> list[PromotionId]:
    """Return the promotions that change the same lines: with either merged, Git cannot merge the other."""
    head = proposals[id_].head
    return [
        other
        for other, standing in alone.items()
        if other != id_
        and standing.merged is not None
        and alone[id_].merged is not None
        and workspace.repository.merge_tree(standing.merged, head) is None
    ]


def _stale_after(
    workspace: Workspace,
    verifier: PromotionVerifier,
    id_: PromotionId,
    proposals: Mapping[PromotionId, Proposal],
    alone: Mapping[PromotionId, _Standing],
) -> list[PromotionId]:
    """Return the promotions of the same model that, merged first, void what was decided on this one."""
    found = []
    for other, standing in alone.items():
        if other == id_ or standing.merged is None or proposals[other].model != proposals[id_].model:
            continue
        then = _stand(workspace, verifier, proposals[id_], standing.merged)
        if then.decision != alone[id_].decision or then.problems - alone[id_].problems:
            found.append(other)
    return found


def _conflict(one: Proposal) -> Finding:
    return Finding(
        "merge-conflict",
        f"the promotion of {one.model} to {one.environment} does not merge",
        why="it changes lines that what is merged before it changes too",
        fix="run `mlgit promote` again once that is merged: it starts from the base of then",
        at=Location(layout.promotion(one.environment, one.model)),
    )


def _waiting(one: Proposal, standing: _Standing) -> QueuedPromotion:
    return QueuedPromotion(
        promotion=one.manifest.promotion,
        environment=one.environment,
        model=one.model,
        candidate=one.subject,
        head=one.head,
        findings=standing.findings,
        missing=standing.missing,
    )


def _next(waiting: Sequence[QueuedPromotion]) -> str | None:
    """Return the step that brings the queue on: merge the first, else approve what only lacks that, else propose again."""
    for one in sorted((one for one in waiting if one.place is not None), key=lambda one: one.place or 0):
        return f"mlgit merge {one.environment}/{one.model}"
    for one in waiting:
        if {finding.id for finding in one.findings} == {"approvals-missing"}:
            return f"mlgit approve {one.environment}/{one.model}"
    for one in waiting:
        return f"mlgit promote {one.candidate} --to {one.environment}"
    return None
