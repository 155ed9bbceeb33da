"""Measure mlgit at scale: `python -m benchmarks.run`. Prints a Markdown table of figures, goals, and whether they are met.

Times are of processors, children included, in the median of several rounds; a ratio is the median over the rounds of
processes that ran side by side. A goal in seconds is held against the fastest round: others on the machine can only add to
what a command costs, never take from it. Only the answer of `status` is kept from one run to the next; `--at` looks it up
each time.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import measure, peers
from benchmarks.measure import Command, Cost

ROOT = Path(__file__).parents[1]
_MLGIT = (sys.executable, "-c", "from mlgit.cli.main import main; main()")  # what the installed script does
_IMPORT_CLICK = (sys.executable, "-c", "import click")
_EMPTY_CLICK = (sys.executable, "-c", "import click; click.command()(lambda: None)()")
_MOST_MEMORY = 200.0  # MiB
_NONE = Cost(0.0, 0.0, 0.0)


class Goal(NamedTuple):
    """What a command may cost: so many times another command, or so many seconds of processors."""

    limit: float
    against: str | None = None


class Row(NamedTuple):
    """A line of the table; `held` is what is held against the goal, in words."""

    name: str
    cost: Cost
    held: str
    goal: str
    met: bool | None


def commands(few: Path, many: Path) -> dict[str, Command]:
    """Return what is run in turns, by name: commands of mlgit, and what they are held against."""
    listing = ("git", "ls-tree", "-r", "HEAD")
    change = ("validate", "--base", "main", "--at", "next-version")
    return {
        "import click": Command((_IMPORT_CLICK,), many),
        "mlgit --version": _mlgit(many, "--version"),
        "mlgit --help": _mlgit(many, "--help"),
        "git ls-tree + empty click": Command((listing, _EMPTY_CLICK), many),
        "mlgit status": _mlgit(many, "status"),
        "mlgit status, not cached": _mlgit(many, "status", "--at", "main"),
        "mlgit show model-001": _mlgit(many, "show", "model-001"),
        "mlgit show model-001@5": _mlgit(many, "show", "model-001@5"),
        "validate --base, few": _mlgit(few, *change),
        "validate --base, many": _mlgit(many, *change),
        "validate all": _mlgit(many, "validate", "--at", "HEAD"),
    }


GOALS: dict[str, Goal] = {
    "mlgit --version": Goal(1.3, "import click"),
    "mlgit --help": Goal(1.3, "import click"),
    "mlgit status": Goal(2.0, "git ls-tree + empty click"),
    "validate --base, many": Goal(1.2, "validate --base, few"),
    "validate all": Goal(3.0),
}


def rows(costs: Mapping[str, list[Cost]]) -> Iterator[Row]:
    """Yield a line for each command: what it costs, and whether its goals are met."""
    for name, runs in costs.items():
        cost, goal = measure.median(runs), GOALS.get(name)
        ours = name.startswith(("mlgit", "validate"))
        small = not ours or cost.memory < _MOST_MEMORY
        if goal is None:
            yield Row(name, cost, "", "", small if ours else None)
        elif goal.against is None:
            fastest = min(run.cpu for run in runs)
            yield Row(name, cost, f"fastest {_time(fastest)}", f"{goal.limit:g} s", small and fastest <= goal.limit)
        else:
            times = measure.ratio(runs, costs[goal.against])
            yield Row(name, cost, f"{times:.2f} x {goal.against}", f"{goal.limit:g} x", small and times <= goal.limit)


def table(lines: list[Row]) -> str:
    """Return the lines as Markdown."""
    head = [
        "| command | processor time | wall-clock time | memory | measured | goal | met |",
        "|---|---|---|---|---|---|---|",
    ]
    return "\n".join([*head, *map(_line, lines)])


def _peer(name: str, cost: Cost | str) -> Row:
    """Return the line of a peer; one that was not measured says why in place of a goal."""
    return Row(name, cost, "", "", None) if isinstance(cost, Cost) else Row(name, _NONE, "", cost, None)


def _line(row: Row) -> str:
    if row.cost is _NONE:
        return f"| {row.name} | | | | | {row.goal} | |"
    met = "" if row.met is None else "yes" if row.met else "no"
    cost = row.cost
    return f"| {row.name} | {_time(cost.cpu)} | {_time(cost.wall)} | {cost.memory:.0f} MiB | {row.held} | {row.goal} | {met} |"


def _time(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"


def _mlgit(folder: Path, *words: str) -> Command:
    return Command(((*_MLGIT, *words),), folder)


def _environment() -> dict[str, str]:
    """Return an environment in which nothing of this machine's user changes what Git and Python do."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("GIT_", "PYTHON"))}
    return kept | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "PYTHONPATH": str(ROOT)}


def _repository(folder: Path, versions: int, models: int, env: Mapping[str, str]) -> Path:
    """Return a repository of a size, made if it is not there yet."""
    made = folder / f"{versions}-versions-{models}-models"
    if not (made / ".git" / "refs" / "heads" / "next-version").exists():
        # A process of its own: the memory of this one is counted with that of each process that it starts.
        sizes = ("--versions", str(versions), "--models", str(models))
        subprocess.run([sys.executable, "-m", "benchmarks.generate", str(made), *sizes], env=env, check=True)
    return made


def _machine() -> str:
    git = subprocess.run(["git", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors, Python {platform.python_version()}, {git}"


def _document(lines: list[Row], chosen: argparse.Namespace) -> dict[str, Any]:
    return {
        "machine": _machine(),
        "versions": chosen.versions,
        "models": chosen.models,
        "rounds": chosen.rounds,
        "rows": [row._asdict() | {"cost": row.cost._asdict()} for row in lines],
    }


def main() -> int:
    """Read the arguments, measure, print; the exit code is 1 where a goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__)
    parser.add_argument("--versions", type=int, default=10_000)
    parser.add_argument("--models", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--folder", type=Path, help="where the repositories are made, and kept")
    parser.add_argument("--json", type=Path, help="write the figures to this file as well")
    parser.add_argument("--peers", action="store_true", help="measure GTO and MLflow with as many versions")
    parser.add_argument("--peer-python", help="the Python of an environment that has them")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        env, folder = _environment(), chosen.folder or Path(scratch)
        few = _repository(folder, 100, 10, env)
        many = _repository(folder, chosen.versions, chosen.models, env)
        lines = list(rows(measure.in_turns(commands(few, many), chosen.rounds, env)))
        if chosen.peers:
            others = peers.costs(folder, chosen.peer_python, chosen.versions, chosen.models, env)
            lines += [_peer(name, cost) for name, cost in others.items()]
    print(
        f"{chosen.versions:,} versions of {chosen.models:,} models (few: 100 of 10), median of {chosen.rounds} rounds;"
    )
    print(f"{_machine()}\n\n{table(lines)}")
    if chosen.json:
        chosen.json.write_text(json.dumps(_document(lines, chosen), indent=2) + "\n")
    return int(any(row.met is False for row in lines))


if __name__ == "__main__":
    sys.exit(main())
