"""Namespaces of SSH signatures: what a signature is for, so that one made for one purpose cannot be used for another.

They are the namespaces of `ssh-keygen -Y`, which signs them along with the content (PROTOCOL.sshsig of OpenSSH).
"""

from typing import Final

COMMITS: Final = "git"
"""Of the signatures that Git makes on commits and tags."""
APPROVALS: Final = "mlgit-approval"
"""Of approvals of promotions and of signed exceptions."""
LEDGER: Final = "mlgit-ledger"
"""Of decisions, deployments and reviews that whoever applies records on the ledger."""
AUDITS: Final = "mlgit-audit"
"""Of checkpoints of audits."""

PURPOSES: Final = {
    COMMITS: "commits",
    APPROVALS: "approvals",
    LEDGER: "entries of the ledger",
    AUDITS: "checkpoints of audits",
}
"""What each namespace is for, in words for messages."""
