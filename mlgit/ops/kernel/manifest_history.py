"""The manifests that a model has had in an environment."""

from mlgit.domain import layout
from mlgit.domain.records import Promotion
from mlgit.errors import Inconclusive, MlgitError
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.ports.workspace import Workspace


def manifest_history(workspace: Workspace, state: Lifecycle, environment: str, model: str) -> list[Promotion]:
    """Return every manifest of a model in an environment in the first-parent history of a commit, oldest first.

    What was not a valid manifest at its time, such as a link in its place, promoted nothing, and is left out.

    Args:
        workspace: the workspace.
        state: the state of that commit.
        environment: name of the environment.
        model: name of the model.

    Raises:
        MlgitError: the clone is shallow, so manifests may be missing (`history-shallow`).
    """
    repository = workspace.repository
    repository.require_full_history()
    path = layout.promotion(environment, model)
    assert state.tree.commit is not None  # noqa: S101 - a state of a commit
    history = repository.commits(state.tree.commit, paths=[path])
    blobs = [change.blob for _, changes in history for change in changes if change.path == path and change.blob]
    manifests = []
    for content in repository.contents(reversed(blobs)):
        try:
            record = workspace.formats.record(path, content)
        except Inconclusive:
            raise
        except MlgitError:
            continue
        if isinstance(record, Promotion):
            manifests.append(record)
    return manifests
