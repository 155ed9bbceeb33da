"""`slots.json`: what runs beside the current release of a folder, and who answers which share of the requests."""

import os
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from mlgit.edges.targets import folders
from mlgit.ops.kernel.ports.target import Observed, Release, ReleaseBeside

FILE: Final = "slots.json"
NEXT: Final = ".slots.new"
"""What a stopped `write` may leave behind."""

_BYTES: Final = 10_000
_ALL: Final = 100  # per cent


class Slot(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A release, by digest, and the per cent of requests that it answers."""

    digest: str
    traffic: int


class Slots(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The file, for whoever serves from the folder. A shadow is asked and never answers."""

    champion: Slot
    challenger: Slot | None = None
    shadow: Slot | None = None


def write(release: Release, beside: Sequence[ReleaseBeside], home: int) -> None:
    """Say what runs beside a release, by one rename; it holds from the moment at which that release is current.

    What was said of other champions stays while one of them may still be current (see `clear`): were it taken away first,
    a champion that shared its requests would be alone for a moment, and neither as it was nor as it is to be.

    Args:
        release: the champion.
        beside: what runs beside it; without any, what there is must not be said of this release.
        home: the open folder of the model.
    """
    there = folders.read(FILE, home, _BYTES)
    if not beside:
        if _champion(there) == release.digest:
            clear(beside, home)
        return
    content = _text(release, beside)
    if content == there:
        return
    folders.write(NEXT, content, home)
    if folders.is_folder(FILE, home):
        folders.remove(FILE, home)
    os.replace(NEXT, FILE, src_dir_fd=home, dst_dir_fd=home)
    os.fsync(home)


def clear(beside: Sequence[ReleaseBeside], home: int) -> None:
    """Take the file away, once the release that runs alone is current; with something beside it, the file stays."""
    if not beside and FILE in folders.names(home):
        folders.remove(FILE, home)
        os.fsync(home)


def add(observed: Observed, home: int, look: Callable[[str], Observed]) -> Observed:
    """Add what runs beside the current release, if the file holds for it, to what was seen.

    A file that cannot be understood, is no plain file, or has shares that do not add up, counts as altered.

    Args:
        observed: what was seen of the current release.
        home: the open folder of the model.
        look: reads another release back, by its digest.
    """
    content = folders.read(FILE, home, _BYTES)
    if content is None:
        return _altered(observed, [FILE] if FILE in folders.names(home) else [])
    try:
        said = msgspec.json.decode(content, type=Slots)
    except msgspec.MsgspecError:
        return _altered(observed, [FILE])
    if said.champion.digest != observed.digest:
        return observed
    found, altered = {}, []
    for name, slot in (("challenger", said.challenger), ("shadow", said.shadow)):
        if slot is not None:
            one = look(slot.digest)
            found[name] = {"digest": one.digest, "artifact": one.artifact, "traffic": slot.traffic}
            altered += [f"{name}/{file}" for file in one.altered]
    if said.champion.traffic != _ALL - (said.challenger.traffic if said.challenger else 0):
        altered.append(FILE)
    return _altered(Observed(observed.digest, observed.artifact, observed.facts | {"slots": found}), altered)


def _champion(content: bytes | None) -> str | None:
    """Return the digest of the champion that a file is said of; None where it cannot be understood, or there is none."""
    try:
        return None if content is None else msgspec.json.decode(content, type=Slots).champion.digest
    except msgspec.MsgspecError:
        return None


def _text(release: Release, beside: Sequence[ReleaseBeside]) -> bytes:
    answered = sum(other.traffic for other in beside if other.slot == "challenger")
    named = {other.slot: Slot(other.release.digest, other.traffic) for other in beside}
    said = Slots(Slot(release.digest, _ALL - answered), named.get("challenger"), named.get("shadow"))
    return msgspec.json.format(msgspec.json.encode(said), indent=2) + b"\n"


def _altered(observed: Observed, files: list[str]) -> Observed:
    if not files:
        return observed
    return Observed(observed.digest, observed.artifact, observed.facts | {"altered": observed.altered + files})
