"""The format of a model file, by its content and never by its name. A pickle, which runs code when loaded, is refused."""

import bz2
import lzma
import pickletools
import re
import zlib
from pathlib import Path
from typing import Final

from mlgit.domain.records.version import ModelFormat
from mlgit.edges.modelfile.formats import FORMATS, how_to_save
from mlgit.edges.modelfile.formats.base import Content
from mlgit.errors import Location, MlgitError, refused

_HEAD: Final = 1 << 20  # a whole bzip2 block fits, so that a compressed pickle can be told from other content
_UNPACKED_MAX: Final = 1 << 16
_LZMA_MEMORY: Final = 64 << 20

_LFS: Final = b"version https://git-lfs.github.com/spec/"
_PAGES: Final = (b"<!doctype", b"<html", b"<head", b"<body", b"<?xml")
_COMPRESSED: Final = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"]\x00\x00": "lzma",
    b"\x04\x22M\x18": "lz4",
}
_GLOBAL: Final = re.compile(r"[A-Za-z_][\w.]* [A-Za-z_][\w.]*")


def sniff(path: Path, at: Location) -> ModelFormat:
    """Return the format of a model file; any zip archive counts as skops here and is inspected later.

    Raises:
        MlgitError: it is empty, a pointer, a web page, a pickle, or of no accepted format.
        OSError: it cannot be read.
    """
    size = path.stat().st_size
    with path.open("rb") as stream:
        head = stream.read(_HEAD)
        _refuse_stand_ins(head, at)
        content = Content(head, stream, size)
        # No format matches a pickle (a contract test holds this for each), so what is left is a pickle or unknown. The
        # other order would refuse a safetensors file whose header has 640 bytes: it begins like a pickle of protocol 2.
        for module in FORMATS.values():
            if module.matches(content):
                return module.NAME
    raise _refusal(head, at)


def _refuse_stand_ins(head: bytes, at: Location) -> None:
    """Refuse what a failed download leaves in place of a model."""
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
            fix="open it in an editor, correct the download, and fetch the model again",
            at=at,
        )


def _refusal(head: bytes, at: Location) -> MlgitError:
    """Return the error for a file in no accepted format: a pickle, plain or compressed, or something unknown."""
    compression = _compression(head)
    protocol = _pickle_protocol(_unpacked_head(head, compression) if compression else head)
    if protocol is not None:
        inside = f" in {compression}" if compression else ""
        return refused(
            "model-is-pickle",
            "the model file is a pickle, which runs code when it is loaded",
            why=f"its content is a pickle of protocol {protocol}{inside}, as `pickle.dump` and `joblib.dump` write it",
            fix=how_to_save(),
            at=at,
        )
    return refused(
        "model-format-unknown",
        "the model file has no format that mlgit supports",
        why=f"it is compressed with {compression}" if compression else f"it begins with the bytes {head[:8].hex(' ')}",
        fix=f"do not compress it; {how_to_save()}",
        at=at,
    )


def _compression(head: bytes) -> str | None:
    for magic, name in _COMPRESSED.items():
        if head.startswith(magic):
            return name
    # RFC 1950, 2.2: the method is deflate with a window of 32 KiB, and the two bytes are a multiple of 31.
    return "zlib" if head[:1] == b"\x78" and int.from_bytes(head[:2]) % 31 == 0 else None


def _unpacked_head(head: bytes, compression: str) -> bytes:
    """Return at most 64 KiB of the content, so that a decompression bomb stays small; nothing if it cannot be unpacked."""
    try:
        if compression in {"gzip", "zlib"}:
            return zlib.decompressobj(wbits=zlib.MAX_WBITS | 32).decompress(head, _UNPACKED_MAX)
        if compression == "bzip2":
            return bz2.BZ2Decompressor().decompress(head, _UNPACKED_MAX)
        if compression in {"xz", "lzma"}:
            return lzma.LZMADecompressor(memlimit=_LZMA_MEMORY).decompress(head, _UNPACKED_MAX)
    except (zlib.error, OSError, lzma.LZMAError):
        pass
    return b""


def _pickle_protocol(data: bytes) -> int | None:
    """Return the protocol of a pickle; None if the bytes are no pickle. Opcodes are read, never run.

    Protocols 0 and 1 have no mark at the start (see Python's `pickletools`): they are recognized by the import of a name,
    or because the opcodes reach STOP.
    """
    if data[:1] == b"\x80":
        return data[1] if len(data) > 1 and data[1] <= 5 else None  # noqa: PLR2004 - the newest protocol
    opcodes = 0
    try:
        for opcode, argument, _ in pickletools.genops(data[:_UNPACKED_MAX]):
            if opcode.name in {"GLOBAL", "INST"} and _GLOBAL.fullmatch(str(argument)):
                return opcode.proto
            if opcode.name == "STOP":
                return 0 if opcodes else None
            opcodes += 1
    except Exception:  # noqa: BLE001 - bytes that are no pickle fail in many ways; all mean the same
        return None
    return None
