"""Find a promotion by its name, open or merged, with the reviews of its pull request."""

from typing import Literal

import msgspec

from mlgit.domain import layout
from mlgit.domain.names import PromotionId
from mlgit.domain.records import DecisionRecord, Promotion
from mlgit.errors import MlgitError, refused
from mlgit.ops.kernel.ledger import Ledger
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.kernel.snapshot import Snapshot, commit_of
from mlgit.ops.review import forge_reviews, merged
from mlgit.ops.review.proposals import OpenProposals, Proposal

PromotionState = Literal["open", "merged"]


class FoundPromotion(msgspec.Struct, frozen=True):
    """A promotion, whether it is open or merged, and the ledger's decision record of a merged one."""

    state: PromotionState
    proposal: Proposal
    record: DecisionRecord | None


def find_promotion(workspace: Workspace, snapshot: Snapshot, name: str | None) -> FoundPromotion:
    """Return a promotion, with the reviews of its pull request where its policy counts reviews.

    Args:
        workspace: where.
        snapshot: the state and the ledger to search; open promotions are found only if it is the current one.
        name: an id, or `environment/model`: the open promotion, else the last one that was merged. If None, the only open one,
            or in an earlier state the newest one.

    Raises:
        MlgitError: there is no such promotion (`promotion-unknown`), or no name and several are open (`promotion-ambiguous`).
        Inconclusive: reviews count, and the forge does not answer.
    """
    if snapshot.is_current and (proposal := _find_open(workspace, snapshot, name)) is not None:
        proposal = forge_reviews.with_fetched_reviews(workspace, proposal, merged=False)
        return FoundPromotion("open", proposal, None)
    merged_proposal = _find_merged(workspace, snapshot.state, name)
    if merged_proposal is None:
        raise refused(
            "promotion-unknown",
            f"there is no promotion {name}" if name else "nothing was promoted yet",
            why="neither an open promotion nor a commit of the base branch has that id, or that environment and model",
            fix="`mlgit queue` lists open promotions, `mlgit log` merged ones",
        )
    proposal = _with_merged_reviews(workspace, merged_proposal, snapshot.ledger, ask_forge=snapshot.is_current)
    record = snapshot.ledger.find(DecisionRecord, layout.decision(proposal.manifest.promotion))
    return FoundPromotion("merged", proposal, record)


def _find_open(workspace: Workspace, snapshot: Snapshot, name: str | None) -> Proposal | None:
    open_proposals = OpenProposals(workspace, snapshot.state)
    if name is None:
        return open_proposals.find(None)
    for proposal in open_proposals.load_all():
        key = (proposal.environment, proposal.model)
        if name in {"/".join(key), layout.promotion_branch(*key), proposal.manifest.promotion}:
            return proposal
    return None


def _with_merged_reviews(workspace: Workspace, proposal: Proposal, ledger: Ledger, *, ask_forge: bool) -> Proposal:
    """Return a merged promotion with the reviews that the ledger has; where it has none yet, with those of the forge."""
    proposal = forge_reviews.with_recorded_reviews(workspace, proposal, ledger)
    if proposal.reviews is None and ask_forge:
        return forge_reviews.with_fetched_reviews(workspace, proposal, merged=True)
    return proposal


def _find_merged(workspace: Workspace, base: Lifecycle, name: str | None) -> Proposal | None:
    found = _find_in_state(base, name)
    if found is None and name is not None:
        found = find_in_history(workspace, base, name)
    if found is None:
        return None
    state, manifest = found
    try:
        return merged.find_merged(workspace, state, manifest, first=False)
    except MlgitError as error:
        if error.findings[0].id != "promotion-commit-missing":
            raise
        return None


def _find_in_state(state: Lifecycle, name: str | None) -> tuple[Lifecycle, Promotion] | None:
    """Return the manifest of a state that has the name; the newest if no name is given."""
    manifests = [
        manifest for key, manifest in state.promotions().items() if name in {None, "/".join(key), manifest.promotion}
    ]
    return (state, max(manifests, key=lambda manifest: manifest.promotion)) if manifests else None


def find_in_history(
    workspace: Workspace, state: Lifecycle, promotion: PromotionId
) -> tuple[Lifecycle, Promotion] | None:
    """Return the manifest with an id that was replaced since, with a state that has it; None if there never was one."""
    repository, reader = workspace.repository, workspace.formats.record
    for commit, changes in repository.commits(commit_of(state), paths=["environments"]):
        for change in changes:
            place = layout.parse_path(change.path)
            if place is None or place.kind != "promotion" or change.blob is None:
                continue
            tree = repository.tree(commit.id)
            if promotion.encode() not in (tree.read(change.path) or b""):
                continue  # much quicker than to parse every manifest there ever was
            earlier = Lifecycle(tree, reader)
            manifest = earlier.find(Promotion, change.path)
            if manifest is not None and manifest.promotion == promotion:
                return earlier, manifest
    return None
