"""Rules for the settings of gates: each is a value or a difference that the metric can have."""

from collections.abc import Collection, Iterator
from typing import Final

from mlgit.domain.formatting import metric_range
from mlgit.domain.gates.base import Gate
from mlgit.domain.metrics import METRICS
from mlgit.errors import Finding, Location

_VALUES: Final = ("min", "max")
_DIFFERENCES: Final = ("margin", "max_drop", "max_difference")


def check_settings(gate: Gate, at: Location, primary: Collection[str]) -> Iterator[Finding]:
    """Check that limits of a gate can be met, and can be missed: a limit outside of what a metric can be means nothing.

    Args:
        gate: the gate.
        at: its place in the policy.
        primary: the primary metrics of the project's problems, for a gate that names no metric.
    """
    stated: str | None = getattr(gate, "metric", None)
    names = [stated] if stated is not None else sorted(primary) if "metric" in gate.__struct_fields__ else []
    low, high = getattr(gate, "min", None), getattr(gate, "max", None)
    if low is not None and high is not None and low > high:
        yield _finding(f"min is {low:g} and max is {high:g}", "no value is within both", _inside(at, "min"))
    for name in names:
        metric = METRICS.get(name)
        if metric is None:
            continue
        for setting in _VALUES:
            value = getattr(gate, setting, None)
            if value is not None and not metric.has_value(value):
                why = f"{name} is {metric_range(metric.low, metric.high)}"
                yield _finding(f"{setting} is {value:g}", why, _inside(at, setting))
        for setting in _DIFFERENCES:
            value = getattr(gate, setting, None)
            if value is not None and metric.span is not None and abs(value) >= metric.span:
                why = f"two values of {name} differ by at most {metric.span:g}, so the gate would always give the same answer"
                yield _finding(f"{setting} is {value:g}", why, _inside(at, setting))


def _inside(at: Location, setting: str) -> Location:
    return Location(at.file, path=f"{at.path}.{setting}")


def _finding(what: str, why: str, at: Location) -> Finding:
    fix = "set it in units of the metric, for example 0.01 for one hundredth"
    return Finding("gate-setting-out-of-range", f"{what}, which means nothing for this metric", why, fix, at)
