"""Forges: the services that keep pull requests, their reviews and checks.

mlgit.yaml says which kind of forge it is. Where it is, and the token, come from the environment and the person's own settings
alone: a token is sent to the host that it was set for, and never to one that a repository names.
"""

import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from mlgit.domain.forge import ForgeKind
from mlgit.edges import process
from mlgit.edges.forge.address import GITHUB, ForgeAddress, find_forge
from mlgit.errors import MlgitError, inconclusive

if TYPE_CHECKING:
    from mlgit.ops.kernel.ports.forge import Forge

_TOKEN_VARIABLES: Final = {"github": ("GITHUB_TOKEN", "GH_TOKEN"), "gitea": ("GITEA_TOKEN",)}
_TOKEN = re.compile(r"[\x21-\x7e]+")
_GH_TIMEOUT: Final = 20.0  # seconds; `gh auth token` may ask the system's keyring


def open_forge(kind: ForgeKind, remote: str | None, environment: Mapping[str, str] | None = None) -> "Forge":
    """Open the forge of a repository; no request is made yet.

    Args:
        kind: which forge.
        remote: the URL of the remote `origin`, None where there is none.
        environment: variables; those of the process, if None.

    Raises:
        Inconclusive: its address is not known (`forge-address-unknown`), or the token is malformed (`forge-token-invalid`).
    """
    from mlgit.edges.forge import gitea, github  # noqa: PLC0415 - httpx
    from mlgit.edges.forge.client import ApiClient  # noqa: PLC0415 - httpx

    environment = os.environ if environment is None else environment
    address = find_forge(kind, remote, environment)
    token = _find_token(kind, address, environment)
    if kind == "gitea":
        return gitea.Gitea(address, ApiClient(address.api, {}, token, login_hint=gitea.LOGIN_HINT))
    return github.GitHub(address, ApiClient(address.api, github.HEADERS, token, login_hint=github.LOGIN_HINT))


def _find_token(kind: ForgeKind, address: ForgeAddress, environment: Mapping[str, str]) -> str | None:
    """Return the token for a forge; None where there is none, so that only public data can be read.

    A token of the environment is for the host that the environment names; GitHub's variables without a host mean github.com.
    `gh` keeps its tokens by host.
    """
    if address.from_environment or (kind == "github" and address.web == f"https://{GITHUB}"):
        for name in _TOKEN_VARIABLES[kind]:
            token = environment.get(name, "").strip()
            if token:
                return _require_token(token, name)
    return _token_of_gh(address.host, environment) if kind == "github" else None


def _token_of_gh(host: str, environment: Mapping[str, str]) -> str | None:
    # Without the tokens of its environment, which `gh` would return for any Enterprise Server.
    clean = {name: value for name, value in environment.items() if not name.endswith("_TOKEN")}
    try:
        done = process.run(["gh", "auth", "token", "--hostname", host], env=clean, timeout=_GH_TIMEOUT, check=False)
    except MlgitError:
        return None
    token = done.stdout.decode(errors="replace").strip()
    return _require_token(token, "gh auth token") if token and not done.code else None


def _require_token(token: str, source: str) -> str:
    if not _TOKEN.fullmatch(token):
        raise inconclusive(
            "forge-token-invalid",
            f"{source} does not contain a valid token",
            why="a token has letters, digits and punctuation only; this has spaces, line ends or other characters",
            fix=f"set {source} to the token alone",
        )
    return token
