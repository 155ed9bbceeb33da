"""Where a forge is: its API and the repository, from the environment and the address of `origin`, never from files.

The variables are those that GitHub sets for a job of its Actions (GITHUB_API_URL, GITHUB_SERVER_URL, GITHUB_REPOSITORY), and
GITEA_API_URL for a Gitea or Forgejo. Where the API of a GitHub of one's own is follows GitHub's documentation: below `/api/v3` of
an Enterprise Server, at `api.NAME.ghe.com` for a tenant of ghe.com.
"""

import re
from collections.abc import Mapping
from typing import Final, Literal
from urllib.parse import SplitResult, urlsplit

import msgspec

from mlgit.errors import MlgitError, inconclusive

Kind = Literal["github", "gitea"]

GITHUB: Final = "github.com"
_TENANTS: Final = ".ghe.com"
_LOOPBACK: Final = {"127.0.0.1", "::1", "localhost"}

_SCP = re.compile(r"(?:[^@/:\s]+@)?(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+):(?!//)(?P<path>[^\s]+)")
_HOST = re.compile(r"[A-Za-z0-9.-]+|[0-9A-Fa-f:.]+")
_PART = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._-]{1,100}")


class Remote(msgspec.Struct, frozen=True):
    """What the address of a remote says of a forge: its web address, `https://github.com`, and `acme/churn`."""

    web: str
    repository: str


class Place(msgspec.Struct, frozen=True):
    """Where a forge is. `named` says that the environment names it, and so that the tokens there are meant for it."""

    api: str
    web: str
    repository: str
    named: bool

    @property
    def host(self) -> str:
        """Name of the host for people, with its port if it has one of its own; by it `gh` keeps its tokens."""
        return urlsplit(self.web).netloc


def parse_remote(url: str) -> Remote | None:
    """Return what an address of Git says of a forge; None for a path, or whatever else does not lead to one.

    Args:
        url: `https://host/owner/name.git`, `ssh://git@host/owner/name`, or `git@host:owner/name.git`. A name or password in it
            is left out.
    """
    parts = _split(url) if "://" in url else None
    if parts is not None and parts.scheme in {"https", "http", "ssh", "git+ssh"}:
        host, path = parts.hostname or "", parts.path
        web = _web(parts)
    else:
        found = _SCP.fullmatch(url)
        if found is None or "://" in url:
            return None
        host, path = found[1].strip("[]"), found["path"]
        web = f"https://{_known(found[1].lower())}"
    words = path.strip("/").removesuffix(".git").split("/")
    if not _HOST.fullmatch(host) or len(words) < 2 or not all(_PART.fullmatch(word) for word in words):  # noqa: PLR2004 - owner, name
        return None
    above = "".join(f"/{word}" for word in words[:-2]) if web.startswith("http") else ""
    return Remote(web + above, "/".join(words[-2:]))


def place(kind: Kind, remote: str | None, environment: Mapping[str, str]) -> Place:
    """Return where a forge is.

    Args:
        kind: which forge.
        remote: the address of `origin`; None where there is no such remote.
        environment: that of the process.

    Raises:
        Unjudged: neither says it, or not in a way that a token may be sent there (`forge-address`).
    """
    found = parse_remote(remote) if remote else None
    repository = environment.get("GITHUB_REPOSITORY") or (found.repository if found else None)
    if repository is None:
        raise _unknown(
            kind, "GITHUB_REPOSITORY is not set, and the remote origin has no address of the form host/owner/name"
        )
    if not re.fullmatch(rf"{_PART.pattern}/{_PART.pattern}", repository):
        raise _unknown(kind, f"GITHUB_REPOSITORY is {repository!r}, which is not of the form owner/name")
    named = _named(kind, environment)
    if named is None and found is None:
        raise _unknown(kind, f"{_VARIABLE[kind]} is not set, and the remote origin does not lead to a host")
    web, api = named or (found.web if found else "", None)
    api = api or _api(kind, web)
    for address in (api, web):
        _check(kind, address)
    return Place(api, web, repository, named is not None)


_VARIABLE: Final = {"github": "GITHUB_API_URL", "gitea": "GITEA_API_URL"}


def _named(kind: Kind, environment: Mapping[str, str]) -> tuple[str, str | None] | None:
    """Return what the environment names: the address for people, and the API's if that is named too."""
    api = environment.get(_VARIABLE[kind], "").rstrip("/") or None
    web = environment.get("GITHUB_SERVER_URL", "").rstrip("/") if kind == "github" else ""
    if api is None:
        return (web, None) if web else None
    if not web:
        below = api.removesuffix("/api/v1" if kind == "gitea" else "/api/v3")
        host = urlsplit(below).netloc
        tenant = host == f"api.{GITHUB}" or (host.startswith("api.") and host.endswith(_TENANTS))
        web = below.replace("://api.", "://", 1) if tenant else below
    return web, api


def _api(kind: Kind, web: str) -> str:
    if kind == "gitea":
        return f"{web}/api/v1"
    host = urlsplit(web).netloc
    if host == GITHUB or host.endswith(_TENANTS):
        return f"https://api.{host}"
    return f"{web}/api/v3"


def _check(kind: Kind, address: str) -> None:
    parts = _split(address)
    if parts is None or not parts.hostname or "@" in parts.netloc or parts.query or parts.fragment:
        raise _unknown(kind, "its address is not of the form https://host/path")
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise _unknown(kind, f"{parts.scheme}://{parts.hostname} is not encrypted: a token is sent over https only")


def _web(parts: SplitResult) -> str:
    """Return the address for people of the host that an address of Git names; a port of SSH is no port of the web's."""
    host = _known((parts.hostname or "").lower())
    host = f"[{host}]" if ":" in host else host
    plain = parts.scheme == "http" and host in _LOOPBACK
    port = f":{parts.port}" if parts.port and parts.scheme in {"https", "http"} else ""
    return f"{'http' if plain else 'https'}://{host}{port}"


def _known(host: str) -> str:
    """Return a host by the name that it has for people: GitHub answers SSH on port 443 under another one."""
    return GITHUB if host in {f"ssh.{GITHUB}", f"www.{GITHUB}"} else host


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        _ = parts.port  # refused only when it is looked at
    except ValueError:
        return None
    return parts


def _unknown(kind: Kind, why: str) -> MlgitError:
    return inconclusive(
        "forge-address",
        f"mlgit cannot tell where the {'GitHub' if kind == 'github' else 'Gitea'} of this repository is",
        why=why,
        fix=f"set {_VARIABLE[kind]} to the address of its API, and GITHUB_REPOSITORY to owner/name, or set the address of origin",
    )
