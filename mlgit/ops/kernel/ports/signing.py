"""The port to SSH signatures."""

from datetime import datetime
from typing import Protocol


class Signatures(Protocol):
    """SSH signatures with the keys that people use for Git."""

    def sign(self, content: bytes) -> bytes:
        """Return an armoured signature with the key of the person who runs the command.

        Raises:
            MlgitError: the person has no key (`signing-key-missing`), or it could not be used (`signing-failed`).
        """
        ...

    def commit_key(self, *, signers: bytes, principal: str) -> str | None:
        """Return the key to sign a person's commits with; None if there is none.

        It is the one that Git is configured with for SSH signatures, or else the one that `sign` uses, if the file of signers
        lists it for the person's commits.

        Args:
            signers: content of an `allowed_signers` file.
            principal: e-mail address of the person.
        """
        ...

    def verify(self, content: bytes, signature: bytes, *, signers: bytes, principal: str, at: datetime) -> str:
        """Verify that a person signed an approval; return the fingerprint of the key.

        Args:
            content: the signed bytes.
            signature: the armoured signature.
            signers: content of an `allowed_signers` file.
            principal: e-mail address of the person.
            at: time of the signature; the key must have been valid then.

        Raises:
            MlgitError: the signature is malformed, or of another content, key, person, purpose or time (`signature-...`), or
                the file of signers is invalid (`allowed-signers-...`).
        """
        ...

    def principals(self, key: str, *, signers: bytes) -> tuple[str, ...]:
        """Return the addresses that a key, given by its fingerprint, stands for; none if it is not listed.

        Raises:
            MlgitError: the file of signers is invalid (`allowed-signers-...`).
        """
        ...

    def signer(self, content: bytes, signature: bytes, *, signers: bytes, at: datetime) -> tuple[str, str]:
        """Verify the signature of a commit; return the principal and the fingerprint of its key.

        Args:
            content: the commit object without its signature.
            signature: the armoured signature.
            signers: content of an `allowed_signers` file.
            at: time of the commit; the key must have been valid then.

        Raises:
            MlgitError: as `verify`.
        """
        ...
