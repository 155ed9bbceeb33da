"""Rules for text that people review: what they see is what is read."""

import re
from collections.abc import Iterator
from typing import Final

from mlgit.domain import codeowners, layout
from mlgit.domain.hidden import first_hidden
from mlgit.errors import Finding, Location

_NAMES: Final = frozenset(
    {
        *(layout.PROJECT, layout.ROLES, layout.SIGNERS, layout.TRUSTED_TYPES, *codeowners.PATHS),
        *("dvc.yaml", "dvc.lock", ".dvcignore", ".gitattributes", ".gitignore", ".gitmodules"),
        *("Pipfile", "pyproject.toml", "setup.cfg", "Dockerfile", "Makefile"),
    }
)
_ENDINGS: Final = (".dvc", ".yaml", ".yml", ".json", ".toml", ".md", ".lock")
_CONFIGURATION: Final = re.compile(
    r"(^|/)(\.dvc/config|requirements([^/]*|/.*)\.(txt|in)|constraints[^/]*\.txt)$|^\.(mlgit|github)/"
)
_PROVIDER_TOKENS: Final = (
    r"\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{36}\b|\bgithub_pat_[A-Za-z0-9_]{40,}|\bglpat-[A-Za-z0-9_-]{20}\b"
    r"|\bhf_[A-Za-z0-9]{34}\b|\bxox[abprs]-[A-Za-z0-9-]{10,}|\bAIza[0-9A-Za-z_-]{35}\b|-----BEGIN [A-Z ]*PRIVATE KEY-----"
)
_SECRET: Final = re.compile(rf"{_PROVIDER_TOKENS}|\b[a-z][a-z0-9+.-]*://[^\s/:@]+:[^\s/:@${{]+@")
_ASSIGNED: Final = re.compile(
    r"\b(?:password|passwd|secret|api[_-]?key|(?:access|auth)[_-]?token)\b\s*[:=]\s*['\"]?(?=\S*[0-9])[^\s'\"<>{}$]{10,}",
    re.IGNORECASE,
)
_SETTING: Final = re.compile(r"\s*([a-z_]+)\s*=\s*(\S.*)")
CREDENTIALS: Final = frozenset(
    {
        *("access_key_id", "secret_access_key", "session_token", "sse_customer_key"),
        *("account_key", "connection_string", "sas_token", "client_secret"),
        *("oss_key_id", "oss_key_secret", "gdrive_client_secret", "gdrive_service_account_json_data"),
        *("password", "passphrase", "token", "custom_auth_header"),
    }
)
"""Settings of DVC's remotes that are credentials (https://dvc.org/doc/command-reference/remote/modify)."""


def is_reviewed(path: str) -> bool:
    """Tell whether a file is text that people review and mlgit, DVC, a package manager or a forge then reads."""
    name = path.rpartition("/")[2]
    return path in _NAMES or name in _NAMES or name.endswith(_ENDINGS) or _CONFIGURATION.search(path) is not None


def check_visible(content: bytes, file: str) -> Iterator[Finding]:
    """Check that a text has no character that is not seen, in comments, keys, values or prose (see `domain.hidden`)."""
    if hidden := first_hidden(content):
        yield Finding(
            "text-hidden-character",
            f"{file} has a character that is not seen: {hidden.name} in column {hidden.column}",
            why="what people review would differ from what is read: such characters break, reverse or hide text",
            fix='delete it; where data really has it, write it as an escape in double quotes, such as "\\u200b"',
            at=Location(file, hidden.line),
        )


def check_secrets(content: bytes, file: str) -> Iterator[Finding]:
    """Check that a text has no credentials: tokens of well-known services, private keys, and passwords in URLs.

    In cards, and in settings of DVC, a password or token that is written out counts too. The finding never quotes it.
    """
    is_dvc = file.endswith(".dvc/config")
    for number, line in enumerate(content.decode("utf-8", "replace").split("\n"), start=1):
        setting = _SETTING.match(line) if is_dvc else None
        if setting is not None and setting[1] in CREDENTIALS:
            yield _credentials(f"{file} contains the credential {setting[1]}", Location(file, number))
        elif _SECRET.search(line) or (file.endswith(".md") and _ASSIGNED.search(line)):
            yield _credentials(f"{file} contains what looks like a password or a token", Location(file, number))


def _credentials(message: str, at: Location) -> Finding:
    return Finding(
        "credentials-committed",
        message,
        why="everybody who can read the repository has it, in its history too",
        fix="revoke it; DVC takes credentials from `dvc remote modify --local`, programs from their environment",
        at=at,
    )
