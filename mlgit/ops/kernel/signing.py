"""How the commits that mlgit makes for a person are signed: with the key that also signs the person's approvals."""

from mlgit.domain import layout
from mlgit.errors import MlgitError
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.ports.git import Signing
from mlgit.ops.kernel.ports.workspace import Workspace


def commit_signing(workspace: Workspace, state: Lifecycle) -> Signing:
    """Return how to sign a commit of the person at work: with their SSH key, as Git is configured, or not at all.

    Args:
        workspace: where.
        state: the state whose allowed signers list the person's key.
    """
    try:
        _, email = workspace.repository.identity()
    except MlgitError:
        return False  # the commit itself is refused for that reason
    signers = state.tree.read(layout.SIGNERS) or b""
    key = workspace.signatures.commit_key(signers=signers, principal=email)
    # A key of another kind, as for OpenPGP, proves nothing to mlgit; it is used as the person is used to.
    return key or bool(workspace.repository.config("user.signingkey"))
