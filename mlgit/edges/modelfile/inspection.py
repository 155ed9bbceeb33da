"""What a model file is, by its content. Nothing is loaded, imported or run from it."""

from pathlib import Path, PurePath
from typing import Final

import msgspec

from mlgit.domain.records.version import ModelFormat
from mlgit.edges.modelfile.skopsfile import listed_types
from mlgit.edges.modelfile.sniff import sniff
from mlgit.edges.modelfile.trust import BUILT_IN
from mlgit.errors import Finding, Location, refused

EXTENSIONS: Final[dict[str, ModelFormat]] = {
    ".skops": "skops",
    ".onnx": "onnx",
    ".ubj": "xgboost",
    ".json": "xgboost",
    ".txt": "lightgbm",
    ".safetensors": "safetensors",
}
_PICKLES: Final = frozenset({".pkl", ".pickle", ".joblib"})
_USUAL: Final[dict[ModelFormat, str]] = {kind: extension for extension, kind in reversed(EXTENSIONS.items())}


class ModelFile(msgspec.Struct, frozen=True):
    """What was found in a model file.

    `types` are the types that must be named in `.mlgit/trusted_types`, `built_in` those that mlgit trusts beyond skops
    itself; both are dotted names, sorted, and empty for every format but skops. `findings` are faults that leave the
    format known.
    """

    format: ModelFormat
    types: list[str]
    built_in: list[str]
    findings: list[Finding]


def inspect(path: Path, file: str | None = None) -> ModelFile:
    """Tell the format of a model file and the types in it, without loading it.

    Args:
        path: the file to read.
        file: its name as people know it, for findings and for its extension; the path itself if not given.

    Returns:
        The format, the types, and the finding `model-extension-mismatch` where the name says something else.

    Raises:
        MlgitError: it is no model file that mlgit accepts: `model-file-missing`, `model-file-empty`, `model-is-lfs-pointer`,
            `model-is-html`, `model-is-pickle`, `model-format-unknown`, `model-archive-unsafe` or `model-file-unreadable`.
    """
    name = file if file is not None else str(path)
    at = Location(name)
    try:
        kind = sniff(path, at)
        listed = listed_types(path, at) if kind == "skops" else []
    except OSError as error:
        raise refused(
            "model-file-missing", "the model file cannot be read", why=error.strerror or str(error), at=at
        ) from error
    return ModelFile(
        format=kind,
        types=[name for name in listed if name not in BUILT_IN],
        built_in=[name for name in listed if name in BUILT_IN],
        findings=_check_extension(name, kind),
    )


def _check_extension(file: str, kind: ModelFormat) -> list[Finding]:
    extension = PurePath(file).suffix.lower()
    said = "pickle" if extension in _PICKLES else EXTENSIONS.get(extension)
    if said is None or said == kind:
        return []
    return [
        Finding(
            "model-extension-mismatch",
            f"the model file is called {extension}, but its content is {kind}",
            why="mlgit goes by content; people and other tools go by the name",
            fix=f"let the pipeline write `{PurePath(file).stem}{_USUAL[kind]}`, and name that under `outputs.model`",
            at=Location(file),
        )
    ]
