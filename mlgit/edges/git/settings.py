"""What Git is set to: configuration, remotes, and who the person is."""

import re
from collections.abc import Sequence
from functools import cached_property
from typing import Final

from mlgit.edges.git.command import Git, said_in_short
from mlgit.errors import MlgitError, refused

_IDENTITY: Final = r"(?P<name>.*) <(?P<email>[^<>]*)> [0-9]+ [+-][0-9]{4}"
STATED_IDENTITY: Final = ("-c", "user.useConfigOnly=true")
"""Options with which Git takes nobody's name from that of the machine: a guess is no evidence of who it was."""


class Settings:
    """Git's settings for one repository, all read in one process when the first is asked for."""

    def __init__(self, git: Git) -> None:
        """Take Git."""
        self._git = git

    def get(self, key: str) -> str | None:
        """Return a setting, the last where there are several; None if it is not set."""
        section, _, name = key.rpartition(".")
        head, dot, rest = section.partition(".")
        return self._all.get(f"{head.lower()}{dot}{rest}.{name.lower()}")

    def remotes(self) -> Sequence[str]:
        """Return the names of the remotes, sorted."""
        found = (re.fullmatch(r"remote\.(.+)\.url", key) for key in self._all)
        return sorted(match[1] for match in found if match)

    def identity(self) -> tuple[str, str]:
        """Return name and e-mail address of the author that a commit made now would have.

        Raises:
            MlgitError: Git knows none (`identity-missing`).
        """
        done = self._git.run(*STATED_IDENTITY, "var", "GIT_AUTHOR_IDENT", check=False)
        match = re.match(_IDENTITY, done.stdout.decode(errors="replace"))
        if match is None or not match["name"] or not match["email"]:
            raise identity_missing(done.stderr)
        return match["name"], match["email"]

    @cached_property
    def _all(self) -> dict[str, str]:
        settings = {}
        for setting in self._git.run("config", "--list", "-z").stdout.decode(errors="replace").split("\0"):
            key, equals, value = setting.partition("\n")
            settings[key] = value if equals else "true"  # without a value, it is switched on
        return settings


def identity_missing(said: str) -> MlgitError:
    """Return the error for a Git that does not know who the person is."""
    return refused(
        "identity-missing",
        "Git does not know who you are",
        why=next((line.strip() for line in said.split("\n") if line.startswith("fatal: ")), said_in_short(said)),
        fix='run `git config --global user.name "Your Name"` and `git config --global user.email you@example.com`',
    )
