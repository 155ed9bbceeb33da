"""Put the certificates of a timestamp token into the order that DER asks for.

OpenSSL writes them in the order of its configuration, and strict parsers refuse that. They are no part of what the authority
signs, so their order proves nothing.
"""

from collections.abc import Iterator
from typing import Final

_LONG_FORM: Final = 0x80
_CERTIFICATES: Final = 0xA0  # [0], implicit: the certificates of SignedData (RFC 5652, section 5.1)
_MAX_LENGTH_BYTES: Final = 4


def with_sorted_certificates(token: bytes) -> bytes:
    """Return a timestamp response with its certificates sorted; unchanged if it is not one.

    Source: RFC 3161, section 2.4.2 (TimeStampResp), RFC 5652, sections 3 and 5.1, and X.690, section 11.6 (order of a SET OF).
    """
    try:
        _, content = list(_children(token, *_only(token, 0, len(token))))
        _, signed = list(_children(token, *_inside(token, content)))
        (wrapped,) = _children(token, *_inside(token, signed))
        for start, end in _children(token, *_inside(token, wrapped)):
            if token[start] == _CERTIFICATES:
                first, last = _inside(token, (start, end))
                parts = sorted(token[one:other] for one, other in _children(token, first, last))
                return token[:first] + b"".join(parts) + token[last:]
    except (ValueError, IndexError):
        pass  # a parser says what is wrong with it
    return token


def _only(data: bytes, start: int, end: int) -> tuple[int, int]:
    """Return the content of the only element between two offsets."""
    (element,) = _children(data, start, end)
    return _inside(data, element)


def _children(data: bytes, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield the offsets of the elements between two offsets, each with its header."""
    while start < end:
        _, last = _inside(data, (start, end))
        yield start, last
        start = last


def _inside(data: bytes, element: tuple[int, int]) -> tuple[int, int]:
    """Return the offsets of the content of the element that begins at the first offset, and ends at or before the second.

    Raises:
        ValueError: its length is not in a form that DER allows, or leads beyond the end.
    """
    start, limit = element
    length, header = data[start + 1], 2
    if length & _LONG_FORM:
        size = length & ~_LONG_FORM
        if not 0 < size <= _MAX_LENGTH_BYTES:
            raise ValueError(size)
        length = int.from_bytes(data[start + 2 : start + 2 + size], "big")
        header += size
    end = start + header + length
    if end > limit:
        raise ValueError(end)
    return start + header, end
