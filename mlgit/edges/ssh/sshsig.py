"""OpenSSH's signature format SSHSIG: parse a signature, and verify that a key made it over given content.

Signatures of ed25519 keys are verified in this process, since an audit verifies thousands; ssh-keygen verifies the others.
The format is defined in PROTOCOL.sshsig of OpenSSH.
"""

import base64
import binascii
import functools
import hashlib
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

import msgspec

from mlgit.edges.ssh import keygen
from mlgit.edges.ssh.keys import Malformed, PublicKey, Wire

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

_MAGIC: Final = b"SSHSIG"
_VERSION: Final = 1
_HASHES: Final = {b"sha256": hashlib.sha256, b"sha512": hashlib.sha512}
_ARMOUR = re.compile(rb"-----BEGIN SSH SIGNATURE-----\n(?P<body>[A-Za-z0-9+/=\n]+)\n-----END SSH SIGNATURE-----\n?")


class SshSignature(msgspec.Struct, frozen=True):
    """The fields of a signature. None of them can be trusted before it is verified with a trusted key.

    `key` has the bytes of the key that claims to have signed, `signature` those of the raw signature.
    """

    armoured: bytes
    key: bytes
    namespace: bytes
    hash: bytes
    signature: bytes

    @classmethod
    def parse(cls, armoured: bytes) -> Self:
        """Parse an armoured signature.

        Raises:
            Malformed: it is not exactly one whole signature.
        """
        match = _ARMOUR.fullmatch(armoured)
        if match is None:
            raise Malformed("it is not enclosed in BEGIN and END SSH SIGNATURE")
        try:
            wire = Wire(base64.b64decode(match["body"].replace(b"\n", b""), validate=True))
        except binascii.Error as error:
            raise Malformed("it is not in base64") from error
        if wire.take(len(_MAGIC)) != _MAGIC or wire.number() != _VERSION:
            raise Malformed("it is not an SSH signature of version 1")
        key, namespace, reserved, hash_, signature = (wire.string() for _ in range(5))
        wire.end()
        # OpenSSH signs with an empty reserved field, so its content here would not be signed.
        if reserved or hash_ not in _HASHES:
            raise Malformed("its reserved field is not empty, or its hash is not sha256 or sha512")
        return cls(armoured, key, namespace, hash_, signature)

    def verifies(self, key: PublicKey, content: bytes) -> bool:
        """Tell whether the key, which must be the one in the signature, made it over this content."""
        if key.blob != self.key:
            return False
        if key.type == "ssh-ed25519":
            return self._verify_ed25519(key, content)
        return self._verify_with_keygen(key, content)

    def _verify_ed25519(self, key: PublicKey, content: bytes) -> bool:
        from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - slow to import, and only needed here

        try:
            wire = Wire(self.signature)
            algorithm, raw = wire.string(), wire.string()
            wire.end()
            _ed25519(key.blob).verify(raw, self._signed(content))
        except (Malformed, InvalidSignature):
            return False
        return algorithm == b"ssh-ed25519"

    def _signed(self, content: bytes) -> bytes:
        """Return the bytes that the key signs for this content (section 3 of the format)."""
        digest = _HASHES[self.hash](content).digest()
        return _MAGIC + b"".join(
            len(field).to_bytes(4, "big") + field for field in (self.namespace, b"", self.hash, digest)
        )

    def _verify_with_keygen(self, key: PublicKey, content: bytes) -> bool:
        with tempfile.TemporaryDirectory(prefix="mlgit-") as folder:
            signers, signature = Path(folder, "signers"), Path(folder, "signature")
            signers.write_text(f"signer {key}\n")
            signature.write_bytes(self.armoured)
            arguments = ("-Y", "verify", "-f", str(signers), "-I", "signer", "-s", str(signature))
            namespace = self.namespace.decode("utf-8", "surrogateescape")
            return keygen.run(*arguments, "-n", namespace, content=content).returncode == 0


@functools.lru_cache(maxsize=64)
def _ed25519(blob: bytes) -> "Ed25519PublicKey":
    """Return the ed25519 key in these bytes. Cached, since few people sign all that an audit verifies.

    Raises:
        Malformed: the bytes are not a key.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415 - slow to import

    wire = Wire(blob)
    wire.string()
    return Ed25519PublicKey.from_public_bytes(wire.string())
