"""The certificates of a timestamp token are put in order, and nothing else is touched."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlgit.edges.der import with_sorted_certificates

SEQUENCE, SET, INTEGER, CERTIFICATES, EXPLICIT = 0x30, 0x31, 0x02, 0xA0, 0xA0


def element(tag: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content


def token(*certificates: bytes) -> bytes:
    signed = element(
        SEQUENCE,
        element(INTEGER, b"\x03"),
        element(SET),
        element(SEQUENCE),
        element(CERTIFICATES, *certificates),
        element(SET, element(SEQUENCE, b"\x02\x01\x01")),
    )
    status = element(SEQUENCE, element(INTEGER, b"\x00"))
    return element(SEQUENCE, status, element(SEQUENCE, element(0x06, b"\x2a"), element(EXPLICIT, signed)))


LONG, SHORT = element(SEQUENCE, b"\x02" * 300), element(SEQUENCE, b"\x01" * 20)


@pytest.mark.parametrize("given_order", [(LONG, SHORT), (SHORT, LONG)])
def test_certificates_are_sorted(given_order: tuple[bytes, bytes]) -> None:
    assert with_sorted_certificates(token(*given_order)) == token(*sorted(given_order))


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\x30",
        b"\x30\x80",
        b"\x30\x85\x01\x01\x01\x01\x01",
        token(LONG, SHORT)[:-1],
        token(LONG, SHORT) + b"\x00",
        element(SEQUENCE, element(SEQUENCE)),
        b"<html>",
    ],
)
def test_what_is_no_token_stays_as_it_is(text: bytes) -> None:
    assert with_sorted_certificates(text) == text


@given(st.binary(max_size=60))
def test_no_bytes_break_it(text: bytes) -> None:
    assert len(with_sorted_certificates(text)) == len(text)
