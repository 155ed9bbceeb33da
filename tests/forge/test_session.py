"""The forge of a command: its kind from the base branch, its address from the person's own settings."""

import subprocess
import sys

import pytest

from mlgit.cli.session import Session
from mlgit.errors import MlgitError
from tests.flows.conftest import Repo
from tests.forge.fake import FakeForge

PROJECT = "kind: project\nschema: 1\nname: churn\nenvironments: [staging]\nforge: {}\n"


@pytest.fixture
def named(clone: Repo, forge: FakeForge, monkeypatch: pytest.MonkeyPatch) -> Repo:
    """A clone on `main` that is at the fake GitHub."""
    for name, value in forge.environment("ana").items():
        monkeypatch.setenv(name, value)
    clone.git("switch", "--quiet", "main")
    return clone


def test_the_base_branch_names_the_forge_and_a_branch_cannot_name_another(named: Repo) -> None:
    named.write({"mlgit.yaml": PROJECT.format("none")}).commit("Begin")
    named.git("switch", "--quiet", "--create", "sneak")
    named.write({"mlgit.yaml": PROJECT.format("github")}).commit("Name a forge")
    assert Session(named.root).forge() is None


def test_the_forge_is_opened_once_with_the_token_of_the_environment(named: Repo, forge: FakeForge) -> None:
    named.write({"mlgit.yaml": PROJECT.format("github")}).commit("Begin")
    session = Session(named.root)
    asked = session.forge()
    assert asked is not None
    assert asked is session.forge()
    assert (asked.name, asked.repository, asked.url) == ("github", "acme/churn", f"{forge.url}/acme/churn")
    assert asked.token_login() == "ana"
    assert forge.requests[0].login == "ana"


def test_a_repository_that_names_its_own_host_gets_no_token(
    clone: Repo, gitea: FakeForge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITEA_TOKEN", gitea.tokens["ana"])
    clone.git("switch", "--quiet", "main")
    clone.write({"mlgit.yaml": PROJECT.format("gitea")}).commit("Name a forge")
    clone.git("remote", "set-url", "origin", f"{gitea.url}/acme/churn")
    asked = Session(clone.root).forge()
    assert asked is not None
    with pytest.raises(MlgitError) as caught:
        asked.token_login()
    assert caught.value.findings[0].id == "forge-request-rejected"
    assert [one.login for one in gitea.requests] == [None]


def test_a_command_without_a_forge_does_not_import_httpx() -> None:
    words = (
        "import sys, mlgit.cli.main, mlgit.cli.session, mlgit.ops.review.proposals; sys.exit('httpx' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", words], check=False).returncode == 0
