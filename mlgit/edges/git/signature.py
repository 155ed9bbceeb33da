"""Commit signatures: the one in a commit object, and the bytes that it signs (gitformat-signature(5) of Git)."""

import re
from typing import Final

_HEADER: Final = re.compile(rb"^gpgsig(?:-sha256)? (?P<first>.*)\n(?P<rest>(?: .*\n)*)", re.MULTILINE)


def split_signature(commit: bytes) -> tuple[bytes, bytes | None]:
    """Separate a commit object from its signature.

    Args:
        commit: the object's bytes: headers, an empty line, the message.

    Returns:
        The commit as Git hands it to the signing program, and the first signature in its headers, None if it has none.
        A signature in the message does not count.
    """
    headers, gap, message = commit.partition(b"\n\n")
    match = _HEADER.search(headers + b"\n")
    if match is None:
        return commit, None
    signature = match["first"] + b"\n" + match["rest"].replace(b"\n ", b"\n").removeprefix(b" ")
    return _HEADER.sub(b"", headers + b"\n").removesuffix(b"\n") + gap + message, signature
