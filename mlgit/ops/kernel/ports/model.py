"""The port to model files: what a file contains, and what the model in it predicts."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from mlgit.domain.metrics import Task
from mlgit.domain.records.problem import Label
from mlgit.domain.records.version import ModelFormat
from mlgit.domain.results import ModelFileInspection


class Scored(Protocol):
    """The predictions of a model on a table."""

    @property
    def score(self) -> Any:
        """For a binary target: the probability of the positive label for each row (numpy array). None otherwise."""
        ...

    @property
    def prediction(self) -> Any:
        """The predicted label or value for each row (numpy array). None if there is a score."""
        ...

    @property
    def p95_ms(self) -> float | None:
        """The 95th percentile of the time for a single row, in milliseconds; None if it was not measured."""
        ...

    @property
    def machine(self) -> str:
        """Processor and cores of the machine that predicted."""
        ...


class ModelFiles(Protocol):
    """Model files. They may be hostile, so `inspect` loads nothing, and `score` loads in a sandboxed process."""

    def inspect(self, path: Path, trusted: bytes | None) -> ModelFileInspection:
        """Return the format of a file, the types in it that are not trusted by default, and why not to load it. Loads nothing.

        The reasons are that it is not a model in a known format (`model-format-unknown`, `model-is-pickle` and others; the
        format is None then), or has a type that is not trusted (`model-type-untrusted`, `model-type-local`).

        Args:
            path: the file.
            trusted: content of the project's file of trusted types; None where it does not matter which types are.

        Raises:
            Inconclusive: the library that inspects it is not installed.
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
        """Load a model in a sandboxed process, and let it predict.

        Args:
            path: the model file.
            kind: its format.
            trusted: content of the project's file of trusted types.
            features: a table with one row for each prediction.
            columns: the columns that the model gets, in this order.
            task: what is predicted.
            positive: the positive label of a binary target.

        Raises:
            MlgitError: the model cannot be loaded or does not predict (`model-load-failed`, `model-not-scorable`).
        """
        ...
