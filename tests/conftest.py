"""What every test may use: the profile of hypothesis, and a team's project that is built once for all workers."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.flows import builder
from tests.flows.people import Team

# How long an example takes says how busy the machine is, nothing about the law.
settings.register_profile("mlgit", deadline=None)
settings.load_profile("mlgit")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-snapshots", action="store_true", help="Write tests/snapshots again instead of comparing.")


@pytest.fixture(scope="session")
def scenes(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A folder with one folder for each scene of `builder`; the first worker that asks builds it, the others wait.

    MLGIT_SCENES names a folder to build it in once and use from one run to the next, while what it is built by stays as it is.
    """
    base = tmp_path_factory.getbasetemp()
    shared = (base if worker_id == "master" else base.parent) / "scenes"
    shared = Path(os.environ.get("MLGIT_SCENES", shared))
    with shared.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # given back when the file is closed
        if not shared.exists():
            making = shared.with_suffix(".making")
            shutil.rmtree(making, ignore_errors=True)
            builder.build(making)
            making.rename(shared)
    return shared


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
