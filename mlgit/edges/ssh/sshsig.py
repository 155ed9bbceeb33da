"""OpenSSH's signature format SSHSIG: read a signature, and check with its own key that it is over given content.

A signature by an ed25519 key is checked in this process, since an audit checks thousands; ssh-keygen checks the others.
The format is that of PROTOCOL.sshsig in OpenSSH.
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


class Sealed(msgspec.Struct, frozen=True):
    """What a signature says; nothing of it is proven before it is checked with a key that is trusted.

    `key` holds the bytes of the key that is said to have signed, `signature` those of the signature proper.
    """

    armoured: bytes
    key: bytes
    namespace: bytes
    hash: bytes
    signature: bytes

    @classmethod
    def parse(cls, armoured: bytes) -> Self:
        """Read an armoured signature.

        Raises:
            Malformed: it is not one, whole and alone.
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
        # OpenSSH signs as if the reserved field were empty, so that no key vouches for what stands in it.
        if reserved or hash_ not in _HASHES:
            raise Malformed("it has a field that is not known")
        return cls(armoured, key, namespace, hash_, signature)

    def is_by(self, key: PublicKey, content: bytes) -> bool:
        """Tell whether a key, of which the bytes are those in the signature, made it over this content."""
        if key.blob != self.key:
            return False
        if key.type == "ssh-ed25519":
            return self._is_by_ed25519(key, content)
        return self._is_by_other(key, content)

    def _is_by_ed25519(self, key: PublicKey, content: bytes) -> bool:
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
        """Return the bytes that a key signs for this content (section 3 of the format)."""
        digest = _HASHES[self.hash](content).digest()
        return _MAGIC + b"".join(
            len(field).to_bytes(4, "big") + field for field in (self.namespace, b"", self.hash, digest)
        )

    def _is_by_other(self, key: PublicKey, content: bytes) -> bool:
        with tempfile.TemporaryDirectory(prefix="mlgit-") as folder:
            signers, signature = Path(folder, "signers"), Path(folder, "signature")
            signers.write_text(f"signer {key}\n")
            signature.write_bytes(self.armoured)
            words = ("-Y", "verify", "-f", str(signers), "-I", "signer", "-s", str(signature))
            namespace = self.namespace.decode("utf-8", "surrogateescape")
            return keygen.run(*words, "-n", namespace, content=content).returncode == 0


@functools.lru_cache(maxsize=64)
def _ed25519(blob: bytes) -> "Ed25519PublicKey":
    """Return a key by its bytes; a few people sign all that an audit looks at.

    Raises:
        Malformed: it is none.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415 - slow to import

    wire = Wire(blob)
    wire.string()
    return Ed25519PublicKey.from_public_bytes(wire.string())
