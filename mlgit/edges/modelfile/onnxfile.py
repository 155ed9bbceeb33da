"""ONNX graphs: no data outside of the file, and tensors of the size that they state. Fields are read, no graph is built.

The messages are those of onnx.proto (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto), in protobuf's wire format
(https://protobuf.dev/programming-guides/encoding/). Of each message, only the fields that lead to a tensor are followed.
"""

import mmap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, Literal, NamedTuple

from mlgit.edges.modelfile.unsafe import unsafe
from mlgit.errors import Location

FIELDS_MAX: Final = 5_000_000
"""Fields of a file; a forest of 300 deep trees has about a million numbers in a few packed fields."""
DEPTH_MAX: Final = 100
"""Levels of graphs inside of graphs, as in loops."""

_Kind = Literal["model", "graph", "node", "attribute", "function", "training", "sparse", "tensor"]
_INSIDE: Final[Mapping[_Kind, Mapping[int, _Kind]]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "function": {7: "node", 11: "attribute"},
    "training": {1: "graph", 2: "graph"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {},
}
_DIMS, _DATA_TYPE, _RAW_DATA, _EXTERNAL_DATA, _DATA_LOCATION = 1, 2, 9, 13, 14
_OP_TYPE: Final = 4
_OUTSIDE_OPERATORS: Final = frozenset({b"EPContext"})
"""Operators that name a file of compiled code (https://onnxruntime.ai/docs/execution-providers/EP-Context-Design.html)."""
# Bits of an element by TensorProto.DataType; strings (8) have none, and are never raw.
_BITS: Final = {
    **dict.fromkeys((2, 3, 9, 17, 18, 19, 20, 24), 8),
    **dict.fromkeys((4, 5, 10, 16), 16),
    **dict.fromkeys((1, 6, 12), 32),
    **dict.fromkeys((7, 11, 13, 14), 64),
    15: 128,
    **dict.fromkeys((21, 22, 23), 4),
}
_VARINT, _FIXED_64, _LENGTH, _FIXED_32 = 0, 1, 2, 5


class _Field(NamedTuple):
    """A field: its number, its wire type, its number as a value, and where its content is."""

    number: int
    wire_type: int
    value: int
    start: int
    end: int


class _Damaged(Exception):
    """The bytes are no protobuf message."""


def check(path: Path, at: Location) -> None:
    """Refuse a graph that reads other files, or has a tensor whose size is not the one that it states.

    Raises:
        MlgitError: it does (`model-file-unsafe`).
    """
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        try:
            problem = _Scan(data).problem()
        except _Damaged as error:
            problem = f"a message in it is damaged: {error}"
    if problem:
        raise unsafe(problem, at)


class _Scan:
    """One pass over a file, with a bound on the number of fields."""

    def __init__(self, data: mmap.mmap) -> None:
        self._data = data
        self._fields_left = FIELDS_MAX

    def problem(self) -> str:
        """Return why the file is not safe; nothing if it is."""
        waiting: list[tuple[_Kind, int, int, int]] = [("model", 0, len(self._data), 0)]
        while waiting:
            kind, start, end, depth = waiting.pop()
            if depth > DEPTH_MAX:
                return f"graphs are nested more than {DEPTH_MAX} levels deep"
            if kind == "tensor" and (found := self._tensor(list(self._fields(start, end)))):
                return found
            for field in self._fields(start, end) if _INSIDE[kind] else ():
                if kind == "node" and self._is_outside_operator(field):
                    return "an operator in it, EPContext, names a file of compiled code"
                inner = _INSIDE[kind].get(field.number)
                if inner is not None and field.wire_type == _LENGTH:
                    waiting.append((inner, field.start, field.end, depth + 1))
        return ""

    def _is_outside_operator(self, field: _Field) -> bool:
        return field.number == _OP_TYPE and self._data[field.start : field.end] in _OUTSIDE_OPERATORS

    def _tensor(self, fields: list[_Field]) -> str:
        elements, bits, raw, content = 1, None, None, 0
        for field in fields:
            if field.number == _EXTERNAL_DATA or (field.number == _DATA_LOCATION and field.value):
                return "the data of a tensor are in another file, which its digest does not cover"
            if field.number == _DIMS:
                for size in [field.value] if field.wire_type == _VARINT else self._packed(field):
                    elements *= size  # a negative size is a very large number here
            elif field.number == _DATA_TYPE:
                bits = _BITS.get(field.value)
            elif field.number == _RAW_DATA:
                raw = field.end - field.start
            content += field.end - field.start
        if raw is not None and bits is not None and raw != -(-elements * bits // 8):
            return f"a tensor states {elements:,} elements of {bits} bits and has {raw:,} bytes"
        # Without raw data, an element takes a byte at least; but eight of a sparse or empty tensor may take none.
        if raw is None and elements > max(8, 8 * content):
            return f"a tensor states {elements:,} elements and has {content:,} bytes"
        return ""

    def _packed(self, field: _Field) -> Iterator[int]:
        position = field.start
        while position < field.end:
            value, position = self._varint(position, field.end)
            yield value

    def _fields(self, start: int, end: int) -> Iterator[_Field]:
        position = start
        while position < end:
            self._fields_left -= 1
            if self._fields_left < 0:
                raise _Damaged(f"it has more than {FIELDS_MAX:,} fields")
            tag, position = self._varint(position, end)
            wire_type, value, begin = tag & 7, 0, position
            if wire_type == _VARINT:
                value, position = self._varint(position, end)
            elif wire_type == _LENGTH:
                length, begin = self._varint(position, end)
                position = begin + length
            elif wire_type in {_FIXED_32, _FIXED_64}:
                position += 4 if wire_type == _FIXED_32 else 8
            else:
                raise _Damaged(f"a field has the wire type {wire_type}")
            if position > end:
                raise _Damaged("a field is longer than the message that it is in")
            yield _Field(tag >> 3, wire_type, value, begin, position)

    def _varint(self, position: int, end: int) -> tuple[int, int]:
        value = 0
        for offset, byte in enumerate(self._data[position : min(position + 10, end)]):
            value |= (byte & 0x7F) << 7 * offset
            if byte < 0x80:  # noqa: PLR2004 - the bit that says that more bytes follow
                return value, position + offset + 1
        raise _Damaged("a number does not end")
