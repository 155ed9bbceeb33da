"""The port to a timestamp authority."""

from datetime import datetime
from typing import Protocol


class Timestamps(Protocol):
    """Timestamps by RFC 3161: somebody independent confirms that bytes existed at a time."""

    def request(self, content: bytes, url: str) -> bytes:
        """Return a token over some bytes from the authority at an address, not verified yet.

        Raises:
            Inconclusive: the authority gave none (`timestamp-authority-unreachable`), or a package is missing.
        """
        ...

    def verify(self, content: bytes, token: bytes, certificates: bytes) -> datetime:
        """Verify a token over some bytes offline, by certificates in PEM that are trusted; return its time.

        Raises:
            MlgitError: the token is not valid (`timestamp-invalid`), or the certificates are not
                (`timestamp-authority-invalid`).
        """
        ...
