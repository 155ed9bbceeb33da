"""Reviews of the pull request of a change of rules: fetched from the forge, recorded on the ledger, and read from there later."""

import contextlib
from collections.abc import Mapping
from itertools import islice
from typing import Final

from msgspec.structs import replace

from mlgit.domain import layout
from mlgit.domain.forge import PullRequest
from mlgit.domain.names import Digest
from mlgit.domain.records import RuleReviews
from mlgit.domain.reviews import with_decisions
from mlgit.domain.rule_files import FOLDERS
from mlgit.errors import Inconclusive, MlgitError
from mlgit.ops.kernel import ledger_branch
from mlgit.ops.kernel.appliers import Appliers, require_applier, signed
from mlgit.ops.kernel.ledger import Ledger
from mlgit.ops.kernel.ports.forge import Forge
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.kernel.snapshot import Snapshot
from mlgit.ops.review import pull_request_snapshots
from mlgit.ops.review.rule_changes import (
    RuleChange,
    decision_at,
    described,
    merged_rule_change,
    rule_blobs,
    verify,
)

_MAX_LOOKED_AT: Final = (
    20  # pull requests whose content is compared, and commits of a change that the forge is asked about
)
_MAX_RECORDED: Final = 20  # commits that changed rules, the newest first, whose reviews one run records


def with_fetched_reviews(
    workspace: Workspace, change: RuleChange, *, merged: bool, number: int | None = None
) -> RuleChange:
    """Return a change of rules with what the forge has now about its pull request; the reviewed commits are fetched.

    It is unchanged where reviews do not count, the project has no forge, or there is no pull request.

    Args:
        workspace: where.
        change: the change.
        merged: whether it was merged; else its pull request has to be open.
        number: the number of its open pull request; None to look for it.

    Raises:
        Inconclusive: as `forge_reviews.with_fetched_reviews`.
    """
    forge = workspace.forge() if counts_reviews(change) else None
    if forge is None:
        return change
    try:
        pull_request = (
            _merged_pull_request(forge, change) if merged else _open_pull_request(workspace, forge, change, number)
        )
        if pull_request is None:
            return change
        subject = {"decision": change.decision}
        reviews = pull_request_snapshots.take(workspace, forge, RuleReviews, subject, pull_request)
    except MlgitError as error:
        raise Inconclusive(*error.findings) from error
    # Before a merge, a review of a commit that a force push removed, and that the remote does not give out, does not count.
    with contextlib.suppress(*(() if merged else (Inconclusive,))):
        pull_request_snapshots.fetch_reviewed_commits(workspace.repository, reviews)
    return with_reviews(workspace, change, reviews, trust_recorded=False)


def with_recorded_reviews(
    workspace: Workspace, change: RuleChange, recorded: Ledger, appliers: Appliers | None = None
) -> RuleChange:
    """Return a change of rules with the reviews that a ledger has of it; unchanged where it has none, or they do not count.

    Args:
        workspace: where.
        change: the change.
        recorded: the ledger.
        appliers: who must have signed the reviews; None to take them unsigned, as for display.
    """
    if not counts_reviews(change):
        return change
    folder = layout.rule_reviews(change.decision)
    reviews = pull_request_snapshots.latest(recorded, RuleReviews, folder, appliers)
    return change if reviews is None else with_reviews(workspace, change, reviews, trust_recorded=True)


def with_reviews(workspace: Workspace, change: RuleChange, reviews: RuleReviews, *, trust_recorded: bool) -> RuleChange:
    """Return a change of rules with reviews, each with the decision that the reviewed commit leads to.

    Args:
        workspace: where.
        change: the change.
        reviews: the reviews.
        trust_recorded: whether a review of a missing commit keeps the decision that was recorded with it; else it has none.
    """
    commits = pull_request_snapshots.present_commits(workspace.repository, reviews)
    decisions: Mapping[str, Digest | None] = {commit: decision_at(workspace, change, commit) for commit in commits}
    return replace(change, reviews=with_decisions(reviews, decisions, trust_recorded=trust_recorded))


def counts_reviews(change: RuleChange) -> bool:
    """Tell whether reviews count for a change of rules."""
    return change.requirement.needed > 0 and change.requirement.evidence == "forge"


def record_reviews(workspace: Workspace, change: RuleChange) -> None:
    """Append the reviews of a change to the ledger, with the reviewed commits; signed if the current person is an applier.

    Raises:
        MlgitError: they cannot be appended (see `ledger.append`).
    """
    if change.reviews is None:
        return
    reviews = pull_request_snapshots.with_checks_and_rules(workspace, change.reviews)
    folder = layout.rule_reviews(change.decision)
    commits = pull_request_snapshots.commits_to_keep(workspace.repository, reviews, change.head)

    def files(recorded: Ledger) -> Mapping[str, bytes]:
        new = pull_request_snapshots.new_files(recorded, folder, reviews)
        return signed(workspace, change.before, None, new, required=False)

    subject = f"Keep the reviews of the change of {described(change)}"
    ledger_branch.append(workspace, files, subject, keeps=commits)


def record_merged(workspace: Workspace, snapshot: Snapshot) -> None:
    """Record the reviews of changes of rules that were merged at the forge, as far as the ledger does not prove these already.

    Raises:
        MlgitError: the current person is no applier, so that what they record proves nothing; or the ledger cannot be
            appended to.
        Inconclusive: the forge did not answer.
    """
    if snapshot.state.project().forge == "none":
        return
    require_applier(workspace, snapshot.state)
    appliers = Appliers(workspace, snapshot.commit)
    history = workspace.repository.commits(snapshot.commit, paths=FOLDERS)
    changed = (commit for commit, changes in history if rule_blobs(changes))
    for commit in islice(changed, _MAX_RECORDED):
        try:
            change = merged_rule_change(workspace, commit)
            if change is None or not counts_reviews(change):
                continue
            recorded = with_recorded_reviews(workspace, change, snapshot.ledger, appliers)
            if not verify(workspace, recorded, snapshot.ledger).approvals.complete:
                record_reviews(workspace, with_fetched_reviews(workspace, change, merged=True))
        except Inconclusive:
            raise
        except MlgitError:
            continue  # the audit reports it


def _open_pull_request(
    workspace: Workspace, forge: Forge, change: RuleChange, number: int | None
) -> PullRequest | None:
    """Return the open pull request of a change: by its number or branch, or else one that has its commits or proposes the same.

    Whichever is chosen, a review counts by the decision at the reviewed commit.
    """
    base = change.before.project().base
    if number is not None:
        found = forge.pull_request(number)
        return found if found.state == "open" and found.base == base else None
    named = forge.pull_requests(branch=change.name, base=base)
    if named:
        return named[0]
    pulls = forge.pull_requests(base=base)
    own = {commit.id for commit in change.commits}
    same = next((pull for pull in pulls if pull.head in own), None)
    here = [pull for pull in pulls if workspace.repository.resolve(pull.head) is not None][:_MAX_LOOKED_AT]
    return same or next((pull for pull in here if decision_at(workspace, change, pull.head) == change.decision), None)


def _merged_pull_request(forge: Forge, change: RuleChange) -> PullRequest | None:
    """Return the pull request that merged a change: by the merge commit, or by a commit that it contained."""
    commits = dict.fromkeys([change.head, *(commit.id for commit in change.commits)])
    base = change.before.project().base
    found = pull_request_snapshots.merged_pull_requests(forge, list(commits)[:_MAX_LOOKED_AT], base)
    return forge.pull_request(found[0].number) if found else None  # a list lacks `merged_by`
