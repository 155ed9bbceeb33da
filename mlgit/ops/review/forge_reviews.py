"""Reviews of the pull request of a promotion: fetched from the forge, recorded on the ledger, and read from there later."""

import contextlib
from collections.abc import Mapping
from typing import Final

from msgspec.structs import replace

from mlgit.domain import layout
from mlgit.domain.approvals import People
from mlgit.domain.decision import decision
from mlgit.domain.forge import PullRequest
from mlgit.domain.names import CommitId, Digest, PromotionId
from mlgit.domain.records import Reviews
from mlgit.domain.records.ledger import VouchedCommit
from mlgit.domain.reviews import with_decisions
from mlgit.errors import Inconclusive, MlgitError
from mlgit.ops.kernel import ledger_branch
from mlgit.ops.kernel.appliers import Appliers, signed
from mlgit.ops.kernel.ledger import Ledger
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.ports.forge import Forge
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.review import pull_request_snapshots
from mlgit.ops.review.authorship import authorship_of
from mlgit.ops.review.context import context_of
from mlgit.ops.review.proposals import Proposal
from mlgit.ops.review.pull_request_snapshots import one_line

_MAX_VOUCHED: Final = 20  # unsigned commits that the forge is asked about, at two requests each


def with_fetched_reviews(workspace: Workspace, proposal: Proposal, *, merged: bool) -> Proposal:
    """Return a proposal with what the forge has now about its pull request; the reviewed commits are fetched.

    It is unchanged where the policy does not count reviews, the project has no forge, or there is no pull request.

    Args:
        workspace: where.
        proposal: the proposal.
        merged: whether it was merged; else its pull request has to be open.

    Raises:
        Inconclusive: the forge did not answer, refused, or gave an invalid response; or, after a merge, a reviewed
            commit is missing and the remote does not answer. None of this says anything about the proposal.
    """
    forge = workspace.forge() if proposal.policy.evidence == "forge" else None
    if forge is None:
        return proposal
    try:
        reviews = _fetch_reviews(workspace, forge, proposal, merged=merged)
    except MlgitError as error:
        raise Inconclusive(*error.findings) from error
    if reviews is None:
        return proposal
    # Before a merge, a review of a commit that a force push removed, and that the remote does not give out, does not count.
    with contextlib.suppress(*(() if merged else (Inconclusive,))):
        pull_request_snapshots.fetch_reviewed_commits(workspace.repository, reviews)
    return with_reviews(workspace, proposal, reviews, trust_recorded=False)


def with_recorded_reviews(
    workspace: Workspace, proposal: Proposal, recorded: Ledger, appliers: Appliers | None = None
) -> Proposal:
    """Return a proposal with the reviews that a ledger has of it; unchanged where it has none, or reviews do not count.

    Args:
        workspace: where.
        proposal: the proposal.
        recorded: the ledger.
        appliers: who must have signed the reviews; None to take them unsigned, as for display.
    """
    if proposal.policy.evidence != "forge":
        return proposal
    reviews = latest_reviews(recorded, proposal.manifest.promotion, appliers)
    return proposal if reviews is None else with_reviews(workspace, proposal, reviews, trust_recorded=True)


def with_reviews(workspace: Workspace, proposal: Proposal, reviews: Reviews, *, trust_recorded: bool) -> Proposal:
    """Return a proposal with reviews, each with the decision that the reviewed commit leads to.

    Without the head, the authors of the commits are unknown, so that no review has a decision.

    Args:
        workspace: where.
        proposal: the proposal.
        reviews: the reviews.
        trust_recorded: whether a review of a missing commit keeps the decision that was recorded with it; else it has none.
    """
    commits = pull_request_snapshots.present_commits(workspace.repository, reviews)
    decisions = {commit: _decision_at(workspace, proposal, commit) for commit in commits}
    return replace(proposal, reviews=with_decisions(reviews, decisions, trust_recorded=trust_recorded))


def latest_reviews(recorded: Ledger, promotion: PromotionId, appliers: Appliers | None = None) -> Reviews | None:
    """Return the newest reviews that a ledger has of a promotion, of those that an applier signed if `appliers` are given.

    None where it has none.
    """
    return pull_request_snapshots.latest(recorded, Reviews, layout.reviews(promotion), appliers)


def record_reviews(workspace: Workspace, proposal: Proposal) -> None:
    """Append the reviews of a proposal to the ledger, with the reviewed commits; signed if the current person is an applier.

    Raises:
        MlgitError: they cannot be appended (see `ledger.append`).
    """
    if proposal.reviews is not None:
        reviews = pull_request_snapshots.with_checks_and_rules(workspace, proposal.reviews)
        subject = f"Keep the reviews of {proposal.model} in {proposal.environment}"
        commits = commits_to_keep(workspace, proposal)

        def files(recorded: Ledger) -> Mapping[str, bytes]:
            return signed(
                workspace, proposal.before, proposal.environment, new_files(recorded, reviews), required=False
            )

        ledger_branch.append(workspace, files, subject, keeps=commits)


def new_files(recorded: Ledger, reviews: Reviews) -> Mapping[str, bytes]:
    """Return the file to add to a ledger for reviews; none where its newest file has the same content, and is signed."""
    return pull_request_snapshots.new_files(recorded, layout.reviews(reviews.promotion), reviews)


def commits_to_keep(workspace: Workspace, proposal: Proposal) -> list[CommitId]:
    """Return the reviewed commits that are here, and that nothing but the ledger would keep."""
    if proposal.reviews is None:
        return []
    return pull_request_snapshots.commits_to_keep(workspace.repository, proposal.reviews, proposal.head)


def _fetch_reviews(workspace: Workspace, forge: Forge, proposal: Proposal, *, merged: bool) -> Reviews | None:
    base = proposal.before.project().base
    find = _merged_pull_request if merged else _open_pull_request
    pull_request = find(forge, proposal, base)
    if pull_request is None:
        return None
    manifest = proposal.manifest
    subject = {"promotion": manifest.promotion, "environment": proposal.environment, "model": proposal.model}
    reviews = pull_request_snapshots.take(workspace, forge, Reviews, subject, pull_request)
    return replace(reviews, vouched=_vouched_commits(workspace, forge, proposal))


def _vouched_commits(workspace: Workspace, forge: Forge, proposal: Proposal) -> list[VouchedCommit]:
    """Return the pull requests by which unsigned commits that matter to the promotion came to the base branch.

    Those are the commit that registered the version, and what it was made from, where the policy excludes their authors. Few are
    asked about: where there are many, one that stays unknown has the same effect as all of them.
    """
    base = proposal.before.project().base
    unknown = authorship_of(workspace, proposal, People(proposal.before.roles())).unknown
    commits = list(dict.fromkeys(author.commit for author in unknown if author.part != "proposal"))
    found = []
    for commit in commits[:_MAX_VOUCHED]:
        merged = [pull for pull in forge.pull_requests_of(commit) if pull.base == base and pull.state == "merged"]
        pushers = forge.pushers(merged[0]) if merged else None
        if pushers:
            author = one_line(merged[0].author)
            logins = [one_line(login) or "" for login in pushers]
            found.append(VouchedCommit(commit=commit, pull_request=merged[0].number, author=author, pushers=logins))
    return found


def _open_pull_request(forge: Forge, proposal: Proposal, base: str) -> PullRequest | None:
    branch = layout.promotion_branch(proposal.environment, proposal.model)
    return next(iter(forge.pull_requests(branch=branch, base=base)), None)


def _merged_pull_request(forge: Forge, proposal: Proposal, base: str) -> PullRequest | None:
    """Return the pull request that merged a promotion: by the merge commit, or by a commit that it contained.

    A forge may also name a pull request that merely contained the commit, so the one whose merge commit it is goes first.
    Whichever is chosen, a review counts by the decision at the reviewed commit.
    """
    branch = layout.promotion_branch(proposal.environment, proposal.model)
    own_commits = {commit.id for commit in proposal.commits}
    named = pull_request_snapshots.merged_pull_requests(forge, [proposal.head], base)
    matching = [pull for pull in named if pull.merged_as == proposal.head] or [
        pull for pull in forge.pull_requests(branch=branch, base=base, state="all") if pull.head in own_commits
    ]
    chosen = next(iter([*matching, *named]), None)
    return None if chosen is None else forge.pull_request(chosen.number)  # a list lacks `merged_by`


def _decision_at(workspace: Workspace, proposal: Proposal, commit: CommitId) -> Digest | None:
    """Return the decision that a commit leads to, on the base of the proposal; None if it leads to none."""
    after = Lifecycle(workspace.repository.tree(commit), workspace.formats.record)
    try:
        if after.promotion(proposal.environment, proposal.model) is None:
            return None
        reviewed = Proposal(proposal.environment, proposal.model, proposal.before, after, commit, ())
        return decision(context_of(reviewed).reads())
    except Inconclusive:
        raise
    except MlgitError:
        return None  # a file that the decision depends on is missing or invalid there, so nobody could have approved it
