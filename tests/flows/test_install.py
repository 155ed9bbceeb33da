"""A wheel is complete: an installed copy, far from any checkout, has the data files that `mlgit` reads."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from mlgit import __version__

ROOT = Path(__file__).parents[2]
PIP = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with what a wheel of this checkout installs, and nothing else."""
    place = tmp_path_factory.mktemp("install")
    wheels, folder = place / "wheels", place / "packages"
    run(ROOT, *wheel_builder(wheels))
    (wheel,) = wheels.glob("*.whl")
    run(place, *PIP, "install", "--no-deps", "--no-index", "--target", str(folder), str(wheel))
    return folder


def wheel_builder(wheels: Path) -> list[str]:
    """Return the command that builds the wheel: the backend itself where it is here, else pip, which fetches it."""
    if find_spec("hatchling"):
        build = "import sys; from hatchling.build import build_wheel; build_wheel(sys.argv[1])"
        return [sys.executable, "-c", build, str(wheels)]
    return [*PIP, "wheel", "--no-deps", "--wheel-dir", str(wheels), str(ROOT)]


def run(folder: Path, *command: str, environment: dict[str, str] | None = None) -> str:
    ended = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def mlgit(installed: Path, folder: Path, *arguments: str) -> str:
    """Run the installed command from a folder that knows nothing of this checkout."""
    return run(folder, str(installed / "bin/mlgit"), *arguments, environment=outside(installed, folder))


def outside(installed: Path, folder: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "PYTHON"))}
    home = {"HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1", "NO_COLOR": "1", "PYTHONPATH": str(installed)}
    settings = {"user.name": "Ana", "user.email": "ana@example.org"}
    given = {f"GIT_CONFIG_KEY_{n}": key for n, key in enumerate(settings)}
    given |= {f"GIT_CONFIG_VALUE_{n}": value for n, value in enumerate(settings.values())}
    return kept | home | given | {"GIT_CONFIG_COUNT": str(len(settings))}


def test_the_copy_under_test_is_the_installed_one(installed: Path, tmp_path: Path) -> None:
    where = [sys.executable, "-c", "import mlgit; print(mlgit.__file__)"]
    imported_from = run(tmp_path, *where, environment=outside(installed, tmp_path))
    assert Path(imported_from.strip()) == installed / "mlgit/__init__.py"


def test_the_version_is_that_of_the_code(installed: Path, tmp_path: Path) -> None:
    assert mlgit(installed, tmp_path, "--version") == f"mlgit {__version__}\n"
    assert (installed / f"mlgit-{__version__}.dist-info/METADATA").is_file()


@pytest.mark.tier("fast")
def test_schemas_are_in_the_wheel(installed: Path, tmp_path: Path) -> None:
    assert json.loads(mlgit(installed, tmp_path, "schema", "policy"))["$id"] == "urn:mlgit:schema:policy:1"


def test_explanations_are_in_the_wheel(installed: Path, tmp_path: Path) -> None:
    assert mlgit(installed, tmp_path, "explain", "key-unknown").startswith("# key-unknown\n")


def test_templates_are_in_the_wheel(installed: Path, tmp_path: Path) -> None:
    listed = json.loads(mlgit(installed, tmp_path, "init", "x", "--dry-run", "--yes", "--json"))["files"]
    assert {"mlgit.yaml", "datasets/biopsies/biopsies.csv", ".github/workflows/mlgit-validate.yaml"} <= set(listed)
    assert not (tmp_path / "x").exists()


def test_the_wheel_holds_the_package_and_its_command_only(installed: Path) -> None:
    assert {path.name for path in installed.iterdir()} == {"bin", "mlgit", f"mlgit-{__version__}.dist-info"}
    commands = (installed / f"mlgit-{__version__}.dist-info/entry_points.txt").read_text()
    assert commands.split() == ["[console_scripts]", "mlgit", "=", "mlgit.cli.main:main"]
    assert (installed / "mlgit/py.typed").is_file()
