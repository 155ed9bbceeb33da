"""What changed since a stale vote: the parts of the decision that are different now."""

from collections.abc import Collection, Iterator
from itertools import islice, product
from typing import Final

from mlgit.domain.decision import ReadSet, changed, decision
from mlgit.domain.names import Digest
from mlgit.errors import MlgitError
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.kernel.snapshot import commit_of
from mlgit.ops.review.context import context_of
from mlgit.ops.review.proposals import Proposal

_MAX_STATES: Final = 200
"""Pairs of a commit of the branch and one of the base branch that are searched."""


def changes_since_votes(
    workspace: Workspace, proposal: Proposal, reads: ReadSet, decisions: Collection[Digest]
) -> dict[Digest, list[str]]:
    """Return, for each earlier decision on a promotion, what it depended on that is different now.

    A vote has only the digest of its decision. So the decision is computed again for the states that the branch and the base
    branch have been in since the branch began, the newest first, until one gives that digest.

    Args:
        workspace: where.
        proposal: the promotion as it is now.
        reads: what its decision depends on now.
        decisions: the earlier decisions; one that no searched state gives is left out of the result.
    """
    changes: dict[Digest, list[str]] = {}
    if not decisions:
        return changes
    for earlier in islice(_earlier_read_sets(workspace, proposal), _MAX_STATES):
        digest = decision(earlier)
        if digest in decisions:
            changes.setdefault(digest, changed(earlier, reads))
        if len(changes) == len(decisions):
            break
    return changes


def _earlier_read_sets(workspace: Workspace, proposal: Proposal) -> Iterator[ReadSet]:
    """Yield what the decision depended on in each state of the branch and the base branch, the newest first."""
    repository, reader = workspace.repository, workspace.formats.record
    base = commit_of(proposal.before)
    first_parents = proposal.commits[-1].parents if proposal.commits else ()
    began = repository.merge_base(base, first_parents[0]) if first_parents else None
    base_commits = [commit.id for commit, _ in repository.commits(base if began is None else f"{began}..{base}")]
    if began:
        base_commits.append(began)
    heads = [proposal.head, *(commit.id for commit in proposal.commits if commit.id != proposal.head)]
    before_states = {commit: Lifecycle(repository.tree(commit), reader) for commit in base_commits}
    after_states = {commit: Lifecycle(repository.tree(commit), reader) for commit in heads}
    for base_commit, head in product(before_states, after_states):
        before, after = before_states[base_commit], after_states[head]
        try:
            if after.promotion(proposal.environment, proposal.model) is not None:
                yield context_of(Proposal(proposal.environment, proposal.model, before, after, head, ())).reads()
        except MlgitError:
            continue  # nobody can have approved a state with a missing or invalid record
