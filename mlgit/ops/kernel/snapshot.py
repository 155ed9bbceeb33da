"""One snapshot of a project: its files at a commit, the ledger, and the time, read once and passed on.

A command takes one snapshot when it begins and judges everything by it, so that a branch that moves meanwhile cannot make
two of its answers contradict each other (the idea of the trusted metadata set in python-tuf,
https://theupdateframework.readthedocs.io).
"""

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
    """The files of one commit, the ledger of the same time, and that time.

    `name` is the base branch, or the revision that was asked for. `is_current` tells whether it is of the base branch as it
    is now.
    """

    name: str
    state: Lifecycle
    ledger: Ledger
    at: datetime
    is_current: bool

    @property
    def commit(self) -> CommitId:
        """The commit that the files are of."""
        return commit_of(self.state)


def take_snapshot(workspace: Workspace, revision: str | None = None) -> Snapshot:
    """Return the snapshot of a revision, or of the base branch as it is now.

    Args:
        workspace: where.
        revision: a commit, a branch, a tag or a date; None for the base branch. The ledger of a date is that of the date
            itself, which has what happened since the last commit before it.

    Raises:
        MlgitError: there is no such commit (`revision-unknown`), or no project in it (`not-a-project`).
    """
    repository = workspace.repository
    if revision is None:
        name, state = base_of(workspace)
        return Snapshot(name, state, ledger_of(workspace), workspace.clock.now(), is_current=True)
    state = state_at(workspace, revision)
    at = repository.revision_time(revision) or repository.commit_time(commit_of(state))
    return Snapshot(revision, state, ledger_of(workspace, at), at, is_current=False)


def fetch_current(workspace: Workspace) -> None:
    """Fetch the base branch and the ledger from the remote; proposals stay as they were seen here.

    Raises:
        Inconclusive: the remote did not answer (`git-remote-unreachable`).
    """
    remote.fetch(workspace.repository, f"refs/heads/{base_branch(workspace)}", layout.LEDGER)


def base_branch(workspace: Workspace) -> str:
    """Return the base branch that the project names at HEAD.

    Raises:
        MlgitError: there is no commit yet (`repository-empty`), or no project in it (`not-a-project`).
    """
    require_commit(workspace)
    return Lifecycle(workspace.repository.tree("HEAD"), workspace.formats.record).project().base


def base_of(workspace: Workspace) -> tuple[str, Lifecycle]:
    """Return the base branch and its state.

    Where the remote's copy of the branch is ahead on the same line, as after `git fetch`, it is that one. A checkout that has
    neither (a detached one in CI, say) is read at HEAD itself.

    Raises:
        MlgitError: there is no commit yet (`repository-empty`), or no project in it (`not-a-project`).
    """
    name = base_branch(workspace)
    commit = remote.newest(workspace.repository, f"refs/heads/{name}") or "HEAD"
    return name, Lifecycle(workspace.repository.tree(commit), workspace.formats.record)


def commit_of(state: Lifecycle) -> CommitId:
    """Return the commit that a state was read from."""
    commit = state.tree.commit
    assert commit is not None  # noqa: S101 - callers pass the state of a commit, never that of the work tree
    return commit


def require_commit(workspace: Workspace) -> CommitId:
    """Return the commit at HEAD.

    Raises:
        MlgitError: there is none yet (`repository-empty`).
    """
    head = workspace.repository.resolve("HEAD")
    if head is None:
        raise refused(
            "repository-empty", "there is no commit yet", fix="commit the project first: `git add -A && git commit`"
        )
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
    """Return the ledger, from its branch or the remote's copy of it.

    Args:
        workspace: where.
        by: a time; the ledger is then as it was at that time. As it is now, if None.
    """
    repository = workspace.repository
    tip = ledger_tip(workspace)
    if tip is not None and by is not None:
        tip = repository.last_commit_by(tip, by)
    return Ledger(None if tip is None else repository.tree(tip), workspace.formats.record)


def ledger_tip(workspace: Workspace) -> CommitId | None:
    """Return the newest commit of the ledger branch, here or as the remote's copy; None where there is neither."""
    return remote.newest(workspace.repository, layout.LEDGER)
