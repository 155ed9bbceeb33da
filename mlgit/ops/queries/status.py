"""The status of a project, cached until a ref moves."""

import msgspec

from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.queries.status_outcome import Status


def run(workspace: Workspace, *, at: str | None = None) -> Status:
    """Return the desired state of the base branch, or of a commit, with the deployments in the ledger.

    The status follows from refs alone, unless there are open promotions or a policy limits the age of approvals: those depend on
    the time, so such a status is not cached.
    """
    key = None if at is not None else workspace.repository.state()
    cached = None if key is None else workspace.cache.get("status", key)
    if cached is not None:
        return msgspec.json.decode(cached, type=Status)
    from mlgit.ops.queries import overview  # noqa: PLC0415 - a cached status needs none of its imports

    status = overview.run(workspace, at=at)
    if key is not None and not status.open and all(row.approval_age is None for row in status.rows):
        workspace.cache.put("status", key, msgspec.json.encode(status))
    return status
