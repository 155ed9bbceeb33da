"""Reviews of the pull request of a promotion: fetched from the forge, recorded on the ledger, and read from there later."""

import contextlib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from mlgit.domain import layout
from mlgit.domain.approvals import People
from mlgit.domain.codec import from_mapping, to_json
from mlgit.domain.decision import decision
from mlgit.domain.forge import ForgeReview, PullRequest
from mlgit.domain.names import CommitId, Digest, PromotionId
from mlgit.domain.records import Reviews
from mlgit.domain.records.ledger import VouchedCommit
from mlgit.domain.reviews import reviewed_commits, same_content, with_decisions
from mlgit.errors import Inconclusive, MlgitError, inconclusive
from mlgit.ops.kernel import ledger_branch, remote
from mlgit.ops.kernel.appliers import Appliers, signed
from mlgit.ops.kernel.ledger import Ledger
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.ports.forge import Forge
from mlgit.ops.kernel.ports.git import Repository
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.review.authorship import authorship_of
from mlgit.ops.review.context import context_of
from mlgit.ops.review.proposals import Proposal

_MAX_LINE: Final = 500  # characters of one value from a forge
# Commits that are fetched by their ids: each takes a fetch of its own, and a stranger may submit a thousand reviews of commits
# that are gone.
_MAX_SINGLE_FETCHES: Final = 20
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
        _fetch_reviewed_commits(workspace.repository, reviews)
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
    commits = [commit for commit in reviewed_commits(reviews) if workspace.repository.resolve(commit) is not None]
    if reviews.head not in commits:
        commits = []
    decisions = {commit: _decision_at(workspace, proposal, commit) for commit in commits}
    return replace(proposal, reviews=with_decisions(reviews, decisions, trust_recorded=trust_recorded))


def latest_reviews(recorded: Ledger, promotion: PromotionId, appliers: Appliers | None = None) -> Reviews | None:
    """Return the newest reviews that a ledger has of a promotion, of those that an applier signed if `appliers` are given.

    None where it has none.
    """
    for number in sorted(_numbers(recorded, promotion), reverse=True):
        path = layout.review_snapshot(promotion, number)
        reviews = recorded.find(Reviews, path)
        if reviews is not None and (appliers is None or appliers.problem(recorded, path, reviews) is None):
            return reviews
    return None


def record_reviews(workspace: Workspace, proposal: Proposal) -> None:
    """Append the reviews of a proposal to the ledger, with the reviewed commits; signed if the current person is an applier.

    Raises:
        MlgitError: they cannot be appended (see `ledger.append`).
    """
    if proposal.reviews is not None:
        reviews = with_checks_and_rules(workspace, proposal.reviews)
        subject = f"Keep the reviews of {proposal.model} in {proposal.environment}"
        commits = commits_to_keep(workspace, proposal)

        def files(recorded: Ledger) -> Mapping[str, bytes]:
            return signed(
                workspace, proposal.before, proposal.environment, new_files(recorded, reviews), required=False
            )

        ledger_branch.append(workspace, files, subject, keeps=commits)


def with_checks_and_rules(workspace: Workspace, reviews: Reviews) -> Reviews:
    """Return reviews with the checks on the head and the rules of the base branch, as far as the token may read them."""
    forge = workspace.forge()
    if forge is None:
        return reviews
    checks: list[dict[str, Any]] | None = None
    rules: dict[str, Any] | None = None
    with contextlib.suppress(MlgitError):  # they are for information, and the token may not be allowed to read them
        checks = [
            {"name": _one_line(check.name), "state": check.state, "by": _one_line(check.by)}
            for check in forge.checks(reviews.head)
        ]
    with contextlib.suppress(MlgitError):
        fields = msgspec.to_builtins(forge.branch_rules(reviews.base))
        rules = {name: value for name, value in fields.items() if name != "raw" and value is not None}
    return _to_record({**msgspec.to_builtins(reviews), "checks": checks, "rules": rules}, forge)


def new_files(recorded: Ledger, reviews: Reviews) -> Mapping[str, bytes]:
    """Return the file to add to a ledger for reviews; none where its newest file has the same content, and is signed."""
    last = latest_reviews(recorded, reviews.promotion)
    newest = max(_numbers(recorded, reviews.promotion), default=0)
    signature = layout.signature(layout.review_snapshot(reviews.promotion, newest))
    is_signed = recorded.tree is not None and recorded.tree.read(signature) is not None
    if last is not None and is_signed and same_content(last, reviews):
        return {}
    number = newest + 1
    return {layout.review_snapshot(reviews.promotion, number): to_json(reviews)}


def commits_to_keep(workspace: Workspace, proposal: Proposal) -> list[CommitId]:
    """Return the reviewed commits that are here, and that nothing but the ledger would keep."""
    repository = workspace.repository
    commits: list[CommitId] = []
    for commit in reviewed_commits(proposal.reviews) if proposal.reviews else ():
        if repository.resolve(commit) is None:
            continue
        if not any(remote.contains(repository, other, commit) for other in (proposal.head, *commits)):
            commits.append(commit)
    return commits


def _numbers(recorded: Ledger, promotion: PromotionId) -> list[int]:
    names = [] if recorded.tree is None else recorded.tree.names(layout.reviews(promotion))
    return [number for name in names if (number := layout.sequence_number(name)) is not None]


def _fetch_reviews(workspace: Workspace, forge: Forge, proposal: Proposal, *, merged: bool) -> Reviews | None:
    base = proposal.before.project().base
    find = _merged_pull_request if merged else _open_pull_request
    pull_request = find(forge, proposal, base)
    if pull_request is None:
        return None
    reviews = _new_record(workspace, forge, proposal, pull_request, forge.reviews(pull_request.number))
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
            author = _one_line(merged[0].author)
            logins = [_one_line(login) or "" for login in pushers]
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
    named = [pull for pull in forge.pull_requests_of(proposal.head) if pull.base == base and pull.state == "merged"]
    matching = [pull for pull in named if pull.merged_as == proposal.head] or [
        pull for pull in forge.pull_requests(branch=branch, base=base, state="all") if pull.head in own_commits
    ]
    chosen = next(iter([*matching, *named]), None)
    return None if chosen is None else forge.pull_request(chosen.number)  # a list lacks `merged_by`


def _new_record(
    workspace: Workspace,
    forge: Forge,
    proposal: Proposal,
    pull_request: PullRequest,
    reviews: Iterable[ForgeReview],
) -> Reviews:
    document = {
        "schema": 1,
        "promotion": proposal.manifest.promotion,
        "environment": proposal.environment,
        "model": proposal.model,
        "forge": forge.name,
        "repository": _one_line(forge.repository),
        "pull_request": pull_request.number,
        "url": _one_line(pull_request.url),
        "branch": _one_line(pull_request.branch),
        "base": _one_line(pull_request.base),
        "head": pull_request.head,
        "author": _one_line(pull_request.author),
        "pushers": None
        if (pushers := forge.pushers(pull_request)) is None
        else [_one_line(login) for login in pushers],
        "merged_as": pull_request.merged_as if pull_request.state == "merged" else None,
        "merged_by": _one_line(pull_request.merged_by),
        "reviews": [
            {
                "id": review.id,
                "login": _one_line(review.login),
                "verdict": review.verdict,
                "commit": review.commit,
                "at": review.at,
            }
            for review in reviews
        ],
        "by": _one_line(forge.token_login()) or forge.name,
        "at": workspace.clock.now(),
    }
    return _to_record(document, forge)


def _to_record(document: Mapping[str, Any], forge: Forge) -> Reviews:
    try:
        return from_mapping(Reviews, {"kind": "reviews", **document})
    except msgspec.ValidationError as error:
        raise inconclusive(
            "forge-response-invalid",
            f"{forge.name} gave invalid data about a pull request",
            why=str(error),
            fix="run the command again; if it fails again, this mlgit does not support the version of the forge",
        ) from error


def _one_line(text: str | None) -> str | None:
    """Return a text from a forge as one line of limited length; None for an empty one."""
    return re.sub(r"[\x00-\x1f\x7f]", "?", text)[:_MAX_LINE] if text else None


def _fetch_reviewed_commits(repository: Repository, reviews: Reviews) -> None:
    """Fetch the reviewed commits. One that a force push removed can be fetched by its id, if the remote allows that.

    Raises:
        Inconclusive: the remote did not answer.
    """
    if not remote.exists(repository):
        return
    local = f"refs/mlgit/pull/{reviews.pull_request}"
    commits = reviewed_commits(reviews)
    if _missing(repository, commits):
        # As a pattern, since a pattern that matches nothing is no error.
        heads = f"refs/pull/{reviews.pull_request}/head*"
        repository.fetch(remote.NAME, [f"+{heads}:{local}/head*"])
    for commit in _missing(repository, commits)[:_MAX_SINGLE_FETCHES]:
        with contextlib.suppress(MlgitError):
            repository.fetch(remote.NAME, [f"+{commit}:{local}/{commit}"])


def _missing(repository: Repository, commits: Sequence[CommitId]) -> list[CommitId]:
    return [commit for commit in commits if repository.resolve(commit) is None]


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
