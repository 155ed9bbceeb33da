"""Who wrote the code and the data that a version is made from, since the champion was made."""

from collections.abc import Sequence

from mlgit.domain.codec import digest_of
from mlgit.domain.names import CommitId
from mlgit.domain.records import Model, Version
from mlgit.ops.kernel import remote
from mlgit.ops.kernel.ports.git import Commit, PathChange, Repository
from mlgit.ops.review.proposals import Proposal


def since_champion(repository: Repository, proposal: Proposal) -> dict[str, str]:
    """Return the address of everybody who changed what the version is made from, with the newest such change in words.

    What it is made from are the paths under `reads` and the folders of its datasets. Counted are the commits that led to the
    version and that the champion does not have, on every line of history; all of them, where there is no champion.

    Raises:
        MlgitError: the clone is shallow, so that some of them may be missing (`history-shallow`).
    """
    version = proposal.version
    if version is None:
        return {}
    repository.require_full_history()
    model = proposal.before.model(proposal.model)
    champion = proposal.compared
    made_at = _made_at(repository, proposal, model, version)
    known = champion is not None and repository.resolve(champion.inputs.commit) is not None
    span = f"{champion.inputs.commit}..{made_at}" if champion is not None and known else made_at
    paths = [*_reads(model), *(f"datasets/{name}" for name in model.datasets)]
    found: dict[str, str] = {}
    for commit, changes in repository.commits(span, paths=paths, first_parent=False):
        own = _own(repository, commit, changes)
        for email in (commit.author_email, commit.committer_email) if own else ():
            found.setdefault(email, f"changed {own[0]}, which the version is made from, in commit {commit.id[:12]}")
    return found


def _made_at(repository: Repository, proposal: Proposal, model: Model, version: Version) -> CommitId:
    """Return the commit that a version was made at.

    The record only states it. It is believed where the base branch has that commit and the commit has that code; otherwise,
    as after a squash or where somebody typed another, it is the whole base branch.
    """
    tip, stated = proposal.before.tree.commit, version.inputs.commit
    assert tip is not None  # noqa: S101 - the base is a commit
    if repository.resolve(stated) is None or not remote.contains(repository, tip, stated):
        return tip
    code = {entry.path: f"git:{entry.blob}" for entry in repository.tree(stated).entries(_reads(model))}
    return stated if digest_of(code) == version.inputs.code else tip


def _reads(model: Model) -> list[str]:
    return [path.rstrip("/") for path in model.reads]


def _own(repository: Repository, commit: Commit, changes: Sequence[PathChange]) -> list[str]:
    """Return the paths that a commit itself changed: in a merge, those that are as in none of its parents."""
    own = [change.path for change in changes]
    for parent in commit.parents[1:]:
        differing = {change.path for change in repository.changes(parent, commit.id)}
        own = [path for path in own if path in differing]
    return own
