"""The predictions on the test split that the evaluate stage wrote, and the metrics computed from them."""

from pathlib import Path
from typing import TYPE_CHECKING

from mlgit.domain.names import Digest
from mlgit.domain.records import Model, Problem
from mlgit.domain.records.version import SliceMetric
from mlgit.errors import Location, refused
from mlgit.ops.evaluation.ml_errors import translating_ml_errors
from mlgit.ops.kernel.ports.workspace import Workspace

if TYPE_CHECKING:
    from pandas import DataFrame

_MIN_SLICE_ROWS = 30  # a smaller slice is recorded without a metric


def output(workspace: Workspace, path: str, stage: str) -> Path:
    """Return the path of a file that a stage writes.

    Raises:
        MlgitError: it does not exist (`pipeline-output-missing`).
    """
    file = workspace.root / path
    if not file.is_file():
        raise refused(
            "pipeline-output-missing",
            f"{path} does not exist",
            why=f"stage {stage} of dvc.yaml has to write it",
            fix="run `mlgit train`, or name another file in `outputs` of the model",
            at=Location(path),
        )
    return file


def read(workspace: Workspace, model: Model, problem: Problem) -> "DataFrame":
    """Return the table of predictions: keys, label, score or prediction, and the slice columns.

    Raises:
        MlgitError: the file does not exist (`pipeline-output-missing`), lacks a column (`predictions-incomplete`), or has two
            rows with the same key (`predictions-duplicate`).
    """
    file = model.outputs.predictions
    table = workspace.tables.frame(output(workspace, file, model.pipeline.evaluate))
    missing = [column for column in (*model.keys, *problem.metric.slices, "label") if column not in table.columns]
    if missing:
        raise refused(
            "predictions-incomplete",
            f"{file} lacks {', '.join(missing)}",
            why=f"it has {', '.join(map(str, table.columns))}",
            fix="write the keys, the label, the score or prediction, and the columns of the slices in the evaluate stage",
            at=Location(file),
        )
    if table.duplicated(model.keys).any():
        raise refused(
            "predictions-duplicate",
            f"{file} has rows with the same {', '.join(model.keys)}",
            fix="predict each row once, or add a column to `keys` of the model",
            at=Location(file),
        )
    return table


def metrics(table: "DataFrame", model: Model, problem: Problem) -> dict[str, float]:
    """Compute every metric that is defined for the predictions.

    Raises:
        MlgitError: the primary metric is not among them (`metric-not-computable`).
    """
    from mlgit.ml.columns import require_probabilities  # noqa: PLC0415 - pandas
    from mlgit.ml.metrics import measure_all  # noqa: PLC0415 - pandas

    with translating_ml_errors(f"the evaluation of {model.name}"):
        if model.signature.output == "probability":
            require_probabilities(table)
        values = measure_all(table, problem.target.type, problem.target.positive)
    if problem.metric.primary not in values:
        raise refused(
            "metric-not-computable",
            f"{problem.metric.primary} cannot be computed from {model.outputs.predictions}",
            why=f"its columns allow {', '.join(values)}",
            fix="add the column `score` (or `prediction`) that the metric needs",
        )
    return values


def slices(table: "DataFrame", problem: Problem) -> list[SliceMetric]:
    """Compute the primary metric on each slice."""
    from mlgit.ml.slices import slice_values  # noqa: PLC0415 - pandas

    columns, positive = problem.metric.slices, problem.target.positive
    with translating_ml_errors(f"{problem.metric.primary} on slices"):
        measured = slice_values(table, problem.metric.primary, columns, positive, min_rows=_MIN_SLICE_ROWS)
    return [SliceMetric(column=part.column, value=part.value, rows=part.rows, metric=part.metric) for part in measured]


def split(table: "DataFrame", model: Model) -> Digest:
    """Return the digest of the test split: its keys and labels."""
    from mlgit.ml.split import split_digest  # noqa: PLC0415 - pandas

    return split_digest(table, model.keys)
