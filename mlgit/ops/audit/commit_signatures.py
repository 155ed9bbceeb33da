"""Signatures on the commits that changed what runs: a fact beside the verdict, which rests on approvals."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from mlgit.domain.audit.records import CommitSignature
from mlgit.domain.names import CommitId
from mlgit.errors import Inconclusive, MlgitError
from mlgit.ops.kernel.ports.workspace import Workspace

CommitSignatures = Mapping[CommitId, tuple[bytes, bytes]]
"""Commits that carry a signature: what it is over, and the signature."""


def commit_signatures(workspace: Workspace, commits: Iterable[CommitId]) -> CommitSignatures:
    """Return those of some commits that carry a signature, in one look."""
    wanted = list(commits)
    found = zip(wanted, workspace.repository.commit_signatures(wanted), strict=True)
    return {commit: (content, signature) for commit, (content, signature) in found if signature is not None}


def commit_signature(
    workspace: Workspace, commit: CommitId, at: datetime, seals: CommitSignatures, signers: bytes | None
) -> CommitSignature | None:
    """Return whose signature a commit carries, by the signers of the state before it; None where it carries none.

    Raises:
        Inconclusive: it is by a key of a kind that ssh-keygen has to check, and there is none here.
    """
    if commit not in seals:
        return None
    content, armoured = seals[commit]
    try:
        by, key = workspace.signatures.signer(content, armoured, signers=signers or b"", at=at)
    except Inconclusive:
        raise
    except MlgitError as error:
        return CommitSignature(doubt=error.findings[0].message)
    return CommitSignature(by=by, key=key)
