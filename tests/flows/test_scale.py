"""What keeps mlgit fast at scale and can be told without a clock: it takes as many processes for many versions as for few."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.generate import generate
from mlgit.cli.main import run

SIZES = {3: 1, 300: 6}
"""Versions, and the models that they are spread over."""

COMMANDS = (
    "status",
    "status --at HEAD",
    "show model-001",
    "show model-001@2",
    "validate --at HEAD",
    "validate --base main --at next-version",
)


@pytest.fixture(scope="module")
def repositories(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """A repository of each size; its files are not checked out."""
    folders = {versions: tmp_path_factory.mktemp(f"versions-{versions}") for versions in SIZES}
    for versions, folder in folders.items():
        generate(folder, versions=versions, models=SIZES[versions])
    return folders


@pytest.fixture
def processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Path, str], int]:
    """Run a command of mlgit in a repository; return how often `git` was started."""
    calls = tmp_path / "calls"
    wrapper = tmp_path / "bin" / "git"
    wrapper.parent.mkdir()
    wrapper.write_text(f'#!/bin/sh\necho call >> "{calls}"\nexec "{shutil.which("git")}" "$@"\n')
    wrapper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{wrapper.parent}{os.pathsep}{os.environ['PATH']}")

    def count(folder: Path, command: str) -> int:
        calls.write_text("")
        assert run(["-C", str(folder), *command.split()]) == 0
        return len(calls.read_text().splitlines())

    return count


@pytest.mark.parametrize("command", COMMANDS)
def test_the_number_of_git_processes_does_not_grow_with_the_number_of_versions(
    command: str, repositories: dict[int, Path], processes: Callable[[Path, str], int]
) -> None:
    few, many = (processes(repositories[versions], command) for versions in SIZES)
    assert 0 < few == many


def test_a_generated_project_passes_validation_and_is_of_the_size_asked_for(
    repositories: dict[int, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    for versions, models in SIZES.items():
        assert run(["-C", str(repositories[versions]), "validate", "--at", "HEAD", "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert found["findings"] == []
        assert run(["-C", str(repositories[versions]), "show", "model-001", "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["total"] == versions // models


def test_the_same_numbers_give_the_same_commits(repositories: dict[int, Path], tmp_path: Path) -> None:
    generate(tmp_path / "again", versions=3, models=1)
    assert refs(tmp_path / "again") == refs(repositories[3])
    assert refs(tmp_path / "again") != refs(repositories[300])


def refs(folder: Path) -> str:
    done = subprocess.run(["git", "-C", str(folder), "for-each-ref"], capture_output=True, text=True, check=True)
    assert {"refs/heads/main", "refs/heads/mlgit-ledger"} <= set(done.stdout.split())
    return done.stdout
