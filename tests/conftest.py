"""What every test may use: tiers, the profile of hypothesis, and scenes that are built once for all workers."""

import fcntl
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.flows import builder
from tests.flows.people import Team

# There is a worker for each core; threads of OpenMP and BLAS, also of what a test starts, would wait for each other.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
# Stages of pipelines run `python`: it is the one that runs the tests, as in an environment that is activated.
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

# How long an example takes says how busy the machine is, nothing about the law.
settings.register_profile("mlgit", deadline=None)
settings.load_profile("mlgit")


TESTS = Path(__file__).parent
TIERS = ("fast", "check", "thorough")
"""`make test` runs the first, `make check` the first two, `make thorough` the last."""
FOLDERS = {"unit": "fast", "laws": "fast", "thorough": "thorough"}
"""The tier of a folder's tests; that of all others is `check`."""


@pytest.hookimpl(tryfirst=True)  # before `-m` selects by these markers
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark each test with its tier: that of its folder, unless it has a `tier` marker. Long tests come first."""
    stated: set[tuple[str, str]] = set()
    met: set[tuple[str, str]] = set()
    for item in items:
        tier = FOLDERS.get(item.path.relative_to(TESTS).parts[0], "check")
        function, _, parameters = item.nodeid.removesuffix("]").partition("[")
        marks = [mark for node in item.listchain() for mark in node.own_markers]  # from the module to the parameters
        for mark in (mark for mark in marks if mark.name == "tier"):
            name, *ids = mark.args
            stated |= {(function, wanted) for wanted in ids}
            if not ids or parameters in ids:
                tier = name
                met.add((function, parameters))
        if tier not in TIERS:
            raise pytest.UsageError(f"{item.nodeid}: {tier} is not a tier; tiers are {', '.join(TIERS)}")
        item.add_marker(tier)
    items.sort(key=lambda item: item.get_closest_marker("first") is None)
    # Where single tests are asked for, the others of their function are not collected.
    if not any("::" in argument for argument in config.args) and (wrong := sorted(stated - met)):
        raise pytest.UsageError(f"a tier is given to parameters that no test has: {wrong}")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-snapshots", action="store_true", help="Write tests/snapshots again instead of comparing.")


BuildOnce = Callable[[str, Callable[[Path], None]], Path]


@pytest.fixture(scope="session")
def build_once(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> BuildOnce:
    """Make a folder that all workers share: `build_once("scenes", build)`. The first that asks builds it, the others wait.

    A scene that is built knows nothing of where it lies, so that it can be copied: `build` may be given another path
    than the one that is returned.
    """
    base = tmp_path_factory.getbasetemp()
    shared = base if worker_id == "master" else base.parent

    def build(name: str, make: Callable[[Path], None]) -> Path:
        folder = shared / name
        with folder.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # released when the file is closed
            if not folder.exists():
                unfinished = folder.with_suffix(".unfinished")
                shutil.rmtree(unfinished, ignore_errors=True)
                make(unfinished)
                unfinished.rename(folder)
        return folder

    return build


@pytest.fixture(scope="session")
def scenes(build_once: BuildOnce) -> Path:
    """A folder with one folder for each scene of `builder`."""
    return build_once("scenes", builder.build)


MakeScene = Callable[[str, str, Callable[[Team], object]], Team]


@pytest.fixture
def make_scene(scenes: Path, build_once: BuildOnce, tmp_path: Path) -> MakeScene:
    """Copy a scene of a later time: `make_scene("urgent", "running", prepare)` is `running` after what `prepare` does, once.

    `prepare` leaves no absolute path behind, so no clone and no remote.
    """

    def make(name: str, base: str, prepare: Callable[[Team], object]) -> Team:
        def build(folder: Path) -> None:
            shutil.copytree(scenes / base, folder, symlinks=True)
            with Team.at(folder, keys=scenes / "keys") as team:
                prepare(team)
                team.leave()

        shutil.copytree(build_once(f"scene-{name}", build), tmp_path / name, symlinks=True)
        with Team.at(tmp_path / name, keys=scenes / "keys") as team:
            return team

    return make


@pytest.fixture
def registered(scenes: Path, tmp_path: Path) -> Iterator[Team]:
    """Four versions are registered, none is promoted."""
    yield from _copied(scenes, "registered", tmp_path)


@pytest.fixture
def running(scenes: Path, tmp_path: Path) -> Iterator[Team]:
    """The first version runs in both environments."""
    yield from _copied(scenes, "running", tmp_path)


@pytest.fixture
def proposed(scenes: Path, tmp_path: Path) -> Iterator[Team]:
    """The second version runs in staging and is proposed for production; nobody has approved it."""
    yield from _copied(scenes, "proposed", tmp_path)


def _copied(scenes: Path, scene: str, tmp_path: Path) -> Iterator[Team]:
    shutil.copytree(scenes / scene, tmp_path / scene, symlinks=True)
    with Team.at(tmp_path / scene, keys=scenes / "keys") as team:
        yield team
