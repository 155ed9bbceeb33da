"""Recompute predictions: with the model file (rescore), or by training again (reproduce)."""

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from mlgit.domain import layout
from mlgit.domain.records import Model, Problem, Version
from mlgit.domain.results import PredictionComparison
from mlgit.errors import Location, refused
from mlgit.ops.evaluation import evidence_files
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.model_inputs import model_inputs
from mlgit.ops.kernel.ports.data import VersionStore
from mlgit.ops.kernel.ports.model import Scored
from mlgit.ops.kernel.ports.workspace import Workspace

if TYPE_CHECKING:
    from pandas import DataFrame


def score(
    workspace: Workspace, store: VersionStore, version: Version, problem: Problem, trusted: bytes, on: Version
) -> Scored:
    """Load a version's model file in a guarded process and compute predictions for the stored features of a version.

    Args:
        workspace: the workspace.
        store: the DVC store of the files.
        version: the version whose model file is used.
        problem: the problem of the model.
        trusted: content of the project's file of trusted types.
        on: the version whose features are used; usually the same.

    Raises:
        MlgitError: the features were not kept (`test-features-missing`), or the file is unavailable or cannot be used.
    """
    features = on.evaluation.features
    if features is None:
        raise refused(
            "test-features-missing",
            f"{on.model}@{on.version} was registered without the features of its test split",
            why="its record names predictions only, so no model can be scored again",
            fix="name outputs.test in the model's file, and register again",
            at=Location(f"models/{on.model}/model.yaml", path="outputs.test"),
        )
    with store.fetch(version.artifact) as model, store.fetch(features) as rows:
        return workspace.model_files.score(
            model,
            version.artifact.format,
            trusted,
            rows,
            columns=version.inputs.columns,
            task=problem.target.type,
            positive=problem.target.positive,
        )


def compare(scored: Scored, table: "DataFrame", model: Model) -> PredictionComparison:
    """Compare new predictions with the stored ones, row by row, in their order.

    Raises:
        ValueError: the stored predictions have no column to compare with.
    """
    import numpy as np  # noqa: PLC0415 - heavy

    column = "prediction" if scored.score is None else "score"
    predictions: Any = np.asarray(scored.prediction if scored.score is None else scored.score)
    if column not in table.columns:
        raise ValueError(f"the stored predictions of {model.name} have no column {column!r}")
    return _compare_rows(table[column].to_numpy(), predictions)


def reproduce(
    workspace: Workspace, store: VersionStore, version: Version, table: "DataFrame", *, seconds: float
) -> PredictionComparison:
    """Train a version again from the commit, data and parameters of its record, and compare the predictions.

    Args:
        workspace: the workspace.
        store: the DVC store of the data.
        version: the version to train again.
        table: its stored predictions.
        seconds: timeout of the training.

    Raises:
        MlgitError: the commit does not have the recorded inputs (`version-inputs-mismatch`), or the pipeline failed
            (`reproduction-failed`).
        Inconclusive: the commit is not in this repository (`revision-unknown`).
        ValueError: the tables have no column in common to compare.
    """
    from mlgit.ml.compare import MismatchedRows, align  # noqa: PLC0415 - pandas

    then = evidence_files.trained_from(workspace, version)
    model = then.model(version.model)
    _check_inputs(workspace, then, model, version)
    with ExitStack() as open_files:
        data = {
            f"datasets/{name}/{stored.path}": open_files.enter_context(store.fetch(stored))
            for name, stored in version.inputs.data.items()
        }
        stages = [model.pipeline.train, model.pipeline.evaluate]
        path = open_files.enter_context(
            workspace.reproduction(then.tree, data, stages, model.outputs.predictions, seconds=seconds)
        )
        again = workspace.tables.frame(path)
    try:
        stored_rows, rows = align(table, again, model.keys)
    except MismatchedRows:
        return PredictionComparison(rows=len(table), mismatches=len(table))
    column = next((name for name in ("score", "prediction") if name in table.columns and name in again.columns), None)
    if column is None:
        raise ValueError("the two tables have neither a score nor a prediction in common")
    return _compare_rows(stored_rows[column].to_numpy(), rows[column].to_numpy())


def _check_inputs(workspace: Workspace, then: Lifecycle, model: Model, version: Version) -> None:
    """Check that the code, parameters and datasets of a record are those of its training commit."""
    inputs = model_inputs(then, workspace.formats, model)
    checks = (
        ("code", inputs.code_digest(then.tree) == version.inputs.code),
        ("parameters", inputs.values(then.tree, workspace.formats) == version.inputs.params),
        ("data", set(inputs.datasets) == set(version.inputs.data)),
    )
    wrong = [name for name, same in checks if not same]
    if wrong:
        raise refused(
            "version-inputs-mismatch",
            f"commit {version.inputs.commit[:12]} does not have the inputs of {version.model}@{version.version}",
            why=f"its {' and '.join(wrong)} {'are' if wrong != ['code'] else 'is'} not as recorded",
            fix="register again; the inputs in a record are computed, never typed",
            at=Location(layout.version(version.model, version.version), path="inputs"),
        )


def _compare_rows(stored: Any, predictions: Any) -> PredictionComparison:
    """Compare predictions with the stored ones, row by row."""
    import numpy as np  # noqa: PLC0415 - heavy

    rows = len(stored)
    if rows != len(predictions):
        return PredictionComparison(rows=rows, mismatches=abs(rows - len(predictions)))
    if np.issubdtype(stored.dtype, np.floating):
        errors = np.abs(predictions.astype(float) - stored) / (1 + np.abs(stored))
        return PredictionComparison(rows=rows, max_error=float(errors.max(initial=0.0)))
    pairs = zip(stored.tolist(), predictions.tolist(), strict=True)
    return PredictionComparison(rows=rows, mismatches=sum(old != new for old, new in pairs))
