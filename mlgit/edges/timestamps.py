"""A timestamp authority (RFC 3161): request a token over bytes, and verify one offline.

The exchange over HTTP is that of section 3.4 of the RFC, as `openssl ts` and public authorities speak it. A token is verified as
of its own time: certificates that have expired since were valid when they signed.
"""

from datetime import datetime
from types import ModuleType
from typing import Final

from mlgit import __version__
from mlgit.edges.der import with_sorted_certificates
from mlgit.errors import MlgitError, inconclusive, refused

_TIMEOUT: Final = 20.0  # seconds
_MAX_BYTES: Final = 1 << 16
"""A token with the certificates of its chain has some thousand bytes."""
_HEADERS: Final = {"Content-Type": "application/timestamp-query", "User-Agent": f"mlgit/{__version__}"}
_SCHEMES: Final = ("https://", "http://")


class Rfc3161Timestamps:
    """Requests and verifies timestamps (see `ops.kernel.ports.timestamps`)."""

    def request(self, content: bytes, url: str) -> bytes:
        """Return a token over some bytes, not verified yet.

        Raises:
            MlgitError: the address is not one of HTTP (`timestamp-authority-invalid`).
            Inconclusive: the package is not installed (`extra-missing`), or the authority does not answer
                (`timestamp-authority-unreachable`).
        """
        tsp = _package()
        if not url.startswith(_SCHEMES):
            raise refused(
                "timestamp-authority-invalid",
                f"{url!r} is not the address of a timestamp authority",
                why="RFC 3161 is spoken over https or http",
                fix="correct timestamps.url in mlgit.yaml",
            )
        builder = tsp.TimestampRequestBuilder().data(content).hash_algorithm(tsp.HashAlgorithm.SHA256)
        return _post(url, builder.build().as_bytes())

    def verify(self, content: bytes, token: bytes, certificates: bytes) -> datetime:
        """Verify a token over some bytes, and return its time.

        Args:
            content: the bytes.
            token: the token.
            certificates: the certificates to trust, in PEM.

        Raises:
            MlgitError: the token is malformed, of other bytes, or by no trusted authority (`timestamp-invalid`), or there are
                no certificates (`timestamp-authority-invalid`).
            Inconclusive: the package is not installed (`extra-missing`).
        """
        tsp = _package()
        from cryptography import x509  # noqa: PLC0415 - slow to import, and only needed here

        try:
            trusted = x509.load_pem_x509_certificates(certificates)
        except ValueError as error:
            raise refused(
                "timestamp-authority-invalid",
                "the certificates of the timestamp authority cannot be read",
                why=str(error),
                fix="put the root certificate of the authority, in PEM, at timestamps.certificates of mlgit.yaml",
            ) from error
        builder = tsp.VerifierBuilder()
        for certificate in trusted:
            builder = builder.add_root_certificate(certificate)
        try:
            response = tsp.decode_timestamp_response(with_sorted_certificates(token))
            builder.build().verify_message(response, content)
            time = response.tst_info.gen_time
        except (tsp.VerificationError, ValueError, TypeError) as error:
            raise _invalid(str(error)) from error
        assert isinstance(time, datetime)  # noqa: S101 - as the package documents it
        return time


def _post(url: str, query: bytes) -> bytes:
    import httpx  # noqa: PLC0415 - only where a timestamp is requested

    try:
        with httpx.stream("POST", url, content=query, headers=_HEADERS, timeout=_TIMEOUT) as response:
            answer = bytearray()
            for chunk in response.iter_bytes():
                answer += chunk
                if len(answer) > _MAX_BYTES:
                    raise _unreachable(url, "its answer is too large")
            if not response.is_success:
                raise _unreachable(url, f"it answered {response.status_code}")
            return bytes(answer)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise _unreachable(url, str(error) or type(error).__name__) from error


def _package() -> ModuleType:
    try:
        import rfc3161_client  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise inconclusive(
            "extra-missing",
            "timestamps need the package rfc3161-client",
            why="it is not installed here",
            fix="pip install 'mlgit[timestamps]'",
        ) from error
    return rfc3161_client


def _invalid(why: str) -> MlgitError:
    return refused(
        "timestamp-invalid",
        "the timestamp does not count",
        why=why,
        fix="let whoever wrote the entry write it again, with the project's timestamp authority",
    )


def _unreachable(url: str, why: str) -> MlgitError:
    return inconclusive(
        "timestamp-authority-unreachable",
        f"the timestamp authority {url} gave no timestamp",
        why=why,
        fix="run the command again later; nothing was recorded",
    )
