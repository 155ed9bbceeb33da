"""LightGBM: a booster as text, as `save_model` writes it."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlgit.domain.records.version import ModelFormat
    from mlgit.edges.modelfile.child import Job, Kind, Predict
    from mlgit.edges.modelfile.formats.base import Content
    from mlgit.errors import Location

NAME: "ModelFormat" = "lightgbm"
EXTENSIONS: tuple[str, ...] = (".txt",)
SAVE: str = '`booster_.save_model("model.txt")` for LightGBM'
LIBRARY: str | None = "lightgbm"
EXTRA: str | None = "lightgbm"


def matches(content: "Content") -> bool:
    """Tell whether a file begins as a booster."""
    return content.head.startswith((b"tree\n", b"tree\r\n")) and b"version=" in content.head[:100]


def list_types(path: Path, at: "Location") -> list[str]:
    """Return no types: a booster consists of numbers and text. Refuse a file that lies of its size."""
    from mlgit.edges.modelfile import lightgbmfile  # noqa: PLC0415 - the scoring process has no mlgit

    lightgbmfile.check(path, at)
    return []


def load(job: "Job") -> "tuple[Predict, Kind]":
    """Load a booster; it predicts on one thread."""
    import lightgbm  # noqa: PLC0415

    booster = lightgbm.Booster(model_file=job.model)
    return lambda frame: job.values(booster.predict(frame, num_threads=1)), job.kind
