"""A promotion as it was merged: the commit that brought it, the state before, and the moment."""

from datetime import datetime

from mlgit.domain import layout
from mlgit.domain.records import Promotion
from mlgit.domain.rules.promotions import check_replaces
from mlgit.errors import Location, MlgitError, refused
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.ports.git import Commit
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.review import proposals
from mlgit.ops.review.proposals import Proposal


def find_merged(workspace: Workspace, base: Lifecycle, manifest: Promotion, *, first: bool) -> proposals.Proposal:
    """Return the proposal as it was merged: the first-parent commit that brought this manifest, against the one before.

    Where several did, because one was taken back and the other came again, it is the last of them: a way back is a change
    of its own, and nobody agreed to it. With `first` it is the first, which suffices for what runs already.
    """
    repository = workspace.repository
    path = layout.promotion(manifest.environment, manifest.model)
    assert base.tree.commit is not None  # noqa: S101 - the base is a commit
    found: tuple[Commit, Lifecycle] | None = None
    for commit, _ in repository.commits(base.tree.commit, paths=[path]):
        after = Lifecycle(repository.tree(commit.id), workspace.formats.record)
        if commit.parents and after.promotion(manifest.environment, manifest.model) == manifest:
            found = commit, after
            if not first:
                break
    if found is None:
        raise refused(
            "promotion-commit-missing",
            f"no commit of the base branch brings promotion {manifest.promotion}",
            why=f"{path} came with the first commit, so there is nothing that it was judged by",
            fix="propose the version with `mlgit promote`",
        )
    commit, after = found
    before = Lifecycle(repository.tree(commit.parents[0]), workspace.formats.record)
    brought = repository.commits(f"{commit.parents[0]}..{commit.id}", first_parent=False)
    commits = tuple(one for one, _ in brought if len(commit.parents) == 1 or one.id != commit.id)
    return proposals.Proposal(manifest.environment, manifest.model, before, after, commit.id, commits)


def check_not_reverted(found: proposals.Proposal) -> None:
    """Refuse a promotion that came back in the place of a later one, as by `git revert`.

    `mlgit rollback` would take the version that came back for the one to leave, so the later promotion has to come first.

    Raises:
        MlgitError: it did (`promotion-reverted`).
    """
    manifest, later = found.manifest, found.before.promotion(found.environment, found.model)
    if later is None or later.promotion <= manifest.promotion or not list(check_replaces(manifest, later)):
        return
    raise refused(
        "promotion-reverted",
        f"commit {found.head[:12]} takes {found.environment}/{found.model} back to promotion {manifest.promotion}",
        why=f"{later.promotion} came after it, and nobody agreed to the way back",
        fix=f"`git revert {found.head[:12]}`, then `mlgit rollback {found.environment}/{found.model} --reason ...`",
        at=Location(layout.promotion(found.environment, found.model)),
    )


def merge_time(workspace: Workspace, merged: proposals.Proposal) -> datetime:
    """Return the moment at which a merged promotion has to have held: when it was merged."""
    commit = next(iter(workspace.repository.commits(merged.head)))[0]
    return min(commit.at, workspace.clock.now())


def merged_as(
    workspace: Workspace, state: Lifecycle, manifest: Promotion, *, first: bool
) -> tuple[Commit, Proposal] | None:
    """Return the first-parent commit that brought a manifest, and the proposal as it was merged there; None if none did.

    Where several did, because it was taken back and came again, it is the one that counts for `mlgit apply`: the last, or
    with `first` the first, which suffices for what runs already.
    """
    try:
        found = find_merged(workspace, state, manifest, first=first)
    except MlgitError as error:
        if error.findings[0].id != "promotion-commit-missing":
            raise
        return None
    commit, _ = next(iter(workspace.repository.commits(found.head)))
    return commit, found
