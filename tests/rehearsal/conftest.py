"""A team whose repository is at a rehearsed GitHub, with the workflows that `mlgit init --forge github` writes."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mlgit.edges import templates
from mlgit.ops.project.project_files import APPROVAL_RULES
from tests.flows.people import Team
from tests.forge.fake import BOT, FakeForge
from tests.rehearsal.github import GitHub
from tests.rehearsal.node import BUILT, Node

_CLOCK = """\
import os
from datetime import UTC, datetime

from mlgit.edges.clock import SystemClock

stamp = int(os.environ["REHEARSED_TIME"])
SystemClock.now = lambda _: datetime.fromtimestamp(stamp, UTC)
"""
_VALUES = {"project": "acme", "owner": "@acme/ml", "person": "ana", "email": "ana@acme.example", "model": "malignancy"}


@pytest.fixture(scope="session")
def node() -> Iterator[Node]:
    """GitHub's parser and evaluator."""
    if shutil.which("node") is None:
        pytest.skip("node is not installed, and GitHub's own parser of workflows runs on it")
    if not BUILT.is_file():
        pytest.skip("tools/node is not built: `make node` does that")
    with Node() as process:
        yield process


@pytest.fixture(scope="session")
def workflows() -> dict[str, str]:
    """The workflows of a new project by name: `validate`, `gate` and so on."""
    files = templates.render(
        templates.project("tabular-classification", "github"),
        _VALUES | {"forge": "github", "base": "main", "remote": "storage"} | APPROVAL_RULES["none"],
    )
    return {
        Path(path).stem.removeprefix("mlgit-"): text.decode()
        for path, text in files.items()
        if path.startswith(".github/workflows/")
    }


class Hosted:
    """A team, and the GitHub that its repository is at."""

    def __init__(self, node: Node, team: Team, forge: FakeForge | None = None) -> None:
        self.team = team
        self.ana = team.ana
        origin = team.folder / "origin.git"
        if not origin.exists():
            self.ana.clone("origin.git", "--bare")
            self.ana.git("remote", "add", "origin", origin.as_uri())
            self.ana.git("fetch", "--quiet", "origin")
        clock = team.folder / "clock"
        clock.mkdir()
        (clock / "sitecustomize.py").write_text(_CLOCK)
        remote = f"['remote \"storage\"']\n    url = {team.folder}/storage"
        key = (team.keys / "ana").read_text()
        stamp = str(int(team.now.moment.timestamp()) + 3600)
        self.github = GitHub(
            node,
            origin,
            team.folder / "github",
            secrets={
                "": {"MLGIT_TOKEN": "secret-of-the-repository" if forge is None else forge.tokens["ana"]},
                **{name: {"MLGIT_DVC_READ": remote} for name in ("mlgit-gate", "mlgit-promote", "mlgit-audit")},
                **{name: {"MLGIT_DVC_READ": remote, "MLGIT_LEDGER_KEY": key} for name in ("staging", "production")},
                "mlgit-observe": {"MLGIT_LEDGER_KEY": key},
                "mlgit-train": {"MLGIT_DVC_WRITE": remote},
            },
            environment={
                "PYTHONPATH": os.pathsep.join(filter(None, [str(clock), str(Path(__file__).parents[2])])),
                "REHEARSED_TIME": stamp,
                **({} if forge is None else forge.environment(None)),
                "GIT_AUTHOR_DATE": f"@{stamp} +0000",
                "GIT_COMMITTER_DATE": f"@{stamp} +0000",
            },
            **({} if forge is None else {"token": forge.tokens[BOT]}),
        )

    def brings(self, branch: str, files: dict[str, str], message: str = "Change it") -> None:
        """Push a branch with some files."""
        self.ana.git("switch", "--quiet", "-c", branch, "main")
        self.ana.commit(message, files)
        self.ana.git("push", "--quiet", "origin", f"HEAD:refs/heads/{branch}")
        self.ana.git("switch", "--quiet", "main")


@contextmanager
def at_forge(node: Node, team: Team) -> Iterator[tuple[Hosted, FakeForge]]:
    """Let a team's repository be at a GitHub that answers to its API as well."""
    team.ana.edit("mlgit.yaml", "forge: none", "forge: github")
    team.ana.clone("origin.git", "--bare")
    with FakeForge(team.folder / "origin.git", people={"ana": "write"}) as forge:
        yield Hosted(node, team, forge), forge


@pytest.fixture
def hosted(node: Node, proposed: Team) -> Hosted:
    """A promotion to production is open, and nobody has approved it."""
    return Hosted(node, proposed)
