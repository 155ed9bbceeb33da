"""Settings that several statistical gates share, and how they describe a gain."""

from typing import Annotated, Any, Final

from mlgit.domain.formatting import confidence_interval, metric_gain
from mlgit.domain.records.base import describe
from mlgit.domain.results import Gain

Level = Annotated[float, describe("Confidence level of the interval.", gt=0.5, lt=1)]
Resamples = Annotated[int, describe("Number of bootstrap resamples.", ge=100, le=100_000)]
MinRows = Annotated[int, describe("Slices or groups with fewer rows are not evaluated.", ge=2)]

MAX_LISTED: Final = 20
"""How many slices, groups, columns or features the facts of a result list."""


def format_gain(gain: Gain) -> str:
    """Return a gain with its confidence interval."""
    return f"{metric_gain(gain.value)} ({confidence_interval(gain.level, gain.low, gain.high)})"


def format_test(gain: Gain) -> str:
    """Return the short name of the test, with its p-value; the facts have the full name."""
    return gain.method.partition(",")[0] + ("" if gain.p is None else f", p {gain.p:.4g}")


def gain_facts(metric: str, gain: Gain) -> dict[str, Any]:
    """Return a gain as facts of a gate report."""
    return {
        "metric": metric,
        "candidate": gain.candidate,
        "champion": gain.champion,
        "gain": gain.value,
        "low": gain.low,
        "high": gain.high,
        "level": gain.level,
        "rows": gain.rows,
        "test": gain.method,
        "resamples": gain.resamples,
        "seed": gain.seed,
        "p": gain.p,
    }
