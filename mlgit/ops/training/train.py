"""Run the training pipeline of a model."""

import shlex
from collections.abc import Callable, Mapping

import msgspec

from mlgit.domain.pipeline import parents
from mlgit.errors import Exit, Finding, Location, MlgitError, Severity, refused
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.model_inputs import ModelInputs, model_inputs
from mlgit.ops.kernel.model_names import names_findings
from mlgit.ops.kernel.outcome import Outcome
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.training import predictions, register


class Trained(Outcome, frozen=True, kw_only=True, tag="mlgit/train.v1"):
    """The exit code of the pipeline, and the metrics of its outputs; there are none if it failed.

    `settings` are the parameters that were set; if the pipeline failed, their files are as they were before.
    `newest_version` is the newest registered version, to compare with, and `uncommitted` are input files to commit before
    `mlgit register`. `findings` are about inputs for which `mlgit register` would refuse the result.
    """

    model: str
    problem: str
    exit_code: int
    settings: dict[str, str]
    primary_metric: str
    metrics: dict[str, float]
    newest_version: str | None = None
    newest_metric: float | None = None
    uncommitted: list[str] = []
    findings: list[Finding] = []

    @property
    def exit(self) -> Exit:
        """Inconclusive if the pipeline failed."""
        return Exit.YES if self.exit_code == 0 else Exit.INCONCLUSIVE


def run(workspace: Workspace, name: str | None, settings: Mapping[str, str], on_line: Callable[[str], None]) -> Trained:
    """Run the stages of a model that are out of date.

    Args:
        workspace: the workspace.
        name: the model; None for the only one.
        settings: parameters to write first, such as `train.depth` to `8`.
        on_line: called with each line of the output of the pipeline.

    Raises:
        MlgitError: the model or a stage of it does not exist (`model-unknown`, `stage-unknown`), the pipeline cannot be read,
            its files contradict each other (`column-unknown` and others), data or another input is not in the work tree
            (`data-missing`, `input-missing`), or a parameter cannot be set (`param-unknown`). Nothing was run.
        Inconclusive: another run sets parameters here (`train-running`).
    """
    state = Lifecycle(workspace.repository.work_tree(), workspace.formats.record)
    model = state.model(state.resolve_model(name))
    problem = state.problem(model.problem)
    inputs = model_inputs(state, workspace.formats, model)
    _check_present(workspace, inputs)  # first: a name is unknown where the code is missing that mentions it
    if contradictions := names_findings(state, workspace.formats, model, inputs):
        raise MlgitError(*contradictions)
    exit_code = workspace.pipeline.reproduce([model.pipeline.train, model.pipeline.evaluate], settings, on_line)
    if exit_code:
        return Trained(
            model=model.name,
            problem=problem.name,
            exit_code=exit_code,
            settings=dict(settings),
            primary_metric=problem.metric.primary,
            metrics={},
        )
    # These metrics are only shown. Those of a version are computed from its predictions, by `register`.
    metrics = workspace.pipeline.metrics([model.pipeline.evaluate])
    if problem.metric.primary not in metrics:
        metrics = predictions.metrics(predictions.read(workspace, model, problem), model, problem)
    numbers = state.numbers(model.name)
    newest = state.find_version(model.name, numbers[-1]) if numbers else None
    return Trained(
        model=model.name,
        problem=problem.name,
        exit_code=0,
        settings=dict(settings),
        primary_metric=problem.metric.primary,
        metrics=dict(metrics),
        newest_version=f"{model.name}@{newest.version}" if newest else None,
        newest_metric=newest.evaluation.metrics.get(problem.metric.primary) if newest else None,
        uncommitted=register.uncommitted(workspace, model, inputs),
        findings=[msgspec.structs.replace(finding, severity=Severity.WARNING) for finding in inputs.findings],
    )


def _check_present(workspace: Workspace, inputs: ModelInputs) -> None:
    """Refuse to run a pipeline of which an input is not in the work tree, as data in a fresh clone."""
    missing = [path for path in dict.fromkeys([*inputs.inputs, *inputs.data]) if not (workspace.root / path).exists()]
    pointers = list(dict.fromkeys(filter(None, (_pointer(workspace, path) for path in missing))))
    if pointers:
        raise refused(
            "data-missing",
            f"{missing[0]} is not in the work tree" + (f", and {len(missing) - 1} more" if missing[1:] else ""),
            why="DVC stores it, and Git has only its pointer, as in every fresh clone",
            fix=f"run `dvc pull {' '.join(map(shlex.quote, pointers))}`",
            at=Location(pointers[0]),
        )
    if missing:
        raise refused(
            "input-missing",
            f"{missing[0]} does not exist",
            why="a stage reads it, no stage writes it, and there is no DVC pointer to it",
            fix="write it, add it with `mlgit data add`, or correct `deps` in dvc.yaml",
            at=Location(missing[0]),
        )


def _pointer(workspace: Workspace, path: str) -> str | None:
    """Return the DVC pointer to a path or to a folder around it; None if there is none."""
    pointers = (f"{folder}.dvc" for folder in (path, *parents(path)))
    return next((pointer for pointer in pointers if (workspace.root / pointer).is_file()), None)
