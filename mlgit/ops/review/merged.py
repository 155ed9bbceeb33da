"""Find a promotion as it was merged: the commit that added it, the state before, and the time."""

from datetime import datetime

from mlgit.domain import layout
from mlgit.domain.records import Promotion
from mlgit.domain.rules.promotions import check_replaces
from mlgit.errors import Location, refused
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.ports.git import Commit, Repository
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.kernel.snapshot import commit_of
from mlgit.ops.review.proposals import Proposal


def find_merged(workspace: Workspace, base: Lifecycle, manifest: Promotion, *, first: bool) -> Proposal:
    """Return a promotion as it was merged: at the first-parent commit that added its manifest, against the one before.

    Args:
        workspace: where.
        base: the state of a commit of the base branch.
        manifest: the manifest.
        first: which commit to take where several added it, because it was reverted and came back. True for the first, which is
            enough for what runs already; else the last, since nobody approved that it comes back.

    Raises:
        MlgitError: no commit added it (`promotion-commit-missing`).
    """
    repository = workspace.repository
    path = layout.promotion(manifest.environment, manifest.model)
    match: tuple[Commit, Lifecycle] | None = None
    for commit, _ in repository.commits(commit_of(base), paths=[path]):
        after = Lifecycle(repository.tree(commit.id), workspace.formats.record)
        if commit.parents and after.promotion(manifest.environment, manifest.model) == manifest:
            match = commit, after
            if not first:
                break
    if match is None:
        raise refused(
            "promotion-commit-missing",
            f"no commit of the base branch adds promotion {manifest.promotion}",
            why=f"{path} is in the first commit, so there are no rules from before that it could follow",
            fix="propose the version with `mlgit promote`",
        )
    commit, after = match
    before = Lifecycle(repository.tree(commit.parents[0]), workspace.formats.record)
    return Proposal(manifest.environment, manifest.model, before, after, commit.id, merged_commits(repository, commit))


def merged_commits(repository: Repository, commit: Commit) -> tuple[Commit, ...]:
    """Return the commits that a first-parent commit added to the base branch.

    A merge commit is not among them: whoever merges is no author of what is merged. If the merge itself changes a file, that
    changes the decision.
    """
    added = repository.commits(f"{commit.parents[0]}..{commit.id}", first_parent=False)
    return tuple(other for other, _ in added if len(commit.parents) == 1 or other.id != commit.id)


def check_not_reverted(proposal: Proposal) -> None:
    """Refuse a promotion that replaced a later one, as after `git revert`.

    `mlgit rollback` replaces what the manifest names now, so the later promotion has to be restored first.

    Raises:
        MlgitError: it did (`promotion-reverted`).
    """
    manifest, later = proposal.manifest, proposal.before.promotion(proposal.environment, proposal.model)
    if later is None or later.promotion <= manifest.promotion or not list(check_replaces(manifest, later)):
        return
    name = f"{proposal.environment}/{proposal.model}"
    raise refused(
        "promotion-reverted",
        f"commit {proposal.head[:12]} reverts {name} to promotion {manifest.promotion}",
        why=f"{later.promotion} came after it, and nobody approved the change back",
        fix=f"`git revert {proposal.head[:12]}`, then `mlgit rollback {name} --reason ...`",
        at=Location(layout.promotion(proposal.environment, proposal.model)),
    )


def merge_time(workspace: Workspace, merged: Proposal) -> datetime:
    """Return when a promotion was merged, the time as of which its merge rules are checked."""
    commit = next(iter(workspace.repository.commits(merged.head)))[0]
    return min(commit.at, workspace.clock.now())  # the clock of whoever merged may be ahead
