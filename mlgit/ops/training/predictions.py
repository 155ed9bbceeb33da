"""What the evaluate stage leaves behind: the predictions on the test split, and what they say."""

from pathlib import Path
from typing import TYPE_CHECKING

from mlgit.domain.names import Digest
from mlgit.domain.records import Model, Problem
from mlgit.domain.records.version import SliceMetric
from mlgit.errors import Location, refused
from mlgit.ops.evaluation.evidence import translating_ml_errors
from mlgit.ops.kernel.ports.workspace import Workspace

if TYPE_CHECKING:
    from pandas import DataFrame

_SMALLEST_SLICE = 30  # rows; fewer say nothing worth recording


def output(workspace: Workspace, path: str, stage: str) -> Path:
    """Return a file that a stage is to have written.

    Raises:
        MlgitError: it is not there (`output-missing`).
    """
    file = workspace.root / path
    if not file.is_file():
        raise refused(
            "output-missing",
            f"{path} is not there",
            why=f"stage {stage} of dvc.yaml is to write it",
            fix="run `mlgit train`, or name another file under `outputs` in the model's file",
            at=Location(path),
        )
    return file


def read(workspace: Workspace, model: Model, problem: Problem) -> "DataFrame":
    """Return the table of predictions: keys, label, score or prediction, and the columns of the slices, a row each.

    Raises:
        MlgitError: it is not there, lacks a column, or has two rows with one key.
    """
    file = model.outputs.predictions
    table = workspace.tables.frame(output(workspace, file, model.pipeline.evaluate))
    absent = [column for column in (*model.keys, *problem.metric.slices, "label") if column not in table.columns]
    if absent:
        raise refused(
            "predictions-incomplete",
            f"{file} lacks {', '.join(absent)}",
            why=f"it has {', '.join(map(str, table.columns))}",
            fix="write the keys, the label, the score or prediction, and the columns of the slices in the evaluate stage",
            at=Location(file),
        )
    if table.duplicated(model.keys).any():
        raise refused(
            "predictions-repeated",
            f"{file} has rows with the same {', '.join(model.keys)}",
            fix="predict each row once, or name more key columns in the model's file",
            at=Location(file),
        )
    return table


def metrics(table: "DataFrame", model: Model, problem: Problem) -> dict[str, float]:
    """Return every metric that the predictions allow; the one that decides is among them.

    Raises:
        MlgitError: it is not (`not-measurable`).
    """
    from mlgit.ml.metrics import measure_all  # noqa: PLC0415 - scikit-learn

    with translating_ml_errors(f"the evaluation of {model.name}"):
        measured = measure_all(table, problem.target.type, problem.target.positive)
    if problem.metric.primary not in measured:
        raise refused(
            "not-measurable",
            f"{problem.metric.primary} cannot be computed from {model.outputs.predictions}",
            why=f"its columns allow {', '.join(measured)}",
            fix="add the column `score` (or `prediction`) that the metric needs",
        )
    return measured


def slices(table: "DataFrame", problem: Problem) -> list[SliceMetric]:
    """Return the deciding metric on each value of the columns that the problem slices by."""
    from mlgit.ml.slices import slice_values  # noqa: PLC0415 - scikit-learn

    columns, positive = problem.metric.slices, problem.target.positive
    with translating_ml_errors(f"{problem.metric.primary} on slices"):
        parts = slice_values(table, problem.metric.primary, columns, positive, min_rows=_SMALLEST_SLICE)
    return [SliceMetric(column=part.column, value=part.value, rows=part.rows, metric=part.metric) for part in parts]


def split(table: "DataFrame", model: Model) -> Digest:
    """Return the identity of the test split: its keys and labels."""
    from mlgit.ml.split import split_digest  # noqa: PLC0415 - pandas

    return split_digest(table, model.keys)
