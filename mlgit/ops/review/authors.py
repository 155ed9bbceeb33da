"""Who wrote the code and the data that a version is made from, since the champion was made."""

from collections.abc import Iterator, Sequence

from mlgit.domain.names import CommitId
from mlgit.domain.records import Model, Version
from mlgit.ops.kernel import remote
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.model_inputs import ModelInputs, model_inputs
from mlgit.ops.kernel.ports.git import Commit, PathChange, Repository
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.kernel.snapshot import commit_of
from mlgit.ops.review.proposals import Proposal


def since_champion(workspace: Workspace, proposal: Proposal) -> Iterator[tuple[Commit, str]]:
    """Yield each commit that changed what the version is made from, newest first, with a path that it changed.

    A version is made from what the stages of its model and all stages upstream read, from what its model lists, and from the
    folders of its datasets. The commits are those that led to the version and that the champion does not have, on every line of
    history; all of them where there is no champion, or it cannot be told where that was made.

    Raises:
        MlgitError: the clone is shallow, so that some of them may be missing (`history-shallow`), or the pipeline cannot be read.
    """
    version, repository = proposal.version, workspace.repository
    if version is None:
        return
    repository.require_full_history()
    model = proposal.before.model(proposal.model)
    champion, tip = proposal.baseline, commit_of(proposal.before)
    made_at = _made_at(workspace, tip, version) or tip
    since = None if champion is None else _made_at(workspace, tip, champion)
    span = made_at if since is None else f"{since}..{made_at}"
    inputs = _inputs(workspace, made_at, version.model)
    datasets = dict.fromkeys([*model.datasets, *inputs.datasets, *version.inputs.data])
    paths = [*dict.fromkeys([*_reads(model), *inputs.code]), *(f"datasets/{name}" for name in datasets)]
    for commit, changes in repository.commits(span, paths=paths, first_parent=False):
        if changed := changed_by(repository, commit, changes):
            yield commit, changed[0]


def _made_at(workspace: Workspace, tip: CommitId, version: Version) -> CommitId | None:
    """Return the commit that a version was made at; None where it cannot be told.

    Whoever writes the record could state another commit, to hide their own changes: an earlier one for the version, or for the
    champion one that has what the next version is made from. So it is trusted only where the base branch has that commit and
    the commit has that code, which it does not after a squash.
    """
    repository, stated = workspace.repository, version.inputs.commit
    if repository.resolve(stated) is None or not remote.contains(repository, tip, stated):
        return None
    code = _inputs(workspace, stated, version.model).code_digest(repository.tree(stated))
    return stated if code == version.inputs.code else None


def _inputs(workspace: Workspace, commit: CommitId, model: str) -> ModelInputs:
    state = Lifecycle(workspace.repository.tree(commit), workspace.formats.record)
    return model_inputs(state, workspace.formats, state.model(model), has_stages=False)


def _reads(model: Model) -> list[str]:
    return [path.rstrip("/") for path in model.reads]


def changed_by(repository: Repository, commit: Commit, changes: Sequence[PathChange] | None = None) -> list[str]:
    """Return the paths that a commit itself changed; for a merge, those that differ from every parent.

    Args:
        repository: where.
        commit: the commit.
        changes: its changes against the first parent, or those of them to look at; None for all.
    """
    if changes is None:
        changes = repository.changes(commit.parents[0], commit.id)
    paths = [change.path for change in changes]
    for parent in commit.parents[1:]:
        differing = {change.path for change in repository.changes(parent, commit.id)}
        paths = [path for path in paths if path in differing]
    return paths
