"""Who agreed to a promotion, open or merged, whose word does not count and why, and who may still supply what is missing."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice, product
from types import MappingProxyType
from typing import Literal

import msgspec
from msgspec.structs import replace

from mlgit.domain import layout, slots
from mlgit.domain.approvals import STALE, ApprovalRequirement, SignedVote
from mlgit.domain.approvals import Vote as Said
from mlgit.domain.decision import ReadSet, changed, decision
from mlgit.domain.names import CommitId, Digest
from mlgit.domain.records import Promotion
from mlgit.errors import Exit, MlgitError, refused
from mlgit.ops.kernel.ledger import Ledger
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.outcome import Outcome
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.kernel.snapshot import Snapshot, take_snapshot
from mlgit.ops.review import approval_count, forge_reviews
from mlgit.ops.review.context import context_of
from mlgit.ops.review.merged import merged_as
from mlgit.ops.review.proposals import OpenProposals, Proposal

_STATES = 200  # pairs of a branch's commit and a base's that are looked through for what an old approval was of


class VoteShown(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody's word on a promotion, and whether it counts: as what (`roles`), or why not (`reason`).

    `key` is the fingerprint of the key that signed it, None where the signature proves nothing; of a review, `review` says where
    it is. `changed` names what a stale one rested on that is otherwise now, as far as that can be found out.
    """

    person: str
    by: str
    verdict: Literal["approve", "reject", "dismissed"]
    key: str | None
    at: datetime
    comment: str | None
    review: str | None = None
    roles: list[str] = []
    reason: str | None = None
    changed: list[str] = []


class ApprovalsShown(Outcome, frozen=True, kw_only=True, tag="mlgit/approvals.v1"):
    """How the approvals of a promotion stand, by the rules of the commit that it was, or would be, merged onto."""

    promotion: str
    environment: str
    model: str
    candidate: str
    beside: list[slots.VersionBeside]
    state: Literal["open", "merged"]
    head: CommitId
    onto: CommitId
    decision: Digest
    policy: str
    evidence: str
    pull_request: str | None
    """Address of the pull request whose reviews are among the words; None where none was asked for, or there is none."""
    excludes: list[str]
    requirements: list[ApprovalRequirement]
    counted: list[VoteShown]
    uncounted: list[VoteShown]
    missing: list[str]
    may_approve: list[str]

    @property
    def exit(self) -> Exit:
        """No where something is missing."""
        return Exit.NO if self.missing else Exit.YES


def run(workspace: Workspace, name: str | None = None, *, at: str | None = None) -> ApprovalsShown:
    """Count the approvals of a promotion once more, and say of each whether it counts.

    Args:
        workspace: where.
        name: an id, or `environment/model`: the open promotion, else the last one that was merged. The only open one, if None.
        at: a commit, a branch, a tag or a date; what was merged by then is judged by the ledger of then. The newest
            promotion, if none is named.

    Raises:
        MlgitError: there is no such promotion (`promotion-unknown`, `promotion-ambiguous`), or a record that it rests on
            cannot be read.
        Inconclusive: reviews count and the forge does not answer; nothing is counted then.
    """
    snapshot = take_snapshot(workspace, at)
    state, judged = _find(workspace, snapshot, name)
    ledger = snapshot.ledger
    judged = _with_reviews(workspace, judged, state, ledger, asks=snapshot.is_current)
    reads = context_of(judged).reads()
    found = approval_count.votes_on(workspace, judged, ledger)
    tally = approval_count.count_approvals(workspace, judged, decision(reads), found, ledger=ledger)
    words = {one.digest: one for one in found}
    old = {words[one.approval].decision or "" for one in tally.uncounted if one.reason == STALE}
    since = _changed_since(workspace, judged, reads, old)
    onto = judged.before.tree.commit
    assert onto is not None  # noqa: S101 - the base is a commit
    return ApprovalsShown(
        promotion=judged.manifest.promotion,
        environment=judged.environment,
        model=judged.model,
        candidate=judged.subject,
        beside=slots.versions_beside(judged.manifest),
        state=state,
        head=judged.head,
        onto=onto,
        decision=decision(reads),
        policy=judged.policy.name,
        evidence=judged.policy.evidence,
        pull_request=judged.reviews.url if judged.reviews else None,
        excludes=list(judged.policy.exclude),
        requirements=tally.requirements,
        counted=[_word(words[one.approval], one.person, roles=one.roles) for one in tally.counted],
        uncounted=[_word(words[one.approval], one.person, reason=one.reason, since=since) for one in tally.uncounted],
        missing=tally.missing,
        may_approve=tally.may_approve,
    )


def _with_reviews(
    workspace: Workspace, judged: Proposal, state: Literal["open", "merged"], ledger: Ledger, *, asks: bool
) -> Proposal:
    """Return a proposal with its reviews: from the ledger of the moment once it has them, else from the forge, if it is today."""
    if state == "merged":
        judged = forge_reviews.with_recorded_reviews(workspace, judged, ledger)
    return (
        forge_reviews.with_fetched_reviews(workspace, judged, merged=state == "merged")
        if asks and judged.reviews is None
        else judged
    )


def _word(
    said: Said,
    person: str,
    *,
    roles: Sequence[str] = (),
    reason: str | None = None,
    since: Mapping[Digest, list[str]] = MappingProxyType({}),
) -> VoteShown:
    word = VoteShown(
        person=person,
        by=said.approval.by if isinstance(said, SignedVote) else said.login or "",
        verdict=said.verdict,
        key=None,
        at=said.at,
        comment=None,
        roles=list(roles),
        reason=reason,
        changed=since.get(said.decision or "", []) if reason == STALE else [],
    )
    if isinstance(said, SignedVote):
        return replace(word, key=said.key, comment=said.approval.comment)
    return replace(word, review=said.where)


def _find(workspace: Workspace, snapshot: Snapshot, name: str | None) -> tuple[Literal["open", "merged"], Proposal]:
    if snapshot.is_current:
        open_proposals = OpenProposals(workspace, snapshot.state)
        if name is None:
            return "open", open_proposals.find(None)
        for proposal in open_proposals.load_all():
            key = (proposal.environment, proposal.model)
            if name in {"/".join(key), layout.promotion_branch(*key), proposal.manifest.promotion}:
                return "open", proposal
    base = snapshot.state
    found = _of_state(base, name) or (None if name is None else _of_history(workspace, base, name))
    merged = None if found is None else merged_as(workspace, *found, first=False)
    if merged is None:
        raise refused(
            "promotion-unknown",
            f"no promotion is called {name}" if name else "nothing had been promoted",
            why="none that is open, or that a commit of the base branch brought, has that id or is of that environment and model",
            fix="`mlgit queue` lists what is open, `mlgit log` what was merged",
        )
    return "merged", merged[1]


def _of_state(state: Lifecycle, name: str | None) -> tuple[Lifecycle, Promotion] | None:
    """Return the manifest that a state has under a name; the newest, if None."""
    manifests = state.promotions()
    chosen = [one for key, one in manifests.items() if name in {None, "/".join(key), one.promotion}]
    return (state, max(chosen, key=lambda one: one.promotion)) if chosen else None


def _of_history(workspace: Workspace, state: Lifecycle, promotion: str) -> tuple[Lifecycle, Promotion] | None:
    """Return the manifest with an id that another one took the place of since, with the state that it was in."""
    repository, reader = workspace.repository, workspace.formats.record
    assert state.tree.commit is not None  # noqa: S101 - a state of a commit
    for commit, changes in repository.commits(state.tree.commit, paths=["environments"]):
        for change in changes:
            place = layout.parse_path(change.path)
            if place is None or place.kind != "promotion" or change.after is None:
                continue
            tree = repository.tree(commit.id)
            if promotion.encode() not in (tree.read(change.path) or b""):
                continue
            then = Lifecycle(tree, reader)
            manifest = then.find(Promotion, change.path)
            if manifest is not None and manifest.promotion == promotion:
                return then, manifest
    return None


def _changed_since(
    workspace: Workspace, judged: Proposal, now: ReadSet, decisions: Collection[Digest]
) -> dict[Digest, list[str]]:
    """Return what earlier decisions on a promotion rested on that is otherwise now.

    An approval holds a digest alone, so the states that the branch and the base went through since the branch began are
    decided on again, until one gives that digest.
    """
    found: dict[Digest, list[str]] = {}
    for reads in islice(_earlier(workspace, judged), _STATES) if decisions else ():
        digest = decision(reads)
        if digest in decisions:
            found.setdefault(digest, changed(reads, now))
        if len(found) == len(decisions):
            break
    return found


def _earlier(workspace: Workspace, judged: Proposal) -> Iterator[ReadSet]:
    """Yield what was decided on in each state that a promotion was in, the newest first."""
    repository, reader = workspace.repository, workspace.formats.record
    onto = judged.before.tree.commit
    assert onto is not None  # noqa: S101 - the base is a commit
    began = repository.merge_base(onto, judged.commits[-1].parents[0]) if _has_parent(judged) else None
    bases = [commit.id for commit, _ in repository.commits(onto if began is None else f"{began}..{onto}")]
    heads = [judged.head, *(commit.id for commit in judged.commits if commit.id != judged.head)]
    states = {one: Lifecycle(repository.tree(one), reader) for one in heads}
    before = {one: Lifecycle(repository.tree(one), reader) for one in [*bases, *([began] if began else [])]}
    for base, head in product(before, states):
        after = states[head]
        try:
            if after.promotion(judged.environment, judged.model) is not None:
                yield context_of(Proposal(judged.environment, judged.model, before[base], after, head, ())).reads()
        except MlgitError:
            continue  # a state in which something that it rests on was missing was never decided on


def _has_parent(judged: Proposal) -> bool:
    return bool(judged.commits) and bool(judged.commits[-1].parents)
