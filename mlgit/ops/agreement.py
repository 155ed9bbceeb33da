"""Who agreed to a proposal: the signed approvals on the ledger, counted by the rules of the state before it."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from mlgit.domain import layout
from mlgit.domain.approvals import Directory, Signed, Tally, count
from mlgit.domain.codec import sha256
from mlgit.domain.names import Digest, proposed_at
from mlgit.domain.policy import rule_for
from mlgit.domain.records import Approval
from mlgit.domain.records.policy import Policy
from mlgit.errors import MlgitError, Unjudged, refused
from mlgit.ops.ports import Workspace
from mlgit.ops.proposal import Proposal, ledger_of, ledger_tip

_TWO_CLOCKS = timedelta(minutes=5)  # by how much two people's clocks may differ


def tally(workspace: Workspace, proposal: Proposal, decided: Digest) -> Tally:
    """Count the approvals of a decision, by the rules of the state before it."""
    policy = proposal.policy
    problem = proposal.before.problem(proposal.before.model(proposal.model).problem)
    directory = Directory(proposal.before.roles())
    found = () if policy.evidence == "none" else signed_approvals(workspace, proposal)
    return count(
        found,
        decision=decided,
        rule=rule_for(policy.approvals, proposal.manifest.change),
        risk=problem.risk,
        directory=directory,
        excluded=excluded(proposal, policy, directory),
    )


def excluded(proposal: Proposal, policy: Policy, directory: Directory) -> dict[str, str]:
    """Return the people whose word does not count here, each with the reason."""
    version = proposal.version
    reasons: list[tuple[str, Iterable[str], str]] = [
        ("trainer", [version.trained_by.email] if version else [], "trained the version"),
        ("committers", [commit.committer_email for commit in proposal.commits], "committed to the promotion"),
        ("author", [commit.author_email for commit in proposal.commits], "author of the promotion"),
    ]
    return {directory.person(email): why for rule, emails, why in reasons if rule in policy.exclude for email in emails}


def signed_approvals(workspace: Workspace, proposal: Proposal) -> list[Signed]:
    """Return every approval of a promotion on the ledger, with what its signature proves."""
    signers = proposal.before.tree.read(layout.SIGNERS) or b""
    folder = layout.approvals(proposal.manifest.promotion)
    files = ledger_of(workspace).files(folder)
    appended = _appended(workspace, folder) if files else {}
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


def _appended(workspace: Workspace, folder: str) -> dict[str, datetime]:
    """Return when each file of a folder of the ledger came in, by the commit that brought it."""
    tip = ledger_tip(workspace)
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
