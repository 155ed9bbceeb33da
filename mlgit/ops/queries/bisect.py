"""Find the version with which a metric first got worse, from the predictions that were stored with each."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

import msgspec

from mlgit.domain.bisect import first_beyond, first_drop
from mlgit.domain.metrics import METRICS
from mlgit.domain.names import Name, VersionRef
from mlgit.domain.records import Model, Problem, Version
from mlgit.domain.records.problem import Label
from mlgit.errors import Exit, Inconclusive, MlgitError, inconclusive, refused, usage_error
from mlgit.ops.evaluation.evidence import translating_ml_errors
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.outcome import Outcome
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.queries import diff

if TYPE_CHECKING:
    from pandas import DataFrame


class MeasuredSlice(msgspec.Struct, frozen=True):
    """The rows whose column has a value, named as `mlgit show` names slices."""

    column: str
    value: str

    def __str__(self) -> str:
        return f"{self.column}={self.value}"


class MeasuredVersion(msgspec.Struct, frozen=True, kw_only=True):
    """A version with its metric; None, with a reason, where it cannot be computed.

    `bad` says whether it is on the wrong side of the limit; where there is none, whether it is worse than the one before.
    """

    version: str
    value: float | None
    rows: int | None
    bad: bool | None
    reason: str | None = None


class Bisection(Outcome, frozen=True, kw_only=True, tag="mlgit/bisect.v1"):
    """Where a metric first got worse. `first` is None where it did not; `predecessor`, where there is none to hold it against.

    `measured` are the versions that were looked at, in order of label: all of them in a scan, a few of `total` in a search.
    `between` are those between predecessor and first that could not be measured, so that it may have been one of them.
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
        """Yes where the first worse version was found."""
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
    on_progress: Callable[[int], None] = lambda _: None,
) -> Bisection:
    """Find the first version of a model whose metric got worse.

    Args:
        workspace: where.
        state: the state whose versions are looked at.
        model: the model.
        metric: the metric; the one that decides, if None.
        part: the rows that count; all, if None.
        limit: bad is what is worse than this. It is taken that no version after a bad one is good again, and searched by
            halves.
        drop: without a limit, every version is measured; bad is what is worse than the one before by more than this.
        good: label of the version to start from; the first one, if None.
        bad: label of the version to end with; the newest one, if None.
        on_progress: called with how many versions were measured.

    Raises:
        MlgitError: there is no such model or version, it has no version, the range is empty (`version-range-empty`), or the
            metric is none for its problem (`metric-target-mismatch`).
        Inconclusive: none of the versions could be measured (`metric-not-computable`).
    """
    record = state.model(model)
    problem = state.problem(record.problem)
    name = metric or problem.metric.primary
    _check_metric(name, problem)
    numbers = state.numbers(model)
    if not numbers:
        raise refused("version-unknown", f"{model} has no version", fix=f"`mlgit train {model}`, then `mlgit register`")
    numbers = _in_range(state, model, numbers, good, bad)
    bench = _Bench(workspace, state, record, problem, name, part, on_progress)
    sign = 1 if METRICS[name].direction == "max" else -1

    def value(index: int) -> float | None:
        return bench.value(numbers[index])

    if limit is None:
        found = first_drop([value(index) for index in range(len(numbers))], drop, sign)
    else:
        found = first_beyond(len(numbers), value, limit, sign)
    bench.require_some()
    before, first = found
    predecessor = None if before is None else str(VersionRef(model, numbers[before]))
    at = None if first is None else str(VersionRef(model, numbers[first]))
    return Bisection(
        model=model,
        metric=name,
        slice=None if part is None else str(part),
        method="scan" if limit is None else "search",
        limit=limit,
        drop=drop if limit is None else None,
        total=len(numbers),
        measured=bench.listed(limit, drop, sign),
        first=at,
        predecessor=predecessor,
        unmeasured_between=[]
        if before is None or first is None
        else [str(VersionRef(model, number)) for number in numbers[before + 1 : first]],
        difference=None
        if predecessor is None or at is None
        else diff.run(state, VersionRef.parse(predecessor), VersionRef.parse(at)),
    )


class _Bench:
    """Measures versions, each once."""

    def __init__(
        self,
        workspace: Workspace,
        state: Lifecycle,
        model: Model,
        problem: Problem,
        metric: str,
        part: MeasuredSlice | None,
        on_progress: Callable[[int], None],
    ) -> None:
        self._workspace = workspace
        self._state = state
        self._model = model
        self._positive = problem.target.positive
        self._metric = metric
        self._part = part
        self._on_progress = on_progress
        self._store = workspace.store(state.project().remote)
        self._found: dict[int, MeasuredVersion] = {}

    def value(self, number: int) -> float | None:
        """Return the metric of a version; None where its predictions are gone, or do not tell."""
        if number not in self._found:
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
                self._found[number] = MeasuredVersion(version=str(ref), value=None, rows=None, bad=None, reason=reason)
            else:
                self._found[number] = MeasuredVersion(version=str(ref), value=value, rows=rows, bad=None)
            self._on_progress(len(self._found))
        return self._found[number].value

    def listed(self, limit: float | None, drop: float, sign: int) -> list[MeasuredVersion]:
        """Return what was measured, in order of label, each judged."""
        judged = []
        before: float | None = None
        for _, one in sorted(self._found.items()):
            bad = None
            if one.value is not None:
                if limit is not None:
                    bad = sign * (limit - one.value) > 0
                elif before is not None:
                    bad = sign * (before - one.value) > drop
                before = one.value
            judged.append(msgspec.structs.replace(one, bad=bad))
        return judged

    def require_some(self) -> None:
        """Refuse where nothing could be measured.

        Raises:
            Inconclusive: with the reason of the newest version.
        """
        if all(one.value is None for one in self._found.values()):
            newest = self._found[max(self._found)]
            raise inconclusive(
                "metric-not-computable",
                f"{self._metric} can be computed for no version of {self._model.name}",
                why=f"{newest.version}: {newest.reason}",
                fix="see that the DVC remote has their predictions, and that the metric and the slice fit them",
            )

    def _measure(self, version: Version, ref: VersionRef) -> tuple[float, int]:
        with self._store.fetch(version.evaluation.predictions) as path:
            table = self._workspace.tables.frame(path)
        what = f"{self._metric} of {ref}"
        with translating_ml_errors(what if self._part is None else f"{what} on {self._part}"):
            if self._part is not None:
                return _on(self._part, table, self._metric, self._positive)
            from mlgit.ml.metrics import measure  # noqa: PLC0415 - scikit-learn

            return measure(self._metric, table, self._positive), len(table)


def _on(part: MeasuredSlice, table: "DataFrame", metric: str, positive: Label | None) -> tuple[float, int]:
    """Return a metric on one slice, and the number of its rows.

    Raises:
        ValueError: there is no such column or value, or the metric is not defined there.
    """
    from mlgit.ml.slices import slice_values  # noqa: PLC0415 - scikit-learn

    found = slice_values(table, metric, [part.column], positive, min_rows=1, min_per_class=1)
    one = next((one for one in found if one.value == part.value), None)
    if one is None:
        raise ValueError(f"no row has it; there is {', '.join(one.value for one in found[:8])}")
    if one.metric is None:
        raise ValueError(one.reason)
    return one.metric, one.rows


def _in_range(state: Lifecycle, model: str, numbers: list[int], good: int | None, bad: int | None) -> list[int]:
    for end in (good, bad):
        if end is not None:
            state.version(VersionRef(model, end))
    if good is not None and bad is not None and good >= bad:
        raise usage_error(
            "version-range-empty",
            f"{model}@{good} does not come before {model}@{bad}",
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
