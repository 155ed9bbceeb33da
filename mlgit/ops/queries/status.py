"""Answer `mlgit status`: a pure function of refs, so the answer is kept until one of them moves."""

import msgspec

from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.queries.status_outcome import Status


def run(workspace: Workspace, *, at: str | None = None) -> Status:
    """Return the desired state of the base branch (or of a commit) beside the deployments that the ledger has.

    Open promotions and the age of approvals depend on the clock as well, so an answer with either is not kept.
    """
    key = None if at is not None else workspace.repository.state()
    kept = None if key is None else workspace.cache.get("status", key)
    if kept is not None:
        return msgspec.json.decode(kept, type=Status)
    from mlgit.ops.queries import overview  # noqa: PLC0415 - reads records, which a kept answer needs none of

    found = overview.run(workspace, at=at)
    if key is not None and not found.open and all(row.approval_age is None for row in found.rows):
        workspace.cache.put("status", key, msgspec.json.encode(found))
    return found
