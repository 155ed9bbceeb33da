"""Who wrote what is approved: only a signature by a listed key, or the forge, proves that it was somebody else.

Git's author and committer are text that anybody can set. The people whom they name are excluded from approving all the same,
since it is to their own disadvantage; but such text never makes anybody else independent.
"""

from collections.abc import Sequence
from typing import Final, Literal

import msgspec

from mlgit.domain.formatting import plural
from mlgit.domain.names import CommitId

AuthoredPart = Literal["proposal", "training", "lineage"]
"""What a commit contributes to a promotion: the proposal itself, the record of the version, or what that was made from."""

UNSIGNED: Final = "it is not signed"


class UnknownAuthor(msgspec.Struct, frozen=True):
    """A commit whose author cannot be told, so that anybody may be the author, and why."""

    commit: CommitId
    part: AuthoredPart
    reason: str

    def __str__(self) -> str:
        return f"{self.commit[:12]} ({self.part}): {self.reason}"


class Authorship(msgspec.Struct, frozen=True):
    """Who is excluded from approving a promotion, each with the reason, and the commits whose author cannot be told."""

    excluded: dict[str, str]
    unknown: list[UnknownAuthor]


def describe_unknown(unknown: Sequence[UnknownAuthor]) -> str:
    """Return in one sentence why one more approval is needed; an empty text where every author is known."""
    if not unknown:
        return ""
    one = len(unknown) == 1
    if all(author.reason == UNSIGNED for author in unknown):
        state = f"{'is' if one else 'are'} unsigned"
    else:
        state = f"{'has' if one else 'have'} no signature that counts"
    whose = "its author" if one else "their authors"
    return f"{plural(len(unknown), 'commit')} {state}: {whose} cannot be told, so one more approval is needed"
