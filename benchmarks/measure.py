"""Measures processes in turns: what is compared runs side by side, so that other load affects both."""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

_MIB = 1 << 20
_RSS_UNIT = 1 if sys.platform == "darwin" else 1024  # bytes in the unit of the system


class Cost(NamedTuple):
    """The cost of a process and its children: processor seconds, clock seconds, and MiB of the largest process."""

    cpu: float
    wall: float
    memory: float


class Command(NamedTuple):
    """Commands that run one after another, and count as one."""

    argvs: tuple[tuple[str, ...], ...]
    folder: Path


def run(command: Command, env: Mapping[str, str]) -> Cost:
    """Run a command to its end.

    Raises:
        RuntimeError: it failed.
    """
    costs = [_run(argv, command.folder, env) for argv in command.argvs]
    return Cost(sum(c.cpu for c in costs), sum(c.wall for c in costs), max(c.memory for c in costs))


def in_turns(commands: Mapping[str, Command], rounds: int, env: Mapping[str, str]) -> dict[str, list[Cost]]:
    """Run every command once to warm up the system's caches, then all of them in turn for each round.

    Returns:
        The costs of each command by round.
    """
    for command in commands.values():
        run(command, env)
    costs: dict[str, list[Cost]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            costs[name].append(run(command, env))
    return costs


def median(costs: Sequence[Cost]) -> Cost:
    """Return the median of each figure, and the maximum of memory."""
    return Cost(
        statistics.median(cost.cpu for cost in costs),
        statistics.median(cost.wall for cost in costs),
        max(cost.memory for cost in costs),
    )


def ratio(costs: Sequence[Cost], others: Sequence[Cost]) -> float:
    """Return the ratio of processor times: the median over the rounds."""
    return statistics.median(cost.cpu / other.cpu for cost, other in zip(costs, others, strict=True))


def _run(argv: Sequence[str], folder: Path, env: Mapping[str, str]) -> Cost:
    start = time.perf_counter()
    process = subprocess.Popen(argv, cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    # The figures of `wait4` include children that the process has waited for.
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"`{' '.join(argv)}` in {folder} exited with {process.returncode}")
    return Cost(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss * _RSS_UNIT / _MIB)
