"""safetensors: tensors that lie in the file side by side, each of the size that follows from its type and shape.

Source: the description of the format (https://huggingface.co/docs/safetensors, "Format"): no tensor overlaps another, and there
are no holes between them.
"""

import json
import math
from pathlib import Path
from typing import Any, Final

from mlgit.edges.modelfile.unsafe import unsafe
from mlgit.errors import Location

_BITS: Final = {
    "BOOL": 8,
    "U8": 8,
    "I8": 8,
    "U16": 16,
    "I16": 16,
    "F16": 16,
    "BF16": 16,
    "U32": 32,
    "I32": 32,
    "F32": 32,
    "U64": 64,
    "I64": 64,
    "F64": 64,
    "C64": 64,
    "F8_E5M2": 8,
    "F8_E4M3": 8,
    "F8_E8M0": 8,
    "F4": 4,
    "F6_E2M3": 6,
    "F6_E3M2": 6,
    "F8_E4M3FNUZ": 8,
    "F8_E5M2FNUZ": 8,
}
_METADATA: Final = "__metadata__"


def check(path: Path, at: Location) -> None:
    """Refuse a file whose header states other tensors than it has.

    Args:
        path: a file that begins with a header of safetensors.
        at: its place, for messages.

    Raises:
        MlgitError: it does (`model-file-unsafe`).
    """
    size = path.stat().st_size
    with path.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        pairs = json.loads(stream.read(length), object_pairs_hook=list)
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        raise unsafe("its header names a tensor twice", at)
    spans = []
    for name, entry in pairs:
        if name != _METADATA:
            problem, span = _span(dict(entry) if isinstance(entry, list) else {})
            if problem:
                raise unsafe(f"the tensor {name[:60]!r} {problem}", at)
            spans.append((span, name))
    position = 0
    for (start, end), name in sorted(spans):
        if start != position:
            what = "overlaps another" if start < position else f"begins {start - position:,} bytes after the one before"
            raise unsafe(f"the tensor {name[:60]!r} {what}", at)
        position = end
    if position != size - 8 - length:
        raise unsafe(f"its tensors have {position:,} bytes, and {size - 8 - length:,} follow the header", at)


def _span(entry: dict[str, Any]) -> tuple[str, tuple[int, int]]:
    """Return what is wrong with the entry of a tensor, if anything, and where its data begin and end."""
    nothing = (0, 0)
    bits, shape, offsets = (
        _BITS.get(str(entry.get("dtype"))),
        _sizes(entry.get("shape")),
        _sizes(entry.get("data_offsets")),
    )
    if bits is None:
        return "has a type that mlgit does not know", nothing
    if shape is None or offsets is None or len(offsets) != 2:  # noqa: PLR2004 - begin and end
        return "has no shape, or no place", nothing
    stated, found = math.prod(shape) * bits, (offsets[1] - offsets[0]) * 8
    if stated != found:
        return f"states {stated:,} bits and has {found:,}", nothing
    return "", (offsets[0], offsets[1])


def _sizes(value: Any) -> list[int] | None:
    is_list = isinstance(value, list) and all(type(item) is int and item >= 0 for item in value)
    return value if is_list else None
