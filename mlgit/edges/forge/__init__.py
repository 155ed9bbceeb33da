"""Forges: where pull requests, their reviews and checks are kept.

Which forge it is, mlgit.yaml says. Where it is, and what is sent to it, only the environment and the person's own settings say:
a token goes to the host that it was set for, and never to one that a repository names.
"""

import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from mlgit.edges import process
from mlgit.edges.forge.address import GITHUB, Kind, Place, place
from mlgit.errors import MlgitError, inconclusive

if TYPE_CHECKING:
    from mlgit.ops.kernel.ports.forge import Forge

_VARIABLES: Final = {"github": ("GITHUB_TOKEN", "GH_TOKEN"), "gitea": ("GITEA_TOKEN",)}
_TOKEN = re.compile(r"[\x21-\x7e]+")
_GH_TIMEOUT: Final = 20.0


def open_forge(kind: Kind, remote: str | None, environment: Mapping[str, str] | None = None) -> "Forge":
    """Open the forge of a repository; nothing is asked of it yet.

    Args:
        kind: which forge.
        remote: the address of the remote `origin`, None where there is none.
        environment: that of the process, if None.

    Raises:
        Unjudged: where it is cannot be told (`forge-address`), or what is set as a token is none (`forge-token`).
    """
    from mlgit.edges.forge.gitea import HOW_TO_ASK, Gitea  # noqa: PLC0415 - httpx
    from mlgit.edges.forge.github import HEADERS, GitHub  # noqa: PLC0415 - httpx
    from mlgit.edges.forge.github import HOW_TO_ASK as HOW_TO_ASK_GITHUB  # noqa: PLC0415 - httpx
    from mlgit.edges.forge.http import Http  # noqa: PLC0415 - httpx

    environment = os.environ if environment is None else environment
    where = place(kind, remote, environment)
    token = _token(kind, where, environment)
    if kind == "gitea":
        return Gitea(where, Http(where.api, {}, token, how_to_ask=HOW_TO_ASK))
    return GitHub(where, Http(where.api, HEADERS, token, how_to_ask=HOW_TO_ASK_GITHUB))


def _token(kind: Kind, where: Place, environment: Mapping[str, str]) -> str | None:
    """Return the token for a forge; None where there is none, so that only what is public can be asked.

    Tokens of the environment are for the host that the environment names; those of GitHub that stand alone, for github.com.
    What `gh` keeps, it keeps by host.
    """
    if where.named or (kind == "github" and where.web == f"https://{GITHUB}"):
        for name in _VARIABLES[kind]:
            token = environment.get(name, "").strip()
            if token:
                return _checked(token, name)
    return _token_of_gh(where.host, environment) if kind == "github" else None


def _token_of_gh(host: str, environment: Mapping[str, str]) -> str | None:
    # Without the tokens of its environment, which `gh` would hand out for any Enterprise Server.
    quiet = {key: value for key, value in environment.items() if not key.endswith("_TOKEN")}
    try:
        done = process.run(["gh", "auth", "token", "--hostname", host], env=quiet, timeout=_GH_TIMEOUT, check=False)
    except MlgitError:
        return None
    token = done.stdout.decode(errors="replace").strip()
    return _checked(token, "gh auth token") if token and not done.code else None


def _checked(token: str, where: str) -> str:
    if not _TOKEN.fullmatch(token):
        raise inconclusive(
            "forge-token",
            f"what {where} gives is no token",
            why="a token is one word of letters, digits and signs; this has spaces, line ends or other characters",
            fix=f"set {where} to the token alone",
        )
    return token
