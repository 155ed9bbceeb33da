"""What operations ask of a target: what runs, and a switch to another release."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import msgspec

if TYPE_CHECKING:
    pass


class Observed(msgspec.Struct, frozen=True):
    """What a target says that it runs."""

    digest: str | None
    artifact: str | None
    facts: dict[str, Any]

    @property
    def altered(self) -> list[str]:
        """Files that are not those that were put there."""
        return list(self.facts.get("altered", []))

    @property
    def beside(self) -> dict[str, tuple[str | None, str | None, int]]:
        """Digest, artifact and per cent of traffic of each release that runs beside the champion, by slot."""
        return {
            slot: (one["digest"], one["artifact"], one["traffic"]) for slot, one in self.facts.get("slots", {}).items()
        }


class Release(msgspec.Struct, frozen=True):
    """What a target is to run: files to copy and texts to write, by name, under the digest of a version."""

    model: str
    digest: str
    artifact: str
    files: dict[str, Path]
    texts: dict[str, bytes] = {}


class ReleaseBeside(msgspec.Struct, frozen=True):
    """A release that runs beside the champion: a challenger answers a share of the requests, in per cent; a shadow none."""

    slot: Literal["challenger", "shadow"]
    traffic: int
    release: Release


class Target(Protocol):
    """Something that runs versions."""

    def observe(self, model: str) -> Observed:
        """Return what runs now, read back from the target itself."""
        ...

    def switch(self, release: Release, beside: Sequence[ReleaseBeside] = ()) -> Observed:
        """Make it run the release, and those beside it, at once or not at all; return what was read back afterwards."""
        ...
