"""Pointers: the small `.dvc` files that Git keeps in place of data."""

import re
from pathlib import PurePosixPath
from typing import Any, cast

import msgspec

from mlgit.domain.names import FilePath, Md5
from mlgit.domain.records.version import StoredFile
from mlgit.edges.formats import yamlfile
from mlgit.edges.formats.document import Document
from mlgit.errors import Location, MlgitError, refused

_ADD_AGAIN = "write it again with `dvc add`"

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)+")
"""Names that need no quotes: they begin with a letter and have a dot inside, so YAML reads them as text."""
_NUMBER = re.compile(r"[0-9]+(e[0-9]+)?")
"""The rare md5 that YAML would read as a number."""


class Pointer(msgspec.Struct, frozen=True, kw_only=True):
    """A `.dvc` file: the path of the data from the root, and DVC's hash and the size in bytes of its content."""

    file: str
    path: FilePath
    md5: Md5
    size: int

    @property
    def is_folder(self) -> bool:
        """Tell whether the data is a folder: its md5 is that of a list of files."""
        return self.md5.endswith(".dir")


def render(stored: StoredFile) -> bytes:
    """Return the pointer to a file in the same folder, byte for byte as DVC 3 writes it."""
    name = stored.path.rpartition("/")[2]
    path = name if _PLAIN.fullmatch(name) else _quoted(name)
    md5 = _quoted(stored.md5) if _NUMBER.fullmatch(stored.md5) else stored.md5
    return f"outs:\n- md5: {md5}\n  size: {stored.size}\n  hash: md5\n  path: {path}\n".encode()


def parse(content: bytes, file: str) -> Pointer:
    """Read a pointer. Other keys of DVC (`desc`, `deps` of an import) are ignored.

    Args:
        content: the document.
        file: its path in the repository; its `path` is relative to the folder.

    Raises:
        MlgitError: it is not a pointer to exactly one output (`dvc-pointer-invalid`), was written before DVC 3
            (`dvc-pointer-legacy`), or has no valid hash or no path below its own folder (`dvc-pointer-unsafe`).
    """
    document = yamlfile.parse(content, file)
    out = _only_output(document)
    if out.get("hash") != "md5":
        raise refused(
            "dvc-pointer-legacy",
            f"{file} was written before DVC 3, which uses another hash",
            why="it lacks `hash: md5`",
            fix="run `dvc cache migrate --dvc-files`",
            at=document.at(("outs", 0)),
        )
    size = out.get("size")
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise _invalid(document, "its output has no size", "outs", 0, "size")
    path = _checked(document, out, "path", FilePath)
    # Checked again after joining: the pointer itself could be at a path that leads outside.
    joined = {"path": str(PurePosixPath(file).parent / path)}
    return Pointer(
        file=file,
        path=_checked(document, joined, "path", FilePath),
        md5=_checked(document, out, "md5", Md5),
        size=size,
    )


def check_named(content: bytes, file: str) -> None:
    """Check that a pointer names the file beside it that has its own name without `.dvc`, as `dvc add` writes it.

    Raises:
        MlgitError: it names another one (`dvc-pointer-misnamed`), or as `parse`.
    """
    pointer = parse(content, file)
    if pointer.path != file.removesuffix(".dvc"):
        raise refused(
            "dvc-pointer-misnamed",
            f"{file} names {pointer.path}",
            why="the contract of the dataset names the file that the pointer is called after",
            fix=f"rename the pointer, or run `dvc add {file.removesuffix('.dvc')}`",
            at=Location(file),
        )


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _only_output(document: Document) -> dict[str, Any]:
    outs = document.value.get("outs")
    if not isinstance(outs, list):
        raise _invalid(document, "it has no list of outputs", "outs")
    if len(outs) != 1:
        raise _invalid(document, f"it has {len(outs)} outputs, one is expected", "outs")
    if "wdir" in document.value:
        raise _invalid(document, "its paths are relative to another folder", "wdir")
    if not isinstance(outs[0], dict):
        raise _invalid(document, "its output is not a mapping", "outs", 0)
    return outs[0]


def _checked(document: Document, out: dict[str, Any], key: str, kind: Any) -> str:
    try:
        return cast("str", msgspec.convert(out.get(key), type=kind))
    except msgspec.ValidationError as error:
        raise refused(
            "dvc-pointer-unsafe",
            f"{document.file} does not name data in this repository",
            why=f"{key} is {out.get(key)!r}"[:200],
            fix=_ADD_AGAIN,
            at=document.at(("outs", 0, key)),
        ) from error


def _invalid(document: Document, why: str, *path: str | int) -> MlgitError:
    return refused(
        "dvc-pointer-invalid",
        f"{document.file} is not a pointer to data",
        why=why,
        fix=_ADD_AGAIN,
        at=document.at(path),
    )
