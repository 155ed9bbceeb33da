"""One command: its workspace, and how it answers people and programs."""

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import click
import msgspec

from mlgit.ops.kernel.outcome import Outcome
from mlgit.workspace import LocalWorkspace

O = TypeVar("O", bound=Outcome)  # noqa: E741 - an outcome


class Session(LocalWorkspace):
    """The workspace of one command, and its output."""

    def __init__(self, directory: Path, *, as_json: bool = False) -> None:
        """Take the folder that the command runs in, and whether its answer is a JSON document."""
        self.as_json = as_json
        super().__init__(directory, show=self.progress if self._is_watched else None)

    def answer(self, outcome: O, show: Callable[[O], str]) -> int:
        """Say an outcome on stdout, as a document with `--json`, else in words; return the exit code."""
        if self.as_json:
            click.echo(msgspec.json.format(msgspec.json.encode(outcome), indent=2))
        else:
            click.echo(show(outcome))
        return int(outcome.exit)

    def step(self, text: str) -> None:
        """Say on stderr what is being done, for somebody who waits at a terminal."""
        if self._is_watched:
            click.echo(click.style(f"... {text}", dim=True), err=True)

    @contextlib.contextmanager
    def progress(self, what: str) -> Iterator[Callable[[int | str], None]]:
        """Yield a function that shows how much was done, for somebody who waits at a terminal for more than a second."""
        began = time.monotonic()
        shown = False

        def show(done: int | str) -> None:
            nonlocal shown
            if self._is_watched and time.monotonic() - began > 1:
                shown = True
                amount = done if isinstance(done, str) else f"{done:,}"
                click.echo(f"\r\x1b[K... {what}: {amount}", err=True, nl=False)

        try:
            yield show
        finally:
            if shown:
                click.echo("\r\x1b[K", err=True, nl=False)

    @property
    def _is_watched(self) -> bool:
        return not self.as_json and sys.stderr.isatty()

    @property
    def may_ask(self) -> bool:
        """Whether there is somebody at a terminal to ask."""
        return sys.stdin.isatty() and sys.stdout.isatty() and not self.as_json and "CI" not in os.environ
