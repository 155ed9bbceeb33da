"""Whose signature it is: keys, principals and people by the allowed signers and the roles of one state."""

from datetime import datetime

from mlgit.domain import layout
from mlgit.domain.approvals import People
from mlgit.domain.namespaces import APPROVALS
from mlgit.domain.records import Approval, RuleApproval
from mlgit.domain.signers import owners
from mlgit.errors import Inconclusive, MlgitError, refused
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.ports.workspace import Workspace


class Keys:
    """The keys that a state lists, each with the one person whose it is."""

    def __init__(self, workspace: Workspace, state: Lifecycle) -> None:
        """Take the workspace, and the state whose allowed signers and roles count."""
        self._workspace = workspace
        self._signers = state.tree.read(layout.SIGNERS) or b""
        self._people = People(state.roles())

    def verify_vote(self, approval: Approval | RuleApproval, content: bytes, signature: bytes) -> str:
        """Verify that the person whom a vote names signed it; return the fingerprint of the key.

        Args:
            approval: the vote.
            content: the bytes of its file, which are signed.
            signature: the armoured signature.

        Raises:
            MlgitError: the signature is not valid (`signature-...`), its key belongs to several people
                (`signature-key-shared`), or the file of signers is invalid (`allowed-signers-...`).
        """
        key = self._workspace.signatures.verify(
            content, signature, signers=self._signers, principal=approval.by, at=approval.at
        )
        self._owner(key)
        return key

    def has_signed(self, content: bytes, signature: bytes, at: datetime | None) -> bool:
        """Tell whether somebody whom the state lists signed something as a vote; nobody did what has no time."""
        if at is None:
            return False
        signatures = self._workspace.signatures
        try:
            signatures.signer(content, signature, signers=self._signers, at=at, namespace=APPROVALS)
        except Inconclusive:
            raise
        except MlgitError:
            return False
        return True

    def commit_signer(self, content: bytes, signature: bytes, at: datetime) -> str:
        """Verify the signature of a commit; return the person who made it.

        Args:
            content: the commit without its signature.
            signature: the armoured signature.
            at: the time at which the key must be valid.

        Raises:
            MlgitError: as `verify_vote`, or the roles file lists people, and not the one to whom the key belongs
                (`signature-person-unlisted`).
        """
        principal, key = self._workspace.signatures.signer(content, signature, signers=self._signers, at=at)
        person = self._owner(key)
        if self._people.people() and not self._people.is_email(principal):
            raise refused(
                "signature-person-unlisted",
                f"the key {key} belongs to {principal}, whom nobody in {layout.ROLES} has as an address",
                fix=f"propose the address as one of a person in {layout.ROLES}",
            )
        return person

    def _owner(self, key: str) -> str:
        """Return the person to whom a listed key belongs."""
        holders = owners(self._workspace.signatures.principals(key, signers=self._signers), self._people)
        if len(holders) > 1:
            raise refused(
                "signature-key-shared",
                f"the key {key} stands for {' and '.join(holders)}, so it cannot be told who signed",
                why=f"a key belongs to one person; see {layout.SIGNERS} and {layout.ROLES} of the base branch",
                fix="give each person a key and a line of their own, then approve again",
            )
        return holders[0]
