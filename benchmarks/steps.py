"""Measure the steps of a promotion: `python -m benchmarks.steps`, after `make demo`. Prints a Markdown table.

Judging and training are measured on the demo's repository, as whole processes. The last rows are what `mlgit register` does
with a file of 1 GiB that DVC has in its cache: hash it, and put it into a remote that is a folder.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks import measure, run
from benchmarks.measure import Command
from benchmarks.run import Goal

_DEMO = Path(__file__).parents[1] / "build" / "demo" / "flights"
_DVC = (sys.executable, "-m", "dvc")
_FORGET = ("rm", "-f", ".git/mlgit/cache/evidence")
_BLOCK = 1 << 20
_REGISTER = """
from pathlib import Path
from mlgit.workspace import LocalWorkspace
workspace, path = LocalWorkspace(Path()), Path("large.bin")
stored = workspace.hash_file(path.absolute(), "large.bin")
workspace.versions("storage").upload([(path.absolute(), stored)], [])
"""

GOALS = {
    "train, nothing to do": Goal(0.3, "dvc repro, nothing to do"),
    "judge, from nothing": Goal(3.0),
    "judge, from cached evidence": Goal(0.8),
    "hash and upload": Goal(2.0, "md5sum"),
}


def demo_commands(folder: Path, commit: str) -> dict[str, Command]:
    """Return the commands on the demo's repository; the gates are those of the second version's promotion."""
    judge = (*run.MLGIT, "gate", "late-arrival@2", "--env", "production", "--at", commit)
    return {
        "dvc repro, nothing to do": Command(((*_DVC, "repro"),), folder),
        "train, nothing to do": Command(((*run.MLGIT, "train"),), folder),
        "judge, from nothing": Command((_FORGET, judge), folder),
        "judge, from cached evidence": Command((judge,), folder),
    }


def make_large(folder: Path, size: int, env: dict[str, str]) -> dict[str, Command]:
    """Make a repository with a large file in DVC's cache; return the commands on it."""
    for argv in (("git", "init", "-q", "."), (*_DVC, "init", "-q")):
        subprocess.run(argv, cwd=folder, env=env, check=True)
    storage = folder.with_name("storage")
    storage.mkdir()
    subprocess.run([*_DVC, "remote", "add", "-q", "-d", "storage", str(storage)], cwd=folder, env=env, check=True)
    with (folder / "large.bin").open("wb") as file:
        for _ in range(size // _BLOCK):
            file.write(os.urandom(_BLOCK))
    subprocess.run([*_DVC, "add", "-q", "large.bin"], cwd=folder, env=env, check=True)
    forget = ("rm", "-rf", ".git/mlgit", ".dvc/cache/mlgit", str(storage / "mlgit"))
    register = (sys.executable, "-c", _REGISTER)
    return {
        "md5sum": Command((("md5sum", "large.bin"),), folder),
        "hash and upload": Command((forget, register), folder),
    }


def main() -> int:
    """Measure and print; the exit code is 1 if a goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.steps", description=__doc__)
    parser.add_argument("--demo", type=Path, default=_DEMO)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--size", type=int, default=1 << 30, help="bytes of the large file")
    options = parser.parse_args()
    env = run.environment()
    find = ["git", "log", "-1", "--format=%H", "--grep=Require a gain of one point"]
    commit = subprocess.run(find, cwd=options.demo, env=env, capture_output=True, text=True, check=True).stdout.strip()
    costs = measure.in_turns(demo_commands(options.demo, commit), options.rounds, env)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch, "large")
        folder.mkdir()
        costs |= measure.in_turns(make_large(folder, options.size, env), options.rounds, env)
    lines = list(run.rows(costs, GOALS, max_memory=float("inf")))
    print(f"median of {options.rounds} rounds; {run.machine()}\n\n{run.table(lines)}")
    return int(any(line.met is False for line in lines))


if __name__ == "__main__":
    sys.exit(main())
