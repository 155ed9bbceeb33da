"""The state of a moment: what the project wanted then, what the ledger had seen by then, and how it had come to be."""

from datetime import datetime

import msgspec

from mlgit.domain import layout
from mlgit.domain.names import CommitId
from mlgit.errors import refused
from mlgit.ops.kernel import remote
from mlgit.ops.kernel.ledger import Ledger
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.ports.workspace import Workspace


class Snapshot(msgspec.Struct, frozen=True):
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


def take_snapshot(workspace: Workspace, revision: str | None) -> Snapshot:
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
        name, state = base_of(workspace)
        return Snapshot(name, state, ledger_of(workspace), workspace.clock.now(), is_today=True)
    state = state_at(workspace, revision)
    commit = state.tree.commit
    assert commit is not None  # noqa: S101 - a state of a commit
    at = repository.revision_time(revision) or repository.commit_time(commit)
    return Snapshot(revision, state, ledger_of(workspace, at), at, is_today=False)


def base_of(workspace: Workspace) -> tuple[str, Lifecycle]:
    """Return the base branch and the state that it wants.

    The branch is the one that the project names at HEAD; where the remote's copy of it is further on the same line, as
    after `git fetch`, that one. A checkout that has neither (a detached one in CI, say) is read at HEAD itself.

    Raises:
        MlgitError: there is no commit yet (`no-commit`), or no project in it (`not-a-project`).
    """
    repository = workspace.repository
    require_commit(workspace)
    name = Lifecycle(repository.tree("HEAD"), workspace.formats.record).project().base
    commit = remote.newest(repository, f"refs/heads/{name}") or "HEAD"
    return name, Lifecycle(repository.tree(commit), workspace.formats.record)


def require_commit(workspace: Workspace) -> CommitId:
    """Return the commit at HEAD.

    Raises:
        MlgitError: there is none yet (`no-commit`).
    """
    head = workspace.repository.resolve("HEAD")
    if head is None:
        raise refused("no-commit", "there is no commit yet", fix="commit the project first: `git add -A && git commit`")
    return head


def state_at(workspace: Workspace, revision: str) -> Lifecycle:
    """Return the state at a commit, a branch, a tag or a date.

    Raises:
        MlgitError: there is no such commit (`revision-unknown`).
    """
    commit = workspace.repository.resolve(revision)
    if commit is None:
        raise refused(
            "revision-unknown",
            f"{revision} names no commit",
            why="it is no branch, tag, commit id, or date since the first commit",
            fix="`git log --oneline` and `git tag` list what there is",
        )
    return Lifecycle(workspace.repository.tree(commit), workspace.formats.record)


def ledger_of(workspace: Workspace, by: datetime | None = None) -> Ledger:
    """Return what was seen to happen, from the ledger branch or the remote's copy of it.

    Args:
        workspace: where.
        by: a moment; the ledger is then the one of that time. Today's, if None.
    """
    repository = workspace.repository
    tip = ledger_tip(workspace)
    if tip is not None and by is not None:
        tip = repository.last_commit_by(tip, by)
    return Ledger(None if tip is None else repository.tree(tip), workspace.formats.record)


def ledger_tip(workspace: Workspace) -> CommitId | None:
    """Return the newest commit of the ledger branch, here or as the remote's copy; None where there is neither."""
    return remote.newest(workspace.repository, layout.LEDGER)
