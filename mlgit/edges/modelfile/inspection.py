"""Inspection of a model file by its content. Nothing is loaded, imported or run from it."""

from pathlib import Path, PurePath
from typing import Final

import msgspec

from mlgit.domain.records.version import ModelFormat
from mlgit.edges.modelfile.formats import EXTENSIONS, FORMATS
from mlgit.edges.modelfile.sniff import sniff
from mlgit.edges.modelfile.trust import BUILT_IN
from mlgit.errors import Finding, Location, refused

_PICKLES: Final = frozenset({".pkl", ".pickle", ".joblib"})


class ModelFile(msgspec.Struct, frozen=True):
    """The content of a model file.

    `types` are the types that must be listed in `.mlgit/trusted_types`, `built_in` those that mlgit trusts beyond the
    library of the format; both are dotted names, sorted. Only skops files have any. `findings` are problems that leave
    the format known.
    """

    format: ModelFormat
    types: list[str]
    built_in: list[str]
    findings: list[Finding]


def inspect(path: Path, file: str | None = None) -> ModelFile:
    """Return the format of a model file and the types in it, without loading it.

    Args:
        path: the file to read.
        file: its name for people, used in findings and for its extension; the path itself if not given.

    Returns:
        The format, the types, and the finding `model-extension-mismatch` if the extension is that of another format.

    Raises:
        MlgitError: it is not a model file that mlgit accepts: `model-file-missing`, `model-file-empty`,
            `model-is-lfs-pointer`, `model-is-html`, `model-is-pickle`, `model-format-unknown`, `model-archive-unsafe` or
            `model-file-unreadable`.
    """
    shown = file if file is not None else str(path)
    at = Location(shown)
    try:
        name = sniff(path, at)
        types = FORMATS[name].list_types(path, at)
    except OSError as error:
        raise refused(
            "model-file-missing", "the model file cannot be read", why=error.strerror or str(error), at=at
        ) from error
    return ModelFile(
        format=name,
        types=[dotted for dotted in types if dotted not in BUILT_IN],
        built_in=[dotted for dotted in types if dotted in BUILT_IN],
        findings=_check_extension(shown, name),
    )


def _check_extension(file: str, actual: ModelFormat) -> list[Finding]:
    extension = PurePath(file).suffix.lower()
    expected = "pickle" if extension in _PICKLES else EXTENSIONS.get(extension)
    if expected is None or expected == actual:
        return []
    usual = FORMATS[actual].EXTENSIONS[0]
    return [
        Finding(
            "model-extension-mismatch",
            f"the extension of the model file is {extension}, but its content is {actual}",
            why="mlgit goes by content; people and other tools go by the name",
            fix=f"let the pipeline write `{PurePath(file).stem}{usual}`, and name that under `outputs.model`",
            at=Location(file),
        )
    ]
