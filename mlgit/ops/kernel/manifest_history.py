"""The manifests that a model had in an environment, one after the other."""

from mlgit.domain import layout
from mlgit.domain.records import Promotion
from mlgit.errors import Inconclusive, MlgitError
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.ports.workspace import Workspace


def manifest_history(workspace: Workspace, state: Lifecycle, environment: str, model: str) -> list[Promotion]:
    """Return every manifest of a model in an environment that the first-parent line to a state brought, oldest first.

    What was no manifest then promoted nothing, and is left out.

    Args:
        workspace: where.
        state: the state of a commit.
        environment: the environment.
        model: the model.

    Raises:
        MlgitError: the clone is shallow, so that some of them may be missing (`history-shallow`).
    """
    repository = workspace.repository
    repository.require_full_history()
    path = layout.promotion(environment, model)
    assert state.tree.commit is not None  # noqa: S101 - a state of a commit
    history = repository.commits(state.tree.commit, paths=[path])
    blobs = [change.after for _, changes in history for change in changes if change.path == path and change.after]
    found = []
    for content in repository.contents(reversed(blobs)):
        try:
            record = workspace.formats.record(path, content)
        except Inconclusive:
            raise
        except MlgitError:
            continue
        if isinstance(record, Promotion):
            found.append(record)
    return found
