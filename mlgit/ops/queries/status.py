"""The status of a project, cached until something that it is made of changes."""

import msgspec

from mlgit.domain import layout
from mlgit.ops.kernel import remote
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.queries.status_outcome import PROPOSALS, Status

_ENTRIES = (layout.PROJECT, "environments", "models", "policies", "problems", "holds")
_LEDGER_ENTRIES = ("deployments", "decisions")


def run(workspace: Workspace, *, at: str | None = None) -> Status:
    """Return the desired state of the base branch, or of a commit, with the deployments in the ledger.

    A status is made of a few folders of one commit and of the ledger. It is cached by their ids, unless there are open
    promotions or a policy limits the age of approvals: those depend on the time.
    """
    found = _commits(workspace, at)
    name = "status" if at is None else "status-at"
    key = None if found is None else _key(workspace, found, at)
    cached = None if key is None else workspace.cache.get(name, key)
    if found is not None and cached is not None:
        status = msgspec.json.decode(cached, type=Status)
        return msgspec.structs.replace(status, branch=found.branch, commit=found.commit)
    from mlgit.ops.queries import overview  # noqa: PLC0415 - a cached status needs none of its imports

    status = overview.run(workspace, at=at)
    if at is None:
        _remember_base(workspace, status.branch)
        found = _commits(workspace, at)
        key = None if found is None else _key(workspace, found, at)
    if key is not None and not status.open and all(row.approval_age is None for row in status.rows):
        workspace.cache.put(name, key, msgspec.json.encode(status))
    return status


class _Commits(msgspec.Struct, frozen=True):
    """The commits that a status is read from."""

    branch: str
    commit: str
    ledger: str | None


def _commits(workspace: Workspace, at: str | None) -> _Commits | None:
    """Return the commits that a status is read from; None if that cannot be told without parsing a record."""
    repository = workspace.repository
    ledger = remote.newest(repository, layout.LEDGER)
    if at is not None:
        commit = repository.resolve(at)
        if commit is None:
            return None
        time = repository.revision_time(at) or repository.commit_time(commit)
        return _Commits(at, commit, None if ledger is None else repository.last_commit_by(ledger, time))
    project = _project(workspace)
    branch = None if project is None else workspace.cache.get("base-branch", project)
    if branch is None:
        return None
    base = remote.newest(repository, f"refs/heads/{branch.decode()}") or repository.resolve("HEAD")
    return None if base is None else _Commits(branch.decode(), base, ledger)


def _key(workspace: Workspace, commits: _Commits, at: str | None) -> str:
    """Return the ids of everything that a status is made of."""
    repository = workspace.repository
    ids = repository.entry_ids(commits.commit, _ENTRIES)
    if commits.ledger is not None:
        ids = [*ids, *repository.entry_ids(commits.ledger, _LEDGER_ENTRIES)]
    # Whatever proposes a promotion may be open. A revision has none; as of a later one, approvals are older.
    more = [line for line in repository.state().splitlines() if PROPOSALS in line] if at is None else []
    return "\n".join([*map(str, ids), *more])


def _project(workspace: Workspace) -> str | None:
    """Return the id of the project file at HEAD, which names the base branch; None if there is none."""
    repository = workspace.repository
    head = repository.resolve("HEAD")
    return None if head is None else repository.entry_ids(head, [layout.PROJECT])[0]


def _remember_base(workspace: Workspace, branch: str) -> None:
    project = _project(workspace)
    if project is not None:
        workspace.cache.put("base-branch", project, branch.encode())
