"""Signatures of the commits that changed manifests. They are information: verdicts depend on approvals only."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from mlgit.domain.audit.records import CommitSignature
from mlgit.domain.names import CommitId
from mlgit.errors import Inconclusive, MlgitError
from mlgit.ops.kernel.ports.workspace import Workspace

CommitSignatures = Mapping[CommitId, tuple[bytes, bytes]]
"""The signed content and the signature of each commit that has one."""


def commit_signatures(workspace: Workspace, commits: Iterable[CommitId]) -> CommitSignatures:
    """Return the signatures of some commits, read in one round."""
    ids = list(commits)
    signatures = zip(ids, workspace.repository.commit_signatures(ids), strict=True)
    return {commit: (content, signature) for commit, (content, signature) in signatures if signature is not None}


def commit_signature(
    workspace: Workspace, commit: CommitId, at: datetime, signatures: CommitSignatures, signers: bytes | None
) -> CommitSignature | None:
    """Return whose signature a commit has, by the allowed signers of the state before it; None if it has none.

    Raises:
        Inconclusive: only ssh-keygen can verify this kind of key, and it is not installed.
    """
    if commit not in signatures:
        return None
    content, armoured = signatures[commit]
    try:
        by, key = workspace.signatures.signer(content, armoured, signers=signers or b"", at=at)
    except Inconclusive:
        raise
    except MlgitError as error:
        return CommitSignature(problem=error.findings[0].message)
    return CommitSignature(by=by, key=key)
