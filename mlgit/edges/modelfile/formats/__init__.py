"""Formats of model files: a module for each, and its name in FORMATS. What reads model files derives from this list.

The process that scores loads the module of one format alone, by its path, without the rest of mlgit (see `child`). So
these modules import nothing but the standard library at the top.
"""

from pathlib import Path
from typing import BinaryIO, Final, NamedTuple, Protocol

from mlgit.domain.records.version import ModelFormat
from mlgit.edges.modelfile.formats import lightgbm, onnx, safetensors, skops, xgboost
from mlgit.errors import Location


class Content(NamedTuple):
    """The content of a file: its first MiB, the whole of it as a stream, and its size in bytes."""

    head: bytes
    stream: BinaryIO
    size: int


class Format(Protocol):
    """What the module of a format defines.

    A module that has a `LIBRARY` also defines `load(job: Job) -> tuple[Predict, Kind]` (see `child`), which loads the
    model and returns the function that predicts. It runs in the scoring process only.
    """

    NAME: ModelFormat
    """The name in records."""
    EXTENSIONS: tuple[str, ...]
    """Extensions of its files, the usual one first."""
    SAVE: str
    """How a model is saved in it, for messages."""
    LIBRARY: str | None
    """The module that loads it; None for a format that cannot be scored."""
    EXTRA: str | None
    """The extra of mlgit that installs the library; None if mlgit requires it."""

    def matches(self, content: Content) -> bool:
        """Tell by the content alone whether a file has this format. A pickle must never match."""
        ...

    def list_types(self, path: Path, at: Location) -> list[str]:
        """Return the Python types that loading a file imports and that its library does not trust, as dotted names.

        Raises:
            MlgitError: the file is damaged, or not safe to open.
        """
        ...


# In the order in which content is compared. ONNX is last because it has no magic number: its check reads field by field.
_MODULES: Final[tuple[Format, ...]] = (skops, lightgbm, xgboost, safetensors, onnx)

FORMATS: Final = {module.NAME: module for module in _MODULES}
"""Every format by its name; `ModelFormat` of the records lists the same names."""

EXTENSIONS: Final = {extension: module.NAME for module in _MODULES for extension in module.EXTENSIONS}


def package(module: Format) -> str | None:
    """Return the package that has the library of a format."""
    return module.LIBRARY.partition(".")[0] if module.LIBRARY else None


def loader(name: ModelFormat) -> Path:
    """Return the file of a format's module, for the process that scores."""
    return Path(__file__).with_name(f"{name}.py").resolve()


def how_to_save() -> str:
    """Return how to save a model in an accepted format, for messages."""
    *others, last = (module.SAVE for module in _MODULES if module.NAME != skops.NAME)
    return f"save it with {skops.SAVE}, or in the format of its library: {', '.join(others)}, or {last}"
