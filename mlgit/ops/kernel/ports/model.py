"""What operations ask of model files: what is in one, and its scores."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from mlgit.domain.metrics import Task
from mlgit.domain.records.problem import Label
from mlgit.domain.records.version import ModelFormat

if TYPE_CHECKING:
    pass


class Scored(Protocol):
    """What a model answers on a table."""

    @property
    def score(self) -> Any:
        """Binary: probability of the positive label, a row each (numpy array of length rows); None otherwise."""
        ...

    @property
    def prediction(self) -> Any:
        """Label or value, a row each (numpy array of length rows); None where there is a score."""
        ...

    @property
    def p95_ms(self) -> float | None:
        """Milliseconds for a single row, 95th of 100."""
        ...


class ModelFiles(Protocol):
    """Model files, handled as the hostile things they may be."""

    def inspect(self, path: Path, trusted: bytes) -> tuple[ModelFormat, list[str]]:
        """Return the kind of a file, and the types in it beyond those always trusted. Loads nothing.

        Args:
            path: the file.
            trusted: the project's file of trusted types.

        Raises:
            MlgitError: it is no model, or holds types that nobody listed (`model-type-untrusted`).
        """
        ...

    def score(
        self,
        path: Path,
        kind: ModelFormat,
        trusted: bytes,
        features: Path,
        *,
        columns: Sequence[str],
        task: Task,
        positive: Label | None,
    ) -> Scored:
        """Load the model in a guarded process and let it answer on a table of features."""
        ...
