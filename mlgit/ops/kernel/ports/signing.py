"""What operations ask of SSH signatures."""

from datetime import datetime
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    pass


class Signatures(Protocol):
    """Signatures of people over bytes, with the keys that they use for Git."""

    def sign(self, content: bytes) -> bytes:
        """Sign with the person's own key.

        Raises:
            MlgitError: there is no key to sign with (`signing-key-missing`).
        """
        ...

    def verify(self, content: bytes, signature: bytes, *, signers: bytes, principal: str, at: datetime) -> str:
        """Return the fingerprint of the key that signed.

        Args:
            content: what was signed.
            signature: the armoured signature.
            signers: an `allowed_signers` file.
            principal: who is said to have signed.
            at: when; the key must have been valid then.

        Raises:
            MlgitError: the signature does not prove that.
        """
        ...

    def signer(self, content: bytes, signature: bytes, *, signers: bytes, at: datetime) -> tuple[str, str]:
        """Return the principal and the fingerprint of the key by which a commit was signed.

        Args:
            content: the commit without its signature.
            signature: the armoured signature.
            signers: an `allowed_signers` file.
            at: when the commit was made; the key must have been valid then.

        Raises:
            MlgitError: the signature proves nothing.
        """
        ...
