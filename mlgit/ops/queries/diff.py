"""How two versions differ: in what they were made from, and in how good they are."""

from collections.abc import Iterator
from typing import Any

import msgspec

from mlgit.domain.metrics import METRICS
from mlgit.domain.names import VersionRef
from mlgit.domain.records import Version
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.kernel.outcome import Outcome


class MetricChange(msgspec.Struct, frozen=True, kw_only=True):
    """A metric of both; `better` says which way it went, None where it did not move."""

    metric: str
    before: float | None
    after: float | None
    better: bool | None


class InputChange(msgspec.Struct, frozen=True, kw_only=True):
    """Something that both were made from and that differs."""

    field: str
    before: Any
    after: Any


class VersionDiff(Outcome, frozen=True, kw_only=True, tag="mlgit/diff.v1"):
    """Two versions, side by side."""

    before: str
    after: str
    same_split: bool
    metrics: list[MetricChange]
    changes: list[InputChange]


def run(state: Lifecycle, before: VersionRef, after: VersionRef) -> VersionDiff:
    """Compare two versions in a state. Their metrics were measured on the same rows only where `same_split` says so."""
    one, other = state.version(before), state.version(after)
    names = dict.fromkeys([*one.evaluation.metrics, *other.evaluation.metrics])
    return VersionDiff(
        before=str(before),
        after=str(after),
        same_split=one.evaluation.split == other.evaluation.split,
        metrics=[_metric(name, one.evaluation.metrics.get(name), other.evaluation.metrics.get(name)) for name in names],
        changes=list(_changes(one, other)),
    )


def _metric(name: str, before: float | None, after: float | None) -> MetricChange:
    better = None
    if before is not None and after is not None and before != after and name in METRICS:
        better = (after > before) == (METRICS[name].direction == "max")
    return MetricChange(metric=name, before=before, after=after, better=better)


def _changes(one: Version, other: Version) -> Iterator[InputChange]:
    data = dict.fromkeys([*one.inputs.data, *other.inputs.data])
    pairs: list[tuple[str, Any, Any]] = [
        ("code", one.inputs.code, other.inputs.code),
        *(
            (
                f"data {name}",
                getattr(one.inputs.data.get(name), "md5", None),
                getattr(other.inputs.data.get(name), "md5", None),
            )
            for name in data
        ),
        *_flat("params", one.inputs.params, other.inputs.params),
        ("environment", one.inputs.lock, other.inputs.lock),
        ("test split", one.evaluation.split, other.evaluation.split),
        ("seed", one.seed, other.seed),
        ("format", one.artifact.format, other.artifact.format),
        ("size", one.artifact.size, other.artifact.size),
        ("p95 ms", one.evaluation.p95_ms, other.evaluation.p95_ms),
        ("card", one.card, other.card),
        ("trained by", one.trained_by.name, other.trained_by.name),
    ]
    for field, before, after in pairs:
        if before != after:
            yield InputChange(field=field, before=before, after=after)


def _flat(prefix: str, before: Any, after: Any) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(before, dict) and isinstance(after, dict):
        for key in dict.fromkeys([*before, *after]):
            yield from _flat(f"{prefix}.{key}", before.get(key), after.get(key))
    else:
        yield prefix, before, after
