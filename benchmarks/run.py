"""Measure mlgit at scale: `python -m benchmarks.run`. Prints a Markdown table of figures, goals, and whether they are met.

Times are processor times with children, the median of several rounds; a ratio is the median over rounds of processes that
ran side by side. A goal in seconds is compared with the fastest round, since other load on the machine can only add to the
time of a command. Only `status` uses a cache from one run to the next.
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import measure, peers
from benchmarks.measure import Command, Cost

ROOT = Path(__file__).parents[1]
MLGIT = (sys.executable, "-c", "from mlgit.cli.main import main; main()")  # as the installed script
_IMPORT_CLICK = (sys.executable, "-c", "import click")
_EMPTY_CLICK = (sys.executable, "-c", "import click; click.command()(lambda: None)()")
_MOVE_A_REF = ("sh", "-c", "read commit < .git/refs/heads/main && echo $commit > .git/refs/heads/aside-$$")
_FORGET = ("rm", "-f", ".git/mlgit/cache/status")
_MAX_MEMORY = 200.0  # MiB
_NONE = Cost(0.0, 0.0, 0.0)


class Goal(NamedTuple):
    """The goal for a command: a multiple of another command's time, or processor seconds."""

    limit: float
    against: str | None = None


class Row(NamedTuple):
    """A row of the table; `measured` is the figure that is compared with the goal, as text."""

    name: str
    cost: Cost
    measured: str
    goal: str
    met: bool | None


def commands(few: Path, many: Path) -> dict[str, Command]:
    """Return the commands by name: those of mlgit, and those that they are compared with."""
    listing = ("git", "ls-tree", "-r", "HEAD")
    change = ("validate", "--base", "main", "--at", "next-version")
    return {
        "import click": Command((_IMPORT_CLICK,), many),
        "mlgit --version": mlgit(many, "--version"),
        "mlgit --help": mlgit(many, "--help"),
        "empty click": Command((_EMPTY_CLICK,), many),
        "mlgit <Tab>": _completion(many, "mlgit "),
        "mlgit train <Tab>": _completion(many, "mlgit train "),
        "git ls-tree + empty click": Command((listing, _EMPTY_CLICK), many),
        "mlgit status": mlgit(many, "status"),
        "mlgit status --at": mlgit(many, "status", "--at", "main"),
        "mlgit status, a ref moved": Command((_MOVE_A_REF, (*MLGIT, "status")), many),
        "mlgit status, computed": Command((_FORGET, (*MLGIT, "status")), many),
        "mlgit show model-001": mlgit(many, "show", "model-001"),
        "mlgit show model-001@5": mlgit(many, "show", "model-001@5"),
        "validate --base, few": mlgit(few, *change),
        "validate --base, many": mlgit(many, *change),
        "validate all": mlgit(many, "validate", "--at", "HEAD"),
    }


GOALS: dict[str, Goal] = {
    "mlgit --version": Goal(1.3, "import click"),
    "mlgit --help": Goal(1.3, "import click"),
    "mlgit <Tab>": Goal(1.5, "empty click"),
    "mlgit train <Tab>": Goal(1.5, "empty click"),
    "mlgit status": Goal(1.5, "git ls-tree + empty click"),
    "mlgit status --at": Goal(1.5, "git ls-tree + empty click"),
    "mlgit status, a ref moved": Goal(1.5, "git ls-tree + empty click"),
    "validate --base, many": Goal(1.2, "validate --base, few"),
    "validate all": Goal(3.0),
}


def rows(
    costs: Mapping[str, list[Cost]], goals: Mapping[str, Goal] = GOALS, *, max_memory: float = _MAX_MEMORY
) -> Iterator[Row]:
    """Yield a row for each command: its cost, and whether its goals are met."""
    for name, runs in costs.items():
        cost, goal = measure.median(runs), goals.get(name)
        is_mlgit = name.startswith(("mlgit", "validate"))
        small = not is_mlgit or cost.memory < max_memory
        if goal is None:
            yield Row(name, cost, "", "", small if is_mlgit else None)
        elif goal.against is None:
            fastest = min(run.cpu for run in runs)
            yield Row(name, cost, f"fastest {_time(fastest)}", f"{goal.limit:g} s", small and fastest <= goal.limit)
        else:
            multiple = measure.ratio(runs, costs[goal.against])
            yield Row(
                name, cost, f"{multiple:.2f} x {goal.against}", f"{goal.limit:g} x", small and multiple <= goal.limit
            )


def table(rows: list[Row]) -> str:
    """Return the rows as Markdown."""
    head = [
        "| command | processor time | wall-clock time | memory | measured | goal | met |",
        "|---|---|---|---|---|---|---|",
    ]
    return "\n".join([*head, *map(_line, rows)])


def _peer(name: str, cost: Cost | str) -> Row:
    """Return the row of a peer; if it was not measured, the reason is in the column of the goal."""
    return Row(name, cost, "", "", None) if isinstance(cost, Cost) else Row(name, _NONE, "", cost, None)


def _line(row: Row) -> str:
    if row.cost is _NONE:
        return f"| {row.name} | | | | | {row.goal} | |"
    met = "" if row.met is None else "yes" if row.met else "no"
    cost = f"{_time(row.cost.cpu)} | {_time(row.cost.wall)} | {row.cost.memory:.0f} MiB"
    return f"| {row.name} | {cost} | {row.measured} | {row.goal} | {met} |"


def _time(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"


def mlgit(folder: Path, *arguments: str) -> Command:
    """Return a command of mlgit in a folder."""
    return Command(((*MLGIT, *arguments),), folder)


def _completion(folder: Path, line: str) -> Command:
    """Return the command that a shell runs to complete a line."""
    words = line.split(" ")
    variables = (f"COMP_WORDS={line}", f"COMP_CWORD={len(words) - 1}", "_MLGIT_COMPLETE=bash_complete")
    return Command((("env", *variables, *MLGIT),), folder)


def environment() -> dict[str, str]:
    """Return an environment in which settings of the user do not change what Git and Python do."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("GIT_", "PYTHON"))}
    return kept | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "PYTHONPATH": str(ROOT)}


def _repository(folder: Path, versions: int, models: int, env: Mapping[str, str]) -> Path:
    """Return a repository of a size, generated if it does not exist yet."""
    repository = folder / f"{versions}-versions-{models}-models"
    if not (repository / ".git" / "refs" / "heads" / "next-version").exists():
        # In a process of its own: a child process starts with the memory of this one, which would be counted.
        sizes = ("--versions", str(versions), "--models", str(models))
        subprocess.run([sys.executable, "-m", "benchmarks.generate", str(repository), *sizes], env=env, check=True)
    return repository


def _interpreter(name: str) -> str:
    """Return the absolute path of an interpreter: peers run in other folders. A link stays, since it makes an environment."""
    path = shutil.which(name)
    if path is None:
        raise argparse.ArgumentTypeError(f"{name} is not a program")
    return os.path.abspath(path)  # noqa: PTH100 - keeps links


def machine() -> str:
    git = subprocess.run(["git", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors, Python {platform.python_version()}, {git}"


def _document(lines: list[Row], options: argparse.Namespace) -> dict[str, Any]:
    return {
        "machine": machine(),
        "versions": options.versions,
        "models": options.models,
        "rounds": options.rounds,
        "rows": [row._asdict() | {"cost": row.cost._asdict()} for row in lines],
    }


def main() -> int:
    """Read the arguments, measure, and print; the exit code is 1 if a goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__)
    parser.add_argument("--versions", type=int, default=10_000)
    parser.add_argument("--models", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--folder", type=Path, help="folder for the repositories, which are kept")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--peers", action="store_true", help="also measure GTO and MLflow with as many versions")
    parser.add_argument("--peer-python", type=_interpreter, help="Python interpreter of an environment that has them")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        env, folder = environment(), options.folder or Path(scratch)
        few = _repository(folder, 100, 10, env)
        many = _repository(folder, options.versions, options.models, env)
        lines = list(rows(measure.in_turns(commands(few, many), options.rounds, env)))
        if options.peers:
            others = peers.costs(folder, options.peer_python, options.versions, options.models, env)
            lines += [_peer(name, cost) for name, cost in others.items()]
    print(
        f"{options.versions:,} versions of {options.models:,} models (few: 100 of 10), median of {options.rounds} rounds;"
    )
    print(f"{machine()}\n\n{table(lines)}")
    if options.json:
        options.json.write_text(json.dumps(_document(lines, options), indent=2) + "\n")
    return int(any(row.met is False for row in lines))


if __name__ == "__main__":
    sys.exit(main())
