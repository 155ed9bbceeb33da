"""Run the training pipeline of a model."""

from collections.abc import Callable, Mapping

from mlgit.errors import Exit
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.outcome import Outcome
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.training import predictions, register


class Trained(Outcome, frozen=True, kw_only=True, tag="mlgit/train.v1"):
    """The exit code of the pipeline, and the metrics of its outputs; there are none if it failed.

    `settings` are the parameters that were set; if the pipeline failed, their files are as they were before.
    `newest_version` is the newest registered version, to compare with, and `uncommitted` are input files to commit before
    `mlgit register`.
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
        MlgitError: the model does not exist (`model-unknown`), or a parameter cannot be set (`param-unknown`).
        Inconclusive: another run sets parameters here (`train-running`).
    """
    state = Lifecycle(workspace.repository.work_tree(), workspace.formats.record)
    model = state.model(state.resolve_model(name))
    problem = state.problem(model.problem)
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
        uncommitted=register.uncommitted(workspace, model),
    )
