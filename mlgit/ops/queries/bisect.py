"""Find the first version whose metric got worse, computed from the stored predictions of each version."""

from typing import TYPE_CHECKING, Literal

import msgspec

from mlgit.domain.bisect import first_beyond, first_drop
from mlgit.domain.metrics import METRICS
from mlgit.domain.names import Name, VersionRef
from mlgit.domain.records import Model, Problem, Version
from mlgit.domain.records.problem import Label
from mlgit.errors import Exit, Inconclusive, MlgitError, inconclusive, refused, usage_error
from mlgit.ops.evaluation.ml_errors import translating_ml_errors
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.outcome import Outcome
from mlgit.ops.kernel.ports.progress import Progress
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.queries import diff

if TYPE_CHECKING:
    from pandas import DataFrame


class MeasuredSlice(msgspec.Struct, frozen=True):
    """The rows with one value in a column, written as in `mlgit show`."""

    column: str
    value: str

    def __str__(self) -> str:
        return f"{self.column}={self.value}"


class MeasuredVersion(msgspec.Struct, frozen=True, kw_only=True):
    """A version with its metric; `value` is None, with a `reason`, if the metric cannot be computed.

    `bad` is whether the value is on the wrong side of the limit; without a limit, whether it is worse than the one before.
    """

    version: str
    value: float | None
    rows: int | None
    bad: bool | None
    reason: str | None = None


class Bisection(Outcome, frozen=True, kw_only=True, tag="mlgit/bisect.v1"):
    """The first version with a worse metric, `first`, and the version to compare it with, `predecessor`.

    `first` is None if no version is worse, and `predecessor` if no version before `first` could be measured. `measured` are
    the measured versions by number: all of them with the method `scan`, a few of `total` with `search` (binary search).
    `unmeasured_between` are the versions between both that could not be measured, so it may have been one of them.
    """

    model: Name
    metric: Name
    slice: str | None
    method: Literal["search", "scan"]
    limit: float | None
    drop: float | None
    total: int
    measured: list[MeasuredVersion]
    first: str | None
    predecessor: str | None
    unmeasured_between: list[str]
    difference: diff.VersionDiff | None

    @property
    def exit(self) -> Exit:
        """Yes if a worse version was found."""
        return Exit.YES if self.first else Exit.NO


def run(
    workspace: Workspace,
    state: Lifecycle,
    model: str,
    *,
    metric: str | None = None,
    part: MeasuredSlice | None = None,
    limit: float | None = None,
    drop: float = 0.0,
    good: int | None = None,
    bad: int | None = None,
    on_progress: Progress = lambda _: None,
) -> Bisection:
    """Find the first version of a model whose metric got worse.

    Args:
        workspace: the workspace.
        state: the state with the versions.
        model: name of the model.
        metric: the metric; None for the primary one.
        part: the slice to measure; None for all rows.
        limit: a version is bad if its metric is worse than this. Uses binary search, which assumes that no version after a
            bad one is good again.
        drop: without a limit, every version is measured, and one is bad if it is worse than the one before by more than this.
        good: number of the version to start from; None for the first one.
        bad: number of the version to end with; None for the newest one.
        on_progress: called with the number of measured versions.

    Raises:
        MlgitError: the model or a version does not exist (`model-unknown`, `version-unknown`).
        UsageError: `good` is not before `bad` (`version-range-empty`), or the metric does not fit the problem
            (`metric-target-mismatch`).
        Inconclusive: no version could be measured (`metric-not-computable`).
    """
    record = state.model(model)
    problem = state.problem(record.problem)
    name = metric or problem.metric.primary
    _check_metric(name, problem)
    numbers = state.numbers(model)
    if not numbers:
        raise refused(
            "version-unknown", f"{model} has no versions", fix=f"`mlgit train {model}`, then `mlgit register`"
        )
    numbers = _in_range(state, model, numbers, good, bad)
    measurements = _Measurements(workspace, state, record, problem, name, part, on_progress)
    sign = 1 if METRICS[name].direction == "max" else -1

    def value(index: int) -> float | None:
        return measurements.value(numbers[index])

    if limit is None:
        predecessor_index, first_index = first_drop([value(index) for index in range(len(numbers))], drop, sign)
    else:
        predecessor_index, first_index = first_beyond(len(numbers), value, limit, sign)
    measurements.require_any()
    predecessor = None if predecessor_index is None else VersionRef(model, numbers[predecessor_index])
    first = None if first_index is None else VersionRef(model, numbers[first_index])
    skipped = [] if predecessor_index is None or first_index is None else numbers[predecessor_index + 1 : first_index]
    return Bisection(
        model=model,
        metric=name,
        slice=None if part is None else str(part),
        method="scan" if limit is None else "search",
        limit=limit,
        drop=drop if limit is None else None,
        total=len(numbers),
        measured=measurements.results(limit, drop, sign),
        first=None if first is None else str(first),
        predecessor=None if predecessor is None else str(predecessor),
        unmeasured_between=[str(VersionRef(model, number)) for number in skipped],
        difference=None if predecessor is None or first is None else diff.run(state, predecessor, first),
    )


class _Measurements:
    """The metric of versions, each measured at most once."""

    def __init__(
        self,
        workspace: Workspace,
        state: Lifecycle,
        model: Model,
        problem: Problem,
        metric: str,
        part: MeasuredSlice | None,
        on_progress: Progress,
    ) -> None:
        self._workspace = workspace
        self._state = state
        self._model = model
        self._positive = problem.target.positive
        self._metric = metric
        self._part = part
        self._on_progress = on_progress
        self._store = workspace.versions(state.project().remote)
        self._measured: dict[int, MeasuredVersion] = {}

    def value(self, number: int) -> float | None:
        """Return the metric of a version; None if its predictions are gone, or the metric is not defined for them."""
        if number not in self._measured:
            ref = VersionRef(self._model.name, number)
            try:
                value, rows = self._measure(self._state.version(ref), ref)
            except Inconclusive:
                raise
            except MlgitError as error:
                finding = error.findings[0]
                reason = (
                    f"{finding.message}: {finding.why}" if finding.id == "metric-not-computable" else finding.message
                )
                self._measured[number] = MeasuredVersion(
                    version=str(ref), value=None, rows=None, bad=None, reason=reason
                )
            else:
                self._measured[number] = MeasuredVersion(version=str(ref), value=value, rows=rows, bad=None)
            self._on_progress(len(self._measured))
        return self._measured[number].value

    def results(self, limit: float | None, drop: float, sign: int) -> list[MeasuredVersion]:
        """Return the measured versions by number, each good or bad."""
        results = []
        before: float | None = None
        for _, version in sorted(self._measured.items()):
            bad = None
            if version.value is not None:
                if limit is not None:
                    bad = sign * (limit - version.value) > 0
                elif before is not None:
                    bad = sign * (before - version.value) > drop
                before = version.value
            results.append(msgspec.structs.replace(version, bad=bad))
        return results

    def require_any(self) -> None:
        """Require at least one version that could be measured.

        Raises:
            Inconclusive: there is none; with the reason of the newest version (`metric-not-computable`).
        """
        if all(version.value is None for version in self._measured.values()):
            newest = self._measured[max(self._measured)]
            raise inconclusive(
                "metric-not-computable",
                f"{self._metric} cannot be computed for any version of {self._model.name}",
                why=f"{newest.version}: {newest.reason}",
                fix="check that the DVC remote has their predictions, and that the metric and the slice fit them",
            )

    def _measure(self, version: Version, ref: VersionRef) -> tuple[float, int]:
        with self._store.fetch(version.evaluation.predictions) as path:
            table = self._workspace.tables.frame(path)
        label = f"{self._metric} of {ref}"
        with translating_ml_errors(label if self._part is None else f"{label} on {self._part}"):
            if self._part is not None:
                return _measure_slice(self._part, table, self._metric, self._positive)
            from mlgit.ml.metrics import measure  # noqa: PLC0415 - pandas

            return measure(self._metric, table, self._positive), len(table)


def _measure_slice(part: MeasuredSlice, table: "DataFrame", metric: str, positive: Label | None) -> tuple[float, int]:
    """Return a metric on one slice, and the number of its rows.

    Raises:
        ValueError: there is no such column or value, or the metric is not defined there.
    """
    from mlgit.ml.slices import slice_values  # noqa: PLC0415 - pandas

    slices = slice_values(table, metric, [part.column], positive, min_rows=1, min_per_class=1)
    measured = next((candidate for candidate in slices if candidate.value == part.value), None)
    if measured is None:
        raise ValueError(f"no row has this value; there is {', '.join(other.value for other in slices[:8])}")
    if measured.metric is None:
        raise ValueError(measured.reason)
    return measured.metric, measured.rows


def _in_range(state: Lifecycle, model: str, numbers: list[int], good: int | None, bad: int | None) -> list[int]:
    for number in (good, bad):
        if number is not None:
            state.version(VersionRef(model, number))  # raises if it does not exist
    if good is not None and bad is not None and good >= bad:
        raise usage_error(
            "version-range-empty",
            f"{model}@{good} is not before {model}@{bad}",
            fix="name an earlier version with --good than with --bad",
        )
    return [number for number in numbers if (good or number) <= number <= (bad or number)]


def _check_metric(metric: str, problem: Problem) -> None:
    if metric not in METRICS or problem.target.type not in METRICS[metric].tasks:
        fitting = sorted(name for name, facts in METRICS.items() if problem.target.type in facts.tasks)
        raise usage_error(
            "metric-target-mismatch",
            f"{metric} does not fit a {problem.target.type} target",
            fix=f"use one of {', '.join(fitting)}",
        )
