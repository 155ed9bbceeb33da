"""The runner of a workflow: what it passes to a step, and the files through which a step returns outputs and a summary.

The files are those of GitHub's documentation of workflow commands: GITHUB_OUTPUT takes `name<<delimiter` blocks, and
GITHUB_STEP_SUMMARY takes Markdown.
"""

import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from mlgit.errors import inconclusive

_MAX_SUMMARY_BYTES: Final = 1 << 20  # GitHub rejects a longer one as a whole


class Runner:
    """The environment of a step. Outside a workflow there is no event, and outputs and summaries go nowhere."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self._environment = os.environ if environment is None else environment

    @property
    def event_name(self) -> str | None:
        """The name of the event; None outside a workflow."""
        return self._environment.get("GITHUB_EVENT_NAME")

    def event_payload(self) -> bytes | None:
        """Return the payload of the event; None where there is none.

        Raises:
            Inconclusive: its file cannot be read (`disk-io-failed`).
        """
        name = self._environment.get("GITHUB_EVENT_PATH")
        if not name:
            return None
        try:
            return Path(name).read_bytes()
        except OSError as error:
            raise inconclusive(
                "disk-io-failed", f"{name} cannot be read", why=str(error), fix="run it in a workflow"
            ) from error

    def read_report(self, path: Path, max_bytes: int) -> bytes:
        """Return a file that another run left, at most one byte more than the limit; a symbolic link is not followed.

        Raises:
            Inconclusive: there is no such file (`disk-io-failed`).
        """
        try:
            with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
                return file.read(max_bytes + 1)
        except OSError as error:
            raise inconclusive(
                "disk-io-failed",
                f"{path} cannot be read",
                why=str(error),
                fix="look at the run that should have left it",
            ) from error

    def add_summary(self, markdown: str) -> None:
        """Append to the summary of the job."""
        encoded = markdown.encode("utf-8", "replace")[:_MAX_SUMMARY_BYTES].decode("utf-8", "ignore")
        self._append("GITHUB_STEP_SUMMARY", encoded + "\n")

    def set_outputs(self, values: Mapping[str, str]) -> None:
        """Set outputs of the step; a random delimiter keeps one value from setting another output."""
        for name, value in values.items():
            delimiter = f"mlgit-{secrets.token_hex(16)}"
            self._append("GITHUB_OUTPUT", f"{name}<<{delimiter}\n{value}\n{delimiter}\n")

    def _append(self, variable: str, text: str) -> None:
        name = self._environment.get(variable)
        if not name:
            return
        try:
            with Path(name).open("a", encoding="utf-8", newline="\n") as file:
                file.write(text)
        except OSError as error:
            raise inconclusive(
                "disk-io-failed",
                f"{name} cannot be written",
                why=str(error),
                fix="check free space and permissions there",
            ) from error
