"""The benchmarks import, and generate repositories that mlgit accepts."""

import importlib
import pkgutil
from pathlib import Path

import pytest

import benchmarks
from benchmarks import audit, floor, run, tables
from benchmarks.measure import Cost
from mlgit.cli import main


@pytest.mark.parametrize("name", [module.name for module in pkgutil.iter_modules(benchmarks.__path__)])
def test_every_module_of_the_benchmarks_imports(name: str) -> None:
    importlib.import_module(f"benchmarks.{name}")


def test_the_repository_of_the_audit_benchmark_is_read_as_a_whole(tmp_path: Path) -> None:
    audit.generate(tmp_path / "repository", promotions=4, models=2)
    before = floor.read_all(tmp_path / "repository")
    assert before > floor.read_all(tmp_path / "repository", records_only=True) > 0
    audit.add_later_promotions(tmp_path / "repository")
    assert floor.read_all(tmp_path / "repository") > before


def test_the_table_of_the_benchmark_keeps_its_contract(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tables.project(tmp_path / "project", 1000, run.environment())
    monkeypatch.chdir(tmp_path / "project")
    assert main.run(["data", "check"]) == 0, capsys.readouterr()


def test_rows_compare_costs_with_their_goals() -> None:
    costs = {name: [Cost(1.0, 1.0, 20.0)] for name in run.commands(Path("few"), Path("many"))}
    costs["mlgit status"] = [Cost(2.5, 1.0, 20.0)]
    met = {row.name: row.met for row in run.rows(costs)}
    assert (met["mlgit --version"], met["mlgit status"], met["import click"]) == (True, False, None)
    assert "| mlgit status | 2.50 s | 1.00 s | 20 MiB | 2.50 x git ls-tree + empty click | 1.5 x | no |" in run.table(
        list(run.rows(costs))
    )
