"""Real Git repositories in which nothing of the machine shows: no settings, no identity, no clock."""

import os
import subprocess
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

import pytest

from mlgit.edges.git.repository import GitRepository, open_repository

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
"""The time of the first commit; each one after it is a minute later."""

_LEAKING = ("CI", "GITHUB_", "GH_", "GIT_", "MLGIT_", "NO_COLOR", "FORCE_COLOR", "EMAIL")
_SETTINGS = """\
[user]
\tname = Ada
\temail = ada@example.com
[init]
\tdefaultBranch = main
[commit]
\tgpgsign = false
[protocol "file"]
\tallow = always
"""


@pytest.fixture(autouse=True)
def _nothing_of_this_machine(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith(_LEAKING):
            monkeypatch.delenv(name)
    home = tmp_path_factory.mktemp("home")
    (home / ".gitconfig").write_text(_SETTINGS)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("TZ", "UTC")
    _set_time(monkeypatch, START)


class Repo:
    """A person's clone, told in short sentences: `repo.write({...}).commit("train churn@10")`."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = root
        self._monkeypatch = monkeypatch

    def write(self, files: Mapping[str, bytes | str]) -> Self:
        """Put files into the work tree."""
        for path, content in files.items():
            place = self.root / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content.encode() if isinstance(content, str) else content)
        return self

    def remove(self, *paths: str) -> Self:
        """Take files out of the work tree."""
        for path in paths:
            (self.root / path).unlink()
        return self

    def commit(self, message: str) -> str:
        """Commit the whole work tree; return the commit's id. The clock goes on by a minute."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        self.wait(timedelta(minutes=1))
        return self.head

    def wait(self, time: timedelta) -> None:
        """Let time pass, for the commits of Git and of mlgit."""
        now = datetime.fromtimestamp(int(os.environ["GIT_COMMITTER_DATE"].split()[0].removeprefix("@")), UTC)
        _set_time(self._monkeypatch, now + time)

    def git(self, *words: str, input: str | None = None) -> str:  # noqa: A002 - the word of `subprocess.run`
        """Run Git as the person would; return what it prints."""
        done = subprocess.run(["git", *words], cwd=self.root, input=input, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    @property
    def head(self) -> str:
        """The commit that is checked out."""
        return self.git("rev-parse", "HEAD")

    def clone(self, folder: str, *options: str) -> "Repo":
        """Clone into a folder beside this one."""
        place = self.root.parent / folder
        self.git("clone", "--quiet", *options, self.root.as_uri(), str(place))
        return Repo(place, self._monkeypatch)

    def open(self, folder: str = ".") -> GitRepository:
        """Open it as mlgit does, from a folder in it."""
        return open_repository(self.root / folder)


MakeRepo = Callable[..., Repo]


def _set_time(monkeypatch: pytest.MonkeyPatch, moment: datetime) -> None:
    for name in ("GIT_AUTHOR_DATE", "GIT_COMMITTER_DATE"):
        monkeypatch.setenv(name, f"@{int(moment.timestamp())} +0000")


@pytest.fixture
def make_repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeRepo:
    """Make more repositories: `make_repo("name", "--bare")`."""

    def make(folder: str, *options: str) -> Repo:
        (tmp_path / folder).mkdir()
        made = Repo(tmp_path / folder, monkeypatch)
        made.git("init", "--quiet", *options)
        return made

    return make


@pytest.fixture
def repo(make_repo: MakeRepo) -> Repo:
    """A new repository without commits, on branch `main`."""
    return make_repo("team")
