"""Who agreed to a proposal: signed approvals and reviews, counted by the rules of the state before it."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from msgspec.structs import replace

from mlgit.domain import layout, reviews
from mlgit.domain.approvals import ApprovalResult, People, SignedVote, Vote, count_votes
from mlgit.domain.codec import digest, sha256
from mlgit.domain.formatting import utc_time_with_seconds
from mlgit.domain.names import Digest, PromotionId, proposed_at
from mlgit.domain.policy import approval_rule
from mlgit.domain.records import Approval, StandingApproval
from mlgit.domain.records.policy import Policy
from mlgit.errors import Inconclusive, MlgitError, refused
from mlgit.ops.kernel.ledger import Ledger
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.ports.git import Commit
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.review import authors
from mlgit.ops.review.proposals import Proposal

_UNASKED: Final = "no review of a pull request is among these"
_TWO_CLOCKS = timedelta(minutes=5)  # by how much two people's clocks may differ


def count_approvals(
    workspace: Workspace,
    proposal: Proposal,
    decided: Digest,
    found: Iterable[Vote] | None = None,
    *,
    ledger: Ledger,
) -> ApprovalResult:
    """Count the approvals of a decision, by the rules of the state before it.

    Args:
        workspace: where.
        proposal: what was decided on.
        decided: the digest of the decision.
        found: the approvals; those on the ledger, if None.
        ledger: where the approvals are.
    """
    policy = proposal.policy
    problem = proposal.before.problem_of(proposal.model)
    people = People(proposal.before.roles())
    counted = count_votes(
        votes_on(workspace, proposal, ledger) if found is None else found,
        decision=decided,
        rule=approval_rule(policy.approvals, proposal.manifest.change),
        risk=problem.risk,
        people=people,
        excluded=excluded(workspace, proposal, policy, people),
        standing_approval=None
        if proposal.manifest.standing_approval is None
        else proposal.manifest.standing_approval.digest,
    )
    unasked = policy.evidence == "forge" and proposal.reviews is None
    return replace(counted, missing=[*counted.missing, _UNASKED]) if counted.missing and unasked else counted


def excluded(workspace: Workspace, proposal: Proposal, policy: Policy, people: People) -> dict[str, str]:
    """Return the people whose word does not count here, each with the reason.

    Raises:
        MlgitError: the policy excludes who wrote the code and the data, and the clone is shallow (`history-shallow`).
    """
    version, commits = proposal.version, [*proposal.commits, *_squashed(workspace, proposal)]
    by_rule = {
        "lineage": authors.since_champion(workspace.repository, proposal) if "lineage" in policy.exclude else {},
        "trainer": {version.trained_by.email: "trained the version"} if version else {},
        "committers": {commit.committer_email: "committed to the promotion" for commit in commits},
        "author": {commit.author_email: "author of the promotion" for commit in commits},
    }
    found = {
        people.person(email): why
        for rule, emails in by_rule.items()
        if rule in policy.exclude
        for email, why in emails.items()
    }
    told = proposal.reviews
    if told is not None and told.author is not None and "author" in policy.exclude:
        found.setdefault(people.reviewer(told.author), f"opened pull request {told.pull_request}")
    return found


def _squashed(workspace: Workspace, proposal: Proposal) -> list[Commit]:
    """Return the commits of a pull request that its merge did not bring, for a squash names one person in place of all."""
    repository, told = workspace.repository, proposal.reviews
    if told is None or told.head in {proposal.head, *(commit.id for commit in proposal.commits)}:
        return []
    if repository.resolve(told.head) is None:
        return []
    span = f"{proposal.before.tree.commit}..{told.head}"
    return [commit for commit, _ in repository.commits(span, first_parent=False)]


def votes_on(workspace: Workspace, proposal: Proposal, ledger: Ledger) -> list[Vote]:
    """Return what was said on a promotion that its policy takes for evidence.

    That are the signed approvals on the ledger and, with `evidence: forge`, the reviews that the proposal
    comes with: a signature proves more than a review, and so counts where a review does.
    """
    evidence = proposal.policy.evidence
    if evidence == "none":
        return []
    told = proposal.reviews if evidence == "forge" else None
    return [
        *signed_approvals(workspace, proposal, ledger),
        *standing_votes(workspace, proposal, ledger),
        *(reviews.review_votes(told) if told else ()),
    ]


def standing_votes(workspace: Workspace, proposal: Proposal, ledger: Ledger) -> list[SignedVote]:
    """Return what the people of the standing approval that a promotion rests on have signed of it; nothing without one."""
    standing = standing_approval_of(proposal)
    if standing is None:
        return []
    signed, people = digest(standing), People(proposal.before.roles())
    return [
        one
        for one in signed_votes(workspace, proposal.before, standing.id, ledger)
        if one.decision == signed and one.person(people) in standing.people
    ]


def standing_approval_of(proposal: Proposal) -> StandingApproval | None:
    """Return the standing approval that a promotion rests on, as the base has it; None if none is of that id and digest."""
    ref = proposal.manifest.standing_approval
    there = () if ref is None else proposal.before.standing_approvals().values()
    return next((one for one in there if ref and (one.id, digest(one)) == (ref.id, ref.digest)), None)


def standing_approval_name(proposal: Proposal) -> str | None:
    """Return the name of the standing approval that a promotion rests on; None where it rests on none that is there."""
    standing = standing_approval_of(proposal)
    there = {} if standing is None else proposal.before.standing_approvals()
    return next((name for name, one in there.items() if one == standing), None)


def signed_approvals(workspace: Workspace, proposal: Proposal, ledger: Ledger) -> list[SignedVote]:
    """Return every approval of a promotion on the ledger, with what its signature proves."""
    return signed_votes(workspace, proposal.before, proposal.manifest.promotion, ledger)


def signed_votes(workspace: Workspace, before: Lifecycle, promotion: PromotionId, ledger: Ledger) -> list[SignedVote]:
    """Return every approval of a promotion, an override or a standing approval on the ledger, with what its signature proves.

    Args:
        workspace: where.
        before: the state whose signers count.
        promotion: the id of what was approved.
        ledger: where the approvals are.
    """
    signers = before.tree.read(layout.SIGNERS) or b""
    folder = layout.approvals(promotion)
    files = ledger.files(folder)
    appended = ledger.append_times(folder, workspace.repository) if files else {}
    found = []
    for path, content in files.items():
        if not path.endswith(".json"):
            continue
        approval = workspace.formats.record(path, content)
        assert isinstance(approval, Approval)  # noqa: S101 - by its path
        signature = files.get(f"{path}.sig", b"")
        try:
            key = workspace.signatures.verify(
                content, signature, signers=signers, principal=approval.by, at=approval.at
            )
            _check_time(approval, appended.get(path))
        except Inconclusive:
            raise
        except MlgitError as error:
            found.append(SignedVote(approval, sha256(content), None, error.findings[0].message))
        else:
            found.append(SignedVote(approval, sha256(content), key))
    return found


def _check_time(approval: Approval, appended: datetime | None) -> None:
    """The time in an approval is the signer's own word, and a key that expired could sign an earlier one.

    It has to lie between the making of the promotion and the commit that brought it to the ledger.
    """
    proposed = proposed_at(approval.promotion)
    if appended is None or not proposed - _TWO_CLOCKS <= approval.at <= appended + _TWO_CLOCKS:
        raise refused(
            "approval-time-invalid",
            "its time is not between the promotion and the ledger's commit",
            why=f"it says {utc_time_with_seconds(approval.at)}; the promotion is of {utc_time_with_seconds(proposed)}",
            fix="approve again, with a clock that is right",
        )
