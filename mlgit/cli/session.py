"""The session of one command: its workspace, and its output for people and programs."""

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import click

from mlgit.cli.render import json
from mlgit.ops.kernel.outcome import Outcome
from mlgit.workspace import LocalWorkspace

O = TypeVar("O", bound=Outcome)  # noqa: E741 - an outcome


class Session(LocalWorkspace):
    """The workspace of one command, and its output."""

    def __init__(self, directory: Path, *, as_json: bool = False) -> None:
        """Take the folder that the command runs in, and whether to print JSON."""
        self.as_json = as_json
        super().__init__(directory, show=self.progress if self._shows_progress else None)

    def answer(self, outcome: O, show: Callable[[O], str]) -> int:
        """Print an outcome to stdout, as JSON or as text; return its exit code."""
        if self.as_json:
            click.echo(json.document(outcome))
        else:
            click.echo(show(outcome))
        return int(outcome.exit)

    def reuse_evidence(self) -> None:
        """Use evidence that was computed before, but not in CI: its caches may have been written by other jobs."""
        if "CI" not in os.environ:
            super().reuse_evidence()

    def step(self, text: str) -> None:
        """Print the current step to stderr, if that is a terminal."""
        if self._shows_progress:
            click.echo(click.style(f"... {text}", dim=True), err=True)

    @contextlib.contextmanager
    def progress(self, label: str) -> Iterator[Callable[[int | str], None]]:
        """Yield a function that shows a count on stderr, if that is a terminal and this takes more than a second."""
        began = time.monotonic()
        shown = False

        def show(done: int | str) -> None:
            nonlocal shown
            if self._shows_progress and time.monotonic() - began > 1:
                shown = True
                amount = done if isinstance(done, str) else f"{done:,}"
                click.echo(f"\r\x1b[K... {label}: {amount}", err=True, nl=False)

        try:
            yield show
        finally:
            if shown:
                click.echo("\r\x1b[K", err=True, nl=False)

    @property
    def _shows_progress(self) -> bool:
        return not self.as_json and sys.stderr.isatty()

    @property
    def may_ask(self) -> bool:
        """Whether to prompt: only at a terminal, and never in CI."""
        return sys.stdin.isatty() and sys.stdout.isatty() and not self.as_json and "CI" not in os.environ
