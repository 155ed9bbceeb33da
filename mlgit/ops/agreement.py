"""Who agreed to a proposal: the signed approvals on the ledger, counted by the rules of the state before it."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from mlgit.domain import layout
from mlgit.domain.approvals import Directory, Signed, Tally, count
from mlgit.domain.codec import sha256
from mlgit.domain.names import Digest, PromotionId, proposed_at
from mlgit.domain.policy import rule_for
from mlgit.domain.records import Approval
from mlgit.domain.records.policy import Policy
from mlgit.errors import MlgitError, Unjudged, refused
from mlgit.ops import authors
from mlgit.ops.load import Ledger, Lifecycle
from mlgit.ops.ports import Workspace
from mlgit.ops.proposal import Proposal, ledger_of

_TWO_CLOCKS = timedelta(minutes=5)  # by how much two people's clocks may differ


def tally(workspace: Workspace, proposal: Proposal, decided: Digest, found: Iterable[Signed] | None = None) -> Tally:
    """Count the approvals of a decision, by the rules of the state before it.

    Args:
        workspace: where.
        proposal: what was decided on.
        decided: the digest of the decision.
        found: the approvals; those on the ledger, if None.
    """
    policy = proposal.policy
    problem = proposal.before.problem(proposal.before.model(proposal.model).problem)
    directory = Directory(proposal.before.roles())
    return count(
        approvals_of(workspace, proposal) if found is None else found,
        decision=decided,
        rule=rule_for(policy.approvals, proposal.manifest.change),
        risk=problem.risk,
        directory=directory,
        excluded=excluded(workspace, proposal, policy, directory),
    )


def excluded(workspace: Workspace, proposal: Proposal, policy: Policy, directory: Directory) -> dict[str, str]:
    """Return the people whose word does not count here, each with the reason.

    Raises:
        MlgitError: the policy excludes who wrote the code and the data, and the clone is shallow (`history-shallow`).
    """
    version, commits = proposal.version, proposal.commits
    by_rule = {
        "lineage": authors.since_champion(workspace.repository, proposal) if "lineage" in policy.exclude else {},
        "trainer": {version.trained_by.email: "trained the version"} if version else {},
        "committers": {commit.committer_email: "committed to the promotion" for commit in commits},
        "author": {commit.author_email: "author of the promotion" for commit in commits},
    }
    return {
        directory.person(email): why
        for rule, people in by_rule.items()
        if rule in policy.exclude
        for email, why in people.items()
    }


def approvals_of(workspace: Workspace, proposal: Proposal, ledger: Ledger | None = None) -> list[Signed]:
    """Return the approvals of a promotion on the ledger (today's, if None) that its policy takes for evidence."""
    return [] if proposal.policy.evidence == "none" else signed_approvals(workspace, proposal, ledger)


def signed_approvals(workspace: Workspace, proposal: Proposal, ledger: Ledger | None = None) -> list[Signed]:
    """Return every approval of a promotion on the ledger (today's, if None), with what its signature proves."""
    return signed_words(workspace, proposal.before, proposal.manifest.promotion, ledger)


def signed_words(
    workspace: Workspace, before: Lifecycle, promotion: PromotionId, ledger: Ledger | None = None
) -> list[Signed]:
    """Return every approval of a promotion or an override on the ledger, with what its signature proves.

    Args:
        workspace: where.
        before: the state whose signers count.
        promotion: the id of what was approved.
        ledger: where the approvals are; today's ledger, if None.
    """
    ledger = ledger or ledger_of(workspace)
    signers = before.tree.read(layout.SIGNERS) or b""
    folder = layout.approvals(promotion)
    files = ledger.files(folder)
    appended = _appended(workspace, ledger, folder) if files else {}
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
        except Unjudged:
            raise
        except MlgitError as error:
            found.append(Signed(approval, sha256(content), None, error.findings[0].message))
        else:
            found.append(Signed(approval, sha256(content), key))
    return found


def _appended(workspace: Workspace, ledger: Ledger, folder: str) -> dict[str, datetime]:
    """Return when each file of a folder of the ledger came in, by the commit that brought it."""
    tip = None if ledger.tree is None else ledger.tree.commit
    history = workspace.repository.commits(tip, paths=[folder]) if tip is not None else ()
    return {change.path: commit.at for commit, changes in history for change in changes}


def _check_time(approval: Approval, appended: datetime | None) -> None:
    """The time in an approval is the signer's own word, and a key that expired could sign an earlier one.

    It has to lie between the making of the promotion and the commit that brought it to the ledger.
    """
    proposed = proposed_at(approval.promotion)
    if appended is None or not proposed - _TWO_CLOCKS <= approval.at <= appended + _TWO_CLOCKS:
        raise refused(
            "approval-time",
            "its time is not between the promotion and the ledger's commit",
            why=f"it says {approval.at:%Y-%m-%d %H:%M:%S} UTC; the promotion is of {proposed:%Y-%m-%d %H:%M:%S} UTC",
            fix="approve again, with a clock that is right",
        )
