"""The open promotions in a status, each with the progress of its gates and approvals."""

from msgspec.structs import replace

from mlgit.errors import MlgitError
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.kernel.snapshot import Snapshot
from mlgit.ops.queries.status_outcome import OpenPromotion
from mlgit.ops.review.proposals import OpenProposals, Proposal, proposing_command
from mlgit.ops.review.verification import PromotionVerifier


def load_all(workspace: Workspace, snapshot: Snapshot) -> list[OpenPromotion]:
    """Return every open promotion against the state of a snapshot."""
    verifier = PromotionVerifier(workspace, snapshot.ledger, snapshot.at)
    return [_open_promotion(verifier, proposal) for proposal in OpenProposals(workspace, snapshot.state).load_all()]


def _subject(proposal: Proposal) -> str:
    """Return the version that a proposal is about; only its model if that cannot be read."""
    try:
        return proposal.subject
    except MlgitError:
        return proposal.model


def _open_promotion(verifier: PromotionVerifier, proposal: Proposal) -> OpenPromotion:
    """Return an open promotion with the progress of its gates and approvals, in words.

    Anyone can push a proposal, so one with invalid records must not make the status of all others fail.
    """
    place = f"{proposal.environment}/{proposal.model}"
    promotion = OpenPromotion(
        environment=proposal.environment,
        candidate=_subject(proposal),
        promotion=proposal.manifest.promotion,
        gates="",
        evaluated_at=None,
        approvals="cannot be counted",
        ready=False,
        is_stale=True,
        next=f"mlgit withdraw {place}",
    )
    try:
        verification = verifier.verify(proposal)
        report = proposal.report
    except MlgitError as error:
        return replace(promotion, gates=error.findings[0].message)
    results = report.results if report else []
    passed = sum(verdict.outcome in {"pass", "skip", "waived"} for verdict in results)
    gates = "ran there before" if proposal.manifest.change == "rollback" else f"{passed} of {len(results)}"
    if proposal.version is None:
        gates = "no new version"
    blocking = [*verification.problems, *verification.waits]
    missing = "; ".join(verification.approvals.missing)
    step = proposing_command(proposal) if verification.problems else f"mlgit approve {place}" if missing else None
    counted = f"{len(verification.approvals.counted)} of {verification.approvals.needed}"
    return replace(
        promotion,
        gates=blocking[0].message if blocking else gates,
        evaluated_at=report.at if report else None,
        approvals=f"lacks {missing}" if missing else counted,
        ready=verification.holds,
        is_stale=bool(verification.problems),
        next=f"mlgit merge {place}" if verification.holds else step,
    )
