"""Whole processes, measured in turns: what is compared runs side by side, so that a busy moment hits both."""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

_MIB = 1 << 20
_RSS_UNIT = 1 if sys.platform == "darwin" else 1024  # bytes in what the system calls one


class Cost(NamedTuple):
    """What a process and its children cost: seconds of processors, seconds on the clock, and MiB of the largest of them."""

    cpu: float
    wall: float
    memory: float


class Command(NamedTuple):
    """Commands that run one after the other, and count as one."""

    argvs: tuple[tuple[str, ...], ...]
    folder: Path


def run(command: Command, env: Mapping[str, str]) -> Cost:
    """Run a command to its end.

    Raises:
        RuntimeError: it did not succeed.
    """
    costs = [_run(argv, command.folder, env) for argv in command.argvs]
    return Cost(sum(c.cpu for c in costs), sum(c.wall for c in costs), max(c.memory for c in costs))


def in_turns(commands: Mapping[str, Command], rounds: int, env: Mapping[str, str]) -> dict[str, list[Cost]]:
    """Run every command once to warm the system's caches, then all of them in turn, again and again.

    Returns:
        The costs of each command, round by round.
    """
    for command in commands.values():
        run(command, env)
    costs: dict[str, list[Cost]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            costs[name].append(run(command, env))
    return costs


def median(costs: Sequence[Cost]) -> Cost:
    """Return the median of each figure; of memory the largest."""
    return Cost(
        statistics.median(cost.cpu for cost in costs),
        statistics.median(cost.wall for cost in costs),
        max(cost.memory for cost in costs),
    )


def ratio(costs: Sequence[Cost], others: Sequence[Cost]) -> float:
    """Return how many times the processor time of the other is used: the median over the rounds."""
    return statistics.median(one.cpu / other.cpu for one, other in zip(costs, others, strict=True))


def _run(argv: Sequence[str], folder: Path, env: Mapping[str, str]) -> Cost:
    began = time.perf_counter()
    process = subprocess.Popen(argv, cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    # What `wait4` counts includes the children that the process has waited for.
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"`{' '.join(argv)}` in {folder} ended with {process.returncode}")
    return Cost(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss * _RSS_UNIT / _MIB)
