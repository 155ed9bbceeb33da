"""The signature in a commit object, and the bytes that it is over (gitformat-signature(5) in Git's documentation)."""

import re
from typing import Final

_HEADER: Final = re.compile(rb"^gpgsig(?:-sha256)? (?P<first>.*)\n(?P<rest>(?: .*\n)*)", re.MULTILINE)


def split(commit: bytes) -> tuple[bytes, bytes | None]:
    """Take the signature out of a commit object.

    Args:
        commit: the object's bytes: headers, an empty line, the message.

    Returns:
        The commit as Git hands it to whoever signs, and the first signature in its headers; one in the message is none.
    """
    headers, gap, message = commit.partition(b"\n\n")
    found = _HEADER.search(headers + b"\n")
    if found is None:
        return commit, None
    signature = found["first"] + b"\n" + found["rest"].replace(b"\n ", b"\n").removeprefix(b" ")
    return _HEADER.sub(b"", headers + b"\n").removesuffix(b"\n") + gap + message, signature
