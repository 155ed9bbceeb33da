"""Reviews of the pull request of a promotion: asked of the forge, kept on the ledger, read from there ever after."""

import contextlib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from mlgit.domain import layout
from mlgit.domain import reviews as rules
from mlgit.domain.codec import from_mapping, to_json
from mlgit.domain.decision import decision
from mlgit.domain.forge import ForgeReview, PullRequest
from mlgit.domain.names import CommitId, Digest, PromotionId
from mlgit.domain.records import Reviews
from mlgit.errors import Inconclusive, MlgitError, inconclusive
from mlgit.ops.kernel import ledger_branch, remote
from mlgit.ops.kernel.ledger import Ledger
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.ports.forge import Forge
from mlgit.ops.kernel.ports.git import Repository
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.review.context import context_of
from mlgit.ops.review.proposals import Proposal

_LONGEST = 500  # characters of what a forge says in one line
_MOST = (
    20  # commits that are fetched by their ids: one fetch each, and strangers may review what is gone a thousand times
)


def ask(workspace: Workspace, judged: Proposal, *, merged: bool) -> Proposal:
    """Return a proposal with what the forge tells of its pull request at this moment; the reviewed commits are fetched.

    It stays as it is where the policy takes no reviews for evidence, the project has no forge, or there is no pull request.

    Args:
        workspace: where.
        judged: the proposal.
        merged: whether it was merged; else its pull request has to be open.

    Raises:
        Unjudged: the forge did not answer, not as it should, or refused to: that says nothing of the proposal. Or, of what was
            merged, a commit that was looked at is not here and the remote does not answer: it would be called blocked.
    """
    forge = workspace.forge() if judged.policy.evidence == "forge" else None
    if forge is None:
        return judged
    try:
        told = _asked(workspace, forge, judged, merged=merged)
    except MlgitError as error:
        raise Inconclusive(*error.findings) from error
    if told is None:
        return judged
    # Before a merge, a review of a commit that a forced push took away, and that nobody gives out, merely does not count.
    with contextlib.suppress(*(() if merged else (Inconclusive,))):
        _fetch(workspace.repository, told)
    return known(workspace, judged, told, believed=False)


def recall(workspace: Workspace, judged: Proposal, there: Ledger) -> Proposal:
    """Return a proposal with what a ledger has of its pull request; as it is, where it has nothing or reviews do not count."""
    told = on_ledger(there, judged.manifest.promotion) if judged.policy.evidence == "forge" else None
    return judged if told is None else known(workspace, judged, told, believed=True)


def known(workspace: Workspace, judged: Proposal, told: Reviews, *, believed: bool) -> Proposal:
    """Return a proposal with what was told of its pull request, each review with the decision that it is of.

    Without the head, nobody can tell who made the commits, so that no review proves anything.

    Args:
        workspace: where.
        judged: the proposal.
        told: what was told.
        believed: whether a review of a commit that is not here is of the decision that was taken down with it; else of none.
    """
    here = [one for one in rules.reviewed(told) if workspace.repository.resolve(one) is not None]
    decisions = {one: _decided(workspace, judged, one) for one in (here if told.head in here else ())}
    return replace(judged, reviews=rules.decided(told, decisions, believed=believed))


def on_ledger(there: Ledger, promotion: PromotionId) -> Reviews | None:
    """Return what a ledger has of a promotion's pull request, the newest of it; None where it has nothing."""
    numbers = _numbers(there, promotion)
    return there.find(Reviews, f"{layout.reviews(promotion)}/{max(numbers)}.json") if numbers else None


def keep(workspace: Workspace, judged: Proposal) -> None:
    """Append what was told of a proposal's pull request to the ledger, with the commits that were looked at.

    Raises:
        MlgitError: it cannot be added (see `ledger.append`).
    """
    told = judged.reviews
    if told is not None:
        told = whole(workspace, told)
        subject = f"Keep the reviews of {judged.model} in {judged.environment}"
        ledger_branch.append(workspace, lambda there: new_files(there, told), subject, keeps=kept(workspace, judged))


def whole(workspace: Workspace, told: Reviews) -> Reviews:
    """Return what was told with the checks on the head and the rules of the base branch, as far as the forge tells them."""
    forge = workspace.forge()
    if forge is None:
        return told
    checks: list[dict[str, Any]] | None = None
    rules_: dict[str, Any] | None = None
    with contextlib.suppress(MlgitError):  # they prove nothing by themselves, and a token may see less than its person
        checks = [{"name": _line(one.name), "state": one.state, "by": _line(one.by)} for one in forge.checks(told.head)]
    with contextlib.suppress(MlgitError):
        said = msgspec.to_builtins(forge.rules(told.base))
        rules_ = {name: one for name, one in said.items() if name != "raw" and one is not None}
    return _record({**msgspec.to_builtins(told), "checks": checks, "rules": rules_}, forge)


def new_files(there: Ledger, told: Reviews) -> Mapping[str, bytes]:
    """Return the file to add to a ledger for what was told; none where its newest says the same."""
    last = on_ledger(there, told.promotion)
    if last is not None and rules.same(last, told):
        return {}
    number = max(_numbers(there, told.promotion), default=0) + 1
    return {f"{layout.reviews(told.promotion)}/{number}.json": to_json(told)}


def kept(workspace: Workspace, judged: Proposal) -> list[CommitId]:
    """Return the commits that were looked at, as far as they are here and would not be kept without the ledger."""
    repository = workspace.repository
    found: list[CommitId] = []
    for commit in rules.reviewed(judged.reviews) if judged.reviews else ():
        if repository.resolve(commit) is None:
            continue
        if not any(remote.contains(repository, other, commit) for other in (judged.head, *found)):
            found.append(commit)
    return found


def _numbers(there: Ledger, promotion: PromotionId) -> list[int]:
    names = [] if there.tree is None else there.tree.names(layout.reviews(promotion))
    return [number for name in names if (number := layout.sequence_number(name)) is not None]


def _open(forge: Forge, judged: Proposal, base: str) -> PullRequest | None:
    branch = layout.promotion_branch(judged.environment, judged.model)
    return next(iter(forge.pull_requests(branch=branch, base=base)), None)


def _merged(forge: Forge, judged: Proposal, base: str) -> PullRequest | None:
    """Return the pull request that brought a promotion: by the commit that it became, or by a commit that it brought.

    A forge may say that a pull request brought a commit which only passed through it, so the first word is that of the pull
    request itself. Whichever it is, a review counts by what the reviewed commit decides.
    """
    branch = layout.promotion_branch(judged.environment, judged.model)
    brought = {commit.id for commit in judged.commits}
    named = [one for one in forge.pull_requests_of(judged.head) if one.base == base and one.state == "merged"]
    found = [one for one in named if one.merged_as == judged.head]
    found = found or [one for one in forge.pull_requests(branch=branch, base=base, state="all") if one.head in brought]
    chosen = next(iter([*found, *named]), None)
    return None if chosen is None else forge.pull_request(chosen.number)  # a list leaves out who merged it


def _asked(workspace: Workspace, forge: Forge, judged: Proposal, *, merged: bool) -> Reviews | None:
    base = judged.before.project().base
    pull = _merged(forge, judged, base) if merged else _open(forge, judged, base)
    return None if pull is None else _told(workspace, forge, judged, pull, forge.reviews(pull.number))


def _told(
    workspace: Workspace, forge: Forge, judged: Proposal, pull: PullRequest, given: Iterable[ForgeReview]
) -> Reviews:
    document = {
        "schema": 1,
        "promotion": judged.manifest.promotion,
        "environment": judged.environment,
        "model": judged.model,
        "forge": forge.name,
        "repository": _line(forge.repository),
        "pull_request": pull.number,
        "url": _line(pull.url),
        "branch": _line(pull.branch),
        "base": _line(pull.base),
        "head": pull.head,
        "author": _line(pull.author),
        "merged_as": pull.merged_as if pull.state == "merged" else None,
        "merged_by": _line(pull.merged_by),
        "reviews": [
            {
                "id": one.id,
                "login": _line(one.login),
                "verdict": one.verdict,
                "commit": one.commit,
                "at": one.at,
            }
            for one in given
        ],
        "by": _line(forge.me()) or forge.name,
        "at": workspace.clock.now(),
    }
    return _record(document, forge)


def _record(document: Mapping[str, Any], forge: Forge) -> Reviews:
    try:
        return from_mapping(Reviews, {"kind": "reviews", **document})
    except msgspec.ValidationError as error:
        raise inconclusive(
            "forge-answer-odd",
            f"{forge.name} tells something of a pull request that cannot be",
            why=str(error),
            fix="run this again; if it stays so, the forge speaks another dialect than this mlgit",
        ) from error


def _line(said: str | None) -> str | None:
    """Return what a forge said as one line; None for nothing."""
    return re.sub(r"[\x00-\x1f\x7f]", "?", said)[:_LONGEST] if said else None


def _fetch(repository: Repository, told: Reviews) -> None:
    """Bring the commits that were looked at here. One that a forced push took away may be had by its id, or not at all.

    Raises:
        Unjudged: the remote did not answer.
    """
    if not remote.is_there(repository):
        return
    here = f"refs/mlgit/pull/{told.pull_request}"
    wanted = rules.reviewed(told)
    if _lacking(repository, wanted):
        theirs = f"refs/pull/{told.pull_request}/head"
        repository.fetch(
            remote.NAME, [f"+{theirs}*:{here}/head*"]
        )  # a pattern, since one that matches nothing is no error
    for commit in _lacking(repository, wanted)[:_MOST]:
        with contextlib.suppress(MlgitError):
            repository.fetch(remote.NAME, [f"+{commit}:{here}/{commit}"])


def _lacking(repository: Repository, commits: Sequence[CommitId]) -> list[CommitId]:
    return [commit for commit in commits if repository.resolve(commit) is None]


def _decided(workspace: Workspace, judged: Proposal, commit: CommitId) -> Digest | None:
    """Return the decision that a commit leads to, on the base that the proposal is held against; None if there is none."""
    after = Lifecycle(workspace.repository.tree(commit), workspace.formats.record)
    try:
        if after.promotion(judged.environment, judged.model) is None:
            return None
        return decision(
            context_of(Proposal(judged.environment, judged.model, judged.before, after, commit, ())).reads()
        )
    except Inconclusive:
        raise
    except MlgitError:
        return None  # something that it rests on is missing there, so that nobody could agree to it
