"""What the runner of a workflow hands to a step, and the files in which it takes something back.

The files are those of GitHub's documentation of workflow commands: GITHUB_OUTPUT takes `name<<delimiter` blocks, and
GITHUB_STEP_SUMMARY takes Markdown.
"""

import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from mlgit.errors import inconclusive

_LARGEST_SUMMARY = 1 << 20  # bytes; more is refused by the forge as a whole


class Runner:
    """The environment of a step. Outside a workflow there is nothing to read, and what is said is left unsaid."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self._environment = os.environ if environment is None else environment

    @property
    def event_name(self) -> str | None:
        """What happened."""
        return self._environment.get("GITHUB_EVENT_NAME")

    def event(self) -> bytes | None:
        """Return the payload of the event; None where there is none.

        Raises:
            Unjudged: the file that is named cannot be read (`disk-failed`).
        """
        name = self._environment.get("GITHUB_EVENT_PATH")
        if not name:
            return None
        try:
            return Path(name).read_bytes()
        except OSError as error:
            raise inconclusive(
                "disk-failed", f"{name} cannot be read", why=str(error), fix="run it in a workflow"
            ) from error

    def left(self, place: Path, largest: int) -> bytes:
        """Return a file that another run left, at most one byte more than it may have; a link is not followed.

        Raises:
            Unjudged: there is no such file (`disk-failed`).
        """
        try:
            with os.fdopen(os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
                return file.read(largest + 1)
        except OSError as error:
            raise inconclusive(
                "disk-failed", f"{place} cannot be read", why=str(error), fix="look at the run that was to leave it"
            ) from error

    def summarise(self, markdown: str) -> None:
        """Add to the summary of the job."""
        encoded = markdown.encode("utf-8", "replace")[:_LARGEST_SUMMARY].decode("utf-8", "ignore")
        self._append("GITHUB_STEP_SUMMARY", encoded + "\n")

    def output(self, values: Mapping[str, str]) -> None:
        """Set outputs of the step; a delimiter that nobody can guess keeps one value from setting another."""
        for name, value in values.items():
            end = f"mlgit-{secrets.token_hex(16)}"
            self._append("GITHUB_OUTPUT", f"{name}<<{end}\n{value}\n{end}\n")

    def _append(self, variable: str, text: str) -> None:
        name = self._environment.get(variable)
        if not name:
            return
        try:
            with Path(name).open("a", encoding="utf-8", newline="\n") as file:
                file.write(text)
        except OSError as error:
            raise inconclusive(
                "disk-failed", f"{name} cannot be written", why=str(error), fix="see to space and permissions there"
            ) from error
