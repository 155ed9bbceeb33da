"""A bare repository at a fake forge, and somebody's clone of it."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.flows.conftest import Repo, _nothing_of_this_machine, make_repo
from tests.forge.fake import FakeForge

__all__ = ["_nothing_of_this_machine", "make_repo"]

PEOPLE = {"ana": "admin", "ben": "write", "cara": "write", "dan": "read"}

MakeForge = Callable[..., FakeForge]


@pytest.fixture(scope="session")
def _pushed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where `clone` keeps what it copies from."""
    return tmp_path_factory.mktemp("pushed")


@pytest.fixture
def clone(_pushed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repo:
    """A clone with one commit on `main` and one more on `promote/x`, both pushed to `origin`, the bare repository beside it."""
    if not (_pushed / "clone").exists():
        with pytest.MonkeyPatch.context() as patch:
            _push(_pushed, patch)
    shutil.copytree(_pushed, tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("hooks"))
    clone = Repo(tmp_path / "clone", monkeypatch)
    clone.wait(timedelta(minutes=2))
    return clone


def _push(place: Path, patch: pytest.MonkeyPatch) -> None:
    for name, options in {"origin.git": ["--bare"], "clone": []}.items():
        (place / name).mkdir()
        Repo(place / name, patch).git("init", "--quiet", *options)
    clone = Repo(place / "clone", patch)
    clone.git("remote", "add", "origin", "../origin.git")
    clone.write({"a": "1\n"}).commit("Begin")
    clone.git("switch", "--quiet", "--create", "promote/x")
    clone.write({"b": "1\n"}).commit("Promote x")
    clone.git("push", "--quiet", "origin", "main", "promote/x")


@pytest.fixture
def make_forge(clone: Repo) -> Iterator[MakeForge]:
    """Start a fake forge over `origin`: `make_forge(kind="gitea")`. It fails the test that breaks GitHub's description."""
    with ExitStack() as stack:

        def make(**how: Any) -> FakeForge:
            return stack.enter_context(FakeForge(clone.root.parent / "origin.git", **({"people": PEOPLE} | how)))

        yield make


@pytest.fixture
def forge(make_forge: MakeForge) -> FakeForge:
    """GitHub, with Ana (admin), Ben and Cara (write) and Dan (read)."""
    return make_forge()


@pytest.fixture
def gitea(make_forge: MakeForge) -> FakeForge:
    """Gitea, with the same people."""
    return make_forge(kind="gitea")
