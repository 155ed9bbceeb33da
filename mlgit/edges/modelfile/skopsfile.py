"""skops archives: limits on what is opened, and the types in one. Arrays are never read, and no object is built."""

import io
import json
import re
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any, Final

from mlgit.errors import Location, MlgitError, refused

UNPACKED_MAX: Final = 4 << 30
"""Bytes that an archive may unpack to."""
RATIO_MAX: Final = 200
"""How many times its size an archive may unpack to, once that is more than `RATIO_FROM` bytes."""
RATIO_FROM: Final = 64 << 20
ENTRIES_MAX: Final = 100_000
SCHEMA_MAX: Final = 64 << 20
"""Bytes of `schema.json`; a forest of 300 deep trees needs 5 MB."""
DEPTH_MAX: Final = 200
"""Levels of JSON in `schema.json`; an ordinary pipeline has about 30."""

_SCHEMA: Final = "schema.json"
_ENCRYPTED: Final = 0x1  # general purpose bit 0, APPNOTE.TXT 4.4.4
_OUTSIDE: Final = re.compile(r"(^|/)\.\.(/|$)|^/|\\|:|\x00")


def list_types(path: Path, at: Location) -> list[str]:
    """Return the types in a skops file that skops itself does not trust, as sorted dotted names.

    Raises:
        MlgitError: the archive is unsafe to open (`model-archive-unsafe`), was not written by skops (`model-is-pickle` if
            it holds a pickle, else `model-format-unknown`), or is damaged (`model-file-unreadable`).
    """
    try:
        with zipfile.ZipFile(path) as archive:
            _check_archive(archive.infolist(), path.stat().st_size, at)
            names = archive.namelist()
            schema = archive.read(_SCHEMA)
        _check_nodes(json.loads(schema))
        return _skops_types(schema, names)
    except MlgitError:
        raise
    except (
        Exception
    ) as error:  # a damaged or hostile file can break zipfile, json and skops anywhere; all mean the same
        raise refused(
            "model-file-unreadable",
            "the model file cannot be read as a skops file",
            why=one_line(error),
            fix="fetch it again with `dvc pull`; if it is the same, save the model again with `skops.io.dump`",
            at=at,
        ) from error


def one_line(error: BaseException) -> str:
    """Return the message of an exception, in one line of at most 200 characters."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}"[:200] if lines else type(error).__name__


def _check_archive(entries: list[zipfile.ZipInfo], size: int, at: Location) -> None:
    """Refuse an archive by its directory alone, before any byte is unpacked.

    The declared sizes bind: zipfile never unpacks more of an entry than its directory says.
    """
    names = Counter(entry.filename for entry in entries)
    if _SCHEMA not in names:
        raise _not_skops(names, at)
    unpacked = sum(entry.file_size for entry in entries)
    for problem in (
        len(entries) > ENTRIES_MAX and f"it has {len(entries)} entries, {ENTRIES_MAX} are allowed",
        unpacked > UNPACKED_MAX and f"it unpacks to {unpacked} bytes, {UNPACKED_MAX} are allowed",
        unpacked > max(RATIO_FROM, RATIO_MAX * size)
        and f"it unpacks to {unpacked // size} times its size, {RATIO_MAX} are allowed",
        next((f"the entry {name!r} occurs {count} times" for name, count in names.items() if count > 1), ""),
        next((f"the entry {name!r} is a path outside of the archive" for name in names if _OUTSIDE.search(name)), ""),
        next((f"the entry {entry.filename!r} is encrypted" for entry in entries if entry.flag_bits & _ENCRYPTED), ""),
        next(
            (
                f"{_SCHEMA} has {entry.file_size} bytes, {SCHEMA_MAX} are allowed"
                for entry in entries
                if entry.filename == _SCHEMA and entry.file_size > SCHEMA_MAX
            ),
            "",
        ),
    ):
        if problem:
            raise refused(
                "model-archive-unsafe",
                "the model file is an archive that is not safe to open",
                why=problem,
                fix="save the model again with `skops.io.dump`; if you did not make the file, do not open it",
                at=at,
            )


def _not_skops(names: Counter[str], at: Location) -> MlgitError:
    if any(name.endswith((".pkl", ".pickle")) for name in names):
        return refused(
            "model-is-pickle",
            "the model file is an archive with a pickle in it, which runs code when it is loaded",
            why="it holds a .pkl entry, as `torch.save` writes it",
            fix="save the weights as safetensors, or export the model to ONNX",
            at=at,
        )
    return refused(
        "model-format-unknown",
        "the model file is a zip archive, but not a skops file",
        why=f"it has no {_SCHEMA}",
        fix="save it with `skops.io.dump`; `mlgit explain model-format-unknown` lists the other formats",
        at=at,
    )


def _check_nodes(schema: Any) -> None:
    """Refuse a schema whose traversal by skops takes exponential time.

    skops replaces a node whose `__id__` it has met by the node that it met first, so a short file of n levels can cause
    2^n visits (20 levels take 2.5 s, and each level doubles it). skops itself writes a repeated object in full each time.
    If all nodes of an id have the same size, a replaced node is as large as the one in the file, so skops visits no more
    nodes than the file has.

    Raises:
        ValueError: two nodes share an id but not a size, or nodes are nested too deep.
    """
    sizes: dict[Any, int] = {}

    def size_of(value: Any, depth: int) -> int:
        if depth > DEPTH_MAX:
            raise ValueError(f"{_SCHEMA} is nested more than {DEPTH_MAX} levels deep")
        if isinstance(value, list):
            return sum([size_of(item, depth + 1) for item in value])
        if not isinstance(value, dict):
            return 0
        size = 1 + sum([size_of(item, depth + 1) for item in value.values()])
        if (node := value.get("__id__")) and sizes.setdefault(node, size) != size:
            raise ValueError(f"{_SCHEMA} describes the object {node} in two ways")
        return size

    size_of(schema, 0)


def _skops_types(schema: bytes, names: list[str]) -> list[str]:
    """Ask skops which types it does not trust, on a copy of the archive with empty arrays: only the schema decides."""
    import skops.io  # noqa: PLC0415 - imports scikit-learn

    copy = io.BytesIO()
    with zipfile.ZipFile(copy, "w") as archive:
        for name in names:
            archive.writestr(name, schema if name == _SCHEMA else b"")
    return sorted(skops.io.get_untrusted_types(data=copy.getvalue()))
