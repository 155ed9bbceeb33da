"""The address of a forge, and the token for it."""

import stat
from pathlib import Path

import pytest

from mlgit.edges.forge import _find_token
from mlgit.edges.forge.address import RemoteAddress, find_forge, parse_remote
from mlgit.errors import MlgitError

CHURN = RemoteAddress("https://github.com", "acme/churn")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://github.com/acme/churn", CHURN),
        ("https://github.com/acme/churn.git", CHURN),
        ("https://ana:secret@github.com/acme/churn.git/", CHURN),
        ("https://GitHub.com/acme/churn", CHURN),
        ("git@github.com:acme/churn.git", CHURN),
        ("github.com:acme/churn", CHURN),
        ("ssh://git@github.com/acme/churn.git", CHURN),
        ("ssh://git@ssh.github.com:443/acme/churn.git", CHURN),
        ("git+ssh://git@github.com/acme/churn", CHURN),
        ("http://github.com/acme/churn", CHURN),
        ("https://git.acme.example:8443/acme/churn", RemoteAddress("https://git.acme.example:8443", "acme/churn")),
        ("ssh://git@git.acme.example:2222/acme/churn", RemoteAddress("https://git.acme.example", "acme/churn")),
        ("https://acme.example/git/acme/churn", RemoteAddress("https://acme.example/git", "acme/churn")),
        ("http://127.0.0.1:3000/acme/churn.git", RemoteAddress("http://127.0.0.1:3000", "acme/churn")),
        ("/srv/git/acme/churn.git", None),
        ("../churn.git", None),
        ("file:///srv/git/acme/churn.git", None),
        ("https://github.com/churn", None),
        ("https://github.com/acme/../churn", None),
        ("https://github.com/acme/ch urn", None),
        ("https://github.com/acme/churn%2f..", None),
        ("https:///acme/churn", None),
        ("https://github.com:port/acme/churn", None),
        ("https://gith\u00fcb.com/acme/churn", None),
        ("ext::sh -c anything% /acme/churn", None),
        ("", None),
    ],
)
def test_a_remote_url_is_parsed_into_host_and_repository(url: str, expected: RemoteAddress | None) -> None:
    assert parse_remote(url) == expected


@pytest.mark.parametrize(
    ("kind", "remote", "environment", "api", "web", "named"),
    [
        ("github", "git@github.com:acme/churn", {}, "https://api.github.com", "https://github.com", False),
        ("github", "git@acme.ghe.com:acme/churn", {}, "https://api.acme.ghe.com", "https://acme.ghe.com", False),
        (
            "github",
            "git@git.acme.example:acme/churn",
            {},
            "https://git.acme.example/api/v3",
            "https://git.acme.example",
            False,
        ),
        (
            "gitea",
            "git@git.acme.example:acme/churn",
            {},
            "https://git.acme.example/api/v1",
            "https://git.acme.example",
            False,
        ),
        (
            "gitea",
            "https://acme.example/git/acme/churn",
            {},
            "https://acme.example/git/api/v1",
            "https://acme.example/git",
            False,
        ),
        (
            "github",
            None,
            {
                "GITHUB_API_URL": "https://api.github.com",
                "GITHUB_SERVER_URL": "https://github.com",
                "GITHUB_REPOSITORY": "acme/churn",
            },
            "https://api.github.com",
            "https://github.com",
            True,
        ),
        (
            "github",
            "git@elsewhere.example:acme/churn",
            {"GITHUB_API_URL": "https://git.acme.example/api/v3/"},
            "https://git.acme.example/api/v3",
            "https://git.acme.example",
            True,
        ),
        (
            "github",
            "git@elsewhere.example:acme/churn",
            {"GITHUB_API_URL": "https://api.acme.ghe.com"},
            "https://api.acme.ghe.com",
            "https://acme.ghe.com",
            True,
        ),
        (
            "github",
            "git@x.example:acme/churn",
            {"GITHUB_SERVER_URL": "https://github.com"},
            "https://api.github.com",
            "https://github.com",
            True,
        ),
        (
            "gitea",
            "git@x.example:acme/churn",
            {"GITEA_API_URL": "http://localhost:3000/api/v1", "GITHUB_API_URL": "https://api.github.com"},
            "http://localhost:3000/api/v1",
            "http://localhost:3000",
            True,
        ),
    ],
)
def test_the_environment_takes_precedence_over_the_remote(
    kind: str, remote: str | None, environment: dict[str, str], api: str, web: str, named: bool
) -> None:
    found = find_forge(kind, remote, environment)  # type: ignore[arg-type]
    assert (found.api, found.web, found.repository, found.from_environment) == (api, web, "acme/churn", named)


@pytest.mark.parametrize(
    ("kind", "remote", "environment"),
    [
        ("github", None, {}),
        ("github", "/srv/churn.git", {}),
        ("github", "/srv/churn.git", {"GITHUB_REPOSITORY": "acme/churn"}),
        ("github", "/srv/churn.git", {"GITHUB_API_URL": "https://api.github.com"}),
        ("github", "git@github.com:acme/churn", {"GITHUB_REPOSITORY": "acme/churn/../../other"}),
        ("github", "git@github.com:acme/churn", {"GITHUB_REPOSITORY": "acme/.."}),
        ("github", "git@github.com:acme/churn", {"GITHUB_API_URL": "http://api.github.com"}),
        ("github", "git@github.com:acme/churn", {"GITHUB_API_URL": "http://127.0.0.1.acme.example"}),
        ("github", "git@github.com:acme/churn", {"GITHUB_API_URL": "ftp://api.github.com"}),
        ("github", "git@github.com:acme/churn", {"GITHUB_API_URL": "api.github.com"}),
        ("github", "git@github.com:acme/churn", {"GITHUB_API_URL": "https://ana:secret@api.github.com"}),
        ("gitea", "git@x.example:acme/churn", {"GITEA_API_URL": "http://git.acme.example/api/v1"}),
    ],
)
def test_an_unknown_or_unsafe_address_is_refused(kind: str, remote: str | None, environment: dict[str, str]) -> None:
    with pytest.raises(MlgitError) as caught:
        find_forge(kind, remote, environment)  # type: ignore[arg-type]
    assert [one.id for one in caught.value.findings] == ["forge-address-unknown"]
    assert "secret" not in str(caught.value.findings)


ALL = {
    "GITHUB_TOKEN": "of-github",
    "GH_TOKEN": "of-gh",
    "GITEA_TOKEN": "of-gitea",
    "GH_ENTERPRISE_TOKEN": "of-enterprise",
}


@pytest.mark.parametrize(
    ("kind", "remote", "environment", "expected"),
    [
        ("github", "git@github.com:a/b", ALL, "of-github"),
        ("github", "git@github.com:a/b", {"GH_TOKEN": " of-gh\n"}, "of-gh"),
        ("github", "git@evil.example:a/b", ALL, None),
        ("github", "git@evil.example:a/b", ALL | {"GITHUB_API_URL": "https://git.acme.example/api/v3"}, "of-github"),
        ("gitea", "git@evil.example:a/b", ALL, None),
        ("gitea", "git@evil.example:a/b", ALL | {"GITEA_API_URL": "https://git.acme.example/api/v1"}, "of-gitea"),
        ("gitea", "git@x.example:a/b", {"GITHUB_TOKEN": "x", "GITEA_API_URL": "https://git.acme.example/api/v1"}, None),
    ],
)
def test_a_token_is_sent_only_to_its_own_host(
    kind: str, remote: str, environment: dict[str, str], expected: str | None, tmp_path: Path
) -> None:
    environment = environment | {"PATH": str(tmp_path)}
    assert _find_token(kind, find_forge(kind, remote, environment), environment) == expected  # type: ignore[arg-type]


def test_gh_is_called_for_the_host_without_tokens_in_its_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "gh"
    program.write_text('#!/bin/sh\necho "$*:$GH_ENTERPRISE_TOKEN" | tr " " "-"\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    environment = ALL | {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    monkeypatch.setenv("PATH", environment["PATH"])
    where = find_forge("github", "git@git.acme.example:a/b", environment)
    assert _find_token("github", where, environment) == "auth-token---hostname-git.acme.example:"


def test_a_malformed_token_is_refused_and_not_shown() -> None:
    environment = {"GITHUB_TOKEN": "se cret"}
    with pytest.raises(MlgitError) as caught:
        _find_token("github", find_forge("github", "git@github.com:a/b", environment), environment)
    assert caught.value.findings[0].id == "forge-token-invalid"
    assert "cret" not in str(caught.value.findings)
