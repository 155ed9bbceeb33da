"""Measure `mlgit data check` of a large table: `python -m benchmarks.tables`. Prints a Markdown table; memory has a goal.

The table has 20 columns: a key, a second unique column, integers, numbers with gaps, texts of few and of many values, dates,
times and truth values; its contract has a rule for each of them. Memory is the largest resident set of the whole process.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from benchmarks import measure
from benchmarks.measure import Cost
from benchmarks.run import environment, mlgit

_MAX_MEMORY = 300e6 / (1 << 20)  # MiB
_CHUNK = 500_000
_GAPS = 0.05  # of the numbers
_PROJECT = """kind: project
schema: 1
name: bench
environments: [production]
remote: storage
"""
_CONTRACT = """kind: dataset
schema: 1
name: {name}
owner: bench@example.org
path: {file}
columns:
  id: {{type: integer, nullable: false, unique: true}}
  code: {{type: string, nullable: false, unique: true, pattern: "C[0-9]{{8}}"}}
  day: {{type: date}}
  time: {{type: datetime}}
  group: {{type: string, in: [alpha, beta, gamma, delta]}}
  city: {{type: string}}
  yes: {{type: boolean}}
{integers}
{numbers}
keys: [id]
rows: {{min: 1}}
freshness: {{column: time, max_age: 36500d}}
"""
_INTEGERS = [f"i{number}" for number in range(6)]
_NUMBERS = [f"x{number}" for number in range(7)]


def chunks(rows: int) -> Iterator[pa.Table]:
    """Yield a table in parts."""
    random = np.random.default_rng(7)
    for start in range(0, rows, _CHUNK):
        size = min(_CHUNK, rows - start)
        ids = np.arange(start, start + size)
        columns: dict[str, pa.Array] = {
            "id": pa.array(ids),
            "code": pa.array([f"C{number:08}" for number in ids]),
            "day": pa.array((ids % 20_000).astype("datetime64[D]")),
            "time": pa.array((ids * 1_000_003 % 1_700_000_000).astype("datetime64[s]")),
            "group": pa.array(np.array(["alpha", "beta", "gamma", "delta"])[random.integers(0, 4, size)]),
            "city": pa.array([f"city {number}" for number in random.integers(0, 50_000, size)]),
            "yes": pa.array(random.random(size) < 0.5),  # noqa: PLR2004 - half of them
        }
        columns |= {name: pa.array(random.integers(-1000, 1_000_000, size)) for name in _INTEGERS}
        columns |= {
            name: pa.array(random.normal(size=size).round(6), mask=random.random(size) < _GAPS) for name in _NUMBERS
        }
        yield pa.table(columns)


def project(folder: Path, rows: int, env: Mapping[str, str]) -> None:
    """Create a project with the same table as Parquet and as CSV."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["git", "init", "--quiet", str(folder)], env=env, check=True)
    (folder / "mlgit.yaml").write_text(_PROJECT)
    schema = next(chunks(1)).schema
    for name in ("parquet", "csv"):
        dataset = folder / "datasets" / name
        dataset.mkdir(parents=True, exist_ok=True)
        integers = "\n".join(f"  {column}: {{type: integer, min: -1000, max: 1000000}}" for column in _INTEGERS)
        numbers = "\n".join(f"  {column}: {{type: number, min: -100, max: 100}}" for column in _NUMBERS)
        contract = _CONTRACT.format(name=name, file=f"table.{name}", integers=integers, numbers=numbers)
        (dataset / "dataset.yaml").write_text(contract)
    with (
        pyarrow.parquet.ParquetWriter(folder / "datasets/parquet/table.parquet", schema) as parquet,
        pyarrow.csv.CSVWriter(folder / "datasets/csv/table.csv", schema) as csv,
    ):
        for part in chunks(rows):
            parquet.write_table(part)
            csv.write_table(part)


def _line(name: str, rows: int, cost: Cost) -> str:
    met = "yes" if cost.memory <= _MAX_MEMORY else "no"
    return f"| {name} | {rows:,} x 20 | {cost.cpu:.1f} s | {cost.wall:.1f} s | {cost.memory:.0f} MiB | {met} |"


def main() -> int:
    """Read the arguments, measure, and print; the exit code is 1 if memory is over the goal."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tables", description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--write", type=Path, help="only write the project into this folder")
    options = parser.parse_args()
    env = environment()
    if options.write:
        project(options.write, options.rows, env)
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch, "project")
        # In a process of its own: a child process starts with the memory of this one, which would be counted.
        argv = [sys.executable, "-m", "benchmarks.tables", "--rows", str(options.rows), "--write", str(folder)]
        subprocess.run(argv, env=env, check=True)
        costs = {name: measure.run(mlgit(folder, "data", "check", name), env) for name in ("parquet", "csv")}
    print(f"| data check | table | processor time | wall-clock time | memory | at most {_MAX_MEMORY:.0f} MiB |")
    print("|---|---|---|---|---|---|")
    for name, cost in costs.items():
        print(_line(name, options.rows, cost))
    return int(any(cost.memory > _MAX_MEMORY for cost in costs.values()))


if __name__ == "__main__":
    sys.exit(main())
