"""Lower bounds of the times that a promotion claims: nothing is proposed or merged before what it rests on.

Whoever sets a clock back writes the time in the id of the promotion and in its commits. Each is held against what must have been
there before: the manifest that it replaces, the ledger that it names, the version, and the commits below its own.
"""

from collections.abc import Iterator
from datetime import datetime

from mlgit.domain import layout
from mlgit.domain.clocks import CLOCK_TOLERANCE
from mlgit.domain.formatting import utc_time_with_seconds
from mlgit.domain.names import CommitId, proposed_at
from mlgit.errors import Finding, Location
from mlgit.ops.kernel.base_history import BaseHistory
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.review.proposals import Proposal


def check_claimed_times(workspace: Workspace, proposal: Proposal, history: BaseHistory) -> Iterator[Finding]:
    """Check that a promotion, by its id and its commits, is not older than what it rests on.

    Args:
        workspace: where.
        proposal: the promotion.
        history: the times of the base branch.
    """
    manifest = proposal.manifest
    at = Location(layout.promotion(proposal.environment, proposal.model), path="promotion")
    proposed = proposed_at(manifest.promotion)
    for floor, what in _floors(workspace, proposal, history):
        if proposed + CLOCK_TOLERANCE < floor:
            yield _invalid(
                f"promotion {manifest.promotion} is dated {utc_time_with_seconds(proposed)}", what, floor, at
            )
    own = {commit.id: commit.at for commit in proposal.commits}
    for commit in proposal.commits:
        for parent in commit.parents:
            made = own.get(parent) or history.times.get(parent)
            if made is not None and commit.at + CLOCK_TOLERANCE < made:
                message = f"commit {commit.id[:12]} is dated {utc_time_with_seconds(commit.at)}"
                yield _invalid(message, f"commit {parent[:12]}, which it follows", made, at)


def check_merge_time(proposal: Proposal, merge: CommitId, at: datetime, history: BaseHistory) -> Iterator[Finding]:
    """Check that a promotion was not merged before the commits of the base branch that it was merged onto.

    Args:
        proposal: the promotion.
        merge: the commit of the base branch that merged it.
        at: the time that this commit states.
        history: the times of the base branch.
    """
    made = history.times.get(merge)
    if made is not None and at + CLOCK_TOLERANCE < made:
        location = Location(layout.promotion(proposal.environment, proposal.model))
        message = f"commit {merge[:12]} is dated {utc_time_with_seconds(at)}"
        yield _invalid(message, "a commit of the base branch below it", made, location)


def _floors(workspace: Workspace, proposal: Proposal, history: BaseHistory) -> Iterator[tuple[datetime, str]]:
    """Yield what must have been there when the promotion was proposed, each with its time."""
    repository, manifest = workspace.repository, proposal.manifest
    previous = proposal.before.promotion(proposal.environment, proposal.model)
    if previous is not None and previous.promotion != manifest.promotion:
        yield proposed_at(previous.promotion), f"promotion {previous.promotion}, which it replaces"
    if manifest.ledger is not None and repository.resolve(manifest.ledger) is not None:
        yield repository.commit_time(manifest.ledger), "the commit of the ledger that it names"
    version = proposal.version
    if version is not None:
        registered = history.added(layout.version(version.model, version.version))
        if registered is not None:
            yield registered, f"the commit that registered {version.model}@{version.version}"


def _invalid(message: str, what: str, floor: datetime, at: Location) -> Finding:
    return Finding(
        "promotion-time-invalid",
        f"{message}, before {what}",
        why=f"that is of {utc_time_with_seconds(floor)}; the clock of whoever did it was set back",
        fix="set the clock right, and propose it again",
        at=at,
    )
