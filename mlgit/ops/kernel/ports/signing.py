"""The port to SSH signatures."""

from datetime import datetime
from typing import Protocol

from mlgit.domain.namespaces import APPROVALS, COMMITS


class Signatures(Protocol):
    """SSH signatures with the keys that people use for Git."""

    def sign(self, content: bytes, namespace: str = APPROVALS) -> bytes:
        """Return an armoured signature with the key of the person who runs the command.

        Args:
            content: the bytes to sign.
            namespace: what the signature is for.

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

    def signer(
        self, content: bytes, signature: bytes, *, signers: bytes, at: datetime, namespace: str = COMMITS
    ) -> tuple[str, str]:
        """Verify a signature; return the principal and the fingerprint of its key.

        Args:
            content: the signed bytes; of a commit, the object without its signature.
            signature: the armoured signature.
            signers: content of an `allowed_signers` file.
            at: time that the content states; the key must have been valid then.
            namespace: what the signature must be for.

        Raises:
            MlgitError: as `verify`.
        """
        ...

    def verify_key(self, content: bytes, signature: bytes, *, key: str, namespace: str) -> None:
        """Verify that one key made a signature, whoever it belongs to.

        Args:
            content: the signed bytes.
            signature: the armoured signature.
            key: the public key, or its fingerprint.
            namespace: what the signature must be for.

        Raises:
            MlgitError: the signature is malformed, or of another content, key or purpose (`signature-...`).
        """
        ...

    def public_key(self) -> str:
        """Return the public key of the key that `sign` uses.

        Raises:
            MlgitError: there is no key, or it cannot be read (`signing-key-...`).
        """
        ...

    def own_principal(self, *, signers: bytes, namespace: str, at: datetime) -> str:
        """Return the principal of the key that `sign` uses, without signing anything.

        Args:
            signers: content of an `allowed_signers` file.
            namespace: what the key must be allowed to sign.
            at: when the key must be valid.

        Raises:
            MlgitError: there is no key, or it is not listed for this purpose or time (`signing-key-...`, `signature-...`).
        """
        ...
