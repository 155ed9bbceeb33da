"""Formats of model files: a module for each, and its name in FORMATS. What reads model files derives from this list.

The process that scores loads the module of one format alone, by its path, without the rest of mlgit (see `child`). So
these modules import nothing but the standard library at the top.
"""

from pathlib import Path
from typing import Final

from mlgit.domain.records.version import ModelFormat
from mlgit.edges.modelfile.formats import lightgbm, onnx, safetensors, skops, xgboost
from mlgit.edges.modelfile.formats.base import Format

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
