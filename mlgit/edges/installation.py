"""What identifies this installation: the same code and packages give the same numbers."""

import hashlib
import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from mlgit import __version__

_PACKAGES: Final = (
    *("numpy-", "pandas-", "pyarrow-", "scipy-", "scikit_learn-", "skops-"),
    *("onnxruntime-", "xgboost-", "lightgbm-", "safetensors-"),
)
"""Packages that the numbers depend on, as the names of their `.dist-info` folders begin."""


def digest() -> str:
    """Return a digest of mlgit's code, of Python, and of the packages that numbers depend on, without importing them.

    Code is identified by size and modification time of its files, which takes a millisecond: a checkout has the same version
    after a change.
    """
    parts = [__version__, sys.version, *_files(Path(__file__).parents[1]), *_packages()]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _files(folder: Path) -> Iterator[str]:
    for parent, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(name for name in names if name.endswith(".py")):
            status = os.stat(f"{parent}/{name}")  # noqa: PTH116 - many files
            yield f"{parent}/{name} {status.st_size} {status.st_mtime_ns}"


def _packages() -> list[str]:
    """Return the installed versions, as the names of the folders with their metadata."""
    spec = importlib.util.find_spec("numpy")
    if spec is None or spec.origin is None:
        return []
    names = os.listdir(Path(spec.origin).parents[1])  # noqa: PTH208 - many names
    return sorted(name for name in names if name.endswith(".dist-info") and name.lower().startswith(_PACKAGES))
