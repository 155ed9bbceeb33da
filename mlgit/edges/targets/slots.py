"""`slots.json`: which releases run beside the current one, and their share of requests."""

import os
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from mlgit.edges.targets import folders
from mlgit.ops.kernel.ports.target import Observed, Release, ReleaseBeside

FILE: Final = "slots.json"
NEXT: Final = ".slots.new"
"""A temporary file that an interrupted `write` may leave behind."""

_MAX_BYTES: Final = 10_000
_ALL: Final = 100  # per cent


class SlotEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A release, by digest, and the percentage of requests that it answers."""

    digest: str
    traffic: int


class SlotsFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The file, for the program that serves from the folder. A shadow gets every request, and its answers are not used."""

    champion: SlotEntry
    challenger: SlotEntry | None = None
    shadow: SlotEntry | None = None


def write(release: Release, beside: Sequence[ReleaseBeside], home: int) -> None:
    """Write what runs beside a release, by one rename; it takes effect once that release is current.

    A file about another champion stays while that one may still be current (see `clear`). If it were removed first, the old
    champion would answer all requests for a short time, which is neither the old state nor the new one.

    Args:
        release: the champion.
        beside: what runs beside it; if nothing does, a file about this champion is removed.
        home: the open folder of the model.
    """
    existing = folders.read(FILE, home, _MAX_BYTES)
    if not beside:
        if _champion(existing) == release.digest:
            clear(beside, home)
        return
    content = _encode(release, beside)
    if content == existing:
        return
    folders.write(NEXT, content, home)
    if folders.is_folder(FILE, home):
        folders.remove(FILE, home)
    os.replace(NEXT, FILE, src_dir_fd=home, dst_dir_fd=home)
    os.fsync(home)


def clear(beside: Sequence[ReleaseBeside], home: int) -> None:
    """Remove the file if nothing runs beside the current release."""
    if not beside and FILE in folders.names(home):
        folders.remove(FILE, home)
        os.fsync(home)


def add(observed: Observed, home: int, observe: Callable[[str], Observed]) -> Observed:
    """Add what runs beside the current release, if the file is about it, to what was observed.

    A file that cannot be parsed, is not a plain file, or has shares that do not sum to 100, counts as altered.

    Args:
        observed: the current release as observed.
        home: the open folder of the model.
        observe: reads another release back, by its digest.
    """
    content = folders.read(FILE, home, _MAX_BYTES)
    if content is None:
        return _altered(observed, [FILE] if FILE in folders.names(home) else [])
    try:
        slots = msgspec.json.decode(content, type=SlotsFile)
    except msgspec.MsgspecError:
        return _altered(observed, [FILE])
    if slots.champion.digest != observed.digest:
        return observed
    running, altered = {}, []
    for name, slot in (("challenger", slots.challenger), ("shadow", slots.shadow)):
        if slot is not None:
            release = observe(slot.digest)
            running[name] = {"digest": release.digest, "artifact": release.artifact, "traffic": slot.traffic}
            altered += [f"{name}/{file}" for file in release.altered]
    if slots.champion.traffic != _ALL - (slots.challenger.traffic if slots.challenger else 0):
        altered.append(FILE)
    return _altered(Observed(observed.digest, observed.artifact, observed.facts | {"slots": running}), altered)


def _champion(content: bytes | None) -> str | None:
    """Return the digest of the champion in a file; None if there is no file or it cannot be parsed."""
    try:
        return None if content is None else msgspec.json.decode(content, type=SlotsFile).champion.digest
    except msgspec.MsgspecError:
        return None


def _encode(release: Release, beside: Sequence[ReleaseBeside]) -> bytes:
    challenger_share = sum(other.traffic for other in beside if other.slot == "challenger")
    entries = {other.slot: SlotEntry(other.release.digest, other.traffic) for other in beside}
    champion = SlotEntry(release.digest, _ALL - challenger_share)
    slots = SlotsFile(champion, entries.get("challenger"), entries.get("shadow"))
    return msgspec.json.format(msgspec.json.encode(slots), indent=2) + b"\n"


def _altered(observed: Observed, files: list[str]) -> Observed:
    if not files:
        return observed
    return Observed(observed.digest, observed.artifact, observed.facts | {"altered": observed.altered + files})
