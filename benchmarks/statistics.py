"""Measure the statistics: `python -m benchmarks.statistics`. Prints a Markdown table of figures, goals, and whether they are met.

The floor is the minimum work of any paired bootstrap, in plain NumPy: draw rows with replacement, count them, and read one
number for each row of each model. The ratio to it can be compared between machines; seconds are for the named one.
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

_GOAL = 10.0  # processor seconds for each metric; it runs on one processor, so clock time is the same if that is idle
_POSITIVE, _THRESHOLD = 0.3, 0.6  # share of positive rows, and the score above which a row is predicted positive


class Time(NamedTuple):
    """Processor and clock time in seconds."""

    processors: float
    clock: float


def main() -> None:
    """Measure every metric on the predictions of two models, and the tests without resampling."""
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
    floor = _measure(lambda: _floor(rows, resamples))
    print(f"| plain NumPy floor | {floor.processors:.2f} s | {floor.clock:.2f} s | | | |", flush=True)
    classes, values = _classes(rows), _values(rows)
    for name, metric in METRICS.items():
        pair, positive = (values, None) if metric.reads == "value" else (classes, "yes")
        _row(
            f"bootstrap, {name}",
            _measure(lambda: paired_bootstrap(name, *pair, positive, resamples=resamples, seed=1)),  # noqa: B023 - run at once
            floor,
        )
    _row("DeLong, roc_auc", _measure(lambda: delong(*classes, "yes")), floor)
    _row("McNemar, accuracy", _measure(lambda: mcnemar(*classes, "yes")), floor)


def _floor(rows: int, resamples: int) -> None:
    numbers = np.random.default_rng(1)
    first, second = numbers.random(rows), numbers.random(rows)
    for _ in range(resamples):
        weights = np.bincount(numbers.integers(0, rows, rows), minlength=rows)
        # Not `@`: its threads use processor time to wait for each other if the machine is busy.
        np.einsum("i,i", weights, first) - np.einsum("i,i", weights, second)


def _classes(rows: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    numbers = np.random.default_rng(1)
    positive = numbers.random(rows) < _POSITIVE
    return _pair(lambda noise: _predictions(positive, positive + noise * numbers.normal(size=rows)))


def _predictions(positive: np.ndarray, signal: np.ndarray) -> pd.DataFrame:
    score = 1 / (1 + np.exp(-signal))
    return pd.DataFrame(
        {
            "label": np.where(positive, "yes", "no"),
            "score": score,
            "prediction": np.where(score > _THRESHOLD, "yes", "no"),
        }
    )


def _values(rows: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    numbers = np.random.default_rng(1)
    label = numbers.normal(10, 1, size=rows)
    return _pair(lambda noise: pd.DataFrame({"label": label, "prediction": label + noise * numbers.normal(size=rows)}))


def _pair(table: Callable[[float], pd.DataFrame]) -> tuple[pd.DataFrame, pd.DataFrame]:
    return table(1.0), table(1.2)


def _measure(work: Callable[[], object]) -> Time:
    processors, clock = time.process_time(), time.perf_counter()
    work()
    return Time(time.process_time() - processors, time.perf_counter() - clock)


def _row(name: str, measured: Time, floor: Time) -> None:
    ratio, met = measured.processors / floor.processors, "yes" if measured.processors < _GOAL else "no"
    cells = (name, f"{measured.processors:.2f} s", f"{measured.clock:.2f} s", f"{ratio:.2f} x", f"{_GOAL:g} s", met)
    print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
