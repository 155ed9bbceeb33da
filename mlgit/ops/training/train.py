"""Run the pipeline that makes a version, and say what came of it."""

from collections.abc import Callable, Mapping

from mlgit.errors import Exit
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.outcome import Outcome
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.training import predictions, register


class Trained(Outcome, frozen=True, kw_only=True, tag="mlgit/train.v1"):
    """Whether the pipeline ran through, and the metrics of what it left behind."""

    model: str
    problem: str
    exit_code: int
    primary_metric: str
    metrics: dict[str, float]
    newest_version: str | None = None
    newest_metric: float | None = None
    uncommitted: list[str] = []

    @property
    def exit(self) -> Exit:
        """Not judged where the pipeline failed."""
        return Exit.YES if self.exit_code == 0 else Exit.INCONCLUSIVE


def run(workspace: Workspace, name: str | None, settings: Mapping[str, str], on_line: Callable[[str], None]) -> Trained:
    """Reproduce the stages of a model that are out of date.

    Args:
        workspace: where.
        name: the model; the only one there is, if None.
        settings: parameters to set first, `train.depth` to `8`.
        on_line: is handed each line of the pipeline's output.
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
            primary_metric=problem.metric.primary,
            metrics={},
        )
    # The pipeline's own figures cost nothing to show; the version's are computed from the predictions, by `register`.
    metrics = workspace.pipeline.metrics([model.pipeline.evaluate])
    if problem.metric.primary not in metrics:
        metrics = predictions.metrics(predictions.read(workspace, model, problem), model, problem)
    numbers = state.numbers(model.name)
    newest = state.find_version(model.name, numbers[-1]) if numbers else None
    return Trained(
        model=model.name,
        problem=problem.name,
        exit_code=0,
        primary_metric=problem.metric.primary,
        metrics=dict(metrics),
        newest_version=f"{model.name}@{newest.version}" if newest else None,
        newest_metric=newest.evaluation.metrics.get(problem.metric.primary) if newest else None,
        uncommitted=register.uncommitted(workspace, model),
    )
