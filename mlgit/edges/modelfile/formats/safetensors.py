"""safetensors: plain weights, which cannot be scored without the code of a network."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mlgit.domain.records.version import ModelFormat
    from mlgit.edges.modelfile.formats.base import Content
    from mlgit.errors import Location

NAME: "ModelFormat" = "safetensors"
EXTENSIONS: tuple[str, ...] = (".safetensors",)
SAVE: str = "safetensors for plain weights"
LIBRARY: str | None = None
EXTRA: str | None = None

_HEADER_MAX: Final = 16 << 20


def matches(content: "Content") -> bool:
    """Tell whether a file begins with a header of safetensors.

    That is 8 bytes of length, then JSON (https://huggingface.co/docs/safetensors). A header of 640 bytes begins with the
    two bytes of a pickle of protocol 2, so the header is parsed to tell them apart.
    """
    length = int.from_bytes(content.head[:8], "little")
    if content.head[8:9] != b"{" or not 0 < length <= min(_HEADER_MAX, content.size - 8):
        return False
    content.stream.seek(8)
    try:
        header = json.loads(content.stream.read(length))
    except (ValueError, RecursionError):
        return False
    return all(
        isinstance(entry, dict) and ("dtype" in entry or name == "__metadata__") for name, entry in header.items()
    )


def list_types(path: Path, at: "Location") -> list[str]:
    """Return no types: the file holds numbers only. Refuse a file that lies of its size."""
    from mlgit.edges.modelfile import safetensorsfile  # noqa: PLC0415 - the scoring process has no mlgit

    safetensorsfile.check(path, at)
    return []
