"""Run the pipeline that makes a version, and say what came of it."""

from collections.abc import Callable, Mapping

from mlgit.errors import Exit, Finding
from mlgit.ops.load import Lifecycle
from mlgit.ops.outcome import Outcome
from mlgit.ops.ports import Workspace


class Trained(Outcome, frozen=True, kw_only=True, tag="mlgit/train.v1"):
    """Whether the pipeline ran through, and the metrics of what it left behind."""

    model: str
    problem: str
    code: int
    primary: str
    metrics: dict[str, float]
    rows: int | None = None
    newest: str | None = None
    newest_metric: float | None = None
    findings: list[Finding] = []

    @property
    def exit(self) -> Exit:
        """Not judged where the pipeline failed."""
        return Exit.YES if self.code == 0 else Exit.UNJUDGED


def run(workspace: Workspace, name: str | None, settings: Mapping[str, str], on_line: Callable[[str], None]) -> Trained:
    """Reproduce the stages of a model that are out of date.

    Args:
        workspace: where.
        name: the model; the only one there is, if None.
        settings: parameters to set first, `train.depth` to `8`.
        on_line: is handed each line of the pipeline's output.
    """
    state = Lifecycle(workspace.repository.work_tree(), workspace.formats.record)
    model = state.model(state.the_model(name))
    problem = state.problem(model.problem)
    code = workspace.pipeline.reproduce([model.pipeline.train, model.pipeline.evaluate], settings, on_line)
    if code:
        return Trained(model=model.name, problem=problem.name, code=code, primary=problem.metric.primary, metrics={})
    from mlgit.ops.register import measure  # noqa: PLC0415 - pandas

    evaluated = measure(workspace, model, problem)
    numbers = state.numbers(model.name)
    newest = state.version_at(model.name, numbers[-1]) if numbers else None
    return Trained(
        model=model.name,
        problem=problem.name,
        code=0,
        primary=problem.metric.primary,
        metrics=evaluated.metrics,
        rows=evaluated.rows,
        newest=f"{model.name}@{newest.version}" if newest else None,
        newest_metric=newest.evaluation.metrics.get(problem.metric.primary) if newest else None,
    )
