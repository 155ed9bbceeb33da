"""Recompute predictions: with the model file (rescore), or by training again (reproduce)."""

from collections.abc import Callable
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
    workspace: Workspace,
    store: VersionStore,
    version: Version,
    problem: Problem,
    trusted: bytes,
    on: Version,
    of_class: str | None = None,
) -> Scored:
    """Load a version's model file in a guarded process and compute predictions for the stored features of a version.

    Args:
        workspace: the workspace.
        store: the DVC store of the files.
        version: the version whose model file is used.
        problem: the problem of the model.
        trusted: content of the project's file of trusted types.
        on: the version whose features are used; usually the same.
        of_class: the class, as text, whose probability is wanted; None for the predictions of the task.

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
            task=problem.target.type if of_class is None else "binary",
            positive=problem.target.positive if of_class is None else of_class,
        )


def compare(
    scored: Scored, table: "DataFrame", problem: Problem, score_class: Callable[[str], Scored]
) -> PredictionComparison:
    """Compare new predictions with the stored ones, row by row, in their order: every column that metrics are computed from.

    In a binary task, the stored classes have to follow from the scores by one threshold. In a multiclass task, each column with
    the probability of a class is compared too.

    Args:
        scored: the new predictions.
        table: the stored ones.
        problem: the problem of the model.
        score_class: returns the probability of a class, named by its text.

    Raises:
        ValueError: the stored predictions have no column to compare with.
    """
    import numpy as np  # noqa: PLC0415 - heavy

    from mlgit.ml.columns import CLASS_SCORE  # noqa: PLC0415 - pandas

    column = "prediction" if scored.score is None else "score"
    predictions: Any = np.asarray(scored.prediction if scored.score is None else scored.score)
    if column not in table.columns:
        raise ValueError(f"the stored predictions have no column {column!r}")
    compared = [_compare_rows(table[column].to_numpy(), predictions)]
    if problem.target.type == "multiclass":
        for name in [str(name) for name in table.columns if str(name).startswith(CLASS_SCORE)]:
            of_class = score_class(name.removeprefix(CLASS_SCORE)).score
            if of_class is None:
                raise ValueError(f"the model gives no probabilities, and the stored predictions have a column {name!r}")
            compared.append(_compare_rows(table[name].to_numpy(dtype=float), np.asarray(of_class)))
    if column == "score" and "prediction" in table.columns:
        chosen = (table["prediction"] == problem.target.positive).to_numpy(dtype=bool)
        outside = _outside_threshold(table["score"].to_numpy(dtype=float), chosen)
        compared.append(PredictionComparison(rows=len(table), mismatches=outside))
    return PredictionComparison(
        rows=len(table),
        max_error=max(part.max_error for part in compared),
        mismatches=max(part.mismatches for part in compared),
    )


def _outside_threshold(scores: Any, chosen: Any) -> int:
    """Return in how many rows the chosen class differs from that of the threshold on the scores that fits best."""
    import numpy as np  # noqa: PLC0415 - heavy

    order = np.argsort(scores, kind="stable")
    ordered, positive = scores[order], chosen[order]
    # A threshold lies between two different scores, or beside all: rows below it should not be chosen, rows above should.
    cuts = (
        np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1], [True]])) if len(ordered) else np.array([0])
    )
    below = np.concatenate([[0], np.cumsum(positive)])[cuts]
    above = np.concatenate([[0], np.cumsum(~positive)])
    return int((below + above[-1] - above[cuts]).min())


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
    from mlgit.ml.columns import CLASS_SCORE  # noqa: PLC0415 - pandas
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
    columns = [
        name for name in map(str, table.columns) if name in {"score", "prediction"} or name.startswith(CLASS_SCORE)
    ]
    if not columns:
        raise ValueError("the stored predictions have neither a score nor a prediction")
    if missing := [name for name in columns if name not in again.columns]:
        raise ValueError(f"the new predictions lack {', '.join(missing)}")
    compared = [_compare_rows(stored_rows[name].to_numpy(), rows[name].to_numpy()) for name in columns]
    return PredictionComparison(
        rows=len(table),
        max_error=max(part.max_error for part in compared),
        mismatches=max(part.mismatches for part in compared),
    )


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
