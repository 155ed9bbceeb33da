"""One snapshot of a project: its files at a commit, the ledger, and the time, read once and passed on.

A command takes one snapshot when it begins and evaluates everything on it. So a branch that moves in the meantime cannot make
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
from mlgit.ops.kernel.ports.git import Repository
from mlgit.ops.kernel.ports.workspace import Workspace


class Snapshot(msgspec.Struct, frozen=True):
    """The files of one commit, the ledger, and the time that rules are evaluated at."""

    name: str
    """The base branch, or the revision that was asked for."""
    state: Lifecycle
    """The files of the commit."""
    ledger: Ledger
    """The ledger; for a revision, as it was at `at`."""
    at: datetime
    """Now, in UTC; for a revision, the date that it states, or else when its commit was made."""
    is_current: bool
    """Whether this is the base branch as it is now."""

    @property
    def commit(self) -> CommitId:
        """The commit of `state`."""
        return commit_of(self.state)


def take_snapshot(workspace: Workspace, revision: str | None = None) -> Snapshot:
    """Return the snapshot of a revision, or of the base branch as it is now.

    Args:
        workspace: the workspace.
        revision: a commit, branch, tag or date; None for the base branch. The ledger of a date is that of the date itself,
            so it includes what was recorded after the last commit before the date.

    Raises:
        MlgitError: no commit has this name (`revision-unknown`), several have (`revision-ambiguous`), only this clone knows it
            (`revision-local`), or the repository has no commit or no project (`repository-empty`, `not-a-project`).
    """
    repository = workspace.repository
    if revision is None:
        name, state = base_of(workspace)
        return Snapshot(name, state, ledger_of(workspace), workspace.clock.now(), is_current=True)
    state = state_at(workspace, revision)
    at = repository.revision_time(revision) or repository.commit_time(commit_of(state))
    return Snapshot(revision, state, ledger_of(workspace, at), at, is_current=False)


def fetch_current(workspace: Workspace) -> None:
    """Fetch the base branch and the ledger from the remote. Branches of open promotions are not fetched.

    Raises:
        Inconclusive: the remote did not answer (`git-remote-unreachable`).
    """
    remote.fetch(workspace.repository, f"refs/heads/{base_branch(workspace)}", layout.LEDGER)


def base_branch(workspace: Workspace) -> str:
    """Return the name of the base branch, as the project at HEAD states it.

    Raises:
        MlgitError: there is no commit yet (`repository-empty`), or it has no project (`not-a-project`).
    """
    require_commit(workspace)
    return Lifecycle(workspace.repository.tree("HEAD"), workspace.formats.record).project().base


def base_of(workspace: Workspace) -> tuple[str, Lifecycle]:
    """Return the name of the base branch, and its state; `take_snapshot` has both, with the ledger and the time.

    If the remote-tracking ref is ahead of the branch, as after `git fetch`, the state is that of the former. A clone that has
    neither, such as a detached checkout in CI, is read at HEAD.

    Raises:
        MlgitError: there is no commit yet (`repository-empty`), or it has no project (`not-a-project`).
    """
    name = base_branch(workspace)
    return name, Lifecycle(workspace.repository.tree(_base_tip(workspace, name)), workspace.formats.record)


def commit_of(state: Lifecycle) -> CommitId:
    """Return the commit of a state, which must not be that of the work tree."""
    commit = state.tree.commit
    assert commit is not None  # noqa: S101 - callers pass the state of a commit
    return commit


def require_commit(workspace: Workspace) -> CommitId:
    """Return the commit at HEAD.

    Raises:
        MlgitError: there is none yet (`repository-empty`).
    """
    head = workspace.repository.resolve("HEAD")
    if head is None:
        raise refused(
            "repository-empty",
            "the repository has no commit yet",
            fix="commit the project first: `git add -A && git commit`",
        )
    return head


def state_at(workspace: Workspace, revision: str) -> Lifecycle:
    """Return the state at a commit, branch, tag or date.

    A date stands for the last commit that the base branch had by then, whatever is checked out.

    Raises:
        MlgitError: no commit has this name (`revision-unknown`), or several have (`revision-ambiguous`).
    """
    repository = workspace.repository
    time = repository.revision_time(revision)
    if time is None:
        commit = repository.resolve(revision)
    else:
        _require_only_a_date(repository, revision)
        commit = repository.last_commit_by(_base_tip(workspace, base_branch(workspace)), time)
    if commit is None:
        raise refused(
            "revision-unknown",
            f"there is no commit {revision}",
            why="it is not a branch, a tag, the id of a commit, or a date after the first commit",
            fix="run `git log --oneline` and `git tag` to list commits and tags",
        )
    return Lifecycle(repository.tree(commit), workspace.formats.record)


def ledger_of(workspace: Workspace, at: datetime | None = None) -> Ledger:
    """Return the ledger.

    Args:
        workspace: the workspace.
        at: a time, for the ledger as it was then; None for the ledger as it is now.
    """
    repository = workspace.repository
    tip = ledger_tip(workspace)
    if tip is not None and at is not None:
        tip = repository.last_commit_by(tip, at)
    return Ledger(None if tip is None else repository.tree(tip), workspace.formats.record)


def ledger_tip(workspace: Workspace) -> CommitId | None:
    """Return the newest commit of the ledger, of the local branch or of its remote-tracking ref; None without either."""
    return remote.newest(workspace.repository, layout.LEDGER)


def _base_tip(workspace: Workspace, name: str) -> CommitId:
    """Return the newest commit of the base branch; HEAD in a clone without it."""
    return remote.newest(workspace.repository, f"refs/heads/{name}") or require_commit(workspace)


def _require_only_a_date(repository: Repository, revision: str) -> None:
    """Refuse a date that is the name of a branch or a tag as well."""
    names = (f"refs/tags/{revision}", f"refs/heads/{revision}")
    named = [name for name in names if ":" not in name and repository.resolve(name) is not None]
    if named:
        raise refused(
            "revision-ambiguous",
            f"{revision} is a date, and the name of {named[0]}",
            why="they may stand for different commits",
            fix=f"write {named[0]}, or another time of that day, such as {revision[:10]}T23:59:58Z",
        )
