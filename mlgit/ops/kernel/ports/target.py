"""The port to a target: observe what runs, and switch to another release."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

import msgspec


class Observed(msgspec.Struct, frozen=True):
    """What a target was read back to run. `digest` and `artifact` are None if nothing runs."""

    digest: str | None
    """Digest of the version that it states."""
    artifact: str | None
    """Digest of the model file that it has."""
    facts: dict[str, Any]
    """Details that depend on the kind of target."""

    @property
    def altered(self) -> list[str]:
        """Files that differ from those of the release."""
        return list(self.facts.get("altered", []))

    @property
    def beside(self) -> dict[str, tuple[str | None, str | None, int]]:
        """The releases beside the champion by slot: digest, artifact, and share of the requests in per cent."""
        slots = self.facts.get("slots", {})
        return {slot: (facts["digest"], facts["artifact"], facts["traffic"]) for slot, facts in slots.items()}


class Release(msgspec.Struct, frozen=True):
    """A version as it is deployed: files to copy, and texts to write, by name."""

    model: str
    digest: str
    """Digest of the version."""
    artifact: str
    """Digest of the model file."""
    files: dict[str, Path]
    texts: dict[str, bytes] = {}


class ReleaseBeside(msgspec.Struct, frozen=True):
    """A release beside the champion. A challenger answers a share of the requests, in per cent; a shadow answers none."""

    slot: Literal["challenger", "shadow"]
    traffic: int
    release: Release


class Target(Protocol):
    """Something that runs versions, such as a directory that a server reads."""

    def observe(self, model: str) -> Observed:
        """Return what runs now, read back from the target itself and not from a record of the last switch.

        Raises:
            Inconclusive: the target cannot be read (`target-unreadable`).
        """
        ...

    def switch(self, release: Release, beside: Sequence[ReleaseBeside] = ()) -> Observed:
        """Run a release as champion, and others beside it, atomically; return what was read back afterwards.

        Raises:
            MlgitError: a file of the release has another digest than it states (`release-invalid`). Nothing was changed.
            Inconclusive: the target cannot be written (`target-unwritable`), or a file cannot be read (`file-unreadable`).
                Either the previous release still runs, or the new one does already.
        """
        ...
