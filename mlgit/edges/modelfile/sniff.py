"""The format of a model file, by its content and never by its name. A pickle, which runs when loaded, is refused."""

import bz2
import json
import lzma
import pickletools
import re
import zlib
from pathlib import Path
from typing import BinaryIO, Final

from mlgit.domain.records.version import ModelFormat
from mlgit.errors import Location, MlgitError, refused

PICKLE_FIX: Final = (
    'save it with `skops.io.dump(model, "model.skops")`, or in its own format: `save_model("model.ubj")` for XGBoost, '
    '`booster_.save_model("model.txt")` for LightGBM, ONNX, or safetensors for plain weights'
)

_HEAD: Final = 1 << 20  # a whole bzip2 block fits, so that a compressed pickle can be told from other content
_INNER: Final = 1 << 16
_LZMA_MEMORY: Final = 64 << 20
_HEADER_MAX: Final = 16 << 20
_FIELDS_MAX: Final = 100_000

_LFS: Final = b"version https://git-lfs.github.com/spec/"
_PAGES: Final = (b"<!doctype", b"<html", b"<head", b"<body", b"<?xml")
_COMPRESSED: Final = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"]\x00\x00": "lzma",
    b"\x04\x22M\x18": "lz4",
}
_XGBOOST_JSON: Final = re.compile(rb'\s*\{\s*"(learner|version|Config|Model)"\s*:')
_XGBOOST_UBJ: Final = re.compile(rb"\{(?:[iU].|[Il]..|l....|L.{8})(learner|version)", re.DOTALL)
_IMPORTED: Final = re.compile(r"[A-Za-z_][\w.]* [A-Za-z_][\w.]*")

# Top-level fields of ModelProto and their wire types (0 varint, 2 length-delimited), from onnx.proto:
# https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
_MODEL_PROTO: Final = {1: 0, 2: 2, 3: 2, 4: 2, 5: 0, 6: 2, 7: 2, 8: 2, 14: 2, 20: 2, 25: 2, 26: 2}
_IR_VERSION, _GRAPH = 1, 7


def sniff(path: Path, at: Location) -> ModelFormat:
    """Return the format of a model file; any zip archive counts as skops here and is looked into later.

    Raises:
        MlgitError: it is empty, a pointer, a page, a pickle, or of no known format.
        OSError: it cannot be read.
    """
    size = path.stat().st_size
    with path.open("rb") as stream:
        head = stream.read(_HEAD)
        _refuse_stand_ins(head, at)
        kind = _known(stream, head, size)
        if kind is not None:
            return kind
    raise _no_model(head, at)


def _known(stream: BinaryIO, head: bytes, size: int) -> ModelFormat | None:
    # safetensors comes before pickle: a header of 640 bytes begins like a pickle of protocol 2.
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "skops"
    if head.startswith((b"tree\n", b"tree\r\n")) and b"version=" in head[:100]:
        return "lightgbm"
    if _XGBOOST_JSON.match(head) or _XGBOOST_UBJ.match(head):
        return "xgboost"
    if _is_safetensors(stream, head, size):
        return "safetensors"
    return "onnx" if _is_onnx(stream, size) else None


def _refuse_stand_ins(head: bytes, at: Location) -> None:
    """Refuse what is left in place of a model when a download went wrong."""
    if not head:
        raise refused(
            "model-file-empty",
            "the model file is empty",
            fix="make it again with `mlgit train`, or fetch it with `dvc pull`",
            at=at,
        )
    if head.startswith(_LFS):
        raise refused(
            "model-is-lfs-pointer",
            "the model file is a Git LFS pointer, not a model",
            why="its first line is that of a pointer; the content was never fetched",
            fix="run `git lfs pull`, then keep the model with DVC: `dvc add` it, or make it an output of a stage",
            at=at,
        )
    if head.removeprefix(b"\xef\xbb\xbf").lstrip().lower().startswith(_PAGES):
        raise refused(
            "model-is-html",
            "the model file is a web page, not a model",
            why="its content begins as HTML or XML, as a login page or an error of a download does",
            fix="look at it in an editor, correct the download, and fetch the model again",
            at=at,
        )


def _no_model(head: bytes, at: Location) -> MlgitError:
    """Return the refusal of a file in no accepted format: a pickle, plain or compressed, or something unknown."""
    packed = _compression(head)
    protocol = _pickle_protocol(_unpacked_head(head, packed) if packed else head)
    if protocol is not None:
        inside = f" in {packed}" if packed else ""
        return refused(
            "model-is-pickle",
            "the model file is a pickle, which runs code when it is loaded",
            why=f"its content is a pickle of protocol {protocol}{inside}, as `pickle.dump` and `joblib.dump` write it",
            fix=PICKLE_FIX,
            at=at,
        )
    return refused(
        "model-format-unknown",
        "the model file is in no format that mlgit knows",
        why=f"it is compressed with {packed}" if packed else f"it begins with the bytes {head[:8].hex(' ')}",
        fix="save the model, uncompressed, as skops, ONNX, XGBoost (.ubj or .json), LightGBM (.txt) or safetensors",
        at=at,
    )


def _compression(head: bytes) -> str | None:
    for magic, name in _COMPRESSED.items():
        if head.startswith(magic):
            return name
    # RFC 1950, 2.2: the method is deflate with a window of 32 KiB, and the two bytes are a multiple of 31.
    return "zlib" if head[:1] == b"\x78" and int.from_bytes(head[:2]) % 31 == 0 else None


def _unpacked_head(head: bytes, packed: str) -> bytes:
    """Return at most 64 KiB of the content; nothing where it cannot be unpacked."""
    try:
        if packed in {"gzip", "zlib"}:
            return zlib.decompressobj(wbits=zlib.MAX_WBITS | 32).decompress(head, _INNER)
        if packed == "bzip2":
            return bz2.BZ2Decompressor().decompress(head, _INNER)
        if packed in {"xz", "lzma"}:
            return lzma.LZMADecompressor(memlimit=_LZMA_MEMORY).decompress(head, _INNER)
    except (zlib.error, OSError, lzma.LZMAError):
        pass
    return b""


def _pickle_protocol(data: bytes) -> int | None:
    """Return the protocol of a pickle; None where the bytes are none. Opcodes are read, never run.

    Protocols 0 and 1 have no mark at the start (see Python's `pickletools`): they are known by the import of a name, or
    by an end that is reached.
    """
    if data[:1] == b"\x80":
        return data[1] if len(data) > 1 and data[1] <= 5 else None  # noqa: PLR2004 - the newest protocol
    seen = 0
    try:
        for opcode, argument, _ in pickletools.genops(data[:_INNER]):
            if opcode.name in {"GLOBAL", "INST"} and _IMPORTED.fullmatch(str(argument)):
                return opcode.proto
            if opcode.name == "STOP":
                return 0 if seen else None
            seen += 1
    except Exception:  # noqa: BLE001 - bytes that are no pickle fail in many ways; all mean the same
        return None
    return None


def _is_safetensors(stream: BinaryIO, head: bytes, size: int) -> bool:
    """Tell whether a file begins with a header of safetensors: 8 bytes of length, then JSON (https://huggingface.co/docs/safetensors)."""
    length = int.from_bytes(head[:8], "little")
    if head[8:9] != b"{" or not 0 < length <= min(_HEADER_MAX, size - 8):
        return False
    stream.seek(8)
    try:
        header = json.loads(stream.read(length))
    except (ValueError, RecursionError):
        return False
    return all(
        isinstance(entry, dict) and ("dtype" in entry or name == "__metadata__") for name, entry in header.items()
    )


def _is_onnx(stream: BinaryIO, size: int) -> bool:
    """Tell whether the whole file is a sequence of fields of an ONNX ModelProto, with a version and a graph."""
    position, found = 0, set[int]()
    for _ in range(_FIELDS_MAX):
        if position >= size:
            break
        stream.seek(position)
        field = stream.read(20)
        tag, start = _varint(field, 0)
        number, wire = tag >> 3, tag & 7
        if start == 0 or _MODEL_PROTO.get(number) != wire:
            return False
        value, end = _varint(field, start)
        if end == 0:
            return False
        position += end + (value if wire else 0)
        found.add(number)
    return position == size and {_IR_VERSION, _GRAPH} <= found


def _varint(data: bytes, start: int) -> tuple[int, int]:
    """Return a number in protobuf's base 128 and the place after it; place 0 where it does not end within 10 bytes."""
    value = 0
    for offset, byte in enumerate(data[start : start + 10]):
        value |= (byte & 0x7F) << 7 * offset
        if byte < 0x80:  # noqa: PLR2004 - the bit that says that more bytes follow
            return value, start + offset + 1
    return 0, 0
