"""Measure the statistics: `python -m benchmarks.statistics`. Prints a Markdown table of figures, goals, and whether they are met.

The floor is what no paired bootstrap can do without, in plain NumPy: draw rows with replacement, count them, and pass over
one number for each row of each model. A ratio to it holds for other machines too; seconds hold for the one that is named.
"""

import argparse
import os
import platform
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd

from mlgit.domain.metrics import METRICS
from mlgit.ml.compare import paired_bootstrap
from mlgit.ml.paired import delong, mcnemar

_GOAL = 10.0  # seconds of processors for each metric; all of it runs on one, so that an idle clock shows the same
_POSITIVE, _CHOSEN = 0.3, 0.6  # share of positive rows, and the score from which a row is predicted to be one


class Spent(NamedTuple):
    """Seconds of processors and on the clock."""

    processors: float
    clock: float


def main() -> None:
    """Measure every metric on two models' predictions, and the tests that draw nothing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--resamples", type=int, default=1000)
    options = parser.parse_args()
    rows, resamples = options.rows, options.resamples
    print(
        f"{rows:,} rows, {resamples:,} resamples; {platform.system()} {platform.machine()}, {os.cpu_count()} processors,"
    )
    print(f"Python {platform.python_version()}, NumPy {np.__version__}.\n")
    print("| what | processors | clock | to the floor | goal | met |\n|---|---|---|---|---|---|")
    floor = _spent(lambda: _floor(rows, resamples))
    print(f"| plain NumPy floor | {floor.processors:.2f} s | {floor.clock:.2f} s | | | |", flush=True)
    classes, values = _classes(rows), _values(rows)
    for name, metric in METRICS.items():
        pair, positive = (values, None) if metric.reads == "value" else (classes, "yes")
        _row(
            f"bootstrap, {name}",
            _spent(lambda: paired_bootstrap(name, *pair, positive, resamples=resamples, seed=1)),  # noqa: B023 - run at once
            floor,
        )
    _row("DeLong, roc_auc", _spent(lambda: delong(*classes, "yes")), floor)
    _row("McNemar, accuracy", _spent(lambda: mcnemar(*classes, "yes")), floor)


def _floor(rows: int, resamples: int) -> None:
    numbers = np.random.default_rng(1)
    one, other = numbers.random(rows), numbers.random(rows)
    for _ in range(resamples):
        weights = np.bincount(numbers.integers(0, rows, rows), minlength=rows)
        # Not `@`: its threads wait for each other at the cost of processors where the machine is busy.
        np.einsum("i,i", weights, one) - np.einsum("i,i", weights, other)


def _classes(rows: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    numbers = np.random.default_rng(1)
    positive = numbers.random(rows) < _POSITIVE
    return _two(lambda noise: _decided(positive, positive + noise * numbers.normal(size=rows)))


def _decided(positive: np.ndarray, signal: np.ndarray) -> pd.DataFrame:
    score = 1 / (1 + np.exp(-signal))
    return pd.DataFrame(
        {"label": np.where(positive, "yes", "no"), "score": score, "prediction": np.where(score > _CHOSEN, "yes", "no")}
    )


def _values(rows: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    numbers = np.random.default_rng(1)
    label = numbers.normal(10, 1, size=rows)
    return _two(lambda noise: pd.DataFrame({"label": label, "prediction": label + noise * numbers.normal(size=rows)}))


def _two(table: Callable[[float], pd.DataFrame]) -> tuple[pd.DataFrame, pd.DataFrame]:
    return table(1.0), table(1.2)


def _spent(work: Callable[[], object]) -> Spent:
    processors, clock = time.process_time(), time.perf_counter()
    work()
    return Spent(time.process_time() - processors, time.perf_counter() - clock)


def _row(name: str, spent: Spent, floor: Spent) -> None:
    ratio, met = spent.processors / floor.processors, "yes" if spent.processors < _GOAL else "no"
    cells = (name, f"{spent.processors:.2f} s", f"{spent.clock:.2f} s", f"{ratio:.2f} x", f"{_GOAL:g} s", met)
    print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
