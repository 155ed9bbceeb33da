"""Public keys of OpenSSH, and the wire format of SSH that keys and signatures are encoded in."""

import base64
import binascii
import hashlib
from typing import Final, Self

import msgspec

KEY_TYPES: Final = (
    "ssh-ed25519",
    "sk-ssh-ed25519@openssh.com",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ecdsa-sha2-nistp256@openssh.com",
    "ssh-rsa",
)
_ED25519_BYTES: Final = 32
_RSA_BITS: Final = 2048  # NIST SP 800-131A allows no shorter RSA key for signatures


class Malformed(ValueError):
    """Bytes are not in the SSH wire format (RFC 4251, section 5)."""


class Wire:
    """Reads the fields of SSH's wire format one after the other.

    Source: RFC 4251, section 5: a `string` is its length in four bytes, big-endian, and its bytes.
    """

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._offset = 0

    def take(self, length: int) -> bytes:
        """Return the next `length` bytes.

        Raises:
            Malformed: fewer are left.
        """
        if length > len(self._content) - self._offset:
            raise Malformed("it ends too early")
        self._offset += length
        return self._content[self._offset - length : self._offset]

    def number(self) -> int:
        """Return the next `uint32`."""
        return int.from_bytes(self.take(4), "big")

    def string(self) -> bytes:
        """Return the next `string`.

        Raises:
            Malformed: it is incomplete.
        """
        start = self._offset + 4  # `take` and `number` inlined: an audit reads tens of thousands
        self._offset = start + int.from_bytes(self._content[self._offset : start], "big")
        if self._offset > len(self._content):
            raise Malformed("it ends too early")
        return self._content[start : self._offset]

    def end(self) -> None:
        """Check that nothing is left.

        Raises:
            Malformed: something is.
        """
        if self._offset != len(self._content):
            raise Malformed("bytes follow its end")


class PublicKey(msgspec.Struct, frozen=True, order=True):
    """A public key: its type, and its bytes in SSH's wire format."""

    type: str
    blob: bytes

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `ssh-ed25519 AAAAC3…`, with or without a comment at the end.

        Raises:
            Malformed: it is not a whole key of an accepted type; the message says why.
        """
        type_, encoded, *_ = [*text.split(maxsplit=2), "", ""]
        if type_ not in KEY_TYPES:
            raise Malformed(f"{type_!r} is not one of the types {', '.join(KEY_TYPES)}")
        try:
            blob = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError) as error:
            raise Malformed("the key is not in base64") from error
        key = cls(type_, blob)
        key._check()
        return key

    def _check(self) -> None:
        """Check that the bytes are a whole key of the stated type, and long enough to be safe."""
        wire = Wire(self.blob)
        if wire.string() != self.type.encode():
            raise Malformed(f"the bytes are not those of a key of type {self.type}")
        if self.type == "ssh-rsa":
            wire.string()
            bits = int.from_bytes(wire.string(), "big").bit_length()
            if bits < _RSA_BITS:
                raise Malformed(f"RSA keys need at least {_RSA_BITS} bits, this one has {bits}")
        elif self.type == "ssh-ed25519":
            if len(wire.string()) != _ED25519_BYTES:
                raise Malformed(f"the key is not {_ED25519_BYTES} bytes long")
        else:
            fields = {"sk-ssh-ed25519@openssh.com": 2, "sk-ecdsa-sha2-nistp256@openssh.com": 3}.get(self.type, 2)
            for _ in range(fields):
                wire.string()
        wire.end()

    @property
    def fingerprint(self) -> str:
        """The fingerprint as `ssh-keygen -l` prints it: `SHA256:` and the digest of the bytes in base64."""
        return "SHA256:" + base64.b64encode(hashlib.sha256(self.blob).digest()).decode().rstrip("=")

    def __str__(self) -> str:
        return f"{self.type} {base64.b64encode(self.blob).decode()}"
