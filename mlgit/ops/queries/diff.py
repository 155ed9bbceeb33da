"""Compare two versions: their metrics, and what they were made from."""

from collections.abc import Iterator
from typing import Any

import msgspec

from mlgit.domain.metrics import METRICS
from mlgit.domain.names import VersionRef
from mlgit.domain.records import Version
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.outcome import Outcome


class MetricChange(msgspec.Struct, frozen=True, kw_only=True):
    """A metric of two versions. `better` is None if it is unchanged, or unknown for one of them."""

    metric: str
    before: float | None
    after: float | None
    better: bool | None


class InputChange(msgspec.Struct, frozen=True, kw_only=True):
    """A difference in what two versions were made from."""

    field: str
    before: Any
    after: Any


class VersionDiff(Outcome, frozen=True, kw_only=True, tag="mlgit/diff.v1"):
    """Two versions compared. `same_split` is whether they were tested on the same rows, so that metrics are comparable."""

    before: str
    after: str
    same_split: bool
    metrics: list[MetricChange]
    changes: list[InputChange]


def run(state: Lifecycle, before: VersionRef, after: VersionRef) -> VersionDiff:
    """Compare two versions.

    Raises:
        MlgitError: one does not exist (`version-unknown`).
    """
    old, new = state.version(before), state.version(after)
    names = dict.fromkeys([*old.evaluation.metrics, *new.evaluation.metrics])
    return VersionDiff(
        before=str(before),
        after=str(after),
        same_split=old.evaluation.split == new.evaluation.split,
        metrics=[_metric(name, old.evaluation.metrics.get(name), new.evaluation.metrics.get(name)) for name in names],
        changes=list(_changes(old, new)),
    )


def _metric(name: str, before: float | None, after: float | None) -> MetricChange:
    better = None
    if before is not None and after is not None and before != after and name in METRICS:
        better = (after > before) == (METRICS[name].direction == "max")
    return MetricChange(metric=name, before=before, after=after, better=better)


def _changes(old: Version, new: Version) -> Iterator[InputChange]:
    data = dict.fromkeys([*old.inputs.data, *new.inputs.data])
    pairs: list[tuple[str, Any, Any]] = [
        ("code", old.inputs.code, new.inputs.code),
        *(
            (
                f"data {name}",
                getattr(old.inputs.data.get(name), "md5", None),
                getattr(new.inputs.data.get(name), "md5", None),
            )
            for name in data
        ),
        *_flattened("params", old.inputs.params, new.inputs.params),
        ("environment", old.inputs.lock, new.inputs.lock),
        ("test split", old.evaluation.split, new.evaluation.split),
        ("seed", old.seed, new.seed),
        ("format", old.artifact.format, new.artifact.format),
        ("size", old.artifact.size, new.artifact.size),
        *_latency(old, new),
        ("card", old.card, new.card),
        ("trained by", old.trained_by.name, new.trained_by.name),
    ]
    for field, before, after in pairs:
        if before != after:
            yield InputChange(field=field, before=before, after=after)


def _latency(old: Version, new: Version) -> Iterator[tuple[str, Any, Any]]:
    """Yield the latencies if they were measured on machines with the same processor, and otherwise the machines."""
    if old.evaluation.machine == new.evaluation.machine:
        yield "p95 ms", old.evaluation.p95_ms, new.evaluation.p95_ms
    else:
        yield "latency measured on", old.evaluation.machine, new.evaluation.machine


def _flattened(prefix: str, before: Any, after: Any) -> Iterator[tuple[str, Any, Any]]:
    """Yield name and both values of each parameter in nested mappings."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in dict.fromkeys([*before, *after]):
            yield from _flattened(f"{prefix}.{key}", before.get(key), after.get(key))
    else:
        yield prefix, before, after
