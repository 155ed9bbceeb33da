"""Where a forge is: its API and the repository, from the environment and the URL of `origin`, never from files.

The variables are those that GitHub sets for a job of its Actions (GITHUB_API_URL, GITHUB_SERVER_URL, GITHUB_REPOSITORY), and
GITEA_API_URL for a Gitea or Forgejo. The addresses of GitHub's APIs follow its documentation: below `/api/v3` of an Enterprise
Server, at `api.NAME.ghe.com` for a tenant of ghe.com.
"""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import SplitResult, urlsplit

import msgspec

from mlgit.domain.forge import ForgeKind
from mlgit.errors import MlgitError, inconclusive

GITHUB: Final = "github.com"
_TENANTS: Final = ".ghe.com"
_LOOPBACK: Final = {"127.0.0.1", "::1", "localhost"}
_API_VARIABLES: Final = {"github": "GITHUB_API_URL", "gitea": "GITEA_API_URL"}

_SCP_URL = re.compile(r"(?:[^@/:\s]+@)?(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+):(?!//)(?P<path>[^\s]+)")
_HOST = re.compile(r"[A-Za-z0-9.-]+|[0-9A-Fa-f:.]+")
_PATH_PART = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._-]{1,100}")
_OWNER_AND_NAME: Final = 2  # the parts of a path that name a repository


class RemoteAddress(msgspec.Struct, frozen=True):
    """The forge that a Git URL leads to: its web address, `https://github.com`, and the repository, `acme/churn`."""

    web: str
    repository: str


class ForgeAddress(msgspec.Struct, frozen=True):
    """Where a forge is. `from_environment`: the environment names it, so the tokens there are meant for it."""

    api: str
    web: str
    repository: str
    from_environment: bool

    @property
    def host(self) -> str:
        """Host of the web address, with its port if that is not the default; `gh` keeps its tokens by it."""
        return urlsplit(self.web).netloc


def parse_remote(url: str) -> RemoteAddress | None:
    """Return the forge that a Git URL leads to; None for a path, or a URL of another form.

    Args:
        url: `https://host/owner/name.git`, `ssh://git@host/owner/name`, or `git@host:owner/name.git`. A user name or password
            in it is left out.
    """
    parts = _split(url) if "://" in url else None
    if parts is not None and parts.scheme in {"https", "http", "ssh", "git+ssh"}:
        host, path = parts.hostname or "", parts.path
        web = _web_address(parts)
    else:
        match = _SCP_URL.fullmatch(url)
        if match is None or "://" in url:
            return None
        host, path = match[1].strip("[]"), match["path"]
        web = f"https://{_web_host(match[1].lower())}"
    names = path.strip("/").removesuffix(".git").split("/")
    if (
        not _HOST.fullmatch(host)
        or len(names) < _OWNER_AND_NAME
        or not all(_PATH_PART.fullmatch(name) for name in names)
    ):
        return None
    prefix = "".join(f"/{name}" for name in names[:-_OWNER_AND_NAME]) if web.startswith("http") else ""
    return RemoteAddress(web + prefix, "/".join(names[-_OWNER_AND_NAME:]))


def find_forge(kind: ForgeKind, remote: str | None, environment: Mapping[str, str]) -> ForgeAddress:
    """Return where a forge is.

    Args:
        kind: which forge.
        remote: the URL of `origin`; None where there is no such remote.
        environment: variables.

    Raises:
        Inconclusive: neither names it, or only in a way that no token may be sent to (`forge-address-unknown`).
    """
    parsed = parse_remote(remote) if remote else None
    repository = environment.get("GITHUB_REPOSITORY") or (parsed.repository if parsed else None)
    if repository is None:
        raise _unknown_address(
            kind, "GITHUB_REPOSITORY is not set, and the remote origin has no URL of the form host/owner/name"
        )
    if not re.fullmatch(rf"{_PATH_PART.pattern}/{_PATH_PART.pattern}", repository):
        raise _unknown_address(kind, f"GITHUB_REPOSITORY is {repository!r}, which is not of the form owner/name")
    configured = _from_environment(kind, environment)
    if configured is None and parsed is None:
        raise _unknown_address(kind, f"{_API_VARIABLES[kind]} is not set, and the remote origin does not name a host")
    web, api = configured or (parsed.web if parsed else "", None)
    api = api or _default_api(kind, web)
    for address in (api, web):
        _require_safe(kind, address)
    return ForgeAddress(api, web, repository, configured is not None)


def _from_environment(kind: ForgeKind, environment: Mapping[str, str]) -> tuple[str, str | None] | None:
    """Return the web address that the environment names, and the address of the API if that is named too."""
    api = environment.get(_API_VARIABLES[kind], "").rstrip("/") or None
    web = environment.get("GITHUB_SERVER_URL", "").rstrip("/") if kind == "github" else ""
    if api is None:
        return (web, None) if web else None
    if not web:
        base = api.removesuffix("/api/v1" if kind == "gitea" else "/api/v3")
        host = urlsplit(base).netloc
        is_api_host = host == f"api.{GITHUB}" or (host.startswith("api.") and host.endswith(_TENANTS))
        web = base.replace("://api.", "://", 1) if is_api_host else base
    return web, api


def _default_api(kind: ForgeKind, web: str) -> str:
    if kind == "gitea":
        return f"{web}/api/v1"
    host = urlsplit(web).netloc
    if host == GITHUB or host.endswith(_TENANTS):
        return f"https://api.{host}"
    return f"{web}/api/v3"


def _require_safe(kind: ForgeKind, address: str) -> None:
    parts = _split(address)
    if parts is None or not parts.hostname or "@" in parts.netloc or parts.query or parts.fragment:
        raise _unknown_address(kind, "its address is not of the form https://host/path")
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise _unknown_address(
            kind, f"{parts.scheme}://{parts.hostname} is not encrypted: a token is sent over https only"
        )


def _web_address(parts: SplitResult) -> str:
    """Return the web address of the host of a Git URL; a port of SSH is not used for the web."""
    host = _web_host((parts.hostname or "").lower())
    host = f"[{host}]" if ":" in host else host
    is_plain = parts.scheme == "http" and host in _LOOPBACK
    port = f":{parts.port}" if parts.port and parts.scheme in {"https", "http"} else ""
    return f"{'http' if is_plain else 'https'}://{host}{port}"


def _web_host(host: str) -> str:
    """Return the host that serves the web pages: GitHub answers SSH on port 443 under another name."""
    return GITHUB if host in {f"ssh.{GITHUB}", f"www.{GITHUB}"} else host


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        _ = parts.port  # an invalid port is refused only when it is read
    except ValueError:
        return None
    return parts


def _unknown_address(kind: ForgeKind, why: str) -> MlgitError:
    return inconclusive(
        "forge-address-unknown",
        f"the address of the {'GitHub' if kind == 'github' else 'Gitea'} of this repository is not known",
        why=why,
        fix=f"set {_API_VARIABLES[kind]} to the address of its API and GITHUB_REPOSITORY to owner/name, or set the URL of origin",
    )
