"""The state of a moment: what the project wanted then, what the ledger had seen by then, and how it had come to be."""

from datetime import datetime

import msgspec

from mlgit.domain.names import CommitId
from mlgit.domain.records import Promotion
from mlgit.errors import MlgitError
from mlgit.ops import proposal
from mlgit.ops.load import Ledger, Lifecycle
from mlgit.ops.ports import Commit, Workspace
from mlgit.ops.proposal import Proposal


class Moment(msgspec.Struct, frozen=True):
    """The files of one commit, the ledger of the same time, and that time. `name` is how it was asked for."""

    name: str
    state: Lifecycle
    ledger: Ledger
    at: datetime
    is_today: bool

    @property
    def commit(self) -> CommitId:
        """The commit that the state is of."""
        commit = self.state.tree.commit
        assert commit is not None  # noqa: S101 - a state of a commit
        return commit


def look(workspace: Workspace, revision: str | None) -> Moment:
    """Return the state of a moment; of today, where none is named.

    Args:
        workspace: where.
        revision: a commit, a branch, a tag or a date; None for the base branch. The ledger is that of the date itself, which
            tells what happened since the last commit before it.

    Raises:
        MlgitError: there is no such commit (`revision-unknown`).
    """
    repository = workspace.repository
    if revision is None:
        name, state = proposal.base_of(workspace)
        return Moment(name, state, proposal.ledger_of(workspace), workspace.clock.now(), is_today=True)
    state = proposal.state_at(workspace, revision)
    commit = state.tree.commit
    assert commit is not None  # noqa: S101 - a state of a commit
    at = repository.moment(revision) or repository.commit_time(commit)
    return Moment(revision, state, proposal.ledger_of(workspace, at), at, is_today=False)


def merged_as(
    workspace: Workspace, state: Lifecycle, manifest: Promotion, *, first: bool
) -> tuple[Commit, Proposal] | None:
    """Return the first-parent commit that brought a manifest, and the proposal as it was merged there; None if none did.

    Where several did, because it was taken back and came again, it is the one that counts for `mlgit apply`: the last, or
    with `first` the first, which suffices for what runs already.
    """
    from mlgit.ops import merged  # noqa: PLC0415 - rules and gates, which a look at a state does without

    try:
        found = merged.find(workspace, state, manifest, first=first)
    except MlgitError as error:
        if error.findings[0].id != "promotion-unexplained":
            raise
        return None
    commit, _ = next(iter(workspace.repository.commits(found.head)))
    return commit, found
