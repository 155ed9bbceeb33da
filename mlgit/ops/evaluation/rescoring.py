"""Evidence that goes behind the predictions: the model file is asked again, or trained again."""

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from mlgit.domain import layout
from mlgit.domain.codec import digest_of
from mlgit.domain.records import Model, Problem, Version
from mlgit.domain.results import PredictionComparison
from mlgit.errors import Location, refused
from mlgit.ops.evaluation import evidence_files
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.ports.data import DataStore
from mlgit.ops.kernel.ports.model import Scored
from mlgit.ops.kernel.ports.workspace import Workspace

if TYPE_CHECKING:
    from pandas import DataFrame


def score(
    workspace: Workspace, store: DataStore, version: Version, problem: Problem, trusted: bytes, on: Version
) -> Scored:
    """Load a version's model file in a guarded process and let it answer on the stored features of a version.

    Args:
        workspace: where.
        store: where the files are.
        version: whose model file.
        problem: what is predicted.
        trusted: the project's file of trusted types.
        on: whose features; mostly the same version.

    Raises:
        MlgitError: the features were not kept (`features-not-kept`), or the file cannot be had, loaded or asked.
    """
    features = on.evaluation.features
    if features is None:
        raise refused(
            "features-not-kept",
            f"{on.model}@{on.version} was registered without the features of its test split",
            why="its record names predictions only, so no model can be asked again",
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
    """Hold answers against stored predictions, row by row, in their order.

    Raises:
        ValueError: the predictions have no column that the answers could be held against.
    """
    import numpy as np  # noqa: PLC0415 - heavy

    column = "prediction" if scored.score is None else "score"
    answers: Any = np.asarray(scored.prediction if scored.score is None else scored.score)
    if column not in table.columns:
        raise ValueError(f"the stored predictions of {model.name} have no column {column!r}")
    return _compare_rows(table[column].to_numpy(), answers)


def reproduce(
    workspace: Workspace, store: DataStore, version: Version, table: "DataFrame", *, seconds: float
) -> PredictionComparison:
    """Train a version again from the commit, data and parameters of its record, and hold what comes out against a table.

    Args:
        workspace: where.
        store: where the data is.
        version: what is trained again.
        table: its stored predictions.
        seconds: after which the training is stopped.

    Raises:
        MlgitError: the commit does not hold what the record says (`inputs-differ`), or the pipeline failed (`not-reproduced`).
        Unjudged: the commit is not here (`revision-unknown`).
        ValueError: the tables have no column in common that could be compared.
    """
    from mlgit.ml.compare import MismatchedRows, align  # noqa: PLC0415 - scikit-learn

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
            workspace.reproduced(then.tree, data, stages, model.outputs.predictions, seconds=seconds)
        )
        again = workspace.tables.frame(path)
    try:
        stored_rows, rows = align(table, again, model.keys)
    except MismatchedRows:
        return PredictionComparison(rows=len(table), mismatches=len(table))
    column = next((name for name in ("score", "prediction") if name in table.columns and name in again.columns), None)
    if column is None:
        raise ValueError("neither has both tables a score, nor a prediction")
    return _compare_rows(stored_rows[column].to_numpy(), rows[column].to_numpy())


def _check_inputs(workspace: Workspace, then: Lifecycle, model: Model, version: Version) -> None:
    """Refuse a record whose code, parameters or list of data are not those of the commit that it names."""
    reads = [path.rstrip("/") for path in model.reads]
    code = digest_of({entry.path: f"git:{entry.blob}" for entry in then.tree.entries(reads)})
    params = workspace.formats.params(model.params, then.tree.read(model.params) or b"")
    stated = (
        ("code", code == version.inputs.code),
        ("parameters", params == version.inputs.params),
        ("data", set(model.datasets) == set(version.inputs.data)),
    )
    wrong = [what for what, same in stated if not same]
    if wrong:
        raise refused(
            "inputs-differ",
            f"commit {version.inputs.commit[:12]} does not hold what {version.model}@{version.version} was made from",
            why=f"its {' and '.join(wrong)} {'are' if wrong != ['code'] else 'is'} not what the record says",
            fix="register again; what a record says of its inputs is computed, never typed",
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
