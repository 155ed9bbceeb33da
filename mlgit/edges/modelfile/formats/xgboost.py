"""XGBoost: a booster in Universal Binary JSON (`.ubj`) or JSON, as `save_model` writes it."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from mlgit.domain.records.version import ModelFormat
    from mlgit.edges.modelfile.child import Job, Kind, Predict
    from mlgit.edges.modelfile.formats.base import Content
    from mlgit.errors import Location

NAME: "ModelFormat" = "xgboost"
EXTENSIONS: tuple[str, ...] = (".ubj", ".json")
SAVE: str = '`save_model("model.ubj")` for XGBoost'
LIBRARY: str | None = "xgboost"
EXTRA: str | None = "xgboost"

_JSON: Final = re.compile(rb'\s*\{\s*"(learner|version|Config|Model)"\s*:')
# An object whose first key is `learner` or `version`; the length of the key is an integer of 1, 2, 4 or 8 bytes.
_UBJ: Final = re.compile(rb"\{(?:[iU].|[Il]..|l....|L.{8})(learner|version)", re.DOTALL)


def matches(content: "Content") -> bool:
    """Tell whether a file begins as a booster."""
    return (_JSON.match(content.head) or _UBJ.match(content.head)) is not None


def list_types(path: Path, at: "Location") -> list[str]:
    """Return no types: a booster consists of numbers and text. Refuse a file that lies of its size."""
    from mlgit.edges.modelfile import xgboostfile  # noqa: PLC0415 - the scoring process has no mlgit

    xgboostfile.check(path, at)
    return []


def load(job: "Job") -> "tuple[Predict, Kind]":
    """Load a booster, for one thread."""
    import xgboost  # noqa: PLC0415

    booster = xgboost.Booster({"nthread": 1}, model_file=job.model)

    def predict(frame: Any) -> Any:
        return job.values(booster.predict(xgboost.DMatrix(frame, enable_categorical=True, nthread=1)))

    return predict, job.kind
