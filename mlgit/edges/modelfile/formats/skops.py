"""skops: scikit-learn's models in a zip archive, whose types are listed in `schema.json`."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlgit.domain.records.version import ModelFormat
    from mlgit.edges.modelfile.child import Job, Kind, Predict
    from mlgit.edges.modelfile.formats.base import Content
    from mlgit.errors import Location

NAME: "ModelFormat" = "skops"
EXTENSIONS: tuple[str, ...] = (".skops",)
SAVE: str = '`skops.io.dump(model, "model.skops")`'
LIBRARY: str | None = "skops.io"
EXTRA: str | None = None


def matches(content: "Content") -> bool:
    """Tell whether a file is a zip archive; `list_types` then refuses one that skops did not write."""
    return content.head.startswith((b"PK\x03\x04", b"PK\x05\x06"))


def list_types(path: Path, at: "Location") -> list[str]:
    """Return the types in the archive that skops does not trust."""
    from mlgit.edges.modelfile import skopsfile  # noqa: PLC0415 - the scoring process has no mlgit

    return skopsfile.list_types(path, at)


def load(job: "Job") -> "tuple[Predict, Kind]":
    """Load a model; skops refuses types that are neither its own nor trusted."""
    import skops.io  # noqa: PLC0415

    model = skops.io.load(job.model, trusted=job.trusted)
    if job.task != "binary" or not hasattr(model, "predict_proba"):
        return model.predict, "prediction"
    column = job.positive_index(model.classes_.tolist())
    return lambda frame: model.predict_proba(frame)[:, column], "score"
