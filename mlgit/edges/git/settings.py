"""Git's configuration, the names of the remotes, and the identity of the person."""

import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Final

from mlgit.edges.git.command import Git, one_line
from mlgit.errors import MlgitError, refused

_IDENTITY: Final = r"(?P<name>.*) <(?P<email>[^<>]*)> [0-9]+ [+-][0-9]{4}"
CONFIGURED_IDENTITY: Final = ("-c", "user.useConfigOnly=true")
"""Options with which Git does not derive an identity from user and host name: a guess is no evidence of who it was."""


class Settings:
    """Git's configuration for one repository, read with a single process when a value is first asked for."""

    def __init__(self, git: Git) -> None:
        """Store the Git to ask."""
        self._git = git

    def get(self, key: str) -> str | None:
        """Return the value of a key, the last where there are several; None if it is not set."""
        section, _, name = key.rpartition(".")
        head, dot, subsection = section.partition(".")
        # Git compares subsections (the name of a remote or branch) with case, everything else without.
        return self._values.get(f"{head.lower()}{dot}{subsection}.{name.lower()}")

    def remotes(self) -> Sequence[str]:
        """Return the names of the remotes, sorted."""
        matches = (re.fullmatch(r"remote\.(.+)\.url", key) for key in self._values)
        return sorted(match[1] for match in matches if match)

    def identity(self) -> tuple[str, str]:
        """Return name and e-mail address of the author that a commit made now would have.

        Raises:
            MlgitError: none is configured (`git-identity-missing`).
        """
        completed = self._git.run(*CONFIGURED_IDENTITY, "var", "GIT_AUTHOR_IDENT", check=False)
        match = re.match(_IDENTITY, completed.stdout.decode(errors="replace"))
        if match is None or not match["name"] or not match["email"]:
            raise identity_missing(completed.stderr)
        return match["name"], match["email"]

    def put(self, values: Mapping[str, str]) -> None:
        """Set values in the configuration of the repository; that of the person stays."""
        for key, value in values.items():
            self._git.run("config", "--local", "--", key, value, write=True)

    @cached_property
    def _values(self) -> dict[str, str]:
        values = {}
        for setting in self._git.run("config", "--list", "-z").stdout.decode(errors="replace").split("\0"):
            key, equals, value = setting.partition("\n")
            values[key] = value if equals else "true"  # `[section] key` without a value switches it on
        return values


def identity_missing(stderr: str) -> MlgitError:
    """Return the error for a Git without an identity."""
    return refused(
        "git-identity-missing",
        "Git does not know who you are",
        why=next((line.strip() for line in stderr.split("\n") if line.startswith("fatal: ")), one_line(stderr)),
        fix='run `git config --global user.name "Your Name"` and `git config --global user.email you@example.com`',
    )
